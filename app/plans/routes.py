"""The two lists as pages: 今日, what is due; 老人, everybody."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, Response, request
from flask_login import current_user

from app.accounts import audit
from app.guard import may
from app.plans import pages, queries
from app.plans.listing import choice
from app.pwa import registry, rendered
from app.replica import may_be_old
from app.shared import clock
from app.shared.page import page

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
    return rendered.once(
        current_user,
        address,
        pages.stamp(standing, today),
        standing.kept,
        partial(pages.html, current_user, place, standing.seq, today),
        rev=registry.rev(standing.seq),
    )
