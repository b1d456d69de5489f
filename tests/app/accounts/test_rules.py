"""How long a wrong guess waits; which passwords are no good."""

import pytest

from app.accounts import passwords
from app.accounts.rules import password_fault, wait_s

ABOUT = ["doctor1", "13900001234", "周明", "zhouming", "暖巡", "nuanxun"]


def test_the_wait_doubles_from_a_minute_to_a_quarter_of_an_hour() -> None:
    assert [wait_s(n, 5) for n in range(12)] == [0, 0, 0, 0, 0, 60, 120, 240, 480, 900, 900, 900]
    assert wait_s(10_000, 5) == 900 and wait_s(3, 3) == 60


def test_of_one_name_at_one_address_at_most_ten_guesses_are_heard_in_five_minutes() -> None:
    second, heard, wrong = 0, 0, 0
    while second <= 300:
        heard, wrong = heard + 1, wrong + 1
        second += wait_s(wrong, 5)
    assert heard <= 10


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", "short"),
        ("seven77", "short"),
        ("一二三四五六七", "short"),
        ("x" * 257, "long"),
        ("password", "common"),
        ("PASSWORD1", "common"),
        ("12345678", "common"),
        ("1qaz2wsx", "common"),
        ("aaaaaaaaaaaa", "common"),
        ("66668888", "common"),
        ("doctor123", "personal"),
        ("Doctor1-2026", "personal"),
        ("00001234", "personal"),
        ("zhouming2026", "personal"),
        ("我是暖巡的周明", "short"),
        ("我是暖巡的周明呀", "personal"),
        ("correct-horse-7", None),
        ("        ", "common"),
        ("tau 7 lamp", None),
        ("春天里的小河真长", None),
        ("nuanxun and eight more", None),
        ("a😀b😀c😀d😀", None),
        ("ab1" * 85 + "c", None),
    ],
)
def test_any_mixture_will_do_unless_it_is_easily_guessed(password: str, why: str | None) -> None:
    assert password_fault(password, ABOUT, passwords.common()) == why


def test_the_list_of_common_passwords_is_long_enough_where_it_matters() -> None:
    assert len(passwords.common()) >= 3000
    assert all(len(word) >= 8 and word == word.casefold() for word in passwords.common())


def test_nothing_behind_the_256th_character_is_left_out_of_the_comparison() -> None:
    long = "correct horse " * 18
    stored = passwords.hash_password(long[:256])
    assert passwords.matches(long[:256], stored) and not passwords.matches(long[:256] + "x", stored)
