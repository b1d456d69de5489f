"""The county: ten real towns (domain/identity.md §3), invented villages, demo institutions and teams."""

from __future__ import annotations

from dataclasses import dataclass

from app.demo.steady import steady_id
from app.extensions import db
from app.orgs.models import Institution, Place, Team, TeamVillage

COUNTY, COUNTY_NAME = "370406", "山亭区（演示）"
TOWNS = {
    "370406001": "山城街道",
    "370406101": "店子镇",
    "370406102": "西集镇",
    "370406103": "桑村镇",
    "370406104": "北庄镇",
    "370406105": "城头镇",
    "370406106": "徐庄镇",
    "370406107": "水泉镇",
    "370406108": "冯卯镇",
    "370406109": "凫城镇",
}
XIJI, SANGCUN = "370406102", "370406103"
VILLAGE_NAMES = {
    XIJI: "向阳村 桃源村 听泉村 松风村 望云村 青禾村 梨花村 临溪村 榴园村 晚晴村",
    SANGCUN: "春和村 秋实村 柳塘村 石桥村 杏林村 南坡村 双井村 白鹭村",
}
# Of other towns; each takes six, beginning somewhere else.
MORE_NAMES = (
    "云岭村 竹溪村 枣香村 荷塘村 东篱村 西岭村 清泉村 花峪村 古槐村 长亭村 月湖村 朝霞村 翠屏村 丰谷村"
).split()

PHONE = "0632-0000{:03d}"  # no number begins with 0 after the area code


@dataclass(frozen=True)
class TeamPlan:
    key: str
    name: str
    town: str
    villages: tuple[int, int]  # first and one past the last of the town's villages
    people: int

    @property
    def id(self) -> str:
        return steady_id("team", self.key)

    @property
    def village_codes(self) -> list[str]:
        return village_codes(self.town)[self.villages[0] : self.villages[1]]


TEAMS = (
    TeamPlan("xiji1", "西集镇家庭医生一队（演示）", XIJI, (0, 8), 600),
    TeamPlan("xiji2", "西集镇家庭医生二队（演示）", XIJI, (8, 10), 80),
    TeamPlan("sangcun1", "桑村镇家庭医生一队（演示）", SANGCUN, (0, 8), 100),
)


def names_of(town: str) -> list[str]:
    if town in VILLAGE_NAMES:
        return VILLAGE_NAMES[town].split()
    start = list(TOWNS).index(town) * 3
    return [MORE_NAMES[(start + place) % len(MORE_NAMES)] for place in range(6)]


def village_codes(town: str) -> list[str]:
    """12 digits; the last three in the range of village committees (domain/identity.md §2)."""
    return [f"{town}{101 + place}" for place in range(len(names_of(town)))]


def hospital(town: str) -> str:
    return steady_id("hospital", town)


def clinic(village: str) -> str:
    return steady_id("clinic", village)


def build() -> None:
    """Add places, institutions and teams to the session."""
    db.session.add(Place(code=COUNTY, name=COUNTY_NAME, level="county"))
    db.session.flush()
    for town, name in TOWNS.items():
        db.session.add(Place(code=town, name=name, level="town", parent_code=COUNTY))
    db.session.flush()
    for town in TOWNS:
        for code, name in zip(village_codes(town), names_of(town), strict=True):
            db.session.add(Place(code=code, name=name, level="village", parent_code=town))
    db.session.flush()
    _institutions()
    db.session.flush()
    for team in TEAMS:
        db.session.add(
            Team(id=team.id, name=team.name, institution_id=hospital(team.town), town_code=team.town)
        )
        db.session.flush()
        db.session.add_all(TeamVillage(village_code=code, team_id=team.id) for code in team.village_codes)
    db.session.flush()


def _institutions() -> None:
    rows = [(steady_id("county-hospital"), "山亭区医院（演示）", "county_hospital", COUNTY)]
    rows += [
        (hospital(town), f"{name}卫生院（演示）", "township_hospital", town) for town, name in TOWNS.items()
    ]
    rows.append((steady_id("care-home", XIJI), "西集镇养老服务中心（演示）", "care_home", XIJI))
    for team in TEAMS:
        for code in team.village_codes:
            name = names_of(team.town)[village_codes(team.town).index(code)]
            rows.append((clinic(code), f"{name}卫生室（演示）", "village_clinic", code))
    for place, (row_id, name, kind, code) in enumerate(rows):
        db.session.add(
            Institution(id=row_id, name=name, kind=kind, place_code=code, phone=PHONE.format(place))
        )
