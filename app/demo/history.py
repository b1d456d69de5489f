"""Two years of visits of one person: on which days, by whom, what was found, how it was graded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from app.demo.accounts import BY_NAME, VILLAGES
from app.demo.answers import Writer
from app.demo.people import Person
from app.demo.profiles import DM, HTN, PROFILES
from app.demo.steady import chance, steady_id
from app.forms import engine
from app.grading import facts as grading_facts
from app.grading import rules as grading
from app.plans.rules import COMPLETE_DAYS
from app.shared import clock

BACK = timedelta(days=730)
HELD_DAYS = 30  # interval of a red that waits to be lowered
YEARLY = ("general", "adl")


@dataclass
class Done:
    """One visit as it was recorded, with what follows from it."""

    id: str
    form: str
    at: datetime
    on: date
    author: str
    answers: dict[str, Any]
    observed: list[dict[str, Any]]
    facts: dict[str, Any]
    grade: dict[str, Any]
    next_visit_on: date


@dataclass
class Story:
    """A person with everything that happened; `visits` oldest first."""

    person: Person
    registered_on: date
    visits: list[Done]

    @property
    def conditions_on(self) -> date | None:
        return max((visit.on for visit in self.visits if visit.form == "general"), default=None)


@dataclass(frozen=True)
class Drawn:
    """A visit before it has a date: `ago` days before the newest one."""

    ago: int
    form: str
    answers: dict[str, Any]
    observed: list[dict[str, Any]]


def tell(person: Person, now: datetime, back: timedelta = BACK) -> Story:
    """The story as of `now`. How long ago the newest visit was follows from its grade and the due day."""
    today = clock.local_date(now)
    rng = chance("history", person.key)
    if not PROFILES[person.profile].visited:
        since = COMPLETE_DAYS - person.due if person.due is not None else rng.randint(1, COMPLETE_DAYS - 5)
        return Story(person, today - timedelta(days=since), [])
    drawn = _drawn(person, today, back)
    interval = int(_newest_grade(person, drawn, today)["due_in_days"])
    if PROFILES[person.profile].held:
        interval = min(interval, HELD_DAYS)
    slack = interval if person.due is None else person.due
    if person.later:
        slack = rng.randint(1, interval - 1)
    newest = today - timedelta(days=interval - slack)
    registered_on = today - back - timedelta(days=rng.randint(20, 500))
    if rng.random() < 0.12:
        registered_on = newest - timedelta(days=rng.randint(230, 600))
    oldest = max(registered_on, today - back)
    kept = [one for one in drawn if newest - timedelta(days=one.ago) >= oldest]
    return Story(person, registered_on, _recorded(person, kept, newest, now, registered_on))


def _drawn(person: Person, today: date, back: timedelta) -> list[Drawn]:
    """The visits of the time `back`, oldest first, as if the newest were today."""
    days = list(_days(person, today, today - back))
    writer = Writer(person, chance("answers", person.key))
    counts: dict[str, int] = {}
    drawn: list[Drawn] = []
    for day in days:
        for form in _forms(person, day, days):
            nth = counts.get(form, 0)
            counts[form] = nth + 1
            judged = context(person, day, today)
            answers = writer.fill(form, nth, day, judged)
            drawn.append(Drawn((today - day).days, form, answers, engine.observations(form, answers, judged)))
    # Drawn newest first, so that what is newest does not depend on how much lies before it.
    return sorted(drawn, key=lambda one: -one.ago)


def _newest_grade(person: Person, drawn: list[Drawn], today: date) -> dict[str, Any]:
    known = [
        (item["code"], item["value"], today - timedelta(days=one.ago))
        for one in drawn
        for item in one.observed
    ]
    return grading.grade(grading_facts.build(register_of(person, None), known, today))


def _days(person: Person, newest: date, oldest: date) -> Iterator[date]:
    rng = chance("intervals", person.key)
    chronic = HTN in person.conditions or DM in person.conditions
    day, steps = newest, list(PROFILES[person.profile].days)
    while day >= oldest:
        yield day
        step = steps.pop(0) if steps else rng.randint(78, 92) if chronic else rng.randint(150, 178)
        day -= timedelta(days=step)


def _forms(person: Person, day: date, days: list[date]) -> list[str]:
    """Follow-ups at every visit; the yearly ones at the newest or, mostly, some visit of the last year."""
    forms = [form for code, form in ((HTN, "hypertension"), (DM, "diabetes")) if code in person.conditions]
    rng = chance("yearly", person.key)
    profile = PROFILES[person.profile]
    last_year = [one for one in days if (days[0] - one).days <= 210]
    for form in YEARLY:
        special = profile.general if form == "general" else profile.adl
        start = days[0] if special else rng.choice(last_year)
        wanted = [_nearest(days, start - timedelta(days=365 * back)) for back in range(3)]
        if day in wanted or (form == "general" and not forms):
            forms.append(form)
    return forms


def _nearest(days: list[date], wanted: date) -> date:
    return min(days, key=lambda day: (abs((day - wanted).days), day))


def context(person: Person, on: date, today: date) -> dict[str, Any]:
    """What the forms engine knows when the visit arrives."""
    return {
        "visited_on": on.isoformat(),
        "today": today.isoformat(),
        "birth_date": person.birth_date.isoformat(),
        "sex": person.sex,
        "conditions": list(person.conditions),
        "mode": "home",
        "same_day_visit": False,
        "last": None,
    }


def register_of(person: Person, conditions_on: date | None) -> dict[str, Any]:
    """What the register says, in the shape grading reads it."""
    return {
        "birth_date": person.birth_date,
        "conditions": list(person.conditions),
        "conditions_on": conditions_on,
        "lives_alone": person.lives_alone,
        "hospice": person.person.get("hospice", False),
        "home_bed_open": person.person.get("home_bed_open", False),
        "tubes": person.person.get("tubes", []),
    }


def _recorded(
    person: Person, drawn: list[Drawn], newest: date, now: datetime, registered_on: date
) -> list[Done]:
    known: list[tuple[str, Any, date]] = []
    visits: list[Done] = []
    register = register_of(person, registered_on)
    for one in drawn:
        on = newest - timedelta(days=one.ago)
        answers, observed = _dated(one, on, newest, clock.local_date(now))
        known += [(item["code"], item["value"], on) for item in observed]
        facts = grading_facts.build(register, known, on)
        grade = grading.grade(facts)
        at = _moment(person, on, sum(visit.on == on for visit in visits), now)
        visits.append(
            Done(
                id=steady_id("visit", person.key, on, one.form, at=at),
                form=one.form,
                at=at,
                on=on,
                author=_author(person, on),
                answers=answers,
                observed=observed,
                facts=facts,
                grade=grade,
                next_visit_on=on + timedelta(days=grade["due_in_days"]),
            )
        )
    # The next day is agreed at the end of the visit, when all its forms are filled in.
    agreed = {visit.on: visit.next_visit_on for visit in visits}
    for visit in visits:
        visit.next_visit_on = agreed[visit.on]
    return visits


def _dated(one: Drawn, on: date, newest: date, today: date) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The answers with the one date inside them moved along with the visit."""
    said = one.answers.get("last_fall_date")
    if said is None:
        return one.answers, one.observed
    fell_on = (date.fromisoformat(said) - (today - newest)).isoformat()
    observed = [
        item | {"value": item["value"] | {"last_fall_date": fell_on}} if item["code"] == "falls" else item
        for item in one.observed
    ]
    return one.answers | {"last_fall_date": fell_on}, observed


def _moment(person: Person, on: date, place: int, now: datetime) -> datetime:
    """Some time of a working morning or afternoon, form after form; today's before now."""
    minutes = chance("moment", person.key, on).randint(0, 420) + place * 9
    moment = datetime.combine(on, time(8, 20), clock.LOCAL) + timedelta(minutes=minutes)
    if moment >= now:
        midnight = datetime.combine(on, time(), clock.LOCAL)
        moment = midnight + (now - midnight) * (0.5 + 0.1 * place)
    return moment.astimezone(now.tzinfo)


def _author(person: Person, on: date) -> str:
    team = {"xiji2": ["doctor4"], "sangcun1": ["doctor3"]}.get(person.team.key)
    if team is None:
        team = ["doctor1", "doctor1", "doctor2", "doctor2", "nurse1"]
        if person.village in VILLAGES[:2]:
            team.append(f"village{VILLAGES.index(person.village) + 1}")
    return BY_NAME[chance("author", person.key, on).choice(team)].id
