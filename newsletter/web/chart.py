"""Numbers over time as pictures, in the page's own colours: what was handed over, how the list grew.

Colours come from classes of ``studio.css``, so that light and dark need one picture and the page's policy
no inline style. Labels stand beside it as text: letters inside a picture that stretches would stretch too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import svg
from markupsafe import Markup

from newsletter.learn.progress import Bar, Timeline
from subscribers.growth import Period

WIDTH: Final = 1000
HEIGHT: Final = 100
_GAP: Final = 0.18  # of a bar's place
_LEAST: Final = 1.5  # one message among a million is still seen


def timeline_chart(timeline: Timeline, *, title: str, description: str) -> Markup:
    """An ``<svg>`` that fills its place; ``title`` and ``description`` are read out instead of it."""
    count, most = len(timeline.bars), ceiling(timeline.most)
    place = WIDTH / max(1, count)
    bars: list[svg.Element] = [
        svg.Line(x1=0, x2=WIDTH, y1=HEIGHT / 2, y2=HEIGHT / 2, class_=["chart-line"]),
    ]
    for index, bar in enumerate(timeline.bars):
        bars += _stack(bar, index * place + place * _GAP / 2, place * (1 - _GAP), most)
    return _picture(bars, title, description)


def total_chart(periods: Sequence[Period], *, title: str, description: str) -> Markup:
    """How many were active at the end of each period, as a line with the ground beneath it filled."""
    most = ceiling(max(1, *(period.total for period in periods)))
    place = WIDTH / max(1, len(periods) - 1)
    points = [
        svg.Point(_r(index * place), _r(HEIGHT - HEIGHT * period.total / most))
        for index, period in enumerate(periods)
    ]
    ground = [svg.Point(0, HEIGHT), *points, svg.Point(WIDTH, HEIGHT)]
    return _picture(
        [
            svg.Line(x1=0, x2=WIDTH, y1=HEIGHT / 2, y2=HEIGHT / 2, class_=["chart-line"]),
            svg.Polygon(points=ground, class_=["growth-ground"]),
            svg.Polyline(points=points, class_=["growth-total"]),
        ],
        title,
        description,
    )


def change_chart(periods: Sequence[Period], *, title: str, description: str) -> Markup:
    """Who joined above the middle, who left beneath it, to one scale."""
    most = ceiling(max(1, *(max(period.joined, period.left) for period in periods)))
    place, middle = WIDTH / len(periods), HEIGHT / 2
    bars: list[svg.Element] = []
    for index, period in enumerate(periods):
        x, width = _r(index * place + place * _GAP / 2), _r(place * (1 - _GAP))
        for amount, name in ((period.joined, "bar-joined"), (period.left, "bar-left")):
            height = max(_LEAST, middle * amount / most) if amount else 0
            top = middle - height if name == "bar-joined" else middle
            if amount:
                bars.append(svg.Rect(x=x, y=_r(top), width=width, height=_r(height), class_=[name]))
    line = svg.Line(x1=0, x2=WIDTH, y1=middle, y2=middle, class_=["chart-line"])
    return _picture([*bars, line], title, description)


def _picture(elements: Sequence[svg.Element], title: str, description: str) -> Markup:
    picture = svg.SVG(
        viewBox=svg.ViewBoxSpec(0, 0, WIDTH, HEIGHT),
        class_=["chart-picture"],
        extra={"role": "img", "preserveAspectRatio": "none"},
        elements=[
            # The library writes text as it is.
            svg.Title(text=str(Markup.escape(title))),
            svg.Desc(text=str(Markup.escape(description))),
            *elements,
        ],
    )
    return Markup(picture.as_str())


def _stack(bar: Bar, x: float, width: float, most: int) -> Sequence[svg.Element]:
    """Accepted at the bottom, what went wrong on top of it."""
    found: list[svg.Element] = []
    top = float(HEIGHT)
    for name in ("accepted", "unknown", "failed"):
        amount = getattr(bar, name)
        if not amount:
            continue
        height = max(_LEAST, HEIGHT * amount / most)
        top = max(0.0, top - height)
        found.append(svg.Rect(x=_r(x), y=_r(top), width=_r(width), height=_r(height), class_=[f"bar-{name}"]))
    return found


def ceiling(most: int) -> int:
    """The next number at or above that reads well on an axis: 1, 2, 4, 5, 10, 20, 40, 50, 100, …"""
    size = 1
    while True:
        for step in (1, 2, 4, 5):
            if step * size >= most:
                return step * size
        size *= 10


def _r(number: float) -> float:
    return round(number, 2)
