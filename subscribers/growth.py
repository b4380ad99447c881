"""How the list grew: who joined and who left in each period, counted from the days that every row keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, literal_column, or_, select

from subscribers.model import SubscriberState
from subscribers.sql import mapped
from subscribers.tables import subscribers
from subscribers.times import from_ms, to_ms

DAYS: Final = 31
WEEKS: Final = 26
MONTHS: Final = 36

_c = subscribers.c
# Spelt out as the index has it: of a value that is bound, no database knows that the index has the row.
_THERE: Final = _c.state != literal_column(f"'{SubscriberState.UNCONFIRMED.value}'")
_ONCE: Final = or_(_c.left_at.is_(None), _c.left_at > _c.joined_at)
"""Who was ever mailed here: an import also brings people who had left where they come from."""


@dataclass(frozen=True, kw_only=True)
class Period:
    """From ``start`` to the next one's; ``total`` is how many were active at its end."""

    start: datetime
    joined: int
    left: int
    total: int


def growth(conn: Connection, now: datetime, zone: ZoneInfo, active: int) -> Sequence[Period]:
    """Periods without a gap until now, of whom ``active`` are there now; none where nobody ever joined.

    Of whoever came back, the time away is not known any more.
    """
    mapped(conn)
    first = conn.scalar(select(func.min(_c.joined_at)).where(_THERE))
    if first is None:
        return []
    bounds = edges(min(from_ms(first), now), now, zone)
    counted = [(start, _joined(conn, start, end), _left(conn, start, end)) for start, end in pairwise(bounds)]
    found: list[Period] = []
    total = active
    for start, joined, left in reversed(counted):
        found.append(Period(start=start, joined=joined, left=left, total=total))
        total -= joined - left
    return found[::-1]


def edges(first: datetime, now: datetime, zone: ZoneInfo) -> list[datetime]:
    """Where periods begin, and at last where the present one ends: days where the list is young, else
    weeks, else months. What is older than ``MONTHS`` is left out."""
    today = now.astimezone(zone).date()
    day = max(first.astimezone(zone).date(), _months_before(today, MONTHS - 1))
    age = (today - day).days
    if age < WEEKS * 7:
        step = 1 if age < DAYS else 7
        begin = day if step == 1 else day - timedelta(days=day.weekday())
        found = [begin + timedelta(days=back) for back in range(0, (today - begin).days + step + 1, step)]
    else:
        months = (today.year - day.year) * 12 + today.month - day.month
        found = [_months_before(today, back) for back in range(months, -2, -1)]
    return [datetime.combine(one, time(), zone) for one in found]


def _months_before(day: date, months: int) -> date:
    """The first of the month so many before; of one that comes where the number is negative."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, 1)


def _joined(conn: Connection, start: datetime, end: datetime) -> int:
    within = _c.joined_at >= to_ms(start), _c.joined_at < to_ms(end)
    return conn.scalar(select(func.count()).select_from(subscribers).where(_THERE, *within, _ONCE)) or 0


def _left(conn: Connection, start: datetime, end: datetime) -> int:
    within = _c.left_at >= to_ms(start), _c.left_at < to_ms(end)
    here = select(func.count()).select_from(subscribers).where(*within, _c.left_at > _c.joined_at)
    return conn.scalar(here) or 0
