"""Steps poll and detect, as the pipeline calls them, and what follows for drafts and the author."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import structlog

from newsletter.config import Settings
from newsletter.detect import settle_due as settle_due_posts
from newsletter.model.feed import FeedState
from newsletter.model.notice import NoticeKind
from newsletter.model.policy import FirstPoll, PollPolicy
from newsletter.poll import websub
from newsletter.steps import polling
from newsletter.steps.polling import Polled
from newsletter.steps.telling import tell_author
from newsletter.steps.tools import Tools

__all__ = [
    "Polled", "confirm_hub", "poll_due", "poll_feed", "settle_due", "subscribe_to_hubs", "take_push",
]  # fmt: skip

log = structlog.get_logger(__name__)

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
    subscribe_to_hubs(tools, settings)
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
    """Posts whose time for corrections is over become ready; how many.

    One that had been withdrawn from a draft goes back into it.
    """
    now = tools.clock()
    with tools.read() as unit:
        if not unit.posts.settled(now) and not unit.issue_posts.withdrawn_ready():
            return 0
    with tools.begin() as unit:
        count = settle_due_posts(unit, policy(tools.settings()), now)
        back = unit.issue_posts.withdrawn_ready()
        for issue_id, post_id in back:
            unit.issue_posts.take_back(issue_id, post_id, now)
        return count + len(back)


def subscribe_to_hubs(tools: Tools, settings: Settings) -> None:
    """Asks hubs to tell us of new posts (WebSub), where they can reach us. A refusal costs nothing but speed:
    the feed is polled as ever, and the hub is asked again some hours later."""
    private = settings.allow_private_addresses
    base_url = settings.public_url if private else settings.base_url
    if not websub.reachable(base_url, allow_private=private):
        return
    problems = websub.subscribe_due(
        tools.begin, tools.http(settings), base_url, new_secret=secrets.token_urlsafe, now=tools.clock()
    )
    if problems:
        log.info("hubs that could not be asked", count=len(problems))


def confirm_hub(tools: Tools, feed_id: int, query: Mapping[str, str]) -> str | None:
    """What a hub that asks whether we want its pushes is answered; None: we do not. Raises NotFound."""
    with tools.begin() as unit:
        return websub.receive_verification(unit, feed_id, query, tools.clock())


def take_push(tools: Tools, feed_id: int, body: bytes, signature: str) -> bool:
    """Makes a feed due because its hub says that it has something new; False where it was not the hub.

    Raises NotFound.
    """
    with tools.begin() as unit:
        return websub.receive_push(unit, feed_id, body, signature, tools.clock())


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
    telling = [one for one in polled if one.back_to_draft or one.held or one.problem]
    if not telling:
        return
    with tools.begin() as unit:
        for one in telling:
            for issue_id in one.back_to_draft:
                _tell_back_to_draft(tools, unit, settings, issue_id)
            if one.held:
                _tell_held(tools, unit, settings, one)
            if one.problem:
                _tell_problem(tools, unit, settings, one)


def _tell_back_to_draft(tools: Tools, unit: Unit, settings: Settings, issue_id: int) -> None:
    issue = unit.issues.get(issue_id)
    tell_author(
        unit,
        settings,
        key=f"recalled:{issue_id}:{issue.changed_at.timestamp():.3f}",
        kind=NoticeKind.PROBLEM,
        issue_id=issue_id,
        data={
            "text": f"{issue.subject}: {issue.problem}",
            "hint": "It is a draft again and waits for your approval.",
        },
        now=tools.clock(),
    )


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
        data={"feed": str(polled.feed_id), "post": str(first.id), "reason": first.reason + more},
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
            "feed": str(feed.id),
            "text": f"{feed.title or feed.url}: {feed.problem}",
            "hint": "It is still looked at."
            if feed.state is FeedState.ACTIVE
            else "It is no longer looked at. Should it come back, add it once more.",
        },
        now=tools.clock(),
    )
