"""What a phone must fetch before it can be used, in bytes and answers: a budget, not a measurement.

The whole of it through a browser, headers and all, is measured by bench/first_load.py.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from app.config import ROOT
from app.pwa import files, modules
from app.pwa.build import FIRST, ONLINE_ONLY

KB = 1000
BROTLI = {"Accept-Encoding": "gzip, deflate, br, zstd"}
ESBUILD = ROOT / "node_modules" / ".bin" / "esbuild"


def asked_for(html: str) -> list[str]:
    """What a page makes a browser fetch, but for pictures and the manifest."""
    linked = re.findall(r'<link rel="(?:stylesheet|modulepreload)" href="([^"]+)"', html)
    return linked + re.findall(r'<script[^>]* src="([^"]+)"', html)


def known(client) -> dict[str, Any]:
    """What the worker is told: the build, and every file of the shell."""
    text = client.get("/sw.js").get_data(as_text=True)
    return json.loads(re.search(r"(?m)^const \$_sw_precache=(.*);$", text)[1])


def wire(client, path: str) -> int:
    """Bytes of the body as a browser gets it."""
    answer = client.get(path, headers=BROTLI)
    assert answer.status_code == 200, path
    return len(answer.get_data())


def test_the_first_visit_fits_its_budget(client) -> None:
    html = client.get("/sign-in").get_data(as_text=True)
    door = ["/sign-in", *asked_for(html), "/sw.js", "/manifest.json"]
    everything = list(dict.fromkeys([*door, *FIRST]))
    weights = {path: wire(client, path) for path in everything}
    assert sum(weights.values()) <= 51 * KB, weights
    assert len(everything) <= 11, everything


def test_the_whole_shell_fits_its_budget(client) -> None:
    shell = known(client)["SHELL"]
    weights = {path: wire(client, path) for path in shell}
    assert sum(weights.values()) <= 140 * KB, weights
    assert len(shell) <= 30


@pytest.mark.parametrize("role", ["doctor", "family", "dispatcher", "manager"])
def test_a_page_asks_for_one_script_its_core_and_at_most_three_styles(make, role: str) -> None:
    person = make.signed_in(role)
    for path in (
        "/today",
        "/patients",
        "/family",
        "/desk",
        "/orders",
        "/outbox",
        "/me",
        "/sign-in",
        "/unlock",
    ):
        answer = person.get(path)
        if answer.status_code != 200:
            continue
        found = asked_for(answer.get_data(as_text=True))
        scripts = [one for one in found if one.endswith(".js")]
        assert scripts == ["/static/joined/core.js", "/static/joined/frame.js"], path
        assert len(found) - len(scripts) <= 4, (path, found)


def test_what_is_needed_first_is_in_the_shell_first(client) -> None:
    told = known(client)
    assert tuple(list(told["SHELL"])[: len(FIRST)]) == FIRST
    assert told["FIRST"] == len(FIRST)
    # Then what the first whole list is drawn with.
    assert list(told["SHELL"])[len(FIRST)] == "/static/joined/list.js"


def test_everything_a_page_links_to_is_kept_on_the_phone(client) -> None:
    """What is missing without a network would not be missed on a good line."""
    shell = known(client)["SHELL"]
    linked = {
        path
        for template in (ROOT / "templates").rglob("*.html")
        for path in re.findall(r'"(/static/[^"#{]+\.(?:css|js|svg))["#]', template.read_text())
    }
    assert len(linked) > 8
    assert sorted(linked - set(shell) - ONLINE_ONLY) == []


def test_every_module_lies_in_exactly_one_joined_file() -> None:
    placed = [address for listed in files.parts().values() for address in listed]
    sources = {
        f"/static/{path.relative_to(files.STATIC).as_posix()}" for path in (files.STATIC / "js").rglob("*.js")
    }
    assert len(placed) == len(set(placed)) and sources <= set(placed)


def test_a_joined_file_needs_only_those_before_it_and_nothing_that_is_not_there(client) -> None:
    before: list[str] = []
    for name in files.parts():
        text = client.get(f"{files.JOINED}{name}.js").get_data(as_text=True)
        assert set(re.findall(r"from'([^']+)'", text)) <= set(before), name
        before.append(f"{files.JOINED}{name}.js")
        for later in re.findall(r"import\('([^']+)'\)", text):
            assert client.get(later).status_code == 200, (name, later)


def test_a_module_s_own_address_gives_what_it_exports_out_of_the_joined_file(client) -> None:
    text = client.get("/static/js/offline/notice.js").get_data(as_text=True)
    assert re.match(
        r"import\{\$offline_notice\}from'/static/joined/\w+\.js';\nexport const\{.*show.*\}=", text
    )
    assert client.get("/static/js/app.js").get_data(as_text=True) == "import'/static/joined/frame.js';\n"


def test_nothing_but_remarks_and_space_is_taken_out_of_our_files(tmp_path: Path) -> None:
    """By the word of a real parser: what it makes of a file and of its bare form is the same."""
    sources = [*(files.STATIC / "js").rglob("*.js"), *(files.STATIC / "css").glob("*.css")]
    sources += [*modules.WORKER.glob("*.js"), files.STATIC / "vendor" / "idb.js"]
    for source in sources:
        bare = tmp_path / "bare" / source.relative_to(ROOT)
        bare.parent.mkdir(parents=True, exist_ok=True)
        tight = modules.tight_style if source.suffix == ".css" else modules.tight
        bare.write_text(tight(modules.bare(source.read_text())))
    for name, folder in (("whole", ROOT), ("bare", tmp_path / "bare")):
        listed = [str(folder / source.relative_to(ROOT)) for source in sources]
        command = [
            ESBUILD,
            *listed,
            "--minify-whitespace",
            f"--outbase={folder}",
            f"--outdir={tmp_path / f'{name}-out'}",
        ]
        subprocess.run([*command, "--log-level=error"], check=True)
    for source in sources:
        made = [
            (tmp_path / f"{name}-out" / source.relative_to(ROOT)).read_text() for name in ("whole", "bare")
        ]
        assert made[0] == made[1], source


@pytest.mark.parametrize(
    "text",
    [
        "export default 1;\n",
        "export let moved = 1;\n",
        "import whole from './ids.js';\n",
        "export * from './ids.js';\n",
    ],
)
def test_what_cannot_be_joined_is_refused(text: str, monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "odd.js").write_text(text)
    monkeypatch.setattr(modules, "STATIC", tmp_path)
    modules.module.cache_clear()
    with pytest.raises(modules.CannotJoin):
        modules.module("/static/odd.js")
    modules.module.cache_clear()


def test_modules_that_need_each_other_are_refused(monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "one.js").write_text("import { two } from './two.js';\nexport const one = 1;\n")
    (tmp_path / "two.js").write_text("import { one } from './one.js';\nexport const two = 2;\n")
    monkeypatch.setattr(modules, "STATIC", tmp_path)
    modules.module.cache_clear()
    with pytest.raises(modules.CannotJoin, match="needs a module that needs it"):
        modules.closure(["/static/one.js"])
    modules.module.cache_clear()


def test_a_file_is_sent_squeezed_once_and_not_again_when_it_is_there(client) -> None:
    first = client.get("/static/joined/core.js", headers=BROTLI)
    assert first.headers["Content-Encoding"] == "br" and first.headers["Cache-Control"] == "no-cache"
    again = client.get("/static/joined/core.js", headers=BROTLI | {"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304 and not again.get_data()
    plain = client.get("/static/joined/core.js")
    assert "Content-Encoding" not in plain.headers and plain.headers["ETag"] != first.headers["ETag"]
    zipped = client.get("/static/joined/core.js", headers={"Accept-Encoding": "gzip"})
    assert zipped.headers["Content-Encoding"] == "gzip"
