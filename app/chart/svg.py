"""A trend as inline SVG. Pure: points in, markup out; colours are classes of components.css.

x is true time, y is linear; what a phone needs to add a reading of its own are the places themselves and
the scale in data attributes (static/js/chart/trend.js is the twin of `Scale`). The page has one marker, #dot.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape

WIDTH, HEIGHT = 326, 154
LEFT, RIGHT, TOP, BOTTOM = 0, 286, 20, 125  # the plot; above it a lane of 20 for event words
LANE_CUT = 10  # without event words the lane only has to hold half a dot
INSET = 10  # room for a dot at either edge
LABEL_Y = 147
CLOSE = 15  # two words nearer than this would touch


@dataclass(frozen=True)
class Band:
    """A stretch of values of one grade; `above` None is without end. Edges belong to the higher band."""

    colour: str
    above: float | None


@dataclass(frozen=True)
class Scale:
    """Days and values to points of the view box."""

    first: date
    last: date
    low: float
    high: float

    def x(self, day: date) -> float:
        """A single day stands in the middle."""
        span = (self.last - self.first).days
        if span == 0:
            return (LEFT + RIGHT) / 2
        return LEFT + INSET + (RIGHT - LEFT - 2 * INSET) * (day - self.first).days / span

    def y(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return BOTTOM - share * (BOTTOM - TOP)


Point = tuple[date, float]


def trend(
    points: Sequence[Point],
    bands: Sequence[Band],
    *,
    low: float,
    high: float,
    events: Iterable[tuple[date, str]] = (),
    title: str,
    described_by: str = "",
    decimals: int = 0,
) -> str:
    """The chart of `points` (oldest first, at least one). `bands` run upwards, the last one without end.

    `low` and `high` are widened where a point lies outside. `title` names the curve, the element with the id
    `described_by` says what it shows.
    """
    values = [value for _, value in points]
    scale = Scale(points[0][0], points[-1][0], min(low, *values), max(high, *values))
    drawn = list(_events(scale, events))
    parts = [
        *_bands(scale, bands),
        *drawn,
        *_edges(scale, bands, decimals),
        *_days(scale, [day for day, _ in points]),
        *_line(scale, points, bands),
    ]
    edges = ",".join(f"{band.colour}:{'' if band.above is None else f'{band.above:g}'}" for band in bands)
    above = 0 if drawn else LANE_CUT
    return (
        f'<svg class="chart" viewBox="0 {above} {WIDTH} {HEIGHT - above}" role="img" '
        f'aria-label="{escape(title)}" aria-describedby="{described_by}" '
        f'data-low="{scale.low:g}" data-high="{scale.high:g}" data-bands="{edges}" '
        f'data-first="{scale.first}" data-last="{scale.last}">{"".join(parts)}</svg>'
    )


def colour_at(value: float, bands: Sequence[Band]) -> str:
    return next(band.colour for band in bands if band.above is None or value < band.above)


def _bands(scale: Scale, bands: Sequence[Band]) -> Iterable[str]:
    floor = scale.low
    for band in bands:
        top = scale.high if band.above is None else min(max(band.above, scale.low), scale.high)
        if top > floor:
            y, bottom = scale.y(top), scale.y(floor)
            yield (
                f'<rect class="band-{band.colour}" x="{LEFT}" y="{_n(y)}" '
                f'width="{RIGHT - LEFT}" height="{_n(bottom - y)}"/>'
            )
            floor = top


def _edges(scale: Scale, bands: Sequence[Band], decimals: int) -> Iterable[str]:
    """Thresholds: a gap between two bands, and the value named at the right."""
    named: list[float] = []
    for band in bands:
        if band.above is None or not scale.low < band.above < scale.high:
            continue
        y = scale.y(band.above)
        yield f'<path class="gap" d="M{LEFT} {_n(y)}H{RIGHT}"/>'
        if all(abs(y - other) >= CLOSE for other in named):
            named.append(y)
            yield f'<text class="axis" x="{RIGHT + 6}" y="{_n(y + 4.5)}">{band.above:.{decimals}f}</text>'


def _events(scale: Scale, events: Iterable[tuple[date, str]]) -> Iterable[str]:
    end = -999.0
    for day, word in sorted(events):
        if not scale.first <= day <= scale.last:
            continue
        x, half = scale.x(day), 7.0 * len(word)
        yield f'<path class="event" d="M{x:.0f} {TOP}V{BOTTOM}"/>'
        middle = min(max(x, LEFT + half), RIGHT - half)
        # A word that would touch the one before it is left out; its line stays.
        if middle - half >= end + 4:
            yield _text("event-word", middle, 14, escape(word))
            end = middle + half


def _days(scale: Scale, days: Sequence[date]) -> Iterable[str]:
    """Months below readings, the newest reading by its day; at most five, none touching another."""
    newest = days[-1]
    x_newest = scale.x(newest)
    anchor = "middle" if scale.first == scale.last else "end"
    right = x_newest + 24 if anchor == "middle" else x_newest + INSET
    left = x_newest - 24 if anchor == "middle" else x_newest - 42
    x = x_newest if anchor == "middle" else right
    step = max(46.0, (RIGHT - LEFT) / 5)
    taken = left - 14
    kept = []
    months = {newest.strftime("%Y%m")}
    for day in reversed(days[:-1]):
        if day.strftime("%Y%m") not in months and scale.x(day) <= taken:
            kept.append(day)
            taken = scale.x(day) - step
            months.add(day.strftime("%Y%m"))
    for day in reversed(kept):
        place = max(scale.x(day), LEFT + 16)
        yield _text("axis month", place, LABEL_Y, f"{day.month}月")
    words = f"{newest.month}月{newest.day}日"
    more = f' data-when="day" data-on="{newest}"'
    yield _text("axis newest-day", x, LABEL_Y, words, more, anchor)


def _line(scale: Scale, points: Sequence[Point], bands: Sequence[Band]) -> Iterable[str]:
    """Dots are markers of the line. Whole units, half a day or so: nobody sees less."""
    places = [(scale.x(day), scale.y(value)) for day, value in points]
    if len(points) > 1:
        corners = " ".join(f"{x:.0f},{y:.0f}" for x, y in places)
        yield f'<polyline class="line" marker-start="url(#dot)" marker-mid="url(#dot)" points="{corners}"/>'
    yield _newest(*places[-1], colour_at(points[-1][1], bands))


def _newest(x: float, y: float, colour: str) -> str:
    """The newest reading: shape and colour of its own grade. Twin: trend.js."""
    paths = {
        "red": "M0-8 9 7.5H-9Z",
        "yellow": "M0-8.5 8.5 0 0 8.5-8.5 0Z",
        "green": "M-6.5 0a6.5 6.5 0 1 0 13 0a6.5 6.5 0 1 0-13 0Z",
    }
    shape = f'class="newest" data-grade="{colour}" d="{paths[colour]}"'
    return f'<path {shape} transform="translate({x:.0f} {y:.0f})"/>'


def _text(classes: str, x: float, y: float, words: str, more: str = "", anchor: str = "middle") -> str:
    return f'<text class="{classes}"{more} x="{x:.0f}" y="{_n(y)}" text-anchor="{anchor}">{words}</text>'


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
