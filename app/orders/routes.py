"""/orders, /desk: pages, and the forms of phones without a worker or without JavaScript."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, redirect, request
from flask_login import current_user

from app.accounts import audit
from app.accounts.models import User
from app.errors import DomainError, NotFound
from app.guard import may, within
from app.orders import desk_page, new_page, pages, queries, tracking
from app.patients import scope
from app.pwa.registry import rev
from app.replica import may_be_old
from app.shared import clock
from app.shared.page import page
from app.sync import feed
from app.sync.service import submit

bp = Blueprint("orders", __name__)
NAIVE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?")
WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,8})")
HALVES = ("09:00", "14:00")
FIELDS = ("patient_id", "service", "wanted_at", "phone", "address", "note")


@bp.get("/orders/new")
@may("order")
def new() -> Response:
    return _new_page(request.args.get("patient", ""), {"service": request.args.get("service", "")})


@bp.post("/orders")
@may("order")
def create() -> Response:
    payload = {name: request.form[name] for name in FIELDS if request.form.get(name, "").strip()}
    try:
        payload["wanted_at"] = _wanted()
        result = submit(_user(), "order.create", payload)
    except DomainError as no:
        if no.status != 422:
            raise
        return _new_page(payload.get("patient_id", ""), payload, no)
    return redirect(f"/orders/{result['entity_id']}", 303)  # type: ignore[return-value]


@bp.get("/orders")
@may("orders")
@may_be_old
def index() -> Response:
    user = _user()
    context = pages.list_context(user)
    audit.listed("order.list", len(context["rows"]))
    return page("orders/list.html", rev=rev(pages.newest(user)), **context)


@bp.get("/orders/<order_id>")
@within("orders")
def show(order_id: str) -> Response:
    return _order_page(order_id)


@bp.post("/orders/<order_id>/transition")
@may("perform")
def transition(order_id: str) -> Response:
    payload = _transition_payload(order_id)
    base = request.args.get("base", "")
    if not re.fullmatch(r"[1-9]\d{0,8}", base):
        raise DomainError("请刷新页面再试。", field="base")
    try:
        submit(_user(), "order.transition", payload, int(base))
    except DomainError as no:
        if no.status not in (409, 422):
            raise
        return _order_page(order_id, no)
    back = "/desk" if request.args.get("back") == "desk" else f"/orders/{order_id}"
    return redirect(back, 303)  # type: ignore[return-value]


@bp.get("/desk")
@may("desk")
@may_be_old
def desk() -> Response:
    user = _user()
    context = desk_page.desk_context(user, request.args.get("tab", ""))
    audit.listed("order.list", len(context["cards"]))
    return page("orders/desk.html", rev=rev(pages.newest(user)), **context)


def _new_page(patient_id: str, chosen: dict[str, str], no: DomainError | None = None) -> Response:
    user = _user()
    patient = scope.get(user, patient_id, "order") if patient_id else None
    text = request.args.get("q", "")[:30] if user.role != "family" and patient is None else ""
    context = new_page.new_context(user, patient, chosen)
    found = new_page.found(user, text)
    for person in context["people"]:
        audit.read("patient.read", person["id"], patient_id=person["id"])
    audit.listed("patient.list", len(found))
    return page(
        "orders/new.html",
        status=no.status if no else 200,
        rev="" if request.args else rev(new_page.newest(user)),  # a phone keeps the plain page only
        errors=no.errors if no else [],
        q=text,
        found=found,
        **context,
    )


def _order_page(order_id: str, no: DomainError | None = None) -> Response:
    user = _user()
    try:
        order = queries.get(user, order_id)
    except NotFound:
        if no is not None:
            raise no from None  # taken away from this person meanwhile: say what happened, show nothing
        raise
    audit.read("order.read", order.id, patient_id=order.patient_id)
    seq = feed.touched([order.patient_id]).get(order.patient_id, 0)
    do = request.args.get("do", "") or (request.form.get("to", "") if no else "")
    return page(
        "orders/show.html",
        status=no.status if no else 200,
        rev="" if do else rev(seq),
        fault=no.detail if no else "",
        errors=no.errors if no else [],
        do=do,
        **tracking.order_context(user, order),
    )


def _transition_payload(order_id: str) -> dict[str, Any]:
    """What the form says, in the shape of an operation. Fields left empty are left out."""
    form = request.form
    payload: dict[str, Any] = {"order_id": order_id, "to": form.get("to", "")}
    for name in ("note", "assignee_id"):
        if form.get(name, "").strip():
            payload[name] = form[name]
    if form.get("scheduled_at"):
        payload["scheduled_at"] = _with_offset(form["scheduled_at"])
    rating = {name[7:]: value for name, value in form.items() if name.startswith("rating.") and value.strip()}
    if set(rating) - {"comment", "by"}:  # a mark was given: whether it is a rating is the schema's to say
        payload["rating"] = {name: _answer(name, value) for name, value in rating.items()}
    elif rating.get("comment"):
        payload["note"] = rating["comment"]  # no mark was given, but what was written is not lost
    return payload


def _answer(name: str, value: str) -> int | str:
    return int(value) if name not in ("comment", "by") and WHOLE.fullmatch(value) else value


def _wanted() -> str:
    """The chosen half day, or the day and half of the day picked below it."""
    wanted = request.form.get("wanted_at", "")
    if wanted != "pick":
        return _with_offset(wanted)
    day, hour = request.form.get("wanted_on", ""), request.form.get("wanted_hour", HALVES[0])
    if not _is_day(day):
        raise DomainError("请选哪一天来。", field="wanted_on")
    if hour not in HALVES:
        raise DomainError("请选上午还是下午。", field="wanted_hour")
    return _with_offset(f"{day}T{hour}")


def _is_day(text: str) -> bool:
    try:
        clock.parse_day(text)
    except ValueError:
        return False
    return True


def _with_offset(text: str) -> str:
    """A browser's datetime-local has no offset: it means the clock on the wall here."""
    if not NAIVE.fullmatch(text):
        return text
    try:
        return datetime.fromisoformat(text).replace(tzinfo=clock.LOCAL).isoformat(timespec="seconds")
    except ValueError:
        return text


def _user() -> User:
    user: User = current_user._get_current_object()
    return user
