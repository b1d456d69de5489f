"""The form pages in a clinician's visit pack: one for each form, for whichever patient."""

from __future__ import annotations


def register() -> None:
    pass
