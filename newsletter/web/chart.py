"""The timeline as a picture: bars of what was handed over, in the page's own colours.

Colours come from classes of ``studio.css``, so that light and dark need one picture and the page's policy
no inline style. Labels stand beside it as text: letters inside a picture that stretches would stretch too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import svg
from markupsafe import Markup

from newsletter.learn.progress import Bar, Timeline

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
    picture = svg.SVG(
        viewBox=svg.ViewBoxSpec(0, 0, WIDTH, HEIGHT),
        class_=["chart-picture"],
        extra={"role": "img", "preserveAspectRatio": "none"},
        elements=[
            # The library writes text as it is.
            svg.Title(text=str(Markup.escape(title))),
            svg.Desc(text=str(Markup.escape(description))),
            *bars,
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
