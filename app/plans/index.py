"""The panel as one small JSON block: what a phone searches, sorts and counts without a network.

By column, each a string with a blank between two people, so that what is alike stands together; dates as days
from `base`; words and places once, by number. 600 people stay under 45 KB. Reader: static/js/plans/panel.js.
"""

from __future__ import annotations

import base64
import json
import re
from datetime import date
from typing import Any

from markupsafe import Markup

from app.plans.queries import Row

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
COLUMNS = ("id", "py", "sex", "birth", "village", "phone4", "grade", "due", "visited")
GRADES = ("red", "yellow", "green", "unrated", "emergency")


def index(rows: list[Row], today: date) -> dict[str, Any]:
    """`due` is flat: number of the task, days from base, and so on. `base` is no claim about today."""
    towns: dict[str, int] = {}
    villages: dict[str, int] = {}
    labels: dict[tuple[str, str], int] = {}
    town_rows: list[list[Any]] = []
    village_rows: list[list[Any]] = []
    columns: dict[str, list[str]] = {key: [] for key in COLUMNS}
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
        line = (
            short(row.id),
            "".join(row.py.split()),
            row.sex,
            row.birth_date.strftime("%Y%m%d"),
            str(villages[row.village_code]),
            row.phone4,
            str(GRADES.index("emergency" if row.emergency else row.colour)),
            ",".join(map(str, due)),
            "" if row.visited_on is None else str((row.visited_on - today).days),
        )
        for key, value in zip(COLUMNS, line, strict=True):
            columns[key].append(value)
    return {
        "base": today.isoformat(),
        "grades": GRADES,
        "towns": town_rows,
        "villages": village_rows,
        "tasks": [list(pair) for pair in labels],
        "name": [row.name for row in rows],  # the only column in which a blank may stand
        **{key: " ".join(values) for key, values in columns.items()},
    }


def short(row_id: str) -> str:
    """A UUID in the 22 characters of base64url; the reader unfolds it. Anything else stays as it is."""
    if not UUID.fullmatch(row_id):
        return row_id
    return base64.urlsafe_b64encode(bytes.fromhex(row_id.replace("-", ""))).decode().rstrip("=")


def embedded(value: Any) -> Markup:
    """Compact JSON for a data block: nothing in it can end the script element or start another."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704  (escaped above)
