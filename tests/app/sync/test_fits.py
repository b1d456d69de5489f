"""What is found to fit without words is what marshmallow takes, and the usual operation is found to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError

from app.sync.fits import fits
from app.sync.schema import OpSchema, Strict, Text, Whole
from app.visits.schema import VisitCorrect, VisitCreate

ID = "0190c1a2-7b3c-7def-8123-456789abcdef"
GRADE = {
    "colour": "red", "emergency": True, "reasons": ["R01"], "missing": [], "due_in_days": 3,
    "rule_version": "2026.1",
}  # fmt: skip
VISIT = {
    "patient_id": ID, "form": "general", "form_version": 1, "visited_at": "2026-06-01T09:12:00+08:00",
    "mode": "home", "answers": {"sbp": 120}, "grade": GRADE, "next_visit_on": "2026-06-24",
}  # fmt: skip
OP = {
    "op_id": ID, "device_id": "d", "author_id": ID, "kind": "visit.create",
    "recorded_at": "2026-06-01T09:12:00.5+08:00", "payload": VISIT, "base_revision": 1, "replaces": ID,
}  # fmt: skip
odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 10**10),
    st.floats(),
    st.text(max_size=50),
    st.sampled_from([ID, ID.upper(), f"{ID}\n", "2026-06-01", "2026-06-01T09:12:00", "home"]),
    st.lists(st.one_of(st.text(max_size=70), st.integers()), max_size=70),
    st.dictionaries(st.sampled_from(sorted({*OP, *VISIT, *GRADE})), st.just(1), max_size=3),
    st.just(GRADE),
)


def spoiled(right: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Some fields left out, some with other values, at times one that nobody knows."""
    other = st.dictionaries(st.sampled_from([*right, "unknown"]), odd, max_size=2)
    gone = st.sets(st.sampled_from(sorted(right)), max_size=1)
    return st.builds(
        lambda more, less: {k: v for k, v in {**right, **more}.items() if k not in less}, other, gone
    )


def taken(shape: Schema, raw: Any) -> bool:
    try:
        shape.load(raw)
    except ValidationError:
        return False
    return True


@settings(max_examples=2000)
@given(
    st.one_of(
        st.tuples(st.just(OpSchema), spoiled(OP)),
        st.tuples(st.just(VisitCreate), spoiled(VISIT)),
        st.tuples(st.just(VisitCreate), spoiled(GRADE).map(lambda grade: {**VISIT, "grade": grade})),
        st.tuples(st.just(VisitCorrect), spoiled({**VISIT, "visit_id": ID, "reason": "写错了"})),
    )
)
def test_what_fits_is_taken(case: tuple[type[Schema], Any]) -> None:
    shape, raw = case
    if fits(shape(), raw):
        assert taken(shape(), raw)


@pytest.mark.parametrize("shape, raw", [(OpSchema, OP), (VisitCreate, VISIT)])
def test_the_usual_fits(shape: type[Schema], raw: dict[str, Any]) -> None:
    assert fits(shape(), raw) and taken(shape(), raw)
    for name in (name for name, field in shape().fields.items() if field.required):
        assert not fits(shape(), {key: value for key, value in raw.items() if key != name})


class Even(Whole):
    """Stricter than the class it is made from, which does not know."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        if super()._deserialize(value, attr, data, **kwargs) % 2:
            raise self.make_error("invalid", input=value)
        return int(value)


class Trimmed(Strict):
    number = Even()
    word = Text(data_key="Word")
    told = Text(dump_only=True)


def test_nothing_is_said_of_fields_that_read_in_a_way_of_their_own() -> None:
    assert fits(Trimmed(), {}) and fits(Trimmed(), {"Word": "w"})
    for odd_one in ({"number": 3}, {"number": 2}, {"word": "w"}, {"told": "t"}):
        assert not fits(Trimmed(), odd_one)
