"""Which version of our own files this is, and which of them every phone keeps."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from flask import render_template

ROOT = Path(__file__).resolve().parent.parent.parent
# Whatever can change what a phone shows: also the Python that renders pages.
SOURCES = (
    ("app", (".py", ".json")),
    ("templates", (".html", ".xml", ".svg")),
    ("static", ()),
    ("service_worker", (".js",)),
)
SHELL_FOLDERS = ("css", "js", "vendor", "icons", "rules")
SHELL_PAGES = {"/offline": "pwa/offline.html", "/unlock": "pwa/unlock.html"}
SUM_DIGITS = 16  # enough to tell our files from a portal's page and from another build's


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

    The same bytes for everybody, nobody's data. Its pages are rendered, so it takes a request.
    """
    files = {
        f"/static/{path.relative_to(ROOT / 'static').as_posix()}": path.read_bytes()
        for folder in SHELL_FOLDERS
        for path in sorted((ROOT / "static" / folder).rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }
    files |= {address: render_template(template).encode() for address, template in SHELL_PAGES.items()}
    files["/manifest.json"] = (ROOT / "manifest.json").read_bytes()
    return {address: hashlib.sha256(content).hexdigest()[:SUM_DIGITS] for address, content in files.items()}


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
