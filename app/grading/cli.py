"""`flask grade`: facts in, grades out, one JSON object a line."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from typing import Any

import click

from app.grading.rules import grade
from app.shared import progress, strictjson

LINES_A_STEP = 100


@click.command("grade")
@click.argument("source", type=click.File("rb"), default="-")
def command(source: Any) -> None:
    """Grade facts (NDJSON) from SOURCE or standard input; one result a line, in the same order."""
    # Where the results themselves run over the screen, nobody needs to be told that something moves.
    with nullcontext() if sys.stdout.isatty() else progress.shown():
        for number, line in enumerate(source, start=1):
            if line.strip():
                sys.stdout.write(json.dumps(answer(line), ensure_ascii=False) + "\n")
            if number % LINES_A_STEP == 0:
                progress.step("lines", number)


def answer(line: bytes) -> dict[str, Any]:
    """The grade of one line of facts, or {"error": what is wrong with it}."""
    try:
        facts = strictjson.loads(line)
    except strictjson.NotJson as error:
        return {"error": str(error)}
    if found := next(strictjson.faults(facts), None):
        return {"error": f"{found['pointer']} {found['message']}".strip()}
    try:
        return grade(facts)
    except ValueError as error:
        return {"error": str(error)}
