"""A visit as a browser posts it without our script, as the payload of the operation it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time
from typing import Any

from werkzeug.datastructures import MultiDict

from app.errors import DomainError
from app.forms import engine
from app.forms.definition import Definition
from app.forms.values import BLANKS
from app.shared import clock

NOON = time(12)


def payload(
    form: Definition, posted: MultiDict[str, str], stated: datetime | None = None, **about: str
) -> dict[str, Any]:
    """What cannot be read stays as it was posted: the operation's own checks then name it.

    `stated` is the moment an earlier revision gave; it is kept while the day stays the same.
    """
    made: dict[str, Any] = {
        **about,
        "form": form.key,
        "form_version": form.version,
        "visited_at": moment(posted.get("visited_on", ""), stated),
        "mode": posted.get("mode", "home"),
        "answers": engine.parse_html(form.key, posted),
    }
    if posted.get("next_visit_on"):
        made["next_visit_on"] = posted["next_visit_on"]
    return made


def moment(day: str, stated: datetime | None = None) -> str:
    """Now for today or for nothing; noon of another day. What is no day stays as it is."""
    if stated is not None and day == clock.local_date(stated).isoformat():
        return clock.local(stated).isoformat()
    now = clock.local(clock.now())
    if not day.strip(BLANKS) or day == now.date().isoformat():
        return now.isoformat(timespec="seconds")
    try:
        return datetime.combine(clock.parse_day(day), NOON, clock.LOCAL).isoformat()
    except ValueError:
        return day[:40]


def shown_again(made: dict[str, Any], posted: MultiDict[str, str], no: DomainError) -> dict[str, Any]:
    """values, errors and header of a refused post."""
    header = {name: posted.get(name, "") for name in ("mode", "visited_on", "next_visit_on")}
    errors = [_of_the_page(error) for error in no.errors]
    errors = errors or [{"pointer": "", "code": no.code, "message": no.detail}]
    return {"values": made["answers"], "errors": errors, "header": header}


def _of_the_page(error: Mapping[str, str]) -> Mapping[str, str]:
    """The page asks for a day where the operation has a moment."""
    if error["pointer"] != "/visited_at":
        return error
    day_is_none = error["message"].startswith("时间格式")
    return {**error, "pointer": "/visited_on", **({"message": "请填写随访日期。"} if day_is_none else {})}
