"""The words of consents: what somebody agreed to must stay what they were told."""

import hashlib

from app.patients.purposes import BEFORE, PURPOSES, TEXTS, USUAL, known
from app.shared import scope_table

# A wording in use is never changed: give the purpose a new version and keep the old text.
SUMS: dict[tuple[str, str], str] = {
    ("state", "2026-06"): "31bf22a1bdba",
    ("readings", "2026-06"): "c5714ba7376d",
    ("orders", "2026-06"): "53d9d694c5fe",
    ("readers", "2026-06"): "a440045c38b2",
    ("copy", "2026-06"): "412d274c6da7",
    ("state", "0"): "641a8c5eeaa0",
    ("readings", "0"): "641a8c5eeaa0",
    ("orders", "0"): "641a8c5eeaa0",
    ("readers", "0"): "641a8c5eeaa0",
}


def test_no_text_that_was_consented_to_is_changed_or_lost() -> None:
    found = {key: hashlib.sha256(text.encode()).hexdigest()[:12] for key, text in TEXTS.items()}
    assert found == SUMS


def test_every_purpose_has_its_text_and_every_action_its_purpose() -> None:
    for purpose in PURPOSES.values():
        assert purpose.text and purpose.version != BEFORE
    assert set(USUAL) <= PURPOSES.keys()
    assert set(scope_table.CONSENTED.values()) <= PURPOSES.keys()


def test_what_needs_another_purpose_does_not_stand_alone() -> None:
    assert known(["readings", "orders", "made_up"]) == ["orders"]
    assert known(["readings", "state"]) == ["state", "readings"]
