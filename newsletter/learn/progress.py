"""How an issue's sending goes over time: the timeline, and when it will be finished. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from newsletter.model.receipt import Receipt, Stretch

MOST_BARS: Final = 48
_RECENT: Final = timedelta(minutes=10)
_STEPS_S: Final = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800,
    604_800, 1_209_600,
)  # fmt: skip
"""Lengths of a bar that people can read: seconds, minutes, hours, days, weeks."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """What happened from ``at`` on, for the length of one bar."""

    at: datetime
    accepted: int
    failed: int
    unknown: int

    @property
    def total(self) -> int:
        return self.accepted + self.failed + self.unknown


@dataclass(frozen=True, kw_only=True)
class Timeline:
    bars: tuple[Bar, ...]
    step: timedelta

    @property
    def most(self) -> int:
        return max((bar.total for bar in self.bars), default=0)


def timeline(
    stretches: Sequence[Stretch], *, until: datetime | None = None, most: int = MOST_BARS
) -> Timeline:
    """At most ``most`` bars of one length that together hold everything; none where nothing happened yet.

    What one attempt did is spread evenly over the time it took. ``until`` draws the time since the last
    one too.
    """
    stretches = [one for one in stretches if one.handled]
    if not stretches:
        return Timeline(bars=(), step=timedelta(seconds=1))
    first = min(one.began for one in stretches)
    last = max(max(one.ended for one in stretches), until or first)
    span = max(1.0, (last - first).total_seconds())
    step_s = next((step for step in _STEPS_S if span <= step * most), ceil(span / most))
    count = ceil(span / step_s)
    when = [(_at(one.began, first), _at(one.ended, first)) for one in stretches]
    sums = {
        name: _spread(when, [getattr(one, name) for one in stretches], step_s, count)
        for name in ("accepted", "failed", "unknown")
    }
    return Timeline(
        bars=tuple(
            Bar(
                at=first + timedelta(seconds=index * step_s),
                accepted=sums["accepted"][index],
                failed=sums["failed"][index],
                unknown=sums["unknown"][index],
            )
            for index in range(count)
        ),
        step=timedelta(seconds=step_s),
    )


def _at(moment: datetime, first: datetime) -> float:
    return max(0.0, (moment - first).total_seconds())


def _spread(
    when: Sequence[tuple[float, float]], amounts: Sequence[int], step_s: int, count: int
) -> list[int]:
    """Whole numbers per bar whose sum is that of the amounts."""
    bars = [0] * count
    for (began, ended), amount in zip(when, amounts, strict=True):
        length = max(ended - began, 1e-9)
        index, given = min(count - 1, int(began / step_s)), 0
        while given < amount:
            share = min(1.0, ((index + 1) * step_s - began) / length) if index < count - 1 else 1.0
            here = round(amount * share) - given
            bars[index] += here
            given += here
            index += 1
    return bars


def seconds_left(
    receipt: Receipt, stretches: Sequence[Stretch], by_rate: Callable[[int], float | None]
) -> float | None:
    """How long it takes until everybody had their turn, by how it went lately and by the rate that is set:
    ``by_rate`` tells after how many seconds, at least, so many may have left; None where it has no limit.

    Who waits for another try had theirs. None where nobody's turn is still to come, or nobody knows:
    nothing was sent yet at a rate without limit.
    """
    to_go = receipt.remaining - receipt.waiting
    if not to_go:
        return None
    known = [seconds for seconds in (_by_pace(to_go, stretches), by_rate(to_go)) if seconds is not None]
    return max(known) if known else None


def _by_pace(to_go: int, stretches: Sequence[Stretch]) -> float | None:
    """By the attempts of the last minutes of sending; pauses between them do not count."""
    if not stretches:
        return None
    newest = max(one.ended for one in stretches)
    recent = [one for one in stretches if newest - one.ended <= _RECENT]
    handled = sum(one.handled for one in recent)
    if not handled:
        return None
    return to_go * _busy_s(recent) / handled


def _busy_s(stretches: Sequence[Stretch]) -> float:
    """Seconds in which at least one of them was under way: several processes work side by side."""
    edges = sorted((one.began, one.ended) for one in stretches)
    total, reached = 0.0, edges[0][0]
    for began, ended in edges:
        if ended > reached:
            total += (ended - max(began, reached)).total_seconds()
            reached = ended
    return total
