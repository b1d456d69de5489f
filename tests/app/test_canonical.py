"""Two operations are the same by a text that must stay what it was: its digests are kept for ever."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.shared.strictjson import MAX_INTEGER, canonical, canonical_around

texts = st.text()
figures = st.floats(allow_nan=False, allow_infinity=False) | st.floats(-1, 1) | st.floats(1e14, 1e18)
leaves = st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | figures | texts
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4)
)


def by_the_standard_library(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


@settings(max_examples=1000)
@given(values)
def test_it_is_what_the_standard_library_writes(value: Any) -> None:
    assert canonical(value) == by_the_standard_library(value)


@pytest.mark.parametrize(
    "figure",
    [1e-05, -1e-05, 1e-04, 12345e-9, 1e15, 1e16, -1e16, 1.5e16, 123456789012345680.0, 1e22, 5e-324, -0.0],
)
def test_figures_that_orjson_writes_otherwise(figure: float) -> None:
    for value in (figure, [figure], {"a": figure}, {"a": [1, figure]}):
        assert canonical(value) == by_the_standard_library(value)


@settings(max_examples=500)
@given(st.dictionaries(texts, st.none() | st.integers(-9, 9) | figures | texts), texts, values)
def test_a_member_that_is_written_already_is_put_into_its_place(
    others: dict[str, Any], key: str, value: Any
) -> None:
    whole = {**others, "payload": value}
    assert canonical_around(whole, "payload", canonical(value)) == canonical(whole)
    tricky = {"a": f'"payload":{{}}{key}', "payload": value}
    assert canonical_around(tricky, "payload", canonical(value)) == canonical(tricky)


@given(st.lists(st.none() | st.integers(-MAX_INTEGER, MAX_INTEGER) | texts))
def test_without_fractions_there_is_nothing_to_look_for(value: Any) -> None:
    assert canonical(value, fractions=False) == by_the_standard_library(value)
