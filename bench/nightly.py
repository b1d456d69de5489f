"""The nightly regrading: seconds for 1,000 people, most memory, longest time it keeps others from writing.

A usual night (few people change) and one after a month in which the job did not run (many do); the latter
also in a district of ten times the people, beside the small one: the ratio is that of the most memory. In a
process of its own, so that its memory is its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event, func, select

from app.extensions import db, writing
from app.jobs import runner, work
from app.patients.models import Patient
from app.shared import clock
from bench import machine, phones
from bench.grounds import TEN
from bench.grow import Size
from bench.measure import Options, Row
from tests.faults.server import ROOT

A_MONTH = 31


def run(folder: Path, options: Options) -> Iterable[Row]:
    small = options.grounds.one()
    if not options.quick:
        yield Row("a usual night", _apart(options, small, 1))
    month = _apart(options, small, A_MONTH)
    yield Row("after a month", month)
    if not options.quick:
        large = _apart(options, TEN, A_MONTH)
        reference = {name: month[name] for name in ("s_for_1000", "peak_mb")}
        yield Row(
            "after a month, ten times the people",
            large,
            reference,
            round(large["peak_mb"] / month["peak_mb"], 2),
        )


def _apart(options: Options, size: Size, days: int) -> dict[str, Any]:
    with options.grounds.copy(size, options.database) as url:
        command = [sys.executable, "-m", "bench.nightly", f"--url={url}", f"--days={days}"]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def night(url: str, days: int) -> dict[str, Any]:
    """The job as the scheduler runs it, on the day `days` from now."""
    with phones.database(url) as app:
        people = db.session.scalar(select(func.count()).where(Patient.ended_on.is_(None))) or 0
        db.session.remove()
        before = machine.peak_mb()
        at = clock.now() + timedelta(days=days)
        with the_time(at), Turns() as turns:
            began = time.monotonic()
            outcome = runner.run(app, work.find("regrade"))
            seconds = time.monotonic() - began
        last = runner.newest("regrade")
        assert outcome in ("done", "nothing") and last is not None, outcome
    return {
        "people": people,
        "regraded": int(last.result.split()[0]) if last.result else 0,
        "s_for_1000": round(1000 * seconds / people, 2),
        "longest_turn_ms": round(1000 * turns.longest_s),
        "peak_mb": machine.peak_mb(),
        "peak_before_mb": before,
    }


def the_time(moment: Any) -> AbstractContextManager[None]:
    from app.demo.orders import the_time as standing

    return standing(moment)


class Turns:
    """How long transactions that mean to write stay open."""

    def __init__(self) -> None:
        self.longest_s, self._began = 0.0, 0.0

    def __enter__(self) -> Turns:
        event.listen(Engine, "begin", self._begin)
        for name in ("commit", "rollback"):
            event.listen(Engine, name, self._end)
        return self

    def __exit__(self, *error: object) -> None:
        event.remove(Engine, "begin", self._begin)
        for name in ("commit", "rollback"):
            event.remove(Engine, name, self._end)

    def _begin(self, _connection: Any) -> None:
        self._began = time.monotonic() if writing.get() else 0.0

    def _end(self, _connection: Any) -> None:
        if self._began:
            self.longest_s = max(self.longest_s, time.monotonic() - self._began)
            self._began = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--days", type=int, default=1)
    asked = parser.parse_args()
    print(json.dumps(night(asked.url, asked.days)))


if __name__ == "__main__":
    main()
