"""All storms, or some, as often as asked; prints what each measured and writes it into docs/reliability.md.

    python -m tests.e2e.storms --kills 50 --updates 20 --expiries 10 --quotas 10 --flips 100 --visits 200

A storm that is not named does not take place. Exit status 1 if anything was lost, doubled or wrong.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from tests.e2e.storms import figures, ground
from tests.e2e.storms.every import STORMS
from tests.e2e.world import ROOT, make_demo, serving

PAGE = ROOT / "docs" / "reliability.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.storms", description=__doc__)
    for name in STORMS:
        parser.add_argument(f"--{name}", type=int, default=0, metavar="N")
    parser.add_argument("--visits", type=int, default=200, metavar="N", help="saved while the line flips")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--no-page", action="store_true", help="print only; leave docs/reliability.md")
    asked = parser.parse_args()
    wanted = {name: getattr(asked, name) for name in STORMS if getattr(asked, name)}
    if not wanted:
        parser.error("name at least one storm")
    expect.set_options(timeout=15_000)
    folder = Path(tempfile.mkdtemp(prefix="nuanxun-storms-"))
    demo = make_demo(folder / "demo.db")
    rows = []
    print(figures.HEAD, flush=True)
    with sync_playwright() as playwright:
        for name, count in wanted.items():
            place = folder / name
            place.mkdir()
            shutil.copy(demo, place / "nuanxun.db")
            more = {"visits": asked.visits} if name == "flips" else {}
            began = time.monotonic()
            with serving(place) as server, ground.ground(playwright, server, place) as standing:
                found = STORMS[name](standing, count, asked.seed, **more)
            found.also |= {"seed": asked.seed, "seconds": round(time.monotonic() - began)}
            rows.append(found)
            print(found.row(), *found.complaints, sep="\n", flush=True)
    if not asked.no_page:
        figures.write(PAGE, rows)
    shutil.rmtree(folder, ignore_errors=True)
    return int(any(found.wrong for found in rows))


if __name__ == "__main__":
    sys.exit(main())
