"""What may stand in the cells of a roster. Pure: no Flask, no database.

People keep rosters by hand: dates in five notations, numbers that Excel has mangled, names of illnesses
as they are spoken.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from app.patients.schema import CONDITIONS, RELATIONS

LONGEST_EXACT = 15  # digits Excel keeps of a number
SPLIT = re.compile(r"[、，,；;/\s]+")
DATE = re.compile(r"(\d{4})(?:年|[-/.])(\d{1,2})(?:月|[-/.])(\d{1,2})日?|(\d{4})(\d{2})(\d{2})")
NONE = {"无", "没有", "健康", "未患病"}
YES, NO = {"是", "1", "y", "yes", "√", "独居"}, {"否", "0", "n", "no", "×", "不独居", "非独居"}
SPOKEN = {
    spoken: code
    for code, words in {
        "hypertension": "高血压病",
        "diabetes_t2": "糖尿病 二型糖尿病 ii型糖尿病 2型",
        "chd": "冠状动脉粥样硬化性心脏病",
        "stroke": "中风 脑梗 脑梗死 脑出血",
        "heart_failure": "心力衰竭",
        "ckd": "慢性肾脏病",
        "copd": "慢性阻塞性肺疾病",
        "malignancy": "癌症 肿瘤",
        "smi": "精神障碍 重性精神病",
        "dementia": "认知障碍 阿尔茨海默病",
        "osteoporosis": "骨质疏松症",
    }.items()
    for spoken in words.split()
}


class BadCell(ValueError):
    """The cell cannot be used; the text says why, in Chinese, without repeating identity numbers."""


@dataclass(frozen=True)
class Column:
    """`read` turns a cell into what the payload's `field` holds; None for an empty one. Raises BadCell."""

    title: str
    field: str
    read: Callable[[Any], Any]
    required: bool = False
    aliases: tuple[str, ...] = ()


def column(header: Any) -> str | None:
    """The key of the column with this heading; None for one we do not know."""
    plain = _folded(header)
    for key, known in COLUMNS.items():
        if plain in (_folded(name) for name in (known.title, *known.aliases)):
            return key
    return None


def _folded(text: Any) -> str:
    """Heading without spaces, brackets and what Excel authors put around it."""
    return re.sub(r"[\s*＊()（）:：]", "", unicodedata.normalize("NFKC", str(text or ""))).lower()


def text(cell: Any) -> str | None:
    """A cell as the text it shows. A formula is refused: its result is not in the file we read."""
    if cell is None or isinstance(cell, bool):
        return None if cell is None else ("是" if cell else "否")
    if isinstance(cell, datetime | date):
        return f"{cell:%Y-%m-%d}"
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    value = str(cell).strip()
    if value.startswith("="):
        raise BadCell("是公式，请粘贴成值")
    return value.removeprefix("'") or None


def number(cell: Any) -> str | None:
    """Digits that must not have gone through Excel's floating point."""
    if isinstance(cell, int | float) and not isinstance(cell, bool) and abs(cell) >= 10**LONGEST_EXACT:
        raise BadCell("被 Excel 当成数字，末几位已丢失，请把这一列设为“文本”后重填")
    value = text(cell)
    if value and re.fullmatch(r"\d(\.\d+)?[eE]\+\d+", value):
        raise BadCell("被 Excel 当成数字，末几位已丢失，请把这一列设为“文本”后重填")
    return value


def day(cell: Any) -> str | None:
    """A moment for the payload: the beginning of that day here."""
    value = text(cell)
    if value is None:
        return None
    found = DATE.fullmatch(re.sub(r"\s", "", unicodedata.normalize("NFKC", value)).removesuffix("00:00:00"))
    try:
        year, month, of_month = (int(part) for part in found.groups() if part) if found else (0, 0, 0)
        return f"{date(year, month, of_month).isoformat()}T00:00:00+08:00"
    except ValueError:
        raise BadCell("日期看不懂，应如 2026-03-01") from None


def conditions(cell: Any) -> list[str] | None:
    """Illness codes; an empty list for 无, None when nothing is written."""
    value = text(cell)
    if value is None:
        return None
    codes: list[str] = []
    for name in filter(None, SPLIT.split(unicodedata.normalize("NFKC", value))):
        code = _condition(name)
        if code and code not in codes:
            codes.append(code)
    if codes and any(name in NONE for name in SPLIT.split(value)):
        raise BadCell("写了“无”又写了别的")
    return codes


def _condition(name: str) -> str | None:
    if name in NONE:
        return None
    by_name = {zh.lower(): code for code, zh in CONDITIONS.items()} | SPOKEN
    code = by_name.get(name.lower()) or (name if name in CONDITIONS else None)
    if code is None:
        raise BadCell(f"不认识“{name[:20]}”，可写：{'、'.join(CONDITIONS.values())}")
    return code


def yes_no(cell: Any) -> bool | None:
    value = text(cell)
    if value is None:
        return None
    if value.lower() in YES:
        return True
    if value.lower() in NO:
        return False
    raise BadCell("应填“是”或“否”")


def relation(cell: Any) -> str | None:
    value = text(cell)
    if value is None or value in RELATIONS:
        return value
    spoken = {"儿子": "2", "女儿": "3", "妻子": "1", "丈夫": "1", "老伴": "1", "孙子": "4", "孙女": "4"}
    code = spoken.get(value) or next((code for code, zh in RELATIONS.items() if zh == value), None)
    if code is None:
        raise BadCell(f"应为：{'、'.join(RELATIONS.values())}")
    return code


COLUMNS = {
    "name": Column("姓名", "name", text, True, ("老人姓名", "居民姓名")),
    "id_card": Column(
        "身份证号", "id_card", number, True, ("身份证", "身份证号码", "公民身份号码", "证件号码")
    ),
    "phone": Column("电话", "phone", number, True, ("联系电话", "手机", "手机号", "手机号码", "本人电话")),
    "village": Column(
        "村（社区）", "village_id", text, True, ("村", "社区", "村居", "所在村", "村（居）", "村社区")
    ),
    "address": Column("住址", "address", text, False, ("地址", "详细地址", "家庭住址", "现住址")),
    "conditions": Column("疾病", "conditions", conditions, False, ("慢性病", "所患疾病", "慢病", "既往病史")),
    "lives_alone": Column("独居", "lives_alone", yes_no, False, ("是否独居",)),
    "consent": Column("知情同意日期", "consent_at", day, False, ("知情同意", "同意日期", "签署日期")),
    "contact_name": Column("联系人", "contact_name", text, False, ("联系人姓名", "家属姓名", "紧急联系人")),
    "contact_phone": Column("联系人电话", "contact_phone", number, False, ("家属电话", "紧急联系电话")),
    "contact_relation": Column("与联系人关系", "contact_relation", relation, False, ("联系人关系", "关系")),
}
