"""Which draft issues are due. Pure: time and what is known are passed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from newsletter.model.issue import MAX_BLOCKS
from newsletter.model.post import Post
from subscribers.model import Cadence

MIDNIGHT = time()
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_LENGTH = {
    Cadence.EACH: timedelta(days=1),
    Cadence.DAILY: timedelta(days=1),
    Cadence.WEEKLY: timedelta(weeks=1),
    Cadence.MONTHLY: timedelta(days=31),
}


@dataclass(frozen=True, kw_only=True)
class PlannedDraft:
    """A draft to be made. ``period`` is empty for a single post; a post's place in ``posts`` is its
    block number."""

    cadence: Cadence
    period: str
    posts: tuple[Post, ...]


def plan_drafts(
    *,
    ready: Sequence[Post],
    cadence: Cadence,
    now: datetime,
    timezone: tzinfo,
    at: time = MIDNIGHT,
    last_period: str = "",
) -> list[PlannedDraft]:
    """The drafts that are due for one cadence.

    ``ready`` are the posts that are in no issue of this cadence yet; ``last_period`` is the newest
    period that has one. "Each post": one draft for every post, oldest first. Digests: one for the period
    that ended last, with every post seen before its end, however long nothing was made; never an empty
    one, never two for a period. Posts beyond an issue's 62 wait for the next. A period begins and ends
    ``at`` the author's hour: daily, on Monday, on the first of the month.
    """
    ordered = sorted(ready, key=_age)
    if cadence is Cadence.EACH:
        return [PlannedDraft(cadence=cadence, period="", posts=(post,)) for post in ordered]
    start = _period_start(cadence, _day(now, timezone, at))
    period = period_key(cadence, start - timedelta(days=1))
    if last_period >= period:
        return []
    due = [post for post in ordered if _day(post.first_seen_at, timezone, at) < start]
    if not due:
        return []
    return [PlannedDraft(cadence=cadence, period=period, posts=tuple(due[:MAX_BLOCKS]))]


def taken_up(
    cadence: Cadence,
    known: tuple[datetime, datetime] | None,
    *,
    first: bool,
    now: datetime,
    timezone: tzinfo,
    at: time = MIDNIGHT,
    running_until: datetime | None = None,
) -> datetime:
    """Since when posts are news to a cadence that somebody wants now.

    ``known`` is what was remembered: since when, and when somebody last wanted it. ``first`` says that
    nothing was ever made here: then every ready post is news. A cadence that nobody wanted for longer than
    its period is taken up anew: its first digest holds the period that runs, never the whole past.
    ``running_until`` is when this was last asked of any cadence: while nothing runs, nobody stops wanting
    one, and what came meanwhile is news, to a cadence that was chosen meanwhile too.
    """
    if known is not None and (running_until or now) - known[1] <= 2 * _LENGTH[cadence]:
        return known[0]
    if first:
        return _BEGINNING
    moment = min(now, running_until or now)
    if cadence is Cadence.EACH:
        return moment
    start = _period_start(cadence, _day(moment, timezone, at))
    return datetime.combine(start, at, timezone).astimezone(UTC)


def period_key(cadence: Cadence, day: date) -> str:
    """The key of the period that a day lies in: ``2026-01-31``, ``2026-W05`` (ISO 8601) or ``2026-01``.
    Keys of one cadence sort as their periods do. Raises ValueError for "each post"."""
    if cadence is Cadence.DAILY:
        return day.isoformat()
    if cadence is Cadence.WEEKLY:
        year, week, _ = day.isocalendar()
        return f"{year}-W{week:02}"
    if cadence is Cadence.MONTHLY:
        return f"{day.year}-{day.month:02}"
    raise ValueError("only digests have periods")


def _day(moment: datetime, timezone: tzinfo, at: time) -> date:
    """The day that a moment lies in, where days begin ``at`` an hour of the wall's clock."""
    local = moment.astimezone(timezone).replace(tzinfo=None)
    return (local - timedelta(hours=at.hour, minutes=at.minute)).date()


def _period_start(cadence: Cadence, today: date) -> date:
    if cadence is Cadence.WEEKLY:
        return today - timedelta(days=today.weekday())
    if cadence is Cadence.MONTHLY:
        return today.replace(day=1)
    return today


def _age(post: Post) -> tuple[datetime, datetime, int]:
    published = post.published_at or post.first_seen_at
    return published.astimezone(UTC), post.first_seen_at, -post.position
