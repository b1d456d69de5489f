"""Orders in every state, each led through the real operations at the time it happened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any

from app.demo.accounts import BY_NAME, user
from app.demo.people import Person
from app.demo.steady import steady_id
from app.errors import DomainError
from app.notices import service as notices
from app.shared import clock
from app.sync import service as sync


@dataclass(frozen=True)
class Step:
    """`hours` before now somebody did this. `come`: (days from today, hour) somebody is to come."""

    hours: float
    who: str
    to: str
    note: str = ""
    assignee: str = ""
    come: tuple[int, int] | None = None
    rating: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Script:
    patient: str  # name of a star
    service: str
    asked: Step
    steps: tuple[Step, ...] = ()
    small: bool = False


def _asked(hours: float, who: str, days: int, hour: int, note: str = "") -> Step:
    return Step(hours, who, "submitted", note, come=(days, hour))


def _given(hours: float, by: str, to: str, days: int, hour: int) -> Step:
    return Step(hours, by, "scheduled", assignee=to, come=(days, hour))


def _worked(by: str, to: str, days: int, hour: int, hours: tuple[float, ...]) -> tuple[Step, ...]:
    """Scheduled by `by` for `to`, then accepted, on the way, in service, done, as far as there are hours."""
    states = ("accepted", "en_route", "in_service", "done")
    steps = [Step(ago, to, state) for ago, state in zip(hours[1:], states, strict=False)]
    return (_given(hours[0], by, to, days, hour), *steps)


def _liked(hours: float, who: str, rating: dict[str, Any]) -> Step:
    return Step(hours, who, "confirmed", rating=rating)


GOOD = {"overall": 5, "attitude": 5, "timely": 5, "comment": "来得准时，老人很满意"}
FINE = {"overall": 4, "attitude": 5, "timely": 3}
DESK, CARER, OTHER = "dispatcher1", "provider1", "provider2"
SCRIPTS = (
    # waiting at the desk
    Script("寿南山", "H08", _asked(26, "doctor1", 0, 15, "骶尾部换药，出门不便")),
    Script("安心宁", "M06", _asked(2, "family1", 1, 9, "降压药快吃完了"), small=True),
    Script("乐悠然", "Y01", _asked(0.4, "village2", 1, 12, "每天中午一餐，软一点")),
    # somebody is to come
    Script("宁如意", "Y02", _asked(20, "family1", 4, 9), (_given(18, DESK, CARER, 4, 9),), small=True),
    Script("祝长乐", "H01", _asked(30, "village1", 1, 10), (_given(22, "village1", "nurse1", 1, 10),)),
    Script(
        "康福来",
        "Y05",
        _asked(28, "family2", 1, 14),
        (_given(24, DESK, OTHER, 1, 14), Step(20, OTHER, "accepted")),
    ),
    Script("甄知足", "Y03", _asked(26, "village1", 0, 10), _worked(DESK, CARER, 0, 10, (20, 5, 0.5))),
    Script(
        "温秋实",
        "H01",
        _asked(27, "village1", 0, 9),
        _worked("village1", "village1", 0, 9, (21, 6, 1.2, 0.8)),
    ),
    # done, the family has not said so yet
    Script(
        "宁如意",
        "Y03",
        _asked(54, "family1", -1, 14),
        _worked(DESK, CARER, -1, 14, (50, 48, 27, 26, 24)),
        small=True,
    ),
    Script(
        "康福来", "H11", _asked(60, "family2", -1, 9), _worked(DESK, OTHER, -1, 9, (55, 50, 31, 30.5, 29))
    ),
    # over
    Script(
        "宁如意",
        "M05",
        _asked(384, "family1", -14, 9),
        (*_worked(DESK, "doctor1", -14, 9, (374, 372, 335, 334.5, 334)), _liked(324, "family1", GOOD)),
    ),
    Script(
        "康福来",
        "Y02",
        _asked(216, "family2", -7, 10),
        (*_worked(DESK, CARER, -7, 10, (206, 204, 167, 166.5, 165)), _liked(156, "family2", FINE)),
    ),
    Script(
        "安心宁",
        "Y06",
        _asked(120, "family1", -4, 8),
        (Step(117, DESK, "rejected", "日间照料本周已满，下周一再约"),),
    ),
    Script(
        "宁如意", "Y04", _asked(264, "family1", -9, 8), (Step(252, "family1", "cancelled", "女儿自己陪去"),)
    ),
)


def write(people: dict[str, Person], now: datetime, *, small: bool) -> None:
    """Play every script whose patient is there. Commits, as the operations do."""
    acts: list[tuple[datetime, Script, int]] = []
    for script in SCRIPTS:
        if script.patient in people and (script.small or not small):
            steps = (script.asked, *script.steps)
            acts += [(now - timedelta(hours=step.hours), script, place) for place, step in enumerate(steps)]
    for at, script, place in sorted(acts, key=lambda act: act[0]):
        with the_time(at):
            _play(script, place, people[script.patient], now, at)
    for name, title in (("甄常健", "血压达危急值"), ("宁如意", "连续两次血压≥160/100")):
        if name in people:
            _tell_team(people[name], title, now)


def _play(script: Script, place: int, person: Person, now: datetime, at: datetime) -> None:
    step = (script.asked, *script.steps)[place]
    order_id = _op_id(script, 0, now)
    author = user(step.who)
    raw: dict[str, Any] = {
        "op_id": _op_id(script, place, now),
        "device_id": f"demo-{author.id[-6:]}",
        "author_id": author.id,
        "recorded_at": clock.local(at).isoformat(timespec="seconds"),
    }
    if place == 0:
        payload = {"patient_id": person.id, "service": script.service, "phone": person.phone}
        payload |= {"wanted_at": _come(step, now)} | ({"note": step.note} if step.note else {})
        raw |= {"kind": "order.create", "payload": payload}
    else:
        payload = {"order_id": order_id, "to": step.to}
        payload |= {"note": step.note} if step.note else {}
        payload |= {"assignee_id": BY_NAME[step.assignee].id} if step.assignee else {}
        payload |= {"scheduled_at": _come(step, now)} if step.come else {}
        raw |= {
            "kind": "order.transition",
            "payload": payload | ({"rating": step.rating} if step.rating else {}),
        }
        raw["base_revision"] = place
    result = sync.push(author, [raw], at)[0]
    if result["status"] != "applied":
        raise DomainError(f"demo order {script.patient} {script.service} {step.to}: {result}")


def _op_id(script: Script, place: int, now: datetime) -> str:
    step = (script.asked, *script.steps)[place]
    return steady_id("order", script.patient, script.service, place, at=now - timedelta(hours=step.hours))


def _come(step: Step, now: datetime) -> str:
    days, hour = step.come or (0, 9)
    day = clock.local_date(now) + timedelta(days=days)
    return datetime.combine(day, time(hour), clock.LOCAL).isoformat()


def _tell_team(person: Person, title: str, now: datetime) -> None:
    team = [account.id for account in BY_NAME.values() if account.team == person.team.id]
    with the_time(now - timedelta(hours=3)):
        notices.notify(
            team, "grade", f"{person.name} {title}", "请尽快上门或转诊。", f"/patients/{person.id}"
        )


@contextmanager
def the_time(moment: datetime) -> Iterator[None]:
    """The clock stands at `moment`, so that services write down when it happened."""
    now = clock.now
    clock.now = lambda: moment
    try:
        yield
    finally:
        clock.now = now
