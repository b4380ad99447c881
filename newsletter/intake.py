"""Steps poll and detect, as the pipeline calls them, and what follows for drafts and the author."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from newsletter import polling
from newsletter.config import Settings
from newsletter.detect import settle_due as settle_due_posts
from newsletter.model.feed import FeedState
from newsletter.model.notice import NoticeKind
from newsletter.model.policy import FirstPoll, PollPolicy
from newsletter.polling import Polled
from newsletter.telling import tell_author
from newsletter.tools import Tools

__all__ = ["Polled", "poll_due", "poll_feed", "settle_due"]

if TYPE_CHECKING:
    from newsletter.store.unit import Unit

TOLD_AFTER: Final = 5  #: failures in a row: one bad hour of a blog is no news


def poll_due(tools: Tools, budget_s: float) -> list[Polled]:
    """Looks at the feeds that are due; the author is told once of what was held or keeps failing."""
    settings = tools.settings()
    _add_first_feed(tools, settings)
    polled = polling.poll_due(
        tools.begin, tools.http(settings), tools.parser, policy(settings), tools.clock, budget_s
    )
    _follow(tools, settings, polled)
    return polled


def poll_feed(tools: Tools, feed_id: int) -> Polled:
    """Looks at one feed now. Raises NotFound, and Conflict while another process looks at it."""
    settings = tools.settings()
    polled = polling.poll_feed(
        feed_id, tools.begin, tools.http(settings), tools.parser, policy(settings), tools.clock
    )
    _follow(tools, settings, [polled])
    return polled


def settle_due(tools: Tools) -> int:
    """Posts whose time for corrections is over become ready; how many."""
    with tools.read() as unit:
        if not unit.posts.settled(tools.clock()):
            return 0
    with tools.begin() as unit:
        return settle_due_posts(unit, policy(tools.settings()), tools.clock())


def policy(settings: Settings) -> PollPolicy:
    return PollPolicy(
        interval=settings.poll_interval,
        longest=max(settings.poll_interval, PollPolicy.longest),
        settle=settings.settle,
        flood=settings.flood,
        max_age=settings.max_age,
        first_poll=FirstPoll(settings.first_poll),
    )


def _add_first_feed(tools: Tools, settings: Settings) -> None:
    """FEED_URL is watched by itself, once: an author who removed it meant it."""
    if not settings.feed_url:
        return
    with tools.read() as unit:
        if unit.feeds.list(states=tuple(FeedState)):
            return
    with tools.begin() as unit:
        unit.feeds.add(settings.feed_url, now=tools.clock())


def _follow(tools: Tools, settings: Settings, polled: Sequence[Polled]) -> None:
    telling = [one for one in polled if one.gone or one.held or one.problem]
    if not telling:
        return
    with tools.begin() as unit:
        for one in telling:
            for post_id in one.gone:
                unit.issues.withdraw_post(post_id)
            if one.held:
                _tell_held(tools, unit, settings, one)
            if one.problem:
                _tell_problem(tools, unit, settings, one)


def _tell_held(tools: Tools, unit: Unit, settings: Settings, polled: Polled) -> None:
    posts = unit.posts.get_many(polled.held)
    first = posts[0]
    names = "\0".join(str(post.id) for post in posts)
    more = f" ({len(posts) - 1} more were held with it.)" if len(posts) > 1 else ""
    tell_author(
        unit,
        settings,
        key=f"held:{polled.feed_id}:{hashlib.sha256(names.encode()).hexdigest()[:24]}",
        kind=NoticeKind.POST_HELD,
        data={"title": first.title, "url": first.url, "reason": first.reason + more},
        now=tools.clock(),
    )


def _tell_problem(tools: Tools, unit: Unit, settings: Settings, polled: Polled) -> None:
    feed = unit.feeds.get(polled.feed_id)
    if feed.failures != TOLD_AFTER and feed.state is not FeedState.PAUSED:
        return
    tell_author(
        unit,
        settings,
        key=f"feed:{feed.id}:{feed.full_fetch_at.timestamp() if feed.full_fetch_at else 0:.0f}",
        kind=NoticeKind.PROBLEM,
        data={
            "text": f"{feed.title or feed.url}: {feed.problem}",
            "hint": "It is still looked at."
            if feed.state is FeedState.ACTIVE
            else "It is no longer looked at.",
        },
        now=tools.clock(),
    )
