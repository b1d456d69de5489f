"""The two lists as pages: 今日, what is due; 老人, everybody."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, Response, request
from flask_login import current_user

from app.accounts import audit, browser
from app.guard import may
from app.plans import pages, queries
from app.plans.listing import choice
from app.pwa import registry, rendered
from app.replica import may_be_old
from app.shared import clock
from app.shared.page import dense, page

bp = Blueprint("plans", __name__)


@bp.get("/today")
@may("visit")
def today() -> Response:
    return _list("today")


@bp.get("/patients")
@may("chart")
@may_be_old
def patients() -> Response:
    return _list("patients")


def _list(place: str) -> Response:
    if not request.args:
        return _usual(place)
    context, rev = pages.list_context(
        current_user, place, choice(place, request.args), "whole" in request.args
    )
    audit.listed("patient.list", len(context["rows"]))
    return page("plans/list.html", rev=rev, tab=place, find="find" in request.args, **context)


def _usual(place: str) -> Response:
    """The list without a choice: the same for all who see the same people, so it is rendered once."""
    today, address = clock.today(), pages.shelved(current_user, place)
    standing = queries.standing(current_user, address)
    audit.listed("patient.list", standing.people)
    response = rendered.once(
        current_user,
        address,
        pages.stamp(standing, today),
        standing.kept,
        partial(pages.html, current_user, place, standing.seq, today),
        rev=registry.rev(standing.seq),
    )
    return _short(response) if browser.comes_from_the_door() else response


def _short(response: Response) -> Response:
    """What somebody sees first on a phone; the pack is on its way with everybody. Not to be kept, so it has
    no X-Page-Rev (docs/decisions/0040)."""
    response.set_data(pages.without_everybody(response.get_data(as_text=True)))
    del response.headers["X-Page-Rev"]
    return dense(response)
