"""The two lists as pages: 今日, what is due; 老人, everybody."""

from __future__ import annotations

from flask import Blueprint, Response, request
from flask_login import current_user

from app.accounts import audit
from app.guard import may
from app.plans import pages
from app.plans.listing import choice
from app.replica import may_be_old
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
    context, rev = pages.list_context(
        current_user, place, choice(place, request.args), "whole" in request.args
    )
    audit.listed("patient.list", len(context["rows"]))
    return page("plans/list.html", rev=rev, tab=place, find="find" in request.args, **context)
