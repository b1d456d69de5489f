"""A database with people and visits in it, and texts that break on the way if anything can break them."""

from __future__ import annotations

from typing import Any

from tests.app.orders.town import in_days
from tests.app.visits import sheets
from tests.factories import Factory

ODD = (
    "👩🏽‍⚕️ 王‍👵🏽", "e\u0301 é Å", "行\u2028段\u2029", "𠮷野 𡈽", "\u202e反\u202c", "tab\tand\nnew line\r\n",
    "back\\slash \\N \\. \\t", "'quote\" ; --", "\ufeffbom", "\ufffe\uffff", "  spaces  ", "a\x7f\x01b", "\\",
    "%s {}",
)  # fmt: skip


def fill(make: Factory, visits: int = 40) -> list[dict[str, Any]]:
    """Patients, visits, corrections, an order and a mended operation; returns the applied operations."""
    doctor = make.signed_in("village")
    done: list[dict[str, Any]] = []

    def push(ops: list[dict[str, Any]]) -> None:
        for start in range(0, len(ops), 100):
            results = make.push(doctor, *ops[start : start + 100])
            assert {r["status"] for r in results} == {"applied"}, results
        done.extend(ops)

    people = [
        make.op(doctor, "patient.create", make.patient_payload(address=odd, birth=f"19{30 + n}0101"))
        for n, odd in enumerate(ODD)
    ]
    push(people)
    seen = []
    for number in range(visits):
        patient, odd = people[number % len(people)]["op_id"], ODD[number % len(ODD)]
        answers = {"note": odd, "sbp": 100 + number % 40}
        seen.append(make.op(doctor, "visit.create", sheets.payload(patient, answers=answers)))
    push(seen)
    push([make.op(doctor, "visit.correct", sheets.correction(seen[0]["op_id"]), base_revision=1)])
    wish = {"patient_id": people[0]["op_id"], "service": "Y02", "phone": "13812345678", "note": ODD[0]}
    push([make.op(doctor, "order.create", {**wish, "wanted_at": in_days(2)})])
    return done
