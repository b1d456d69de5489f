"""The catalogue keeps to domain/services.md §2 and §3."""

from __future__ import annotations

import re

import pytest

from app.config import ROOT
from app.orders.catalogue import Service, catalogue, refusal

LINES = catalogue().lines
CODES = [f"M{n:02d}" for n in range(1, 13)] + ["T01", "T02", "T03", "T04"]
CODES += [f"H{n:02d}" for n in range(1, 15)] + [f"K{n:02d}" for n in range(1, 6)]
CODES += [f"Y{n:02d}" for n in range(1, 10)] + ["A01", "A02", "E01"]
NEEDS_ORDER = {
    "M06",
    "M08",
    "M09",
    "M10",
    "T02",
    "T03",
    "T04",
    "H02",
    "H04",
    "H05",
    "H06",
    "H08",
    "H09",
    "H10",
}
NEEDS_ORDER |= {"H14", "K01", "K02", "K03", "K04", "A01"}
FREE = {"M01", "M03", "M04", "M12", "T01", "H13", "Y09", "E01"}


def test_every_line_of_the_source_is_there_once() -> None:
    assert [line.code for line in LINES] == CODES


def test_doctors_orders_and_free_lines_are_those_of_the_source() -> None:
    assert {line.code for line in LINES if line.order_required} == NEEDS_ORDER
    assert {line.code for line in LINES if line.price_to == 0} == FREE


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.code)
def test_a_line_says_in_plain_words_all_a_family_must_know(line: Service) -> None:
    assert line.name and line.short and line.name_en and line.words and line.unit
    # PICC is what families call it too
    assert not re.search(r"(?!PICC)[A-Za-z]{4,}", line.short + line.words + (line.unsuitable or ""))
    assert bool(line.not_at_home_when) == bool(line.unsuitable)
    assert f'id="{line.icon}"' in (ROOT / "static/vendor/sprite.svg").read_text("utf-8")
    if line.orderable:
        assert line.performer_words and line.payers and line.payer_words and line.price_words
        assert line.category in catalogue().categories and line.fee_class in "医康养护"
        assert (
            line.price_from is not None
            and line.price_to is not None
            and 0 <= line.price_from <= line.price_to
        )


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.code)
def test_no_fund_pays_what_it_may_not(line: Service) -> None:
    forbidden = {"M": "长护", "K": "公卫", "Y": "医保"}.get(line.category or "")
    assert forbidden not in line.payers
    if "公卫" in line.payers:
        assert line.price_to == 0


def test_an_infusion_is_never_done_at_home_and_the_emergency_call_is_no_order() -> None:
    assert refusal("H03") and "不能在家里做" in str(refusal("H03"))
    assert "120" in str(refusal("E01"))
    assert refusal("X99") == "没有这项服务，请从服务目录里选"
    offered = {line.code for line in catalogue().offered()}
    assert offered == set(CODES) - {"H03", "E01"}


def test_the_four_popular_ones_come_first() -> None:
    assert [line.code for line in catalogue().offered()][:4] == ["Y02", "H01", "M06", "M01"]
