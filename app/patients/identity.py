"""Identity numbers, phones, names: checks and masks. Source: domain/identity.md §1 and §4."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK_CHARS = "10X98765432"
MOBILE = re.compile(r"1[3-9]\d{9}")
FIXED = re.compile(r"0\d{2,3}-?\d{7,8}(-\d{1,5})?")
HALF_WIDTH = {ord(ch) + 0xFEE0: ch for ch in "0123456789Xx+-()"}
FIRST_BIRTH = date(1900, 1, 1)


@dataclass(frozen=True)
class IdCard:
    number: str
    birth_date: date
    sex: str  # 1 男, 2 女


def parse_id_card(text: str, today: date) -> IdCard:
    """GB 11643-1999. Spaces and full-width digits are forgiven, nothing else.

    Raises ValueError with words for the person who typed it.
    """
    number = _typed(text).upper()
    if len(number) != 18:
        raise ValueError(f"身份证号应为 18 位，现在是 {len(number)} 位")
    if not re.fullmatch(r"[0-9]{17}[0-9X]", number):
        raise ValueError("身份证号只能是数字，最后一位可以是 X")
    try:
        birth = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        raise ValueError("身份证号里的出生日期不存在") from None
    if not FIRST_BIRTH <= birth <= today:
        raise ValueError("身份证号里的出生日期不合理")
    total = sum(int(digit) * weight for digit, weight in zip(number, WEIGHTS, strict=False))
    if CHECK_CHARS[total % 11] != number[17]:
        raise ValueError("身份证号校验位不对，请核对")
    return IdCard(number, birth, "1" if int(number[16]) % 2 else "2")


def parse_phone(text: str) -> str:
    """A mobile number as 11 digits, or a fixed line as written. Raises ValueError with words."""
    number = _typed(text).removeprefix("+86")
    if number.isascii() and (MOBILE.fullmatch(number) or FIXED.fullmatch(number)):
        return number
    raise ValueError("电话应为 11 位手机号，或带区号的固定电话")


def _typed(text: str) -> str:
    """Without spaces and line ends, full-width signs as plain ones. Other digits (¹ ① ١) stay wrong."""
    return re.sub("[ \t\r\n\u3000\xa0]", "", text).translate(HALF_WIDTH)


def mask_id_card(number: str) -> str:
    """370406********0013"""
    return number[:6] + "********" + number[14:]


def mask_phone(phone: str | None) -> str:
    """138****1234; a fixed line keeps its area and last two digits."""
    if not phone:
        return ""
    return phone[:3] + "*" * max(0, len(phone) - 7) + phone[-4:]


def age_on(birth_date: date, day: date) -> int:
    """Full years; a 29 February birthday falls on 1 March."""
    return day.year - birth_date.year - ((day.month, day.day) < (birth_date.month, birth_date.day))


def initials(name: str) -> str:
    """Pinyin initials for search: 张秀兰 -> zxl."""
    from pypinyin import Style, lazy_pinyin  # half a second of dictionaries: a restart must not wait for it

    # Letters that are no Chinese each stand for themselves; the stub knows only one of the two shapes.
    letters = lazy_pinyin(name, style=Style.FIRST_LETTER, errors=list)  # type: ignore[arg-type]
    return "".join(letters).lower()[:50]
