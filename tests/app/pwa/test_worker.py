"""What the browser is given to install: worker, shell, manifest."""

import hashlib
import re

from app import guard
from app.config import ROOT
from app.pwa.build import build
from tests.app.pwa.test_first_load import known


def constants(text: str) -> dict[str, str]:
    """The header list of service_worker/headers.js, strings joined."""
    block = re.search(r"HEADERS = \{(.*?)\n\};", text, re.S).group(1)
    joined = re.sub(r"[\"'] \+\s*[\"']", "", block)
    found = re.findall(r"'([\w-]+)':\s*(?:'([^']*)'|\"([^\"]*)\")", joined)
    return {name: single or double for name, single, double in found}


def test_a_page_the_worker_makes_up_carries_the_headers_of_the_server() -> None:
    text = (ROOT / "service_worker" / "headers.js").read_text()
    assert constants(text) == guard.HEADERS


def test_the_worker_is_asked_for_every_time(client) -> None:
    for path in ("/sw.js", "/static/joined/core.js"):
        answer = client.get(path)
        assert answer.status_code == 200 and answer.mimetype == "text/javascript"
        assert answer.headers["Cache-Control"] == "no-cache"
    assert (
        client.get("/sw/nothing.js").status_code == client.get("/static/joined/nothing.js").status_code == 404
    )


def test_a_new_build_changes_the_worker_s_own_bytes(client) -> None:
    assert known(client)["BUILD"] == build()


def test_the_worker_knows_only_things_everybody_may_have(client) -> None:
    listed = known(client)["SHELL"]
    assert {"/static/joined/frame.js", "/offline", "/unlock", "/manifest.json"} <= set(listed)
    for path, digest in listed.items():
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert "X-Page-User" not in answer.headers
        # By this the phone tells our file from a portal's page and from one of another build.
        assert hashlib.sha256(answer.get_data()).hexdigest().startswith(digest) and len(digest) == 16, path


def test_the_worker_imports_only_what_is_there(client) -> None:
    paths = re.findall(r"from ?'([^']+)'", client.get("/sw.js").get_data(as_text=True))
    assert paths == ["/static/joined/core.js"]
    assert all(client.get(path).status_code == 200 for path in paths)


def test_every_module_finds_the_modules_it_imports() -> None:
    for source in (ROOT / "static" / "js").rglob("*.js"):
        for path in re.findall(r"(?:from|import\()\s*'(\.[^']+)'", source.read_text()):
            assert (source.parent / path).resolve().is_file(), f"{source.relative_to(ROOT)} imports {path}"


def test_the_manifest_makes_it_installable(client) -> None:
    answer = client.get("/manifest.json")
    manifest = answer.get_json(force=True)
    assert answer.mimetype == "application/manifest+json"
    assert manifest["name"] == "暖巡" and manifest["display"] == "standalone"
    assert {icon["purpose"] for icon in manifest["icons"]} >= {"any", "maskable"}
    for icon in manifest["icons"]:
        assert client.get(icon["src"]).status_code == 200
    assert [shortcut["url"] for shortcut in manifest["shortcuts"]] == ["/today", "/orders/new"]


def test_the_offline_page_names_nobody(make) -> None:
    doctor = make.signed_in("doctor")
    text = doctor.get("/offline").get_data(as_text=True)
    assert "data-user" not in text and "没有存在手机上" in text


def test_a_refusal_says_whose_it_is_too_since_its_frame_names_the_person(make) -> None:
    doctor = make.signed_in("doctor")
    for path, status in (("/patients/nobody", 404), ("/devices", 403), ("/nowhere", 404)):
        answer = doctor.get(path)
        assert answer.status_code == status
        assert f'data-user="{doctor.user_id}"' in answer.get_data(as_text=True), path
        assert answer.headers["X-Page-User"] == doctor.user_id, path
