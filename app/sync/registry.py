"""What rooms tell sync at start-up: the kinds of operation they take, and who may see their records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from marshmallow import Schema
from sqlalchemy import ColumnElement, Select

from app.accounts.models import User


@dataclass(frozen=True)
class Op:
    """One thing a person did, parsed and shaped; `payload` has passed the kind's schema unchanged."""

    op_id: str
    device_id: str
    author: User
    kind: str
    recorded_at: datetime
    received_at: datetime
    skew: timedelta  # server clock minus phone clock
    payload: dict[str, Any]
    base_revision: int | None = None


@dataclass(frozen=True)
class Applied:
    """What an operation did: a new revision of a record about a patient."""

    entity_id: str
    revision: int
    patient_id: str
    state: str | None = None


class Rejected(Exception):
    """The operation cannot be accepted as it is. `code` is one of SYNC §3."""

    def __init__(self, code: str, detail: str = "", errors: Sequence[dict[str, str]] = ()) -> None:
        super().__init__(code)
        self.code, self.detail, self.errors = code, detail, list(errors)

    @classmethod
    def invalid(cls, pointer: str, message: str, code: str = "invalid") -> Rejected:
        """One field is wrong; `pointer` is relative to the payload, e.g. "/id_card"."""
        return cls("invalid", message, [{"pointer": pointer, "code": code, "message": message}])


class Conflict(Exception):
    """Valid, but the record moved on. `current` holds at least revision (and state for orders).

    `keep` runs after the operation is undone, in the same transaction: field work that was really done is
    attached to the record although the operation is not applied (SYNC §4).
    """

    def __init__(
        self, code: str, detail: str, current: dict[str, Any], keep: Callable[[], None] | None = None
    ) -> None:
        super().__init__(code)
        self.code, self.detail, self.current, self.keep = code, detail, current, keep


class Together(Protocol):
    """Several operations of one kind in a row: judged one after the other, written in one go.

    `apply` raises Rejected or Conflict without having changed anything, else it has done so in memory only,
    for the next one to see. Nothing is flushed before `write`.

    `moved`, asked in a later transaction: ids of patients who are not any more as they were at a feed number
    that was the newest when this began.
    What one patient's operations do rests on nobody else; so those may be left out, and the others written.
    """

    def apply(self, op: Op) -> Applied: ...

    def moved(self, since: int) -> set[str]: ...

    def leave_out(self, patient_ids: set[str]) -> None: ...

    def write(self) -> None: ...


@dataclass(frozen=True)
class Kind:
    """A kind of operation; it does its work inside the open transaction and never commits.

    `apply` handles one operation. `together(author, payloads)` begins on several at once instead: of the
    payloads nothing is known yet but that they are objects.
    """

    name: str
    entity: str
    schema: type[Schema]
    roles: frozenset[str]
    apply: Callable[[Op], Applied] | None = None
    together: Callable[[User, list[dict[str, Any]]], Together] | None = None
    needs_base: bool = False
    sealed: bool = False  # the payload holds an identity number: encrypted at rest


@dataclass(frozen=True)
class Entity:
    """A kind of record. `in_scope(user)` is an SQL condition over app.sync.models.Revision.

    `patients(user)` selects the ids of all whom a record in that scope may be about: the feed is read so.
    `record(user, entity_id)` is the record as it stands now (JSON-ready), shown beside the payload.
    `show(user, revision_dict)` may mask parts of a change for this reader.
    """

    name: str
    in_scope: Callable[[User], ColumnElement[bool]]
    patients: Callable[[User], Select[str]]
    record: Callable[[User, str], dict[str, Any] | None]
    show: Callable[[User, dict[str, Any]], dict[str, Any]] = field(default=lambda user, change: change)


kinds: dict[str, Kind] = {}
entities: dict[str, Entity] = {}


def register_kind(kind: Kind) -> None:
    kinds[kind.name] = kind


def register_entity(entity: Entity) -> None:
    entities[entity.name] = entity


# Names of those patients whom this reader may see, by id; told by the room that knows patients.
PatientNames = Callable[[User, Iterable[str]], dict[str, str]]
_patient_names: list[PatientNames] = []


def register_patient_names(find: PatientNames) -> None:
    _patient_names[:] = [find]


def patient_names(user: User, patient_ids: Iterable[str]) -> dict[str, str]:
    wanted = set(patient_ids)
    return _patient_names[0](user, wanted) if wanted and _patient_names else {}
