"""python -m bench [--only push,pages] [--quick] [--database sqlite postgres] [--write] [--grounds FOLDER]

Runs the measures one after the other. For each row: a line of JSON on the standard output, a line to read on
the standard error (on the terminal both are seen). `--write` puts the rows into docs/performance.md.
`--grounds` keeps the grown districts there for the next run of the same day.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench import machine, measure, table
from bench.grounds import Grounds
from bench.measure import Options, Row, Unavailable

DATABASES = ("sqlite", "postgres")


def main() -> int:
    asked = _asked()
    logging.disable(logging.INFO)
    folder = Path(tempfile.mkdtemp(prefix="nuanxun-bench-"))
    kept = Path(asked.grounds) if asked.grounds else folder / "grounds"
    kept.mkdir(parents=True, exist_ok=True)
    grounds = Grounds(kept, quick=asked.quick, keep=bool(asked.grounds))
    lines: list[str] = []
    try:
        folder.chmod(0o755)  # PostgreSQL runs as another user when we are root
        for name in asked.only:
            lines += _measured(name, folder, grounds, asked)
    finally:
        grounds.close()
        shutil.rmtree(folder, ignore_errors=True)
        if asked.write and lines:
            table.write(lines)
    return 0


def _measured(name: str, folder: Path, grounds: Grounds, asked: argparse.Namespace) -> Iterator[str]:
    module = measure.find(name)
    for database in asked.database:
        if database not in measure.databases_of(module):
            continue
        options = Options(grounds, asked.quick, database, asked.settings)
        try:
            for row, state in run(name, folder, options):
                print(table.as_json(name, database, row, state), flush=True)
                print(table.as_words(name, database, row), file=sys.stderr, flush=True)
                yield table.line(name, database, row, state)
        except Unavailable as lack:
            print(f"{name:<9} {database:<9} left out: {lack}", file=sys.stderr, flush=True)


def run(name: str, folder: Path, options: Options) -> Iterator[tuple[Row, dict[str, object]]]:
    """Each row of a measure, with the state of the machine when it was begun."""
    own = folder / f"{name}-{options.database}"
    own.mkdir()
    own.chmod(0o755)
    state = machine.state(own)
    try:
        for row in measure.find(name).run(own, options):
            yield row, state
            state = {**state, "load": machine.load()}
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", metavar="NAME,NAME", help=f"of {', '.join(measure.names())}")
    parser.add_argument(
        "--quick", action="store_true", help="the smallest sizes: does every measure still run?"
    )
    parser.add_argument("--database", nargs="+", choices=DATABASES, default=["sqlite"])
    parser.add_argument("--write", action="store_true", help="into the table of docs/performance.md")
    parser.add_argument("--grounds", metavar="FOLDER", help="keep the grown districts there")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=N", help="e.g. push.phones=50,200")
    asked = parser.parse_args()
    asked.only = [name for name in asked.only.split(",") if name] or measure.names()
    if unknown := set(asked.only) - set(measure.names()):
        parser.error(f"no such measure: {', '.join(sorted(unknown))}")
    if asked.write and asked.quick:
        parser.error("figures of a quick run mean nothing: they are not written down")
    asked.settings = dict(one.partition("=")[::2] for one in asked.set)
    return asked


if __name__ == "__main__":
    sys.exit(main())
