"""What a storm measured, and how it is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

BEGIN, END = "<!-- storms: begin -->", "<!-- storms: end -->"
HEAD = (
    "| storm | rounds | saved | sent | lost | doubled | changed | wrong states | also measured |\n"
    "|---|---|---|---|---|---|---|---|---|"
)
COMPLAINTS_KEPT = 20


@dataclass
class Figures:
    """One storm. `saved`: records somebody was told are on the phone; `sent`: of these, on the server at
    the end, once and equal. Everything else but `also` must be 0.
    """

    storm: str
    rounds: int = 0
    saved: int = 0
    sent: int = 0
    lost: int = 0
    doubled: int = 0
    changed: int = 0
    wrong_states: int = 0
    also: dict[str, float] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> int:
        return self.lost + self.doubled + self.changed + self.wrong_states

    def blame(self, what: str, words: str) -> None:
        """Count one `what` (the name of a figure), with words for whoever looks into it."""
        setattr(self, what, getattr(self, what) + 1)
        if len(self.complaints) < COMPLAINTS_KEPT:
            self.complaints.append(f"{what}: {words}")

    def absorb(self, other: Figures) -> None:
        """Add what one round of its own measured; the number of rounds stays."""
        for name in ("saved", "sent", "lost", "doubled", "changed", "wrong_states"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name, value in other.also.items():
            self.more(name, value)
        self.complaints += other.complaints

    def most(self, name: str, value: float) -> None:
        self.also[name] = max(self.also.get(name, 0), round(value, 1))

    def more(self, name: str, by: float = 1) -> None:
        self.also[name] = self.also.get(name, 0) + by

    def cells(self) -> list[str]:
        numbers = (
            self.rounds, self.saved, self.sent, self.lost, self.doubled, self.changed, self.wrong_states,
        )  # fmt: skip
        also = ", ".join(f"{name} {value:g}" for name, value in self.also.items())
        return [self.storm, *(f"{number:,}" for number in numbers), also]

    def row(self) -> str:
        return f"| {' | '.join(self.cells())} |"


def write(page: Path, rows: list[Figures]) -> None:
    """Put these rows into the table between the two marks of `page`; rows of other storms stay."""
    text = page.read_text()
    before, _, rest = text.partition(BEGIN)
    old, mark, after = rest.partition(END)
    assert mark, f"{page} has no {BEGIN} … {END}"
    kept = {line.split("|")[1].strip(): line for line in old.splitlines() if line.startswith("| ")}
    kept.pop("storm", None)
    kept.update({figures.storm: figures.row() for figures in rows})
    table = "\n".join([HEAD, *kept.values()])
    page.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")
