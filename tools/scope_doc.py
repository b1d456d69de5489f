"""Write the table of who may do what into docs/security.md: `python -m tools.scope_doc`.

Between its two markers the file belongs to this tool; tests/app/test_scope_doc.py says when it is old.
"""

from __future__ import annotations

from typing import Any

from flask import Flask

from app import create_app
from app.accounts.models import ROLES
from app.config import ROOT
from app.shared import scope_table

FILE = ROOT / "docs" / "security.md"
BEGIN, END = "<!-- scope:begin -->", "<!-- scope:end -->"
PLACE = {
    "bound": "bound to them",
    "village": "village",
    "team": "team",
    "town": "town",
    "assigned": "given to them",
    "self": "themself",
    "everywhere": "everywhere",
}


def render(app: Flask) -> str:
    """The text between the markers, both included."""
    return "\n\n".join([BEGIN, ABOUT, _places(), ROUTES, _doors(app), END])


ABOUT = """## Who may do what

Written by `tools/scope_doc.py` from `app/shared/scope_table.py` and the program's routes; change those.

A cell is the place within which a role may do something; empty: nowhere. What lies outside answers like what
does not exist (404, or `not_found` and `missing_dependency` for operations). A star: only while the person
consents to it. Nobody but `open` and `lift` reaches a record whose processing is restricted."""
ROUTES = """## Which door asks for what

`403`: other roles are turned away at the door. `404`: everybody may knock, and finds only what lies within
their places. `own`: whoever is signed in, and nothing behind it is anybody else's. `open`: nobody needs to
sign in."""


def _places() -> str:
    roles = list(scope_table.SCOPE)
    head = ["action", *(f"`{role}` {ROLES[role]}" for role in roles)]
    rows = []
    for action, words in scope_table.ACTIONS.items():
        star = "*" if action in scope_table.CONSENTED else ""
        cells = [_cell(role, action, star) for role in roles]
        rows.append([f"`{action}` {words}", *cells])
    return _table(head, rows)


def _cell(role: str, action: str, star: str) -> str:
    place = scope_table.place_of(role, action)
    return "" if place is None else PLACE[place] + (star if place == "bound" else "")


def _doors(app: Flask) -> str:
    rows = []
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            rows.append([f"`{method} {rule.rule}`", *_asks(rule.endpoint, view)])
    return _table(["door", "", "action", "roles"], sorted(rows, key=lambda row: row[0]))


def _asks(endpoint: str, view: Any) -> tuple[str, str, str]:
    if getattr(view, "is_public", False) or endpoint == "static":
        return "open", "", ""
    actions = getattr(view, "actions", ())
    if not actions:
        return "own", "", ""
    roles = [role for role in scope_table.SCOPE if any(scope_table.may(role, action) for action in actions)]
    return view.refuses, ", ".join(f"`{action}`" for action in actions), ", ".join(roles)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def put_into(text: str, part: str) -> str:
    """`text` with `part` in the place of what stands between the markers, or at its end."""
    if BEGIN not in text:
        return f"{text.rstrip()}\n\n{part}\n".lstrip()
    before, _, rest = text.partition(BEGIN)
    return before + part + rest.partition(END)[2]


if __name__ == "__main__":
    made = create_app({"SECRET_KEY": "only for reading the routes, 32 long"})
    FILE.write_text(put_into(FILE.read_text() if FILE.exists() else "# Security\n", render(made)))
