"""Known vulnerabilities of what we ship: pip-audit for Python, npm audit for the browser's libraries.

    python tools/audit_dependencies.py [--must-ask]

Status 1 when something is known. Where the services cannot be asked (no line, a mirror without advisories)
that is said, and the status is 0: a check must run on a train too. `--must-ask` makes it 1, for a release.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
ASK_S = 180
PYTHON = [
    str(BIN / "pip-audit"), "-r", "requirements.lock", "--disable-pip", "--require-hashes",
    "--format", "json", "--progress-spinner", "off", "--timeout", "10",
]  # fmt: skip
BROWSER = ["npm", "audit", "--omit=dev", "--package-lock-only", "--json"]


class CouldNotAsk(Exception):
    """Why nothing is known of these packages."""


def of_python(told: str) -> tuple[int, list[str]]:
    """(packages asked about, what is known of them) from the words of pip-audit. Raises CouldNotAsk."""
    packages = _read(told).get("dependencies", [])
    asked = [one for one in packages if "skip_reason" not in one]
    known = [_hole(one, hole) for one in asked for hole in one["vulns"]]
    if not known and (len(asked) < len(packages) or not packages):
        raise CouldNotAsk(f"no answer for {len(packages) - len(asked)} of {len(packages)} packages")
    return len(asked), known


def _hole(package: dict[str, Any], hole: dict[str, Any]) -> str:
    mended = ", ".join(hole["fix_versions"]) or "nothing yet"
    return f"{package['name']} {package['version']}: {hole['id']}, mended in {mended}"


def of_browser(told: str) -> tuple[int, list[str]]:
    """The same from the words of npm audit."""
    answer = _read(told)
    if "vulnerabilities" not in answer:
        raise CouldNotAsk(str(answer.get("message") or answer.get("error") or "no answer").split(" - ")[0])
    known = [
        f"{name}: {one.get('severity', '')} {one.get('range', '')}"
        for name, one in answer["vulnerabilities"].items()
    ]
    return int(answer.get("metadata", {}).get("dependencies", {}).get("prod", 0)), known


def _read(told: str) -> dict[str, Any]:
    try:
        found = json.loads(told)
    except ValueError:
        raise CouldNotAsk("no answer") from None
    return found if isinstance(found, dict) else {}


def _asked(command: list[str]) -> str:
    try:
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=ASK_S, check=False
        ).stdout
    except FileNotFoundError:
        raise CouldNotAsk(f"{Path(command[0]).name} is not installed") from None
    except subprocess.TimeoutExpired:
        raise CouldNotAsk("no answer in time") from None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--must-ask", action="store_true", help="not being able to ask is a failure")
    must_ask = parser.parse_args().must_ask
    status = 0
    for what, command, read in (("Python", PYTHON, of_python), ("browser", BROWSER, of_browser)):
        try:
            count, known = read(_asked(command))
        except CouldNotAsk as why:
            print(f"dependencies, {what}: NOT CHECKED, the advisories could not be asked ({why})")
            status = max(status, int(must_ask))
            continue
        print(
            f"dependencies, {what}: {count} packages, {len(known)} known vulnerabilities", *known, sep="\n  "
        )
        status = max(status, int(bool(known)))
    return status


if __name__ == "__main__":
    sys.exit(main())
