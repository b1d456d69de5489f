"""What the phone's own code seals, the server's own code opens."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from app import create_app
from app.shared import strictjson
from app.sync import sealing
from tests.conftest import SECRET

ROOT = Path(__file__).parents[3]
OPS = [
    {"op_id": f"op-{number}", "author_id": "ann", "kind": "visit.create", "payload": {"note": note}}
    for number, note in enumerate(["", "张秀兰 𠮷 é ‏", "长" * 20_000, '"\\\n\t', "🙂" * 100])
] + [{"op_id": "again", "author_id": "ann", "payload": {"n": [1, 1.5, -0.25, 1e21, None, True]}}] * 2


def phone_seals(key: dict[str, str], *how: str) -> list[dict[str, str]]:
    lines = "\n".join(json.dumps(line, ensure_ascii=False) for line in [key, *OPS])
    script = ROOT / "tests" / "js" / "seal_ndjson.mjs"
    done = subprocess.run(
        ["node", str(script), *how],
        input=lines,
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("how", [(), ("plain",)], ids=["squeezed", "without streams"])
def test_the_server_opens_what_a_phone_sealed_and_no_two_seals_are_alike(tmp_path, how) -> None:
    app = create_app({"SECRET_KEY": SECRET, "DATABASE_URL": f"sqlite:///{tmp_path}/none.db"})
    with app.app_context():
        entries = phone_seals(sealing.current(), *how)
        opened = [sealing.open_op(entry) for entry in entries]
    assert [strictjson.canonical(op) for op in opened] == [strictjson.canonical(op) for op in OPS]
    assert len({entry["data"][:80] for entry in entries}) == len(OPS)  # a key of its own for each
