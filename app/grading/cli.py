"""`flask grade`: facts in, grades out, one JSON object a line."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from app.grading.rules import grade
from app.shared import strictjson


@click.command("grade")
@click.argument("source", type=click.File("rb"), default="-")
def command(source: Any) -> None:
    """Grade facts (NDJSON) from SOURCE or standard input; one result a line, in the same order."""
    for line in source:
        if line.strip():
            sys.stdout.write(json.dumps(answer(line), ensure_ascii=False) + "\n")


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
