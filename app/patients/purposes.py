"""What a person may consent to a relative seeing and doing, and the very words that are read to them.

Every wording that anybody ever consented to stays here under its version: change a text by adding a version.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

BEFORE = "0"  # consents that relatives bound before consents were written down had in fact


@dataclass(frozen=True)
class Purpose:
    """`withheld` completes 老人没有同意… for the relative. `needs`: a purpose it makes no sense without."""

    key: str
    title: str
    withheld: str
    version: str
    needs: str = ""

    @property
    def text(self) -> str:
        return TEXTS[self.key, self.version]


PURPOSES = {
    purpose.key: purpose
    for purpose in (
        Purpose("state", "看身体情况", "家属看身体情况", "2026-06"),
        Purpose("readings", "看测量数值", "家属看血压、血糖的数值", "2026-06", needs="state"),
        Purpose("orders", "代点服务", "家属代点服务和看服务单", "2026-06"),
        Purpose("readers", "看谁看过档案", "家属看谁看过档案", "2026-06"),
        Purpose("copy", "取一份资料", "家属取健康档案的副本", "2026-06"),
    )
}
TEXTS = {
    (
        "state",
        "2026-06",
    ): "同意这位家属看我的身体情况：用平常话写的等级、建议和下次上门的日期，不含数值。",
    ("readings", "2026-06"): "同意这位家属看我最近量的血压、血糖数值。",
    ("orders", "2026-06"): "同意这位家属替我点上门服务，看服务的时间、人员和进展，并收到提醒。",
    ("readers", "2026-06"): "同意这位家属看哪些工作人员在什么时候看过、改过我的档案。",
    ("copy", "2026-06"): "同意这位家属下载我的健康档案：随访、检查、分级和服务的全部记录。",
    **{
        (key, BEFORE): "绑定家属时的原有做法，没有逐项记录同意。"
        for key in ("state", "readings", "orders", "readers")
    },
}
USUAL = ("state", "orders", "readers")  # ticked beforehand on the form; the person decides


def known(given: Iterable[str]) -> list[str]:
    """Those of `given` that are purposes, in their order, without what lacks the one it needs."""
    asked = set(given)
    return [key for key, one in PURPOSES.items() if key in asked and (not one.needs or one.needs in asked)]
