"""Whether marshmallow would take an object, asked of the same fields and validators past its machinery.

An operation that is as it should be, and hardly one is not, needs no words: `fits` says so several times as
fast. Where it is not sure it says no, and marshmallow decides, naming every field that is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields

Test = Callable[[Any], bool]


def fits(shape: Schema, raw: Any) -> bool:
    return _object(type(shape))(raw)


@cache
def _object(shape: type[Schema]) -> Test:
    schema = shape()
    if schema._hooks or schema.unknown != RAISE:
        return _never
    by_key = {field.data_key or name: field for name, field in schema.load_fields.items()}
    tests = {key: _field(field) for key, field in by_key.items()}
    required = frozenset(key for key, field in by_key.items() if field.required)

    def test(raw: Any) -> bool:
        if not isinstance(raw, dict) or not required <= raw.keys():
            return False
        try:
            for name, value in raw.items():
                if not tests[name](value):
                    return False
        except (KeyError, ValidationError):
            return False
        return True

    return test


def _field(field: fields.Field[Any]) -> Test:
    takes, validators = _kind(field), field.validators

    def test(value: Any) -> bool:
        if not takes(value):
            return False
        for validator in validators:
            validator(value)
        return True

    return test


def _kind(field: fields.Field[Any]) -> Test:
    """What is asked of a value before its validators. Our own fields say it themselves (`takes`)."""
    if field.pre_load or field.post_load:
        return _never
    if hasattr(field, "takes"):
        return field.takes if _speaks_for(type(field)) else _never
    if isinstance(field, fields.List) and type(field)._deserialize is fields.List._deserialize:
        return _list(_field(field.inner))
    if type(field) is fields.Dict and field.key_field is None and field.value_field is None:
        return _is_object
    if type(field) is fields.Nested and not field.many:
        return _object(type(field.schema))
    return _never


def _speaks_for(kind: type) -> bool:
    """Whether `takes` is said by the class that reads the value, not by one it was derived from."""
    first = next(one for one in kind.__mro__ if "takes" in vars(one) or "_deserialize" in vars(one))
    return "takes" in vars(first)


def _list(inner: Test) -> Test:
    return lambda value: isinstance(value, list) and all(map(inner, value))


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _never(_value: Any) -> bool:
    return False
