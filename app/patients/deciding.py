"""Who decided for a person, as a form of the clinic has it, and in words as a page shows it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import DomainError
from app.shared.words import UNPRINTED, blank

PERSON, GUARDIAN = "本人", "监护人"
SAID_BY = (PERSON, GUARDIAN)
CAPACITY = {"none": "无民事行为能力", "limited": "限制民事行为能力"}
# What is asked of a guardian: name -> (what it is called, how long it may be)
ASKED = {
    "guardian": ("监护人姓名", 50),
    "guardian_relation": ("监护人和老人的关系", 20),
    "basis": ("监护的依据", 50),
    "wish": ("老人自己的意愿", 200),
}


@dataclass(frozen=True)
class Word:
    """Who said so: the columns of models.Decision. All but `said_by` are of a guardian only."""

    said_by: str = PERSON
    guardian: str | None = None
    guardian_relation: str | None = None
    capacity: str | None = None
    basis: str | None = None
    wish: str | None = None

    @property
    def mark(self) -> str:
        """For the audit, which names nobody: empty where the person decided themself."""
        return f":guardian_{self.capacity}" if self.capacity else ""


def of(row: Any) -> Word:
    """What was written down with a consent or an invitation."""
    return Word(**{name: getattr(row, name) for name in Word.__dataclass_fields__})


def from_form(form: Mapping[str, str]) -> Word:
    """Raises DomainError naming every field that is wrong. What a guardian is asked counts for one only."""
    said_by = form.get("said_by", "")
    if said_by not in SAID_BY:
        raise DomainError("请选择谁表示同意", field="said_by")
    capacity = form.get("capacity", "")
    unknown = [_fault("capacity", "请选择老人的行为能力")] if capacity not in CAPACITY else []
    if said_by == PERSON and not (capacity and unknown):
        return Word()
    errors = list(unknown)
    told = {name: re.sub(r"[\r\n]+", " ", form.get(name, "")).strip() for name in ASKED}
    for name, (label, most) in ASKED.items():
        needed = name != "wish" or capacity == "limited"
        if blank(told[name]) and needed:
            errors.append(_fault(name, f"请写明{label}"))
        elif len(told[name]) > most:
            errors.append(_fault(name, f"{label}不能超过 {most} 个字"))
        elif UNPRINTED.search(told[name]):
            errors.append(_fault(name, f"{label}含有无法识别的字符"))
    if errors:
        raise DomainError("；".join(error["message"] for error in errors), errors=errors)
    wish = None if blank(told["wish"]) else told["wish"]
    return Word(GUARDIAN, told["guardian"], told["guardian_relation"], capacity, told["basis"], wish)


def spoken(row: Any) -> str:
    """本人, or 监护人 王建国（儿子，老人限制民事行为能力，监护证明；老人自己的意愿：愿意）."""
    word = of(row)
    if word.guardian is None:
        return word.said_by
    capacity = CAPACITY.get(word.capacity or "", "")
    about = "，".join(filter(None, (word.guardian_relation, capacity and f"老人{capacity}", word.basis)))
    wish = f"老人自己的意愿：{word.wish}" if word.wish else ""
    more = "；".join(filter(None, (about, wish)))
    return f"{word.said_by} {word.guardian}" + (f"（{more}）" if more else "")


def _fault(name: str, message: str) -> dict[str, str]:
    return {"pointer": f"/{name}", "code": "invalid", "message": message}
