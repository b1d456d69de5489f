"""A short draw of tests/fuzz on both databases; `python -m tests.fuzz` draws as many as you have time for."""

from __future__ import annotations

from datetime import date

from flask import Flask

from tests.fuzz.run import run

EXAMPLES = 860
AT_LEAST_NAMED = 0.98


def test_no_spoiled_value_in_any_field_breaks_in_is_kept_or_shows_our_insides(app: Flask) -> None:
    """Another seed each day: what it finds is written down with it."""
    seed = date.today().toordinal()
    parts = run(app, EXAMPLES, seed)
    assert sum(tally.cases for tally in parts.values()) >= 900
    for part, tally in parts.items():
        assert not tally.faults(), (seed, part, tally.faults())
    refused = sum(tally.refused for tally in parts.values())
    unnamed = [about for tally in parts.values() for about in tally.unnamed]
    assert len(unnamed) <= (1 - AT_LEAST_NAMED) * refused, (seed, unnamed[:20])
