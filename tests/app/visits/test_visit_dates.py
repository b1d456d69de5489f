"""When a visit took place and when the next one may be (SYNC §7)."""

from datetime import UTC, date, datetime, timedelta

import pytest

from app.visits import rules

NOW = datetime(2026, 6, 10, 4, 0, tzinfo=UTC)  # noon in Shandong
NONE = timedelta(0)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("visited_at", "skew", "day"),
    [
        (NOW, NONE, date(2026, 6, 10)),
        (NOW - timedelta(days=200), NONE, date(2025, 11, 22)),
        (NOW + 23 * HOUR, NONE, date(2026, 6, 10)),  # tomorrow by the phone: counts today
        (NOW + 49 * HOUR, -48 * HOUR, date(2026, 6, 10)),  # the phone's clock is two days ahead
        (NOW - 48 * HOUR, 48 * HOUR, date(2026, 6, 8)),  # stated in the past: taken as stated
        (datetime(2026, 6, 9, 16, 30, tzinfo=UTC), NONE, date(2026, 6, 10)),  # half past midnight local
        (datetime(2000, 1, 1, tzinfo=UTC), NONE, date(2000, 1, 1)),
    ],
)
def test_a_visit_counts_for_its_local_day_but_never_after_arrival(visited_at, skew, day):
    assert rules.day_of(visited_at, skew, NOW) == day


@pytest.mark.parametrize(
    ("visited_at", "skew"),
    [
        (NOW + 25 * HOUR, NONE),
        (NOW + HOUR, 24 * HOUR),  # a phone a day behind that says in an hour means tomorrow
        (datetime(1999, 12, 31, 15, 59, tzinfo=UTC), NONE),
        (datetime(1970, 1, 1, tzinfo=UTC), timedelta(days=20000)),
        (datetime(1, 1, 1, tzinfo=UTC), NONE),
        (datetime(9999, 12, 31, 23, tzinfo=UTC), NONE),
        (datetime(9999, 12, 31, 23, tzinfo=UTC), timedelta(days=-2_900_000)),
        (datetime(2199, 12, 31, 23, tzinfo=UTC), timedelta(days=2_900_000)),
    ],
)
def test_a_visit_of_the_future_or_of_another_age_is_refused(visited_at, skew):
    with pytest.raises(rules.Impossible):
        rules.day_of(visited_at, skew, NOW)


NEVER = ["", "2026-06-10", "2026-06-09", "2026-02-30", "2028-06-12", "20260701", "明天", "2026-6-20"]


@pytest.mark.parametrize("text", NEVER)
def test_a_next_visit_that_cannot_be_is_refused(text):
    with pytest.raises(rules.Impossible):
        rules.next_day(text, date(2026, 6, 10))


def test_the_next_visit_may_be_tomorrow_or_in_two_years():
    assert rules.next_day("2026-06-11", date(2026, 6, 10)) == date(2026, 6, 11)
    assert rules.next_day("2028-06-09", date(2026, 6, 10)) == date(2028, 6, 9)


def test_written_down_the_same_day_is_not_late_whatever_the_clock_says():
    assert not rules.entered_later(date(2026, 6, 10), NOW, NONE)
    assert rules.entered_later(date(2026, 6, 9), NOW, NONE)
    assert not rules.entered_later(date(2026, 6, 9), NOW, -24 * HOUR)
    assert rules.entered_later(date(2026, 6, 9), datetime.max.replace(tzinfo=UTC), timedelta(days=10))


def test_flags_tell_the_reader_and_refuse_nothing():
    assert rules.flags(date(2026, 6, 10), date(2026, 6, 10), NONE, same_day=False) == []
    found = rules.flags(date(2026, 5, 1), date(2026, 6, 10), 6 * timedelta(minutes=1), same_day=True)
    assert found == ["same_day", "late", "clock"]
