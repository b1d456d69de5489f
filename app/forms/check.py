"""All that can be said about the answers of a form. Twin: static/js/forms/check.js.

Pointers are those of the visit: /answers/sbp, /answers/meds/0/drug_name, /visited_at, /next_visit_on.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as part
from typing import Any

from app.forms import dates
from app.forms.compute import Context, Values, soft_limit
from app.forms.conditions import Test, is_number, same, truth_of
from app.forms.definition import Definition, Field
from app.forms.values import Faults, Finder, absent, alone_option, escaped, finder, plain, unknown_keys
from app.shared.memo import Memo

Finding = dict[str, Any]
PICKED = ("enum", "multi", "bool", "date")
NAMES = re.compile(r"\{([^}]+)\}")


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
    fields, computed, crossed = _looks(form)
    lost = values["lost_reason"] is not None
    for key, asked, judged, look in fields:
        if (asked if values[key] is None else judged) and key not in broken:
            look(values, found, lost)
    for key, shown, look_at in computed:
        if shown or key in answers:
            look_at(values, found, None if key in broken else answers.get(key))
    for applies, sound, report in crossed:
        if applies(values) and broken.isdisjoint(sound):  # a mistyped list is not an empty one
            report(values, found)
    return found, values


def read(
    form: Definition, answers: dict[str, Any], context: Context | None, found: Findings
) -> tuple[Values, set[str]]:
    """What of the answers can be trusted, and the keys of what cannot."""
    finders = _finders(form)
    bare: list[Values] = []

    def limit(name: str) -> Any:
        """What a limit of a single field may name; made once one does."""
        if not bare:
            bare.append(Values(form, {}, context))
        return bare[0][name]

    wrong: dict[str, Faults] = {}
    kept: dict[str, Any] = {}
    strange = False
    for key, value in answers.items():
        find = finders.get(key)
        if find is None:
            strange = True
        elif not absent(value):
            if faults := find(value, limit):
                wrong[key] = faults
            else:
                kept[key] = value
    if wrong or strange:
        _report(finders, answers, wrong, found)
    return Values(form, kept, context), set(wrong)


def _report(
    finders: dict[str, Finder], answers: dict[str, Any], wrong: dict[str, Faults], found: Findings
) -> None:
    """What the form does not have, then the faults in the order of the form."""
    for key in unknown_keys(answers, finders):
        found.errors.append(_finding(f"/answers/{escaped(key)}", "unknown_field", "表里没有这一项。"))
    for key in finders:
        for below, code, message in wrong.get(key, ()):
            found.errors.append(_finding(f"/answers/{key}{below}", code, message))


def _known(form: Definition) -> dict[str, Finder]:
    return {key: finder(field) for key, field in {**form.fields, **form.computed}.items()}


_finders = Memo(_known)

Look = Callable[[Values, Findings, bool], None]  # True: the visit did not take place
LookAt = Callable[[Values, Findings, Any], None]
Cross = Callable[[Values, Findings], None]


def _prepared(
    form: Definition,
) -> tuple[
    list[tuple[str, bool, bool, Look]], list[tuple[str, bool, LookAt]], list[tuple[Test, list[str], Cross]]
]:
    """How each field is looked at, each computed value, and some together; with what calls for a look.

    A field: whether it may be missing something, and whether an answer may be odd that is sound by itself.
    A computed value: whether it is looked at though nobody sent it.
    """
    return (
        [
            (key, bool(field.get("required")), _may_be_odd(field), _field(field))
            for key, field in form.fields.items()
        ],
        [(key, bool(field.get("shown")), _computed(field)) for key, field in form.computed.items()],
        [(truth_of(rule["when"]), rule.get("sound", ()), _cross(rule)) for rule in form.checks],
    )


_looks = Memo(_prepared)


def _may_be_odd(field: Field) -> bool:
    return field["type"] in ("multi", "list") or any(key in field for key in ("shown_when", "other", "soft"))


def _field(field: Field) -> Look:
    key, zh, other, empty_ok = field["key"], field["zh"], field.get("other"), field.get("empty_ok")
    pointer, verb = f"/answers/{key}", "选择" if field["type"] in PICKED else "填写"
    applies, required = truth_of(field.get("shown_when")), _required(field)
    soft = _soft(field) if "soft" in field else None
    cells = [(item["key"], _soft(item)) for item in field.get("item", ()) if item.get("soft")]

    def look(values: Values, found: Findings, lost: bool) -> None:
        value, shown = values[key], applies(values)
        if value is None or (value == [] and not empty_ok):
            if shown and required(values, lost):
                found.errors.append(_finding(pointer, "required", f"请{verb}{zh}。"))
            return
        if not shown:
            if value != []:
                found.errors.append(_finding(pointer, "not_applicable", f"{zh}在这种情况下不填，请去掉。"))
            return
        if other and values[other] is not None and (alone := alone_option(field, value)):
            words = f"选了“{alone['zh']}”就不能再写别的。"
            found.errors.append(_finding(f"/answers/{other}", "excludes", words))
        if soft:
            soft(value, pointer, values, found)
        if cells:
            for place, row in enumerate(value):
                for name, soft_of_cell in cells:
                    soft_of_cell(row.get(name), f"{pointer}/{place}/{name}", values, found)

    return look


def _required(field: Field) -> Callable[[Values, bool], bool]:
    """A visit that did not take place needs only the fields that say why."""
    rule, other, even_if_lost = field.get("required", False), field.get("other"), field.get("even_if_lost")
    needed = truth_of(rule["when"]) if isinstance(rule, dict) else None

    def required(values: Values, lost: bool) -> bool:
        if (lost and not even_if_lost) or (other and values[other] is not None):
            return False
        return rule is True if needed is None else needed(values)

    return required


def _soft(field: Field) -> Callable[[Any, str, Values, Findings], None]:
    crossed = soft_limit(field)

    def look(value: Any, pointer: str, values: Values, found: Findings) -> None:
        if limit := crossed(value, values):
            code = "emergency_value" if limit["level"] == "emergency" else "unusual"
            found.warnings.append(_finding(pointer, code, limit["zh"]))

    return look


def _computed(field: Field) -> LookAt:
    key, pointer, shown, soft = field["key"], f"/answers/{field['key']}", field.get("shown"), _soft(field)

    def look_at(values: Values, found: Findings, sent: Any) -> None:
        value = values[key]
        if not absent(sent) and not same(sent, value):
            words = f"{field['zh']}应为 {labelled(field, value)}。"
            found.errors.append(_finding(pointer, "mismatch", words))
        if shown:
            soft(value, pointer, values, found)

    return look_at


def _cross(rule: dict[str, Any]) -> Cross:
    at = rule["at"]
    pointer = at if at.startswith("/") else f"/answers/{at}"

    def cross(values: Values, found: Findings) -> None:
        finding = _finding(pointer, rule["id"], worded(rule["zh"], values))
        if fix := _fix(rule, values):
            finding["fix"] = fix
        (found.errors if rule["action"] == "reject" else found.warnings).append(finding)

    return cross


def _fix(rule: dict[str, Any], values: Values) -> dict[str, Any] | None:
    if "fix" not in rule:
        return None
    key, value = rule["fix"]["key"], values[rule["fix"]["value"][1:]]
    for option in values.form.fields[key]["options"]:
        if same(option["code"], value):
            return {"key": key, "value": value, "zh": f"改成 {option['zh']}"}
    return None


def worded(template: str, values: Values) -> str:
    """A message with its {names} filled in."""
    pieces = NAMES.split(template)  # every other one is a name
    pieces[1::2] = [labelled(values.form.computed.get(name, {}), values[name]) for name in pieces[1::2]]
    return "".join(pieces)


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
