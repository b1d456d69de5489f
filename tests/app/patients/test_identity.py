"""Identity numbers, phones and masks. The numbers are the synthetic ones of domain/identity.md §1."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.patients import identity

TODAY = date(2026, 3, 1)


@pytest.mark.parametrize(
    ("number", "sex", "birth"),
    [
        ("370406195001010013", "1", date(1950, 1, 1)),
        ("370406194802290022", "2", date(1948, 2, 29)),
        ("370406195512311010", "1", date(1955, 12, 31)),
        ("370302194610153188", "2", date(1946, 10, 15)),
        ("37048119600630420X", "2", date(1960, 6, 30)),
        ("37048119600630420x", "2", date(1960, 6, 30)),
        ("370403193911110074", "1", date(1939, 11, 11)),
        ("370406195208150128", "2", date(1952, 8, 15)),
        ("370406194503050213", "1", date(1945, 3, 5)),
        ("37040619530704008X", "2", date(1953, 7, 4)),
        (" 370406 19500101 0013 ", "1", date(1950, 1, 1)),
        ("３７０４０６１９５００１０１００１３", "1", date(1950, 1, 1)),
    ],
)
def test_a_right_number_tells_sex_and_birth_date(number, sex, birth) -> None:
    card = identity.parse_id_card(number, TODAY)
    assert (card.sex, card.birth_date) == (sex, birth)
    assert len(card.number) == 18 and card.number == card.number.upper()


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("370406195001010014", "校验位"),
        ("370406195002300012", "出生日期不存在"),
        ("370406194902290011", "出生日期不存在"),
        ("3704061950010100", "18 位"),
        ("37040619500101001A", "只能是数字"),
        ("370406203001010010", "出生日期不合理"),
        ("", "18 位"),
        ("X" * 18, "只能是数字"),
        ("٣٧٠٤٠٦١٩٥٠٠١٠١٠٠١٣", "只能是数字"),
    ],
)
def test_a_wrong_number_is_refused_in_words(number, words) -> None:
    with pytest.raises(ValueError, match=words):
        identity.parse_id_card(number, TODAY)


@given(st.text(max_size=60))
def test_no_text_at_all_breaks_the_checks(text) -> None:
    for check in (lambda: identity.parse_id_card(text, TODAY), lambda: identity.parse_phone(text)):
        try:
            check()
        except ValueError as error:
            assert str(error)


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("13900001234", "13900001234"),
        ("+86 139 0000 1234", "13900001234"),
        ("0632-8812345", "0632-8812345"),
        ("05338812345", "05338812345"),
    ],
)
def test_a_phone_is_stored_plainly(written, stored) -> None:
    assert identity.parse_phone(written) == stored


@pytest.mark.parametrize(
    "written", ["", "12345", "23900001234", "1390000123", "139000012345", "120", "phone"]
)
def test_a_wrong_phone_is_refused(written) -> None:
    with pytest.raises(ValueError, match="电话"):
        identity.parse_phone(written)


def test_masks_show_just_enough() -> None:
    assert identity.mask_id_card("370406195001010013") == "370406********0013"
    assert identity.mask_phone("13812341234") == "138****1234"


def test_a_leap_day_birthday_falls_on_the_first_of_march() -> None:
    born = date(1948, 2, 29)
    assert identity.age_on(born, date(2026, 2, 28)) == 77
    assert identity.age_on(born, date(2026, 3, 1)) == 78
    assert identity.age_on(date(1945, 3, 5), date(2026, 3, 4)) == 80


def test_search_initials_come_from_pinyin() -> None:
    assert identity.initials("张秀兰") == "zxl"
    assert identity.initials("A李 b") == "al b"
