"""What we ship of other people's work: pinned, listed, and asked about."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools import audit_dependencies as audit

ROOT = Path(__file__).parents[2]
PINNED = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", re.MULTILINE)


def locked() -> dict[str, str]:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    return {
        name.lower().replace("_", "-").replace(".", "-"): version for name, version in PINNED.findall(text)
    }


def browser() -> dict[str, str]:
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    shipped = {path: one for path, one in lock.items() if path and not one.get("dev")}
    return {path.rsplit("node_modules/", 1)[1]: one["version"] for path, one in shipped.items()}


def test_everything_shipped_is_pinned_by_hash() -> None:
    blocks = re.split(r"\n(?=[A-Za-z0-9])", (ROOT / "requirements.lock").read_text(encoding="utf-8"))
    pins = [block for block in blocks if PINNED.match(block)]
    assert len(pins) > 30 and all("--hash=sha256:" in block for block in pins)
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert all(one["integrity"].startswith("sha512-") for path, one in lock.items() if path)
    manifest = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    assert all(re.fullmatch(r"[0-9.]+", v) for v in manifest["dependencies"].values())


def test_the_bill_of_materials_lists_what_the_locks_say(tmp_path: Path) -> None:
    command = [sys.executable, "tools/sbom.py", "--out", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=200)
    for name, wanted in (("python", locked()), ("browser", browser())):
        bill = json.loads((tmp_path / f"{name}.cdx.json").read_text(encoding="utf-8"))
        assert bill["bomFormat"] == "CycloneDX" and bill["specVersion"] in ("1.5", "1.6")
        found = {_name(one): one["version"] for one in bill["components"]}
        assert found == wanted, name
        assert all(
            one["purl"] and (one.get("hashes") or one.get("externalReferences")) for one in bill["components"]
        )


def _name(component: dict) -> str:
    group = component.get("group")
    name = f"{group}/{component['name']}" if group else component["name"]
    return name if "npm" in component["purl"] else name.lower().replace("_", "-").replace(".", "-")


GOOD = '{"dependencies": [{"name": "a", "version": "1", "vulns": []}], "fixes": []}'
HOLE = '{"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}]}'
UNHEARD = '{"dependencies": [{"name": "a", "skip_reason": "not found"}]}'
MIXED = HOLE.replace("]}]}]}", ']}]}, {"name": "b", "skip_reason": "not found"}]}')
NPM_GOOD = '{"vulnerabilities": {}, "metadata": {"dependencies": {"prod": 5}}}'
NPM_HOLE = '{"vulnerabilities": {"idb": {"severity": "high", "range": "<9"}}, "metadata": {}}'
NPM_UNHEARD = '{"message": "405 Method Not Allowed - POST somewhere", "method": "POST"}'


@pytest.mark.parametrize(
    ("python", "npm", "argument", "status", "said"),
    [
        (GOOD, NPM_GOOD, [], 0, "1 packages, 0 known"),
        (HOLE, NPM_GOOD, [], 1, "CVE-1, mended in 2"),
        (GOOD, NPM_HOLE, [], 1, "idb: high"),
        (UNHEARD, NPM_UNHEARD, [], 0, "NOT CHECKED"),
        ("", "", [], 0, "NOT CHECKED"),
        (UNHEARD, NPM_GOOD, ["--must-ask"], 1, "NOT CHECKED"),
        (UNHEARD, NPM_HOLE, [], 1, "idb: high"),
        (MIXED, NPM_GOOD, [], 1, "CVE-1"),
    ],
)
def test_a_known_vulnerability_fails_and_not_being_able_to_ask_is_said(
    monkeypatch, capsys, python, npm, argument, status, said
) -> None:
    monkeypatch.setattr(audit, "_asked", lambda command: npm if command[0] == "npm" else python)
    monkeypatch.setattr(sys, "argv", ["audit", *argument])
    assert audit.main() == status
    assert said in capsys.readouterr().out
