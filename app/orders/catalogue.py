"""What can be ordered: catalogue.json, from domain/services.md §2 and §3. Read once, never changed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("catalogue.json")
# Funds that pay a part back to the person; short name in the source -> plain name.
INSURANCES = {"医保": "医保", "长护": "长护险"}


@dataclass(frozen=True)
class Service:
    """One line of the catalogue. Prices are whole yuan per `unit`; `price_to` differs where it depends."""

    code: str
    name: str
    short: str  # in the family's words, on cards and in heads
    name_en: str
    category: str | None  # M K Y H; None for the emergency call, which nobody is charged for
    unit: str
    performers: tuple[str, ...]
    qualification: str | None
    people: int
    minutes: int | None
    order_required: bool
    needs_assessment: bool
    not_at_home_when: str | None  # as the source words it
    unsuitable: str | None  # the same in plain words
    price_from: int | None
    price_to: int | None
    delivery: int
    payers: tuple[str, ...]
    words: str
    icon: str
    popular: int  # place among 常用, 0 for none
    offered_at_home: bool
    orderable: bool

    @property
    def fee_class(self) -> str:
        """医, 康, 养 or 护: the border of charges of §2."""
        return catalogue().categories[self.category]["fee"] if self.category else ""

    @property
    def performer_words(self) -> str:
        words = [catalogue().performers[code][1] for code in self.performers]
        words = [f"{self.qualification}{w}" if self.qualification and w == "护士" else w for w in words]
        return "或".join(words)

    @property
    def price_words(self) -> str:
        if not self.price_to:
            return "免费"
        low = "0" if not self.price_from else str(self.price_from)
        return f"{low} 元" if self.price_from == self.price_to else f"{low}–{self.price_to} 元"

    @property
    def unit_words(self) -> str:
        """What one price buys: 每次, 每剂，另加送货 10 元."""
        more = f"，另加配送 {self.delivery} 元" if self.delivery else ""
        minutes = f"（{self.minutes} 分钟）" if self.minutes else ""
        return f"每{self.unit}{minutes}{more}"

    @property
    def payer_words(self) -> str:
        """Who pays, in one line; the first named fund pays first."""
        if not self.price_to:
            return "不收钱"
        funds = [INSURANCES[p] for p in self.payers if p in INSURANCES]
        if "补贴" in self.payers:
            return "自费，有补贴的可以少付"
        if "公益" in self.payers:
            return "自费，公益服务不收钱"
        if "自费" in self.payers:
            return f"自费，有{'、'.join(funds)}可以报销" if funds else "自费"
        if "签约" in self.payers:
            return "签约服务包里有的，不另收钱"
        return f"{'或'.join(funds)}支付" if funds else "、".join(self.payers)

    @property
    def before_words(self) -> list[str]:
        """What must come before the service, in plain words."""
        found = []
        if self.needs_assessment:
            found.append(f"{self.short}前护士会先来看一次，免费。")
        if self.order_required:
            found.append("要有医生开的医嘱，没有的话村医帮您问。")
        return found

    @property
    def first_words(self) -> str:
        """The same for the desk: 护士评估，并有医生医嘱."""
        if self.needs_assessment and self.order_required:
            return "护士评估，并有医生医嘱"
        return "护士评估" if self.needs_assessment else "有医生医嘱" if self.order_required else ""


@dataclass(frozen=True)
class Catalogue:
    version: str
    categories: dict[str, dict[str, str]]
    performers: dict[str, tuple[str, str]]  # code -> (title, plain word)
    lines: tuple[Service, ...]

    def get(self, code: str) -> Service | None:
        return next((line for line in self.lines if line.code == code), None)

    def offered(self) -> list[Service]:
        """What may be ordered, popular ones first."""
        lines = [line for line in self.lines if line.orderable and line.offered_at_home]
        return sorted(lines, key=lambda line: (line.popular == 0, line.popular))


@cache
def catalogue() -> Catalogue:
    raw = json.loads(FILE.read_text("utf-8"))
    lines = tuple(
        Service(**{**line, "performers": tuple(line["performers"]), "payers": tuple(line["payers"])})
        for line in raw["lines"]
    )
    performers = {code: (words[0], words[1]) for code, words in raw["performers"].items()}
    return Catalogue(raw["version"], raw["categories"], performers, lines)


def refusal(code: str) -> str | None:
    """Why this code cannot be ordered, in words; None when it can."""
    line = catalogue().get(code)
    if line is None:
        return "没有这项服务，请从服务目录里选"
    if line.code == "E01":
        return "有急事不要下单，请直接打120"
    if not line.orderable or not line.offered_at_home:
        return f"{line.name}不能在家里做：{line.unsuitable}"
    return None
