"""Operations of earlier schemas are taken for ever as they were sent (docs/decisions/0016)."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from app.shared import clock
from app.shared.ids import new_id
from app.sync.registry import kinds
from tests.factories import VILLAGE, an_id_card
from tests.sealing import sealed

SENT = json.loads((Path(__file__).parents[2] / "contracts" / "ops_schema_1.json").read_text())


def filled(value: Any, words: dict[str, str]) -> Any:
    """`value` with every `<word>` in it replaced."""
    if isinstance(value, dict):
        return {key: filled(item, words) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, words) for item in value]
    return words[value] if isinstance(value, str) and value.startswith("<") else value


def sent_by_the_first_release(make) -> tuple[dict[str, Any], list[tuple[Any, dict[str, Any]]]]:
    """The clients by role, and [(client, operation)] in the order of sending."""
    clients = {role: make.signed_in(role) for role in ("doctor", "village", "provider")}
    now = clock.local(clock.now())
    words = {
        "<now>": now.isoformat(timespec="seconds"),
        "<tomorrow>": (now + timedelta(days=1)).isoformat(timespec="seconds"),
        "<in 60 days>": (now + timedelta(days=60)).date().isoformat(),
        "<village>": VILLAGE,
        "<id_card>": an_id_card(make.next()),
    }
    words |= {f"<user:{role}>": client.user_id for role, client in clients.items()}
    words |= {item["op"]["op_id"]: new_id() for item in SENT["ops"]}
    return clients, [(clients[item["as"]], filled(item["op"], words)) for item in SENT["ops"]]


def test_every_kind_of_the_first_release_is_there(app) -> None:
    assert {item["op"]["kind"] for item in SENT["ops"]} == set(kinds)
    assert not any("replaces" in item["op"] for item in SENT["ops"])


def test_operations_of_the_first_release_are_accepted(make) -> None:
    _, ops = sent_by_the_first_release(make)
    for client, op in ops:
        [result] = make.push(client, op)
        assert result["status"] == "applied", (op["kind"], result)
    for client, op in ops:
        assert make.push(client, op)[0]["status"] == "duplicate"


def test_so_are_the_same_sealed_by_a_later_one(make) -> None:
    clients, ops = sent_by_the_first_release(make)
    key = clients["doctor"].get("/api/auth/me").get_json()["seal"]
    for client, op in ops:
        body = {"sent_at": op["recorded_at"], "sealed": [sealed(key, op)]}
        [result] = client.post("/api/sync/sealed", json=body).get_json()["results"]
        assert result["status"] == "applied", (op["kind"], result)
        assert make.push(client, op)[0]["status"] == "duplicate"
