"""Drawing the patients: who they are, where they live, and on which day they are due."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from app.demo.places import TEAMS, TeamPlan, names_of
from app.demo.profiles import PROFILES, spread
from app.demo.steady import chance, steady_id
from app.patients.identity import CHECK_CHARS, WEIGHTS

SURNAMES = "宁甄康寿祝常安乐温和吉平福明景华荣庆喜钟泰舒容舍"
GIVEN = (
    "如意 知足 福来 南山 长乐 平安 心宁 悠然 常健 万顺 有余 春晖 秋实 冬暖 清和 安泰 满堂 同喜 康宁 延年 "
    "松鹤 百川 晴好 若谷 自在 从容 怀瑾 知秋 望月 听雨 向晚 迎春 报喜 丰登 和顺 长青 益寿 同乐 清风 朝阳"
).split()
RELATIONS = {"1": "配偶", "2": "子", "3": "女"}
# Due days of a team of 600, from today: what makes a full but possible day. The rest follow later.
LATE = (-5, -3, -2, -1, -1)
TODAY = 10
VISITED_TODAY = 3


@dataclass(frozen=True)
class Star:
    """Somebody with a name of their own in a village of the first team; `due` in days from today."""

    name: str
    sex: str
    age: int
    village: str
    profile: str
    due: int
    conditions: tuple[str, ...] | None = None
    person: dict[str, Any] = field(default_factory=dict)


STARS = (
    Star("宁如意", "2", 78, "向阳村", "bp_grade2", 0, ("hypertension", "diabetes_t2"), {"lives_alone": True}),
    Star("康福来", "1", 83, "桃源村", "home_bed", -2, ("stroke", "hypertension")),
    Star("祝长乐", "2", 81, "向阳村", "bp_high", -5, ("hypertension",)),
    Star("寿南山", "1", 85, "听泉村", "tubes", -1, ("stroke", "hypertension")),
    Star("常平安", "1", 66, "松风村", "new", -3),
    Star("甄知足", "2", 80, "向阳村", "glucose_twice", 0, ("diabetes_t2",)),
    Star("安心宁", "2", 76, "向阳村", "bp_high", 0, ("hypertension",)),
    Star("乐悠然", "2", 69, "桃源村", "controlled_htn", 0, ("hypertension",)),
    Star("温秋实", "1", 74, "向阳村", "healthy", 0, ()),
    Star("甄常健", "1", 72, "听泉村", "bp_emergency", 4, ("hypertension",)),
)


@dataclass(frozen=True)
class Person:
    """Everything about a patient that no visit found out.

    `due`: days from today, None for who is seen today; `later`: some day after today, whichever comes out.
    """

    key: str
    number: int
    team: TeamPlan
    village: str
    name: str
    sex: str
    birth_date: date
    profile: str
    conditions: tuple[str, ...]
    lives_alone: bool
    person: dict[str, Any]
    due: int | None
    later: bool

    @property
    def id(self) -> str:
        return steady_id("patient", self.key)

    @property
    def phone(self) -> str:
        return f"139000{10000 + self.number:05d}"

    @property
    def id_card(self) -> str:
        """370406, the birth date, a number of its own for each person, and the right check digit."""
        order = (self.number % 499) * 2 + (1 if self.sex == "1" else 2)
        body = f"370406{self.birth_date:%Y%m%d}{order:03d}"
        total = sum(int(digit) * weight for digit, weight in zip(body, WEIGHTS, strict=True))
        return body + CHECK_CHARS[total % 11]

    @property
    def record_no(self) -> str:
        """17 digits as domain/identity.md §2 has them."""
        village = int(self.village[-3:])
        return f"{self.team.town}{village:03d}{self.number + 1:05d}"

    def contact(self) -> dict[str, Any]:
        rng = chance("contact", self.key)
        relation = rng.choice(list(RELATIONS))
        surname = self.name[0] if relation != "1" else rng.choice(SURNAMES)
        return {
            "contact_name": surname + rng.choice(GIVEN),
            "contact_phone": f"139000{60000 + self.number:05d}",
            "contact_relation": relation,
        }


def everybody(today: date, *, small: bool = False) -> list[Person]:
    """All patients of the demo county, in a fixed order; `small` gives a dozen."""
    people: list[Person] = []
    names = _names()
    for team in TEAMS:
        count = {"xiji1": 7, "xiji2": 2, "sangcun1": 3}[team.key] if small else team.people
        people += _team(team, count, today, names, len(people), small=small)
    return _told_apart(people)


def _told_apart(people: list[Person]) -> list[Person]:
    """Nobody shares an identity number: a second one with the same is a day older."""
    taken: set[str] = set()
    found = []
    for person in people:
        while person.id_card in taken:
            person = replace(person, birth_date=person.birth_date - timedelta(days=1))
        taken.add(person.id_card)
        found.append(person)
    return found


def _team(
    team: TeamPlan, count: int, today: date, names: Iterator[tuple[str, str]], first: int, *, small: bool
) -> list[Person]:
    stars = list(STARS) if team.key == "xiji1" else []
    if small:
        stars = [star for star in stars if star.name not in ("祝长乐", "温秋实", "甄常健")]
    wanted = spread(count)
    for star in stars:
        if star.profile in wanted:
            wanted.remove(star.profile)
    wanted = wanted[: count - len(stars)]
    chance("order", team.key).shuffle(wanted)
    dues = _dues(team, count, len(stars), [key for key in wanted if PROFILES[key].visited])
    people = [_star(team, star, first + place, today) for place, star in enumerate(stars)]
    for place, profile in enumerate(wanted):
        number = first + len(stars) + place
        special = bool(dues) and PROFILES[profile].visited
        due = dues.pop() if special else None
        people.append(_drawn(team, number, place, profile, (due, not special), today, next(names)))
    return people


def _dues(team: TeamPlan, count: int, stars: int, visited: list[str]) -> list[int | None]:
    """Special days, to be given to the first who have been visited before."""
    if team.key == "xiji1" and count > 100:
        fixed: list[int | None] = [-1] + [0] * (TODAY - 5) + [None] * VISITED_TODAY
    elif count > 20:
        fixed = [-2, 0, 0, 0, None]
    else:
        fixed = [0] if not stars else []
    return fixed[: len(visited)]


def _star(team: TeamPlan, star: Star, number: int, today: date) -> Person:
    profile = PROFILES[star.profile]
    rng = chance("star", star.name)
    conditions = star.conditions if star.conditions is not None else rng.choice(profile.conditions)
    extra = {**profile.person, **star.person}
    return Person(
        key=f"star:{star.name}",
        number=number,
        team=team,
        village=team.village_codes[names_of(team.town).index(star.village)],
        name=star.name,
        sex=star.sex,
        birth_date=_birth(today, star.age, rng.randrange(20, 340)),
        profile=star.profile,
        conditions=conditions,
        lives_alone=bool(extra.pop("lives_alone", False)),
        person=extra,
        due=star.due,
        later=False,
    )


def _drawn(
    team: TeamPlan,
    number: int,
    place: int,
    key: str,
    due: tuple[int | None, bool],
    today: date,
    named: tuple[str, str],
) -> Person:
    profile = PROFILES[key]
    rng = chance("person", team.key, place)
    name, sex = named
    extra = dict(profile.person)
    age = rng.randint(*profile.ages)
    alone = bool(extra.pop("lives_alone", age < 74 and rng.random() < 0.08))
    return Person(
        key=f"{team.key}:{place}",
        number=number,
        team=team,
        village=team.village_codes[place % len(team.village_codes)],
        name=name,
        sex=sex,
        birth_date=_birth(today, age, rng.randrange(5, 360)),
        profile=key,
        conditions=rng.choice(profile.conditions),
        lives_alone=alone,
        person=extra,
        due=due[0],
        later=due[1],
    )


def _birth(today: date, age: int, days_since_birthday: int) -> date:
    """Somebody who turned `age` so many days ago."""
    birthday = today - timedelta(days=days_since_birthday)
    if (birthday.month, birthday.day) == (2, 29):
        birthday -= timedelta(days=1)
    return birthday.replace(year=birthday.year - age)


def _names() -> Iterator[tuple[str, str]]:
    """(name, sex), each name once; those of the stars are left out."""
    taken = {star.name for star in STARS}
    pairs = [surname + given for surname in SURNAMES for given in GIVEN]
    rng = chance("names")
    rng.shuffle(pairs)
    for name in pairs:
        if name not in taken and name[0] not in name[1:]:
            yield name, rng.choice("12")
