"""What a server and a phone run of other people's work, out of the lock files, as CycloneDX.

    python tools/sbom.py [--out sbom]

writes python.cdx.json and browser.cdx.json. Both tools read the lock files; neither needs a line.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
CYCLONEDX = str(Path(sys.executable).parent / "cyclonedx-py")


def python() -> str:
    command = [
        CYCLONEDX,
        "requirements",
        "requirements.lock",
        "--pyproject",
        "pyproject.toml",
        "--output-reproducible",
    ]
    return _told([*command, "--output-format", "JSON", "--spec-version", "1.6"])


def browser() -> str:
    command = ["npm", "sbom", "--omit=dev", "--package-lock-only", "--sbom-format", "cyclonedx"]
    return _told([*command, "--sbom-type", "application"])


def _told(command: list[str]) -> str:
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    if told.returncode:
        sys.exit(f"sbom: {Path(command[0]).name} failed: {told.stderr.strip()[-300:]}")
    return told.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "sbom")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name, text in (("python", python()), ("browser", browser())):
        path = out / f"{name}.cdx.json"
        path.write_text(text, encoding="utf-8")
        print(f"{path}: {len(json.loads(text)['components'])} components")


if __name__ == "__main__":
    main()
