"""The list pages as a phone keeps them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from functools import cache, partial
from typing import Any

from flask import render_template

from app.accounts.models import User
from app.patients.identity import age_on
from app.plans import listing, queries
from app.plans.index import embedded, index
from app.plans.listing import Choice
from app.pwa import registry
from app.pwa.registry import PackPage
from app.shared import clock, scope_table

ROWS_IN_HTML = 20  # readable without script; the index holds everybody


def list_context(user: User, place: str, chosen: Choice, everybody: bool) -> tuple[dict[str, Any], str]:
    """What plans/list.html needs, and the revision of the page. `everybody`: as many rows as there are."""
    today = clock.today()
    rev = registry.rev(queries.newest_change(user))  # before what it speaks of is read
    rows = queries.panel(user, today)
    room = len(rows) if everybody else ROWS_IN_HTML
    return _context(user, place, chosen, rows, today, room), rev


def _context(
    user: User, place: str, chosen: Choice, rows: list[queries.Row], today: date, room: int = ROWS_IN_HTML
) -> dict[str, Any]:
    left = listing.narrowed(rows, chosen)
    bands, beyond = listing.capped(listing.bands(rows, chosen, today), room)
    return {
        "place": place,
        "chosen": chosen,
        "today": today,
        "weekday": listing.WEEKDAYS[today.weekday()],
        "rows": rows,
        "counts": listing.state_counts(left, today),
        "colours": {key: sum(1 for row in rows if row.colour == key) for key in listing.COLOURS},
        "bands": bands,
        "beyond": beyond,
        "towns": sorted({(row.town_code, row.town) for row in rows}),
        "villages": sorted({(row.village_code, row.village) for row in rows}),
        "STATES": listing.STATES,
        "COLOURS": listing.COLOURS,
        "SORTS": listing.SORTS,
        "index": embedded(index(rows, today)),
        "when": lambda row: listing.when(row, today),
        "age": lambda row: age_on(row.birth_date, today),
        "name": user.name,
        "may_register": scope_table.may(user.role, "register"),
    }


def register() -> None:
    registry.register_pages(pages_of)


def pages_of(user: User) -> Iterable[PackPage]:
    if not scope_table.may(user.role, "visit"):
        return
    today = clock.today()

    @cache
    def rows() -> list[queries.Row]:
        return queries.panel(user, today)

    seq = queries.newest_change(user)
    for place in ("today", "patients"):
        yield PackPage(f"/{place}", seq, partial(_render, user, place, rows, seq, today))


def _render(user: User, place: str, rows: Callable[[], list[queries.Row]], seq: int, today: date) -> str:
    context = _context(user, place, listing.choice(place, {}), rows(), today)
    return render_template("plans/list.html", page_rev=registry.rev(seq), tab=place, find=False, **context)
