"""The form pages in a clinician's visit pack: one for each form, for whichever patient."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from flask import render_template

from app.accounts.models import CLINICIANS, User
from app.forms import engine
from app.forms.definition import Definition
from app.pwa.registry import PackPage, register_pages, rev
from app.visits import pages


def register() -> None:
    register_pages(form_pages)


def form_pages(user: User) -> Iterator[PackPage]:
    """Nothing on them belongs to a patient, so only a new release changes them (seq 0)."""
    if user.role in CLINICIANS:
        for form in engine.all_definitions().values():
            yield PackPage(f"/visits/new/{form.key}", 0, partial(_render, form))


def _render(form: Definition) -> str:
    return render_template("visits/form.html", page_rev=rev(0), tab=None, **pages.blank_form(form))
