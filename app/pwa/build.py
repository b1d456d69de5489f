"""Which version of our own files this is, and which of them every phone keeps."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from flask import render_template

from app.pwa import files

ROOT = Path(__file__).resolve().parent.parent.parent
# Whatever can change what a phone shows: also the Python that renders pages.
SOURCES = (
    ("app", (".py", ".json")),
    ("templates", (".html", ".xml", ".svg")),
    ("static", ()),
    ("service_worker", (".js",)),
)
SHELL_FOLDERS = ("css", "vendor", "rules")
# What pages show; the others the system fetches by itself when somebody installs.
SHELL_ICONS = ("/static/icons/icon.svg", "/static/icons/favicon-32.png")
SHELL_PAGES = {"/offline": "pwa/offline.html", "/unlock": "pwa/unlock.html"}
SUM_DIGITS = 16  # enough to tell our files from a portal's page and from another build's
# Joined into one file; pages of an older build, still on a phone, ask for them.
FORMER = {
    f"/static/css/{name}.css": f"{files.JOINED}{sheet}"
    for sheet, names in files.STYLES.items()
    for name in names
}
# Not kept on phones: a page that swaps parts from the server has no use for it without one.
ONLINE_ONLY = {"/static/vendor/htmx.min.js"}
# Enough for the door, the lock and the list. The rest of the shell comes when nobody waits.
FIRST = (
    f"{files.JOINED}core.js", f"{files.JOINED}frame.js", f"{files.JOINED}frame.css",
    "/static/vendor/frame.svg", "/static/icons/icon.svg", "/unlock",
)  # fmt: skip
# What the pack's first page is drawn with: before all else of the rest.
NEXT = (f"{files.JOINED}list.js",)


@cache
def build() -> str:
    """Twelve hex digits that change with any of our files. The same in every process of one release."""
    digest = hashlib.sha256()
    for path in [*_sources(), ROOT / "manifest.json"]:
        digest.update(str(path.relative_to(ROOT)).encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


@cache
def shell() -> dict[str, str]:
    """Addresses of the public shell, each with the beginning of its SHA-256 in hex.

    The same bytes for everybody, nobody's data; those of FIRST and NEXT first. Its pages are rendered, so it
    takes a request.
    """
    sums = {address: files.file(address).sum for address in _shell_files()}  # type: ignore[union-attr]
    contents = {address: render_template(template).encode() for address, template in SHELL_PAGES.items()}
    contents["/manifest.json"] = (ROOT / "manifest.json").read_bytes()
    sums |= {address: hashlib.sha256(content).hexdigest() for address, content in contents.items()}
    order = [*FIRST, *NEXT, *sorted(sums.keys() - {*FIRST, *NEXT})]
    return {address: sums[address][:SUM_DIGITS] for address in order}


def _shell_files() -> list[str]:
    found = [f"{files.JOINED}{name}.js" for name in files.parts()]
    found += [*(f"{files.JOINED}{sheet}" for sheet in files.STYLES), f"{files.JOINED}{files.ADDRESSES}"]
    found += [
        f"/static/{path.relative_to(ROOT / 'static').as_posix()}"
        for folder in SHELL_FOLDERS
        for path in sorted((ROOT / "static" / folder).rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    ]
    found += SHELL_ICONS
    within = files.home()
    return [
        address
        for address in found
        if address not in FORMER and address not in ONLINE_ONLY and address not in within
    ]


def _sources() -> list[Path]:
    found: list[Path] = []
    for folder, suffixes in SOURCES:
        for path in (ROOT / folder).rglob("*"):
            if (
                path.is_file()
                and "__pycache__" not in path.parts
                and (not suffixes or path.suffix in suffixes)
            ):
                found.append(path)
    return sorted(found)
