"""Dates as people here say them. Absolute on purpose: a stored page must be true next week too."""

from __future__ import annotations

from datetime import date, datetime

from app.shared import clock

WEEKDAYS = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")


def day_words(day: date) -> str:
    """6月14日 周日; with the year when it is not this one."""
    year = "" if day.year == clock.today().year else f"{day.year}年"
    return f"{year}{day.month}月{day.day}日 {WEEKDAYS[day.weekday()]}"


def hour_words(moment: datetime) -> str:
    """9:00"""
    local = clock.local(moment)
    return f"{local.hour}:{local.minute:02d}"


def half_words(moment: datetime) -> str:
    """上午 or 下午"""
    return "上午" if clock.local(moment).hour < 12 else "下午"


def when_words(moment: datetime) -> str:
    """6月14日 周日 9:00"""
    return f"{day_words(clock.local_date(moment))} {hour_words(moment)}"


def stamp(moment: datetime) -> str:
    """6月8日 19:20"""
    local = clock.local(moment)
    return f"{local.month}月{local.day}日 {local.hour}:{local.minute:02d}"
