"""Every member of every other JSON body, and everything that may follow the question mark."""

from __future__ import annotations

from typing import Any

from werkzeug.test import TestResponse

from app.shared import clock
from app.shared.ids import new_id
from tests import hostile
from tests.fuzz.contract import places
from tests.fuzz.ground import Ground, at, spoiled

MISTYPED = [
    b"",
    b"null",
    b"[]",
    b"{",
    b"\xff",
    b'{"a":01}',
    b"{'a':1}",
    b'{"a":1,}',
    b"[" * 5000,
    b"\x1f\x8b",
    b"NaN",
]

# Codes that speak of the request as a whole, or of the one thing asked for.
WHOLE = {"bad_request", "cursor_unknown", "bad_credentials", "too_large", "not_found"}


class Apis:
    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.bodies = {url: schema for url, schema in ground.contract.bodies().items()}
        missing = set(self.bodies) - set(self._valid("x"))
        assert not missing, f"no valid body for {missing}"

    def _valid(self, user: str) -> dict[str, dict[str, Any]]:
        now = clock.local(clock.now()).isoformat(timespec="seconds")
        town = self.ground.town
        read = {"id": new_id(), "patient_id": town.patient, "page": "patient", "at": now}
        return {
            "/api/auth/login": {"username": user, "password": "wrong-pass-7", "device_id": "d", "device_name": "n", "otp": "1"},
            "/api/sync/push": {"sent_at": now, "ops": [self.ground.make.op(town.family, "order.create", {})]},
            "/api/sync/sealed": {"sent_at": now, "sealed": [{}], "echo": False},
            "/api/sync/reads": {"device_id": "d", "reads": [read]},
        }  # fmt: skip

    def run(self, examples: int) -> None:
        share = -(-examples // (len(self.bodies) + 2))
        for url, schema in self.bodies.items():
            found = [p for p in places(schema, self.ground.contract.schemas) if not self._is_item(url, p)]
            for n in range(share):
                self._body(url, [*found, ("unknown",)][n % (len(found) + 1)])
        for n in range(share):
            self._mistyped([*self.bodies][n % len(self.bodies)], MISTYPED[n % len(MISTYPED)])
        asked = [(url, name) for url, names in self.ground.contract.asked().items() for name in names]
        for n in range(share):
            self._asked(*asked[n % len(asked)])

    @staticmethod
    def _is_item(url: str, path: tuple[Any, ...]) -> bool:
        """The operations of a batch are judged one by one, in operations.py."""
        return url in ("/api/sync/push", "/api/sync/sealed") and len(path) > 1

    def _body(self, url: str, path: tuple[Any, ...]) -> None:
        whole = self._valid(self.ground.town.doctor.username)[url]  # type: ignore[attr-defined]
        name = next(step for step in reversed(path) if isinstance(step, str))
        value = self.ground.values.json(name, at(whole, path))
        client = self.ground.app.test_client() if url == "/api/auth/login" else self.ground.town.family
        before = self.ground.rows()
        answer = hostile.post_json(client, url, spoiled(whole, path, value))
        self._judge(url, path, value, answer, before)

    def _mistyped(self, url: str, body: bytes) -> None:
        before = self.ground.rows()
        answer = hostile.post_json(self.ground.town.family, url, body)
        self._judge(url, (), body[:20], answer, before)

    def _asked(self, url: str, name: str) -> None:
        town = self.ground.town
        url = url.replace("{id}", town.patient)
        client = town.doctor if "patients" in url else town.family
        valid = {"device_id": "d", "since": "2026-01-01"} if "receipts" in url else {}
        value = self.ground.values.posted(name, valid.get(name, "1"))
        before = self.ground.rows()
        answer = client.get(url, query_string={**valid, name: value})
        answer.get_data()
        self._judge(url, (name,), value, answer, before)

    def _judge(self, url: str, path: tuple[Any, ...], value: Any, answer: TestResponse, before: Any) -> None:
        tally = self.ground.tally
        tally.cases += 1
        tally.fields.add(f"{url} {'/'.join(map(str, path))}")
        about = (url, path, repr(value)[:80], answer.status_code)
        self.ground.look_at_log(about)
        if answer.status_code >= 500:
            tally.wrong["server_errors"].append(about)
        if answer.status_code < 400:
            tally.accepted += 1
            return
        body = answer.get_json(silent=True) or {}
        if hostile.INSIDES.search(str(body)):
            tally.wrong["internals_shown"].append((*about, body))
        if not hostile.in_chinese(body):
            tally.wrong["not_chinese"].append((*about, body))
        if self.ground.rows() != before:
            tally.wrong["refused_but_stored"].append(about)
        wanted = "/" + "/".join(map(str, path))
        whole = body.get("code") in WHOLE or not path
        tally.refusal(whole or hostile.names_the_field(body, wanted), (*about, body))
