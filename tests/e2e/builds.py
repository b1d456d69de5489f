"""Older builds of the program, unpacked so that they can be run beside the present one."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

from tests.e2e.world import ROOT

BUILDS = ROOT / "tests" / "builds"


def unpack(name: str, folder: Path) -> Path:
    """The tree of that build, ready to be served with the packages of ours. Returns `folder`."""
    with tarfile.open(BUILDS / f"{name}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    shutil.copytree(ROOT / "static" / "vendor", folder / "static" / "vendor")
    # A build is known by the sum of its files: with this it is another one even where nothing else differs.
    (folder / "static" / "build.txt").write_text(name)
    return folder
