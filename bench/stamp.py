"""Stamping copies of the pattern: rows of every table in the order in which years would have written them.

What differs between two copies of a team: the UUIDs (three digits in the middle, so that they still sort by
time), the codes of town, villages and county, identity numbers, sign-in names and telephones, feed numbers.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from app.accounts import audit_chain
from app.accounts.audit_chain import Link
from app.patients import identity
from app.patients.identity import CHECK_CHARS, WEIGHTS
from app.shared import secretbox, strictjson
from bench.pattern import COPY, COUNTY, TOWN, Pattern, Row

MOST_COPIES = 4096  # three hex digits
TOWNS_OF_A_COUNTY = 10
BETWEEN = "\x1f"
READ_BEFORE = timedelta(minutes=10)  # a patient's page was looked at before the visit was recorded
SEALED = "patient.create"
Values = list[Any]


@dataclass(frozen=True)
class Place:
    """What the marks of one copy stand for."""

    number: int

    @property
    def copy(self) -> str:
        return f"{self.number:03x}"

    @property
    def county(self) -> str:
        return f"37{10 + self.number // TOWNS_OF_A_COUNTY:03d}6"

    @property
    def town(self) -> str:
        return f"{self.county}{100 + self.number % TOWNS_OF_A_COUNTY}"

    def fill(self, text: str) -> str:
        return text.replace(COPY, self.copy).replace(TOWN, self.town).replace(COUNTY, self.county)

    def id_card(self, number: str) -> str:
        """The same birth date and order in another district, with the right check digit."""
        body = f"37{self.number:04d}{number[6:17]}"
        total = sum(int(digit) * weight for digit, weight in zip(body, WEIGHTS, strict=True))
        return body + CHECK_CHARS[total % 11]


class Stamp:
    """Rows of `copies` teams. Revisions come before touches, the feed's head and the audit: they count."""

    def __init__(self, pattern: Pattern, copies: int) -> None:
        assert copies <= MOST_COPIES
        self.pattern = pattern
        self.copies = [Place(number) for number in range(copies)]
        self._special: dict[str, Callable[[Row], Iterator[Values]]] = {
            "patients": self._patients, "revisions": self._revisions, "users": self._users,
            "departures": self._departures,
        }  # fmt: skip
        self._cards = _cards(pattern)
        self._newest: dict[str, int] = {}  # patient -> place of the newest revision in the pattern
        self._reached = 0

    def rows(self, table: str) -> Iterator[Values]:
        special = self._special.get(table)
        for row in self.pattern.tables[table]:
            if special is not None:
                yield from special(row)
            elif self._shared(table, row):
                yield from (values for place, values in self._plain(row) if self._first_of_county(place))
            else:
                yield from (values for _, values in self._plain(row))

    def columns(self, table: str) -> list[str]:
        return list(self.pattern.tables[table][0])

    def count(self, table: str) -> int:
        return len(self.pattern.tables[table]) * len(self.copies)

    def _plain(self, row: Row) -> Iterator[tuple[Place, Values]]:
        """Each copy of `row`. All texts with marks are filled in at once."""
        values = list(row.values())
        varied = [n for n, value in enumerate(values) if isinstance(value, str) and _is_marked(value)]
        joined = BETWEEN.join(values[n] for n in varied)
        for place in self.copies:
            made = values.copy()
            for n, text in zip(varied, place.fill(joined).split(BETWEEN), strict=False):
                made[n] = text
            yield place, made

    @staticmethod
    def _shared(table: str, row: Row) -> bool:
        return (table == "places" and row["code"] == COUNTY) or row.get("kind") == "county_hospital"

    @staticmethod
    def _first_of_county(place: Place) -> bool:
        return place.number % TOWNS_OF_A_COUNTY == 0

    def _patients(self, row: Row) -> Iterator[Values]:
        names = list(row)
        at = [names.index(name) for name in ("id_card_sealed", "id_card_index", "id_card_masked")]
        card = secretbox.unseal(row["id_card_sealed"])
        for place, values in self._plain(row):
            number = place.id_card(card)
            made = secretbox.seal(number), secretbox.blind_index(number), identity.mask_id_card(number)
            for n, value in zip(at, made, strict=True):
                values[n] = value
            yield values

    def _users(self, row: Row) -> Iterator[Values]:
        names = list(row)
        username, phone = names.index("username"), names.index("phone")
        for place, values in self._plain(row):
            values[username] = sign_in_name(values[username], place.number)
            if values[phone]:
                values[phone] = f"13{place.number:03d}{values[phone][-6:]}"
            yield values

    def _revisions(self, row: Row) -> Iterator[Values]:
        """With a feed number, the digest of the operation as a phone sent it, and sealed where it must be."""
        names = list(row)
        seq, digest, payload = (names.index(name) for name in ("seq", "digest", "payload"))
        first = self._reached * len(self.copies)
        self._newest[row["patient_id"]] = self._reached
        self._reached += 1
        card = self._cards.get(row["entity_id"]) if row["kind"] == SEALED else None
        operation = _operation(row)
        for place, values in self._plain(row):
            whole = place.fill(operation)
            if card is not None:
                number = place.id_card(card)
                whole = whole.replace(card, number)
                values[payload] = secretbox.seal(values[payload].replace(card, number))
            values[seq] = first + place.number + 1
            values[digest] = hashlib.sha256(whole.encode()).hexdigest()
            yield values

    def _departures(self, row: Row) -> Iterator[Values]:
        seq = list(row).index("seq")
        for place, values in self._plain(row):
            values[seq] = place.number + 1
            yield values

    def touches(self) -> Iterator[Values]:
        """(patient_id, seq) of everybody."""
        for patient_id, reached in self._newest.items():
            for place in self.copies:
                yield [place.fill(patient_id), reached * len(self.copies) + place.number + 1]

    def head(self) -> int:
        return self._reached * len(self.copies)

    def audit(self) -> Iterator[Values]:
        """For every operation the line that it was applied, and before it one that the page was read.

        Marked and linked as audit_chain.py does it, written out for speed; `audit verify` passes.
        """
        key = secretbox.keys(b"audit")[0]
        roles = {row["id"]: row for row in self.pattern.tables["users"]}
        end, line = Link(0, audit_chain.NOTHING), 0
        for told in sorted(self._told(roles), key=lambda one: one.at):
            content = strictjson.canonical(audit_chain._content(told))  # type: ignore[arg-type]
            at = told.at.replace(tzinfo=None).isoformat(" ", timespec="microseconds")
            fixed = [
                told.event_id,
                told.user_id,
                told.org_id,
                told.object_id,
                told.patient_id,
                told.request_id,
            ]
            joined = BETWEEN.join([*(part or "" for part in fixed), content])
            for place in self.copies:
                event, user, org, thing, patient, request, text = place.fill(joined).split(BETWEEN)
                line += 1
                mac = hmac.digest(key, text.encode(), "sha256").hex()
                linked = f'["link","{end.hash}",{line},{line},"{mac}"]'
                end = Link(line, hmac.digest(key, linked.encode(), "sha256").hex())
                yield [
                    line, event, at, user, told.role, org or None, told.device_id, told.address, told.action,
                    thing, patient, told.result, request, mac, line, end.hash,
                ]  # fmt: skip
        self.chain_end = end

    AUDIT = (
        "id", "event_id", "at", "user_id", "role", "org_id", "device_id", "address", "action", "object_id",
        "patient_id", "result", "request_id", "mac", "position", "hash",
    )  # fmt: skip

    def _told(self, users: dict[str, Row]) -> Iterator[SimpleNamespace]:
        for row in self.pattern.tables["revisions"]:
            author = users[row["author_id"]]
            at = datetime.fromisoformat(row["received_at"]).replace(tzinfo=UTC)
            lines = (
                (row["kind"], row["entity_id"], at, "1"),
                ("patient.read", row["patient_id"], at - READ_BEFORE, "2"),
            )
            for action, thing, moment, number in lines:
                yield SimpleNamespace(
                    event_id=_another(row["op_id"], number), at=moment, user_id=author["id"],
                    role=author["role"],
                    org_id=author["institution_id"] or author["team_id"] or author["place_code"],
                    device_id="device-1", address="10.0.0.1", action=action, object_id=thing,
                    patient_id=row["patient_id"], claimed_at=None, result="ok",
                    request_id=_another(row["op_id"], f"{int(number) + 2}"),
                )  # fmt: skip


def sign_in_name(name: str, copy: int) -> str:
    return f"{name}-{copy}"


def _is_marked(text: str) -> bool:
    return COPY in text or TOWN in text or COUNTY in text


def _another(op_id: str, digit: str) -> str:
    """An id beside this one: its last digit is another."""
    return op_id[:-2] + digit + op_id[-1]


def _cards(pattern: Pattern) -> dict[str, str]:
    """Patient id -> identity number, where the operation that registered them carries it."""
    return {
        row["entity_id"]: json.loads(row["payload"])["id_card"]
        for row in pattern.tables["revisions"]
        if row["kind"] == SEALED
    }


def _operation(row: Row) -> str:
    """The operation in the form whose SHA-256 says that it is the same one (SYNC §3)."""
    names = ("op_id", "device_id", "author_id", "kind", "recorded_at")
    raw = {name: row[name] for name in names} | {"payload": json.loads(row["payload"])}
    if row["kind"] == "order.transition":
        raw["base_revision"] = row["revision"] - 1
    return strictjson.canonical(raw)
