"""The panel as one small JSON block: what a phone searches, sorts and counts without a network.

Arrays, not objects; dates as days from `base`; words and places once, by number. 600 people stay
under 60 KB. Reader: static/js/plans/panel.js.
"""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from markupsafe import Markup

from app.plans.queries import Row

COLUMNS = ("id", "name", "py", "sex", "birth", "village", "phone4", "grade", "due", "visited")
GRADES = ("red", "yellow", "green", "unrated", "emergency")


def index(rows: list[Row], today: date) -> dict[str, Any]:
    """`due` is flat: number of the task, days from base, and so on. `base` is no claim about today."""
    towns: dict[str, int] = {}
    villages: dict[str, int] = {}
    labels: dict[tuple[str, str], int] = {}
    town_rows: list[list[Any]] = []
    village_rows: list[list[Any]] = []
    lines = []
    for row in rows:
        if row.town_code not in towns:
            towns[row.town_code] = len(towns)
            town_rows.append([row.town_code, row.town])
        if row.village_code not in villages:
            villages[row.village_code] = len(villages)
            village_rows.append([row.village_code, row.village, towns[row.town_code]])
        due: list[int] = []
        for task in row.due:
            due += [labels.setdefault((task.label, task.form), len(labels)), (task.on - today).days]
        lines.append(
            [
                _short(row.id),
                row.name,
                row.py,
                int(row.sex),
                int(row.birth_date.strftime("%Y%m%d")),
                villages[row.village_code],
                row.phone4,
                GRADES.index("emergency" if row.emergency else row.colour),
                due,
                None if row.visited_on is None else (row.visited_on - today).days,
            ]
        )
    return {
        "base": today.isoformat(),
        "columns": COLUMNS,
        "grades": GRADES,
        "towns": town_rows,
        "villages": village_rows,
        "tasks": [list(pair) for pair in labels],
        "rows": lines,
    }


def _short(row_id: str) -> str:
    """A UUID without its dashes; the reader puts them back. Anything else stays as it is."""
    bare = row_id.replace("-", "")
    return bare if len(row_id) == 36 and len(bare) == 32 else row_id


def embedded(value: Any) -> Markup:
    """Compact JSON for a data block: nothing in it can end the script element or start another."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704  (escaped above)
