"""Every member of every kind of operation, of the envelope around it, and of a sealed entry."""

from __future__ import annotations

import json
from typing import Any

from flask.testing import FlaskClient

from app.extensions import db
from app.sync.models import Revision
from app.sync.registry import kinds
from tests import hostile
from tests.app.visits import sheets
from tests.bases import KINDS
from tests.fuzz.ground import Ground, at, spoiled
from tests.sealing import sealed

BATCH = 40
# What these codes speak of, where no pointer is given: an absent record looks like one out of reach.
SPEAKS_OF = {
    "unknown_kind": {"kind"}, "author_mismatch": {"author_id"}, "op_id_reused": {"op_id"},
    "cannot_open": {"key_id", "data"}, "forbidden": {"kind"},
    "not_found": {"patient_id", "order_id", "assignee_id"}, "missing_dependency": {"patient_id", "visit_id"},
}  # fmt: skip
# Field work that was really done is kept beside an order that has moved on, and somebody is told (SYNC §4).
FIELD_WORK = {"order_events", "notices"}
UNKNOWN = ("nobody_knows_this",)


class Operations:
    """Draws cases evenly over the kinds, and over the members of each."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        unknown = set(kinds) - {kind.replace("rating", "order.transition") for kind in KINDS}
        assert not unknown, f"tests/bases.py has no valid example of {unknown}"
        self.sources: list[tuple[str, FlaskClient, Any, int | None, list[tuple[Any, ...]]]] = []
        for kind in KINDS:
            client, payload, base = ground.bases.of(kind)
            name = "order.transition" if kind == "rating" else kind
            found = [p for p in ground.contract.payload_places(name) if p[0] != "answers"]
            if name == "order.transition":
                found = [p for p in found if (p[0] == "rating") == (kind == "rating")]
            self.sources.append((name, client, payload, base, [*found, UNKNOWN]))
        for form in sheets.SHEETS:
            valid = sheets.payload(ground.town.patient, form)
            places = [*hostile.answer_paths(form), ("answers",)]
            self.sources.append(("visit.create", ground.town.doctor, lambda v=valid: v, None, places))

    def run(self, examples: int) -> None:
        share = -(-examples // (len(self.sources) + 2))
        for name, client, payload, base, places in self.sources:
            for start in range(0, share, BATCH):
                count = min(BATCH, share - start)
                self._payloads(name, client, payload, base, self._drawn(places, start, count))
        self._envelopes(share)
        self._sealed(share)

    def _drawn(self, places: list[Any], start: int, count: int) -> list[Any]:
        """Each member in turn before any has a second one."""
        if start == 0:
            self.ground.random.shuffle(places)
        return [places[(start + n) % len(places)] for n in range(count)]

    def _payloads(
        self, name: str, client: FlaskClient, payload: Any, base: int | None, places: list[Any]
    ) -> None:
        cases, ops = [], []
        for path in places:
            valid = payload()
            value = self.ground.values.json(
                str(path[-1] if isinstance(path[-1], str) else path[-2]), at(valid, path)
            )
            given = {} if base is None else {"base_revision": base}
            ops.append(self.ground.make.op(client, name, spoiled(valid, path, value), **given))
            cases.append((name, ("payload", *path), value))
        before = self.ground.rows()
        self._judge(client, cases, ops, hostile.push(client, ops), before)

    def _envelopes(self, count: int) -> None:
        ground, client = self.ground, self.ground.town.family
        places = [*ground.contract.schemas["Op"]["properties"], *UNKNOWN]
        for start in range(0, count, BATCH):
            cases, ops = [], []
            for n in range(start, min(start + BATCH, count)):
                op = ground.make.op(client, "order.create", ground.town.wish())
                name = places[n % len(places)]
                value = ground.values.json(name, op.get(name))
                ops.append(spoiled(op, (name,), value))
                cases.append(("envelope", (name,), value))
            before = ground.rows()
            self._judge(client, cases, ops, hostile.push(client, ops), before)

    def _sealed(self, count: int) -> None:
        ground, client = self.ground, self.ground.town.family
        key = client.get("/api/auth/me").get_json()["seal"]
        places = [*ground.contract.schemas["Sealed"]["properties"], *UNKNOWN]
        for start in range(0, count, BATCH):
            cases, entries = [], []
            for n in range(start, min(start + BATCH, count)):
                entry = sealed(key, ground.make.op(client, "order.create", ground.town.wish()))
                name = places[n % len(places)]
                value = ground.values.json(name, entry.get(name))
                entries.append(spoiled(entry, (name,), value))
                cases.append(("sealed", (name,), value))
            before = ground.rows()
            body = {"sent_at": "2026-06-01T09:00:00+08:00", "sealed": entries, "echo": True}
            answer = hostile.post_json(client, "/api/sync/sealed", body)
            results = answer.get_json()["results"] if answer.status_code == 200 else []
            if len(results) != len(entries):
                ground.tally.wrong["server_errors"].append(("sealed", answer.status_code))
                continue
            self._judge(client, cases, entries, results, before)

    def _judge(
        self, client: FlaskClient, cases: list[Any], ops: list[Any], results: list[Any], before: Any
    ) -> None:
        tally, applied, refused = self.ground.tally, [], []
        for (kind, path, value), op, result in zip(cases, ops, results, strict=True):
            tally.cases += 1
            tally.fields.add(f"{kind} {'/'.join(map(str, path))}")
            about = (kind, path, repr(value)[:80], result)
            if hostile.INSIDES.search(str(result)):
                tally.wrong["internals_shown"].append(about)
            if result["status"] in ("applied", "duplicate"):
                tally.accepted += 1
                applied.append((kind, op, result, about))
                continue
            refused.append(op)
            if not hostile.in_chinese(result):
                tally.wrong["not_chinese"].append(about)
            if result["status"] == "conflict":
                tally.overtaken += 1
            else:
                tally.refusal(_names(result, path) or self._fits(kind, op, result), about)
        self.ground.look_at_log(cases[0][0])
        self._look_at_store(client, applied, refused, before)

    def _fits(self, kind: str, op: Any, result: dict[str, Any]) -> bool:
        """The value may stand there, but not beside its neighbours, which are named."""
        payload = op.get("payload") if isinstance(op, dict) else None
        right = (
            kind in kinds and isinstance(payload, dict) and not self.ground.contract.forbids(kind, payload)
        )
        return right and bool(result.get("errors"))

    def _look_at_store(
        self, client: FlaskClient, applied: list[Any], refused: list[Any], before: Any
    ) -> None:
        tally, after = self.ground.tally, self.ground.rows()
        fresh = sum(result["status"] == "applied" for _, _, result, _ in applied)
        grown = self.ground.grown(before, after, but=FIELD_WORK)
        if grown.get("revisions", 0) != fresh or (grown and not fresh):
            tally.wrong["refused_but_stored"].append((len(refused), grown))
        with self.ground.app.app_context():
            ids = [op["op_id"] for op in refused if isinstance(op, dict) and isinstance(op.get("op_id"), str)]
            clean = [op_id for op_id in ids if len(op_id) == 36 and op_id.isascii() and op_id.isprintable()]
            kept = db.session.scalars(db.select(Revision.op_id).where(Revision.op_id.in_(clean))).all()
            db.session.rollback()
        if kept:
            tally.wrong["refused_but_stored"].append(kept)
        for kind, op, result, about in applied:
            if not isinstance(op, dict) or kind in ("envelope", "sealed"):
                continue
            payload = json.loads(hostile.dumps(op["payload"]))
            if why := self.ground.contract.forbids(kind, payload):
                tally.wrong["bad_accepted"].append((why, *about))
            url = f"/api/{kinds[kind].entity}s/{result['entity_id']}?revision={result['revision']}"
            if client.get(url).get_json().get("payload") != payload:
                tally.wrong["hostile_text_changed"].append(about)


def _names(result: dict[str, Any], path: tuple[Any, ...]) -> bool:
    if result["code"] in SPEAKS_OF and SPEAKS_OF[result["code"]] & set(path):
        return True
    wanted = "/" + "/".join(map(str, path))
    # A cell that stands alone is told by the cell that is missing beside it.
    beside = wanted.rsplit("/", 1)[0] if any(isinstance(step, int) for step in path) else wanted
    return hostile.names_the_field(result, wanted) or hostile.names_the_field(result, beside)
