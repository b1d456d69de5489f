"""A marshmallow schema out of a definition: the same strict reading of values as `check`."""

from __future__ import annotations

from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields

from app.forms.compute import Values
from app.forms.definition import Definition, Field
from app.forms.definition import definition as find
from app.forms.values import absent, faults


class Answer(fields.Field[Any]):
    """One answer, kept exactly as it came; what is wrong with it is said in Chinese."""

    def __init__(self, form: Definition, field: Field) -> None:
        super().__init__(allow_none=True, metadata={"description": field["zh"], **json_schema(field)})
        self.form, self.field = form, field

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        wrong = (
            [] if absent(value) else list(faults(self.field, value, Values(self.form, {}, None).__getitem__))
        )
        if wrong:
            raise ValidationError([message for _, _, message in wrong])
        return value


class AnswersSchema(Schema):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.error_messages |= {"unknown": "表里没有这一项。", "type": "答案看不懂。"}


def answers_schema(key: str) -> Schema:
    """Types, ranges and unknown fields. Required fields and cross-checks are the work of `check`."""
    form = find(key)
    known = {**form.fields, **form.computed}
    members: dict[str, Any] = {name: Answer(form, field) for name, field in known.items()}
    return AnswersSchema.from_dict(members, name=f"Answers_{key}")(unknown=RAISE)


def json_schema(field: Field) -> dict[str, Any]:
    """The field as JSON Schema, for the published contract."""
    kind, hard = field["type"], field.get("hard", {})
    if kind in ("int", "dec1", "dec3"):
        step = {"int": 1, "dec1": 0.1, "dec3": 0.001}[kind]
        limits = {"minimum": hard["min"], "maximum": hard["max"]} if hard else {}
        return {"type": "integer" if kind == "int" else "number", "multipleOf": step, **limits}
    if kind == "text":
        return {"type": "string", "maxLength": field["max"]}
    if kind == "date":
        return {"type": "string", "format": "date"}
    if kind == "bool":
        return {"type": "boolean"}
    codes = [option["code"] for option in field.get("options", ())]
    if kind == "enum":
        return {"enum": codes}
    if kind == "multi":
        return {"type": "array", "items": {"enum": codes}, "uniqueItems": True}
    cells = {item["key"]: json_schema(item) for item in field["item"]}
    row = {"type": "object", "properties": cells, "additionalProperties": False}
    return {"type": "array", "items": row, "maxItems": field["max_rows"]}
