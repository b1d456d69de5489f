"""The door of this room: every function other rooms need, by the key of the form.

Unknown keys raise KeyError everywhere. `context` is described at `compute.Values`; without it
the rules that need the patient's past or age stay silent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from app.forms import check as checking
from app.forms import facts as yielding
from app.forms import html
from app.forms.check import Findings
from app.forms.compute import Context, Values
from app.forms.definition import Definition, all_definitions, definition
from app.forms.facts import FACTS, PLAIN, facts_of_observations, merge_facts
from app.forms.schema import answers_schema

__all__ = [
    "FACTS",
    "PLAIN",
    "Context",
    "Definition",
    "Findings",
    "Sheet",
    "all_definitions",
    "answers_schema",
    "check",
    "compute",
    "definition",
    "facts_from",
    "facts_of_observations",
    "last_values",
    "merge_facts",
    "observations",
    "parse_html",
    "sheet",
    "summary",
]


def check(key: str, answers: Any, context: Context | None = None) -> Findings:
    """Everything wrong or odd about the answers; no errors means the visit may be kept."""
    return checking.check(definition(key), answers, context)


@dataclass(frozen=True)
class Sheet:
    """Answers read once: what is wrong with them, and what they say."""

    findings: Findings
    values: Values

    @property
    def summary(self) -> str:
        """One line of Chinese for the history."""
        return yielding.summary_of(self.values)

    def observations(self, height: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """As `observations`; `height` {value, on} is the one on record, for a weight that came alone."""
        values = self.values
        if height is not None and values["height"] is None and values["weight"] is not None:
            values = values.with_last({"height": height})
        return yielding.observations_of(values)


def sheet(key: str, answers: Any, context: Context | None = None) -> Sheet:
    """The answers against the form, as `check`, and what is needed to keep them."""
    return Sheet(*checking.checked(definition(key), answers, context))


def compute(key: str, answers: Any, context: Context | None = None) -> dict[str, Any]:
    """All computed values of the form by key, None where something is missing.

    BMI takes the height of `context["last"]` when none was measured this time.
    """
    form = definition(key)
    values = yielding.trusted(form, answers, context)
    return {name: values[name] for name in form.computed}


def facts_from(key: str, answers: Any, on: date | str, context: Context | None = None) -> dict[str, Any]:
    """Grading facts of this visit, in the shapes of grading.md §3, dates as ISO text."""
    return yielding.facts_from(definition(key), answers, on, context)


def observations(key: str, answers: Any, context: Context | None = None) -> list[dict[str, Any]]:
    """[{code, value, unit, on?}]: one row per measured thing; see `facts.observations`."""
    return yielding.observations(definition(key), answers, context)


def summary(key: str, answers: Any) -> str:
    """One line of Chinese for the history."""
    return yielding.summary(definition(key), answers)


def parse_html(key: str, posted: Any) -> dict[str, Any]:
    """Typed answers out of what a browser posted; unreadable texts stay and `check` names them."""
    return html.parse_html(definition(key), posted)


# Under which code an answer of a form is stored, where it is not the answer's own key.
_STORED_AS = {
    "sbp": ("bp", "sbp"),
    "dbp": ("bp", "dbp"),
    "heart_rate": ("pulse", "bpm"),
    "pulse": ("pulse", "bpm"),
    "temperature": ("temp", "c"),
    "spo2": ("spo2", "pct"),
    "fpg": ("fpg", "mmol_l"),
    "rbg": ("rbg", "mmol_l"),
    "bmi": ("bmi", ""),
}


def last_values(
    key: str,
    latest: dict[str, tuple[Any, str]],
    previous: tuple[dict[str, Any], str] | None = None,
) -> dict[str, dict[str, Any]]:
    """`context["last"]` of a form: {key: {value, on}}.

    `latest` holds the newest observation of the patient by code as (value, ISO day), from
    whatever form; `previous` the answers of the last visit with this same form and its day.
    A newer observation wins over the previous visit.
    """
    last: dict[str, dict[str, Any]] = {}
    if previous:
        answers, on = previous
        last = {name: {"value": value, "on": on} for name, value in answers.items() if value is not None}
    form = definition(key)
    for name in [*form.fields, *form.computed]:
        code, part = _STORED_AS.get(name, (name, ""))
        if code not in latest:
            continue
        value, on = latest[code]
        value = value.get(part) if isinstance(value, dict) else value
        if value is not None and not (name in last and last[name]["on"] > on):
            last[name] = {"value": value, "on": on}
    return last
