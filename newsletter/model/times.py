"""Times are timezone-aware UTC in code, epoch milliseconds in tables, RFC 3339 ``Z`` in JSON."""

from __future__ import annotations

from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta, tzinfo

ONCE = timedelta(days=3650)  #: a lease that nobody gives back marks what is done once
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_ms(moment: datetime) -> int:
    """Epoch milliseconds of an aware datetime. Raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("a time without a timezone is no time")
    return (moment - _EPOCH) // _MILLISECOND


def from_ms(ms: int) -> datetime:
    """The aware UTC datetime of epoch milliseconds."""
    return _EPOCH + timedelta(milliseconds=ms)


def moment_of(text: str, zone: tzinfo) -> datetime:
    """The moment, UTC, that an ISO 8601 text names; one without a zone is meant in ``zone``.

    Raises ValueError for no time, and for one so near the ends of the calendar that other zones lack it.
    """
    moment = datetime.fromisoformat(text)
    if not MINYEAR < moment.year < MAXYEAR:
        raise ValueError("there is no such time everywhere")
    return (moment.replace(tzinfo=zone) if moment.tzinfo is None else moment).astimezone(UTC)


def maybe_ms(moment: datetime | None) -> int | None:
    return None if moment is None else to_ms(moment)


def maybe_from_ms(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)


def rfc3339(moment: datetime) -> str:
    """``2026-01-31T08:05:00Z`` (RFC 3339), to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def maybe_rfc3339(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
