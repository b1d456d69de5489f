"""How rows are shown: one line for a program, one to read, and the table of docs/performance.md."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.measure import Row

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
COLUMNS = ("measure", "database", "case", "figures", "reference", "ratio", "load", "day")
HEAD = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"


def as_json(name: str, database: str, row: Row, state: dict[str, Any]) -> str:
    return json.dumps(
        {"measure": name, "database": database, **asdict(row), "machine": state}, ensure_ascii=False
    )


def as_words(name: str, database: str, row: Row) -> str:
    said = f"{name:<9} {database:<9} {row.case}: {words(row.figures)}"
    if row.reference:
        said += f"; reference {words(row.reference)}"
    return said + ("" if row.ratio is None else f"; ratio {row.ratio:g}")


def words(figures: dict[str, Any]) -> str:
    """records per s 78.1, p50 12.3 ms"""
    return ", ".join(_word(name, value) for name, value in figures.items() if value is not None)


def _word(name: str, value: Any) -> str:
    shown = (
        f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)
    )
    for unit in ("ms", "s", "mb", "bytes"):
        stem = name.removesuffix(f"_{unit}")
        if stem != name and not stem.endswith("_per"):
            return f"{stem.replace('_', ' ')} {shown} {'MB' if unit == 'mb' else unit}"
    return f"{name.replace('_per_s', '/s').replace('_', ' ')} {shown}"


def line(name: str, database: str, row: Row, state: dict[str, Any]) -> str:
    ratio = "" if row.ratio is None else f"{row.ratio:g}"
    day = str(state["at"])[:10]
    cells = [name, database, row.case, words(row.figures), words(row.reference), ratio, state["load"], day]
    return f"| {' | '.join(map(str, cells))} |"


def write(lines: list[str], page: Path = PAGE) -> None:
    """Put these lines into the table between the marks of `page`. Those of the same measure and database go;
    others stay."""
    before, _, rest = page.read_text().partition(BEGIN)
    old, mark, after = rest.partition(END)
    assert mark, f"{page} has no {BEGIN} … {END}"
    ours = {_key(one) for one in lines}
    kept = [one for one in old.splitlines() if one.startswith("| ") and _key(one) not in ours]
    kept = [one for one in kept if _key(one) != ("measure", "database")]
    page.write_text(f"{before}{BEGIN}\n" + "\n".join([HEAD, *kept, *lines]) + f"\n{END}{after}")


def _key(line_: str) -> tuple[str, str]:
    cells = [cell.strip() for cell in line_.split("|")]
    return cells[1], cells[2]
