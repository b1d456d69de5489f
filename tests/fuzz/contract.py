"""The published contract as a judge: what it forbids may not have been taken."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

import jsonschema

from app.forms.values import absent
from app.patients.identity import CHECK_CHARS, WEIGHTS
from app.shared import clock

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
PHONE = re.compile(r"(1[3-9]\d{9}|0\d{2,3}-?\d{7,8}(-\d{1,5})?)", re.ASCII)
HALF = {code + 0xFEE0: code for code in range(0x21, 0x7F)}


def places(
    schema: dict[str, Any], known: dict[str, Any], before: tuple[Any, ...] = ()
) -> Iterator[tuple[Any, ...]]:
    """Every member of a JSON schema, however deep, as a path; 0 stands for the items of a list."""
    if "$ref" in schema:
        schema = known[schema["$ref"].rsplit("/", 1)[1]]
    for name, member in schema.get("properties", {}).items():
        yield (*before, name)
        yield from places(member, known, (*before, name))
    if "items" in schema:
        yield (*before, 0)
        yield from places(schema["items"], known, (*before, 0))


class Contract:
    """Of one application: `document` is what /api/openapi.json says."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = _loosened(document)
        self.schemas = self.document["components"]["schemas"]

    def payload_places(self, kind: str) -> list[tuple[Any, ...]]:
        return list(places(self.schemas[_name(kind)], self.schemas))

    def bodies(self) -> dict[str, dict[str, Any]]:
        """Address -> schema of what is posted there."""
        found = {}
        for path, operations in self.document["paths"].items():
            if body := operations.get("post", {}).get("requestBody"):
                found[path] = body["content"]["application/json"]["schema"]
        return found

    def asked(self) -> dict[str, list[str]]:
        """Address -> names of what may follow the question mark."""
        found = {}
        for path, operations in self.document["paths"].items():
            given = operations.get("get", {}).get("parameters", [])
            if names := [one["name"] for one in given if one.get("in") == "query"]:
                found[path] = names
        return found

    def forbids(self, kind: str, payload: dict[str, Any]) -> str:
        """Why this payload may not be taken; empty when it may."""
        answers = payload.get("answers")
        if isinstance(answers, dict):  # null and blank text are no answers
            payload = {**payload, "answers": {k: v for k, v in answers.items() if not absent(v)}}
        fault = next(self._judge(kind).iter_errors(payload), None)
        if fault is not None:
            return f"{list(fault.path)}: {fault.validator}"
        return next(_forbidden(payload), "")

    @cache  # noqa: B019  one contract a run
    def _judge(self, kind: str) -> jsonschema.Draft202012Validator:
        return jsonschema.Draft202012Validator(
            {"$ref": f"#/components/schemas/{_name(kind)}", "components": self.document["components"]}
        )


def _name(kind: str) -> str:
    return "".join(part.capitalize() for part in kind.split(".")) + "Payload"


def _loosened(node: Any) -> Any:
    """Without multipleOf: 1.1 is no multiple of 0.1 in binary."""
    if isinstance(node, dict):
        return {name: _loosened(member) for name, member in node.items() if name != "multipleOf"}
    return [_loosened(member) for member in node] if isinstance(node, list) else node


def _forbidden(node: Any, name: str = "") -> Iterator[str]:
    """What JSON Schema cannot say: phones, identity numbers, moments, days; text no database can hold."""
    if isinstance(node, dict):
        for key, member in node.items():
            yield from _forbidden(key)
            yield from _forbidden(member, key)
    elif isinstance(node, list):
        for member in node:
            yield from _forbidden(member, name)
    elif isinstance(node, float) and (node != node or abs(node) == float("inf")):
        yield f"{name}: no number"
    elif isinstance(node, str):
        if "\x00" in node or any("\ud800" <= ch <= "\udfff" for ch in node):
            yield f"{name}: no text"
        if name.endswith("phone") and not PHONE.fullmatch(_typed(node).removeprefix("+86")):
            yield f"{name}: no telephone"
        if name == "id_card" and not _right_card(_typed(node).upper()):
            yield f"{name}: no identity number"
        if name.endswith("_at") and not _right_moment(name, node):
            yield f"{name}: no moment"
        empty = name == "next_visit_on" and node == ""  # an empty next day is none
        if name.endswith("_on") and not empty and not _right_day(node):
            yield f"{name}: no day"


def _typed(text: str) -> str:
    return re.sub("[ \t\r\n\u3000\xa0]", "", text).translate(HALF)


def _right_card(text: str) -> bool:
    if not re.fullmatch(r"[0-9]{17}[0-9X]", text) or not _right_day(
        f"{text[6:10]}-{text[10:12]}-{text[12:14]}"
    ):
        return False
    if not "19000101" <= text[6:14] <= clock.today().strftime("%Y%m%d"):
        return False
    return CHECK_CHARS[sum(int(d) * w for d, w in zip(text, WEIGHTS, strict=False)) % 11] == text[17]


def _right_moment(name: str, text: str) -> bool:
    if not MOMENT.fullmatch(text):
        return False
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return False
    return name != "visited_at" or (at.year >= 2000 and at <= clock.now() + timedelta(hours=25))


def _right_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
