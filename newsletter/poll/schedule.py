"""When to look at a feed again, and why then. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from newsletter.model.policy import PollPolicy

_DAY = timedelta(days=1)
_FIRST_RETRY = timedelta(minutes=15)
_JITTER = 0.1
_SHARE = 8  #: looks per usual gap between two posts


@dataclass(frozen=True, kw_only=True)
class Next:
    """``at``, and one clause why then; ``interval`` is the rhythm behind it, before jitter."""

    at: datetime
    reason: str
    interval: timedelta


def after_success(
    *,
    now: datetime,
    policy: PollPolicy,
    published: Sequence[datetime],
    ttl: timedelta | None,
    max_age: timedelta | None,
    settles_at: datetime | None,
    jitter: float,
) -> Next:
    """The next look after one that went well.

    ``published`` are the publication times of the latest posts, newest first: a blog that posts rarely is
    looked at less often, within the author's bounds. ``ttl`` and ``max_age`` are the feed's and the server's
    own demands, at most a day. ``settles_at`` is when a new post wants to be read once more. ``jitter`` (0 to
    1) lengthens the wait by up to a tenth, so that feeds do not march in step.
    """
    interval, reason = _rhythm(published, policy, now)
    demands = [
        (ttl, f"the feed asks for no more than one visit every {_span(ttl)}" if ttl else ""),
        (max_age, f"the server says that its answer holds for {_span(max_age)}" if max_age else ""),
    ]
    for demand, words in demands:
        if demand is not None and min(demand, _DAY) > interval:
            interval, reason = min(demand, _DAY), words
    at = now + interval * (1 + _JITTER * jitter)
    if settles_at is not None and now < settles_at < at:
        return Next(
            at=settles_at, reason="a new post is read once more before it is mailed", interval=interval
        )
    return Next(at=at, reason=reason, interval=interval)


def after_failure(*, now: datetime, failures: int, retry_after: timedelta | None, jitter: float) -> Next:
    """The next look after ``failures`` bad ones in a row: a quarter of an hour, doubled each time, up to a
    day.

    Never gives up. Retry-After (at most a week) is kept to.
    """
    wait = min(_FIRST_RETRY * 2 ** min(failures - 1, 10), _DAY)
    reason = "the last visit failed" if failures == 1 else f"the last {failures} visits failed"
    if retry_after is not None and retry_after > wait:
        wait, reason = retry_after, f"the server asked us to wait {_span(retry_after)}"
    return Next(at=now + wait * (1 + _JITTER * jitter), reason=reason, interval=wait)


def after_gone(*, now: datetime) -> Next:
    return Next(
        at=now + _DAY,
        reason="it said that it has ended; asked once more in case that was a slip",
        interval=_DAY,
    )


def _rhythm(published: Sequence[datetime], policy: PollPolicy, now: datetime) -> tuple[timedelta, str]:
    shortest, longest = policy.interval, max(policy.longest, policy.interval)
    past = sorted((moment for moment in published if moment <= now), reverse=True)[:10]
    if len(past) < 2:
        return shortest, f"every {_span(shortest)}, as you set"
    gap = (now - past[-1]) / len(past)
    interval = min(max(gap / _SHARE, shortest), longest)
    if interval == shortest:
        return shortest, f"every {_span(shortest)}, as you set"
    return interval, f"it posts about every {_span(gap)}"


def _span(span: timedelta) -> str:
    minutes = max(1, round(span.total_seconds() / 60))
    for size, unit in ((1440, "day"), (60, "hour")):
        if minutes >= size:
            return f"{round(minutes / size)} {unit}s" if minutes >= 1.5 * size else unit
    return f"{minutes} minutes" if minutes > 1 else "minute"
