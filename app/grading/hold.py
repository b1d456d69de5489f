"""How the grade a patient is cared for by follows the newest record: up at once, down only by a person.

Source: domain/grading.md §2. A colour a clinician raised is held in the same way as a red one.
"""

from __future__ import annotations

from typing import Any

from app.grading.models import CurrentGrade, GradeRecord
from app.grading.rules import shipped_table

RANK = {"unrated": 0, "green": 1, "yellow": 2, "red": 3}
BASE_DAYS = {"red": 30, "yellow": 60}  # while a colour is held


def rank(colour: str) -> int:
    return RANK[colour]


def beginning(record: GradeRecord) -> dict[str, Any]:
    """Of a first current grade, before it follows `record`."""
    return {"patient_id": record.patient_id, "colour": record.colour}


def follow(held: CurrentGrade, record: GradeRecord, words: list[dict[str, Any]]) -> None:
    """Bring the current grade in line with `record`, or note what it would become."""
    floor = floor_of(held)
    held.record_id, held.as_of, held.missing = record.id, record.as_of, record.missing
    held.rule_version = record.rule_version
    held.emergency = record.emergency
    if floor is None or rank(record.colour) >= rank(floor):
        take(held, record, words)
        return
    # What made the patient red stays readable until somebody agrees that it is over.
    held.proposed_colour = record.colour
    held.due_in_days = min(BASE_DAYS[floor], record.due_in_days)
    if held.colour != floor or held.raised_colour is not None:
        held.colour, held.reasons, held.words = floor, record.reasons, [*raised_words(held), *words]


def floor_of(held: CurrentGrade) -> str | None:
    """The colour below which this patient may not sink by rules alone."""
    if held.raised_colour == "red" or held.colour == "red":
        return "red"
    return held.raised_colour


def take(held: CurrentGrade, record: GradeRecord, words: list[dict[str, Any]]) -> None:
    release(held)
    held.colour, held.reasons, held.words = record.colour, record.reasons, words
    held.due_in_days = record.due_in_days


def release(held: CurrentGrade) -> None:
    """Nothing keeps this patient up any more; the next record counts as it is."""
    if held.proposed_colour is not None:
        held.colour = held.proposed_colour
    held.proposed_colour = None
    held.raised_colour = held.raised_reason = held.raised_by = held.raised_at = None


def raised_words(held: CurrentGrade) -> list[dict[str, Any]]:
    """A raise in the form of a reason; its code is in no table."""
    if held.raised_colour is None:
        return []
    word = shipped_table()["colours"][held.raised_colour]["word"]
    text = f"医生上调为{word}：{held.raised_reason}"
    return [
        {"code": "RAISED", "colour": held.raised_colour, "emergency": False, "text": text, "family": None}
    ]
