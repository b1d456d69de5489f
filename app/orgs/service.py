"""Questions about the organisation tree."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, select

from app.extensions import db
from app.orgs.models import Institution, Place, Team, TeamVillage


def place(code: str) -> Place | None:
    return db.session.get(Place, code)


def village(code: str) -> Place | None:
    """The village of this code; None for an unknown code or a place that is no village."""
    found = db.session.get(Place, code)
    return found if found is not None and found.level == "village" else None


def villages_of(code: str) -> list[Place]:
    """The villages below a town or county (or the village itself), by code."""
    statement = (
        select(Place).where(Place.level == "village", Place.code.startswith(code)).order_by(Place.code)
    )
    return list(db.session.scalars(statement))


def inside(column: Any, code: str) -> ColumnElement[bool]:
    """An SQL condition: the place in `column` is `code`, or lies in it. Its code then begins with `code`.

    As a range, which an index answers: of a LIKE with a value that comes later, neither database knows.
    """
    return and_(column >= code, column < f"{int(code) + 1:0{len(code)}d}")


_NAMES = select(Place.code, Place.name).where(Place.code.in_(bindparam("codes", expanding=True)))


def names(codes: set[str]) -> dict[str, str]:
    """Place code -> name, for all of `codes` in one query."""
    if not codes:
        return {}
    return dict(db.session.execute(_NAMES, {"codes": list(codes)}).all())


def team(team_id: str | None) -> Team | None:
    return None if team_id is None else db.session.get(Team, team_id)


def team_of_village(code: str) -> str | None:
    """Id of the team that looks after the village."""
    return db.session.scalar(select(TeamVillage.team_id).where(TeamVillage.village_code == code))


def villages_of_team(team_id: str) -> set[str]:
    """Codes of the villages the team looks after."""
    return set(db.session.scalars(select(TeamVillage.village_code).where(TeamVillage.team_id == team_id)))


def institution(institution_id: str | None) -> Institution | None:
    return None if institution_id is None else db.session.get(Institution, institution_id)


def called(ids: set[str]) -> dict[str, str]:
    """The name of each institution, team or place among `ids`; those of each kind in one query."""
    if not ids:
        return {}
    found = names(ids)
    for kind in (Team, Institution):
        found |= dict(db.session.execute(select(kind.id, kind.name).where(kind.id.in_(ids))).all())
    return found
