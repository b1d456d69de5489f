"""What came of it, in figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

FAULTS = (
    "server_errors", "bad_accepted", "refused_but_stored", "hostile_text_changed", "internals_shown", "not_chinese",
)  # fmt: skip


@dataclass
class Tally:
    """`wrong[name]` are the first cases of a fault; `unnamed` refusals that do not say which field."""

    cases: int = 0
    fields: set[str] = field(default_factory=set)
    accepted: int = 0
    refused: int = 0
    overtaken: int = 0
    named: int = 0
    wrong: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in FAULTS})
    unnamed: list[Any] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        for name in ("cases", "accepted", "refused", "overtaken", "named"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.fields |= other.fields
        self.unnamed += other.unnamed
        for name, found in other.wrong.items():
            self.wrong[name] += found

    def refusal(self, named: bool, about: Any) -> None:
        self.refused += 1
        self.named += named
        if not named:
            self.unnamed.append(about)

    @property
    def share(self) -> float:
        return self.named / self.refused if self.refused else 1.0

    def faults(self) -> dict[str, list[Any]]:
        return {name: found[:5] for name, found in self.wrong.items() if found}
