"""Publication dates, read strictly: a date we are not sure of is no date.

feedparser answers some texts with a wrong date rather than none: 6.0.14 reads ``2020/1/10 14:33:00`` as
1 November 2020, the epoch ``1709632800`` as the year 2017, and ``2024-13-45`` as 1 January 2025.
"""

from __future__ import annotations

import re
from calendar import timegm
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from time import struct_time

_ISO = re.compile(
    r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})"
    r"(?:[Tt ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?\s*(Z|z|UTC|GMT|[+-]\d{2}:?\d{2})?)?"
)
_EPOCH = re.compile(r"\d{10}(\d{3})?")
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)


def parse_date(text: str, guess: struct_time | None = None) -> datetime | None:
    """The moment that ``text`` names, in UTC and to the second; None where that is doubtful.

    ``guess`` is feedparser's opinion (UTC), believed only for a text in no format known here, and only
    when its year, day and minute stand in the text. A time without a zone is taken as UTC.
    """
    text = text.strip()[:100]
    moment = _iso(text) or _epoch(text) or _rfc822(text)
    if moment is None and not _ISO.match(text) and not text.isdigit():
        moment = _plausible(text, guess)
    return moment if moment is not None and _EARLIEST <= moment < _LATEST else None


def _iso(text: str) -> datetime | None:
    found = _ISO.fullmatch(text)
    if not found:
        return None
    year, month, day, hour, minute, second, zone = found.groups()
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), min(int(second or 0), 59),
            tzinfo=_zone(zone),
        )  # fmt: skip
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone(text: str | None) -> timezone:
    if not text or text[0] not in "+-":
        return UTC
    digits = text[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)


def _epoch(text: str) -> datetime | None:
    if not _EPOCH.fullmatch(text):
        return None
    return datetime.fromtimestamp(int(text[:10]), UTC)


def _rfc822(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
        # RFC 5322 section 3.3: "-0000" carries no zone, and Python then leaves it out.
        aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        return aware.astimezone(UTC).replace(microsecond=0)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _plausible(text: str, guess: struct_time | None) -> datetime | None:
    if guess is None:
        return None
    numbers = {int(number) for number in re.findall(r"\d{1,4}", text)}
    try:
        moment = datetime.fromtimestamp(timegm(guess), UTC)
    except (ValueError, OverflowError, OSError):
        return None
    # A zone may shift the day by one.
    days = {(moment + timedelta(days=shift)).day for shift in (-1, 0, 1)}
    same_minute = ":" not in text or moment.minute in numbers
    return moment if moment.year in numbers and days & numbers and same_minute else None
