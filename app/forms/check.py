"""All that can be said about the answers of a form. Twin: static/js/forms/check.js.

Pointers are those of the visit: /answers/sbp, /answers/meds/0/drug_name, /visited_at, /next_visit_on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from dataclasses import field as part
from typing import Any

from app.forms import dates
from app.forms.compute import Context, Values, soft_limit
from app.forms.conditions import holds, is_number, same
from app.forms.definition import Definition, Field
from app.forms.values import absent, alone_option, escaped, faults, plain, unknown_keys

Finding = dict[str, Any]
PICKED = ("enum", "multi", "bool", "date")


@dataclass(frozen=True)
class Findings:
    """Errors keep a visit from being saved; warnings ask a person to look again.

    Each is {pointer, code, message}; an error with one obvious remedy also has
    `fix: {key, value, zh}`.
    """

    errors: list[Finding] = part(default_factory=list)
    warnings: list[Finding] = part(default_factory=list)


def check(form: Definition, answers: Any, context: Context | None = None) -> Findings:
    """Never raises, whatever the answers are. `context` as in `compute.Values`."""
    return checked(form, answers, context)[0]


def checked(form: Definition, answers: Any, context: Context | None = None) -> tuple[Findings, Values]:
    """The same, with the values of what can be trusted."""
    found = Findings()
    if not isinstance(answers, dict):
        found.errors.append(_finding("/answers", "type", "答案看不懂。"))
        return found, Values(form, {}, context)
    values, broken = read(form, answers, context, found)
    lost = values("lost_reason") is not None
    for key, field in form.fields.items():
        if key not in broken:
            _field(field, values, found, lost)
    for key, field in form.computed.items():
        _computed(key, field, answers, values, broken, found)
    for rule in form.checks:
        if broken.isdisjoint(rule.get("sound", ())):  # a mistyped list is not an empty one
            _cross(rule, values, found)
    return found, values


def read(
    form: Definition, answers: dict[str, Any], context: Context | None, found: Findings
) -> tuple[Values, set[str]]:
    """What of the answers can be trusted, and the keys of what cannot."""
    known = {**form.fields, **form.computed}
    for key in unknown_keys(answers, set(known)):
        found.errors.append(_finding(f"/answers/{escaped(key)}", "unknown_field", "表里没有这一项。"))
    bare: list[Values] = []

    def limit(name: str) -> Any:
        """What a limit of a single field may name; made once one does."""
        if not bare:
            bare.append(Values(form, {}, context))
        return bare[0](name)

    broken: set[str] = set()
    kept: dict[str, Any] = {}
    for key, field in known.items():
        value = answers.get(key)
        if absent(value):
            continue
        wrong = list(faults(field, value, limit))
        for below, code, message in wrong:
            found.errors.append(_finding(f"/answers/{key}{below}", code, message))
        if wrong:
            broken.add(key)
        else:
            kept[key] = value
    return Values(form, kept, context), broken


def _field(field: Field, values: Values, found: Findings, lost: bool) -> None:
    key, pointer = field["key"], f"/answers/{field['key']}"
    value = values.known.get(key)
    shown = holds(field.get("shown_when"), values)
    if value is None or (value == [] and not field.get("empty_ok")):
        if shown and is_required(field, values, lost):
            verb = "选择" if field["type"] in PICKED else "填写"
            found.errors.append(_finding(pointer, "required", f"请{verb}{field['zh']}。"))
        return
    if not shown:
        if value != []:
            found.errors.append(
                _finding(pointer, "not_applicable", f"{field['zh']}在这种情况下不填，请去掉。")
            )
        return
    other = field.get("other")
    if other and values(other) is not None and (alone := alone_option(field, value)):
        found.errors.append(_finding(f"/answers/{other}", "excludes", f"选了“{alone['zh']}”就不能再写别的。"))
    _soft(field, value, pointer, values, found)
    for place, row in enumerate(value if field["type"] == "list" else []):
        for item in field["item"]:
            _soft(item, row.get(item["key"]), f"{pointer}/{place}/{item['key']}", values, found)


def is_required(field: Field, values: Values, lost: bool) -> bool:
    """A visit that did not take place needs only the fields that say why."""
    if lost and not field.get("even_if_lost"):
        return False
    if (other := field.get("other")) and values(other) is not None:
        return False
    rule = field.get("required", False)
    return bool(rule is True or (isinstance(rule, dict) and holds(rule["when"], values)))


def _soft(field: Field, value: Any, pointer: str, values: Values, found: Findings) -> None:
    if limit := soft_limit(field, value, values):
        code = "emergency_value" if limit["level"] == "emergency" else "unusual"
        found.warnings.append(_finding(pointer, code, limit["zh"]))


def _computed(
    key: str, field: Field, answers: dict[str, Any], values: Values, broken: set[str], found: Findings
) -> None:
    pointer, value = f"/answers/{key}", values.known.get(key)
    sent = answers.get(key)
    if not absent(sent) and key not in broken and not same(sent, value):
        figure = labelled(field, value)
        found.errors.append(_finding(pointer, "mismatch", f"{field['zh']}应为 {figure}。"))
    if field.get("shown"):
        _soft(field, value, pointer, values, found)


def _cross(rule: dict[str, Any], values: Values, found: Findings) -> None:
    if not holds(rule["when"], values):
        return
    pointer = rule["at"] if rule["at"].startswith("/") else f"/answers/{rule['at']}"
    finding = _finding(pointer, rule["id"], worded(rule["zh"], values))
    if fix := _fix(rule, values):
        finding["fix"] = fix
    (found.errors if rule["action"] == "reject" else found.warnings).append(finding)


def _fix(rule: dict[str, Any], values: Values) -> dict[str, Any] | None:
    if "fix" not in rule:
        return None
    key, value = rule["fix"]["key"], values(rule["fix"]["value"][1:])
    for option in values.form.fields[key]["options"]:
        if same(option["code"], value):
            return {"key": key, "value": value, "zh": f"改成 {option['zh']}"}
    return None


def worded(template: str, values: Values) -> str:
    """A message with its {names} filled in."""

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        return labelled(values.form.computed.get(name, {}), values(name))

    return re.sub(r"\{([^}]+)\}", fill, template)


def labelled(field: Field, value: Any) -> str:
    """A value in words: its label if it has one, days as 6月8日, — for nothing."""
    if value is None:
        return "—"
    if is_number(value):
        text = plain(value)
        return str(field.get("labels", {}).get(text, text))
    if isinstance(value, str):
        return dates.spoken(value) if dates.day(value) else value
    return "是" if value is True else "否"


def _finding(pointer: str, code: str, message: str) -> Finding:
    return {"pointer": pointer, "code": code, "message": message}
