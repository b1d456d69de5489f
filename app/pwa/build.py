"""Which version of our own files this is, and which of them every phone keeps."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# Whatever can change what a phone shows: also the Python that renders pages.
SOURCES = (
    ("app", (".py", ".json")),
    ("templates", (".html", ".xml", ".svg")),
    ("static", ()),
    ("service_worker", (".js",)),
)
SHELL_FOLDERS = ("css", "js", "vendor", "icons", "rules")
SHELL_PAGES = ("/offline", "/unlock", "/manifest.json")


@cache
def build() -> str:
    """Twelve hex digits that change with any of our files. The same in every process of one release."""
    digest = hashlib.sha256()
    for path in [*_sources(), ROOT / "manifest.json"]:
        digest.update(str(path.relative_to(ROOT)).encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


@cache
def shell() -> tuple[str, ...]:
    """Addresses of the public shell: the same bytes for everybody, nobody's data."""
    files = [
        f"/static/{path.relative_to(ROOT / 'static').as_posix()}"
        for folder in SHELL_FOLDERS
        for path in sorted((ROOT / "static" / folder).rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    ]
    return (*files, *SHELL_PAGES)


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
