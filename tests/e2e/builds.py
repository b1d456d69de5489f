"""Other builds of the program, unpacked so that they can be run beside the present one."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

from tests.e2e.world import ROOT

BUILDS = ROOT / "tests" / "builds"
PROGRAM = ("app", "static", "templates", "service_worker", "migrations")
LOOSE = ("manifest.json", "wsgi.py", "pyproject.toml")


def unpack(name: str, folder: Path) -> Path:
    """The tree of that build, ready to be served with the packages of ours. Returns `folder`."""
    with tarfile.open(BUILDS / f"{name}.tar.xz") as archive:
        # Python 3.11.2, that of Debian 12, does not know the filter yet; the archive is our own.
        known = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(folder, **known)
    shutil.copytree(ROOT / "static" / "vendor", folder / "static" / "vendor")
    # A build is known by the sum of its files: with this it is another one even where nothing else differs.
    (folder / "static" / "build.txt").write_text(name)
    return folder


def yesterday(folder: Path) -> Path:
    """The present program but for one file of the shell, as most renewals are. Returns `folder`."""
    for name in PROGRAM:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in LOOSE:
        shutil.copy(ROOT / name, folder / name)
    with (folder / "static" / "js" / "when.js").open("a") as file:
        file.write("// yesterday\n")
    return folder
