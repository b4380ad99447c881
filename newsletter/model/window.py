"""The send window: the hours of a day, where the author is at home, in which sending may start."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo


def next_in_window(earliest: datetime, window: tuple[time, time] | None, zone: tzinfo) -> datetime:
    """The first moment at or after ``earliest`` that lies in the window; ``earliest`` without one.

    A window may span midnight. Both are aware; the answer is UTC.
    """
    if window is None:
        return earliest.astimezone(UTC)
    start, end = window
    local = earliest.astimezone(zone)
    now = local.time().replace(tzinfo=None)
    inside = start <= now < end if start <= end else now >= start or now < end
    if inside or start == end:
        return earliest.astimezone(UTC)
    day = local.date() if now < start else local.date() + timedelta(days=1)
    return datetime.combine(day, start, zone).astimezone(UTC)
