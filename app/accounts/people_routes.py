"""/people: the accounts of those a manager or administrator answers for."""

from __future__ import annotations

import re

from flask import Response, redirect, request
from flask_login import current_user

from app.accounts import people
from app.accounts.routes import bp
from app.guard import may
from app.shared.page import page
from app.shared.posted import on_or_off


@bp.get("/people")
@may("answer")
def people_list() -> Response:
    named = request.args.get("q", "").strip()[:50]
    number = request.args.get("page", "")
    found = people.listed(
        current_user, named=named, number=int(number) if re.fullmatch("[1-9][0-9]{0,4}", number) else 1
    )
    return page("accounts/people.html", tab="me", found=found, q=named)


@bp.get("/people/<user_id>")
@may("answer")
def person(user_id: str) -> Response:
    return _person(people.one(current_user, user_id))


@bp.post("/people/<user_id>/password")
@may("answer")
def reset_password(user_id: str) -> Response:
    """The password is on this one answer, and nowhere else."""
    someone, password = people.reset_password(current_user, user_id)
    return _person(someone, password)


@bp.post("/people/<user_id>/active")
@may("answer")
def set_active(user_id: str) -> Response:
    people.one(current_user, user_id)  # who may not reach somebody hears no more than that
    people.set_active(current_user, user_id, on_or_off())
    return redirect(f"/people/{user_id}", 303)  # type: ignore[return-value]


@bp.post("/people/<user_id>/second-factor")
@may("answer")
def take_second_factor_off(user_id: str) -> Response:
    people.take_second_factor_off(current_user, user_id)
    return redirect(f"/people/{user_id}", 303)  # type: ignore[return-value]


def _person(someone: people.Person, password: str | None = None) -> Response:
    return page(
        "accounts/person.html",
        tab="me",
        someone=someone,
        password=password,
        is_self=someone.user.id == current_user.id,
    )
