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
from app.pwa import registry, rendered
from app.pwa.registry import PackPage
from app.shared import clock, scope_table

EVERYBODY = '<script type="application/json" id="panel">'  # as plans/list.html has it; ends with the next
ROWS_IN_HTML = 20  # readable without script; the index holds everybody


def list_context(user: User, place: str, chosen: Choice, everybody: bool) -> tuple[dict[str, Any], str]:
    """What plans/list.html needs, and the revision of the page. `everybody`: as many rows as there are."""
    today = clock.today()
    rev = registry.rev(queries.newest_change(user))  # before what it speaks of is read
    rows = queries.panel(user, today)
    room = len(rows) if everybody else ROWS_IN_HTML
    return _context(user, place, chosen, rows, today, room), rev


def shelved(user: User, place: str) -> str:
    """The address of a list as it is kept: for all of a role who see the same people."""
    return f"/{place} {user.place_code or ''}/{user.team_id or ''}"


def stamp(standing: queries.Standing, today: date) -> str:
    """What a rendering of a whole list depends on, but for who sees whom: what is on it touches its person in
    the feed. How many they are is said besides, so that nobody stays on it for want of a number."""
    about = {"day": today, "people": standing.people, "epoch": standing.epoch}
    return rendered.stamp(registry.rev(standing.seq), about)


def html(user: User, place: str, seq: int, today: date, reader: rendered.StandIn) -> str:
    """The list as it is without a choice, for somebody who sees whom `user` sees."""
    context = _context(reader, place, listing.choice(place, {}), queries.panel(user, today), today)
    return _page(place, seq, context, current_user=reader)


def _page(place: str, seq: int, context: dict[str, Any], **given: Any) -> str:
    return render_template(
        "plans/list.html", page_rev=registry.rev(seq), tab=place, find=False, **context, **given
    )


def _context(
    user: User | rendered.StandIn,
    place: str,
    chosen: Choice,
    rows: list[queries.Row],
    today: date,
    room: int = ROWS_IN_HTML,
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


def without_everybody(html: str) -> str:
    """The list with the people whose rows are on it, not with all others: they are most of its bytes."""
    before, _, rest = html.partition(EVERYBODY)
    return before + rest.partition("</script>")[2]


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
    return _page(place, seq, _context(user, place, listing.choice(place, {}), rows(), today))
