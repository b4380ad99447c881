"""What a look at a feed means, stored inside one transaction: posts, their names, the next visit.

Invariant 4: a post and the validators that hide it next time commit together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import random
from typing import Protocol

from newsletter.detect import Named, detect, names_of
from newsletter.model.changes import Changes, Known, Names, NewPost, Sighting
from newsletter.model.entry import FeedDocument
from newsletter.model.feed import Feed, FeedState, Poll, PollResult, Validators
from newsletter.model.issue import Issue
from newsletter.model.policy import PollPolicy
from newsletter.model.post import Post, PostState
from newsletter.poll import redirects, schedule
from newsletter.poll.look import Look


class FeedStore(Protocol):
    def get(self, feed_id: int) -> Feed: ...
    def by_url(self, url: str) -> Feed | None: ...
    def claim_due(self, now: datetime, *, lease: timedelta, token: str, limit: int) -> Sequence[Feed]: ...
    def claim(self, feed_id: int, now: datetime, *, lease: timedelta, token: str) -> Feed | None: ...
    def holds(self, feed_id: int, token: str) -> bool: ...
    def renew(self, token: str, until: datetime) -> None: ...
    def save_poll(self, feed: Feed, poll: Poll) -> None: ...


class PostStore(Protocol):
    def known_raws(self, feed_id: int) -> frozenset[str]: ...
    def known(self, feed_id: int, names: Names) -> Known: ...
    def add(self, feed_id: int, new: Sequence[NewPost], now: datetime) -> Sequence[int]: ...
    def see(self, feed_id: int, seen: Sequence[Sighting], by_bytes: Sequence[str], now: datetime) -> None: ...
    def move(self, post_id: int, to: PostState, reason: str, now: datetime) -> Post: ...
    def next_settled(self, feed_id: int) -> datetime | None: ...
    def cut_off(self, feed_id: int) -> Sequence[Post]: ...
    def replace_text(self, post_id: int, html: str, now: datetime) -> None: ...
    def publication_times(self, feed_id: int, *, limit: int = 20) -> Sequence[datetime]: ...


class IssuePostStore(Protocol):
    def withdraw(self, post_id: int, *, reason: str, now: datetime) -> Sequence[Issue]: ...


class IntakeUnit(Protocol):
    @property
    def feeds(self) -> FeedStore: ...
    @property
    def posts(self) -> PostStore: ...
    @property
    def issue_posts(self) -> IssuePostStore: ...


Work = Callable[[], AbstractContextManager[IntakeUnit]]


@dataclass(frozen=True, kw_only=True)
class Polled:
    """What one poll of one feed came to. Tuples hold ids of posts."""

    feed_id: int
    result: PollResult
    new: tuple[int, ...] = ()  #: will be mailed unless the author stops them
    edited: tuple[int, ...] = ()  #: known posts whose text changed, or that came back
    held: tuple[int, ...] = ()  #: wait for the author
    gone: tuple[int, ...] = ()  #: were deleted before they were mailed
    back_to_draft: tuple[int, ...] = ()  #: ids of approved issues that lost a post by that
    baseline: int = 0  #: posts that were already there
    note: str = ""  #: one sentence on what was out of the ordinary although the feed was read
    problem: str = ""
    next_poll_at: datetime | None = None
    next_poll_reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A look at a feed, and what its document's entries call themselves.

    Finding that out means reading every word, which takes seconds in a large document: it is done before the
    transaction begins.
    """

    seen: Look
    named: Sequence[Named] = ()
    names: Names = field(default_factory=lambda: Names(aliases=frozenset(), raws=frozenset()))


def visit_of(seen: Look, feed_id: int) -> Visit:
    if seen.document is None:
        return Visit(seen=seen)
    named, names = names_of(seen.document, feed_id)
    return Visit(seen=seen, named=named, names=names)


def file_look(unit: IntakeUnit, claimed: Feed, visit: Visit, policy: PollPolicy, now: datetime) -> Polled:
    """Stores what a look at a feed brought. The caller holds the feed's lease and an open transaction.

    ``claimed`` is the feed as it was when the look began: a visit asked for since then is still owed.
    """
    feed_id, seen = claimed.id, visit.seen
    feed = stored = unit.feeds.get(feed_id)
    polled = Polled(feed_id=feed_id, result=seen.result, problem=seen.problem)
    feed = replace(feed, polled_at=now, problem=seen.problem)
    if seen.document is not None:
        polled = _compare(unit, feed, seen.document, visit, polled, policy, now)
        feed = _described(feed, seen.document, now)
    if seen.result in (PollResult.READ, PollResult.UNCHANGED):
        feed = _after_success(unit, feed, seen, polled, policy, now)
    else:
        feed = _after_failure(feed, seen, now)
    other = unit.feeds.by_url(feed.url)
    if other is not None and other.id != feed_id:
        feed = replace(feed, url=stored.url)
    if stored.next_poll_at != claimed.next_poll_at:
        feed = replace(feed, next_poll_at=stored.next_poll_at, next_poll_reason=stored.next_poll_reason)
    if feed.state is not FeedState.ACTIVE:
        feed = replace(feed, next_poll_at=None)
    polled = replace(polled, next_poll_at=feed.next_poll_at, next_poll_reason=feed.next_poll_reason)
    unit.feeds.save_poll(feed, _log(polled, seen, now))
    return polled


def _compare(
    unit: IntakeUnit,
    feed: Feed,
    document: FeedDocument,
    visit: Visit,
    polled: Polled,
    policy: PollPolicy,
    now: datetime,
) -> Polled:
    known = unit.posts.known(feed.id, visit.names)
    changes = detect(document, visit.named, known, feed=feed, policy=policy, now=now)
    ids = unit.posts.add(feed.id, changes.new, now)
    unit.posts.see(feed.id, changes.seen, document.known, now)
    recalled: list[int] = []
    for post_id, reason in changes.gone:
        post = unit.posts.move(post_id, PostState.GONE, reason, now)
        approved = unit.issue_posts.withdraw(post_id, reason=withdrawal(post), now=now)
        recalled += [issue.id for issue in approved]
    counted = _counted(changes, ids, known, polled)
    return replace(counted, back_to_draft=tuple(dict.fromkeys(recalled)), note=changes.note)


def withdrawal(post: Post) -> str:
    """Why an approved issue is a draft again."""
    return f"“{post.title or post.url}” was deleted from the blog after you approved this issue."


def _counted(changes: Changes, ids: Sequence[int], known: Known, polled: Polled) -> Polled:
    states = {post_id: item.state for post_id, item in zip(ids, changes.new, strict=True)}
    back = [item.post_id for item in changes.seen if item.state is PostState.HELD]
    edited = [
        item.post_id
        for item in changes.seen
        if (item.entry is not None or item.state is not None)
        and known.posts[item.post_id].state is not PostState.BASELINE
    ]
    return replace(
        polled,
        new=tuple(i for i, state in states.items() if state in (PostState.SETTLING, PostState.READY)),
        edited=tuple(i for i in edited if i not in back),
        held=(*(i for i, state in states.items() if state is PostState.HELD), *back),
        gone=tuple(post_id for post_id, _reason in changes.gone),
        baseline=sum(state is PostState.BASELINE for state in states.values()),
    )


def _described(feed: Feed, document: FeedDocument, now: datetime) -> Feed:
    """The feed with what its document says of it. A document of known entries only says nothing."""
    if document.kind:
        feed = replace(
            feed,
            title=document.title or feed.title,
            subtitle=document.subtitle,
            site_url=document.site_url or feed.site_url,
            language=document.language,
            ttl_s=document.ttl_s,
            hub_url=document.hub_url,
            self_url=document.self_url,
            # Another hub, or another name for the feed there: nobody has been asked yet.
            hub_lease_until=None if _has_other_hub(feed, document) else feed.hub_lease_until,
        )
    return replace(feed, baseline_at=feed.baseline_at or now)


def _has_other_hub(feed: Feed, document: FeedDocument) -> bool:
    before, after = (feed.hub_url, feed.self_url), (document.hub_url, document.self_url)
    return bool(feed.hub_url and document.hub_url) and before != after


def _trouble(seen: Look, polled: Polled) -> str:
    """What the feed's page says of a document that could be read; what was held is told elsewhere."""
    if seen.document is None:
        return ""
    return seen.document.problem or ("" if polled.held else polled.note)


def _after_success(
    unit: IntakeUnit, feed: Feed, seen: Look, polled: Polled, policy: PollPolicy, now: datetime
) -> Feed:
    plan = schedule.after_success(
        now=now,
        policy=policy,
        published=unit.posts.publication_times(feed.id),
        ttl=None if feed.ttl_s is None else timedelta(seconds=feed.ttl_s),
        max_age=seen.max_age,
        settles_at=unit.posts.next_settled(feed.id),
        jitter=random(),
    )
    feed = replace(
        feed,
        validators=seen.validators,
        body_sha=seen.body_sha,
        full_fetch_at=now if seen.status == 200 else feed.full_fetch_at,
        failures=0,
        problem=seen.note or _trouble(seen, polled),
        interval_s=round(plan.interval.total_seconds()),
        next_poll_at=plan.at,
        next_poll_reason=plan.reason,
    )
    return redirects.follow(feed, seen.permanent, now)


def _after_failure(feed: Feed, seen: Look, now: datetime) -> Feed:
    failures = feed.failures + 1
    moved = redirects.fall_back(feed, seen.answered_by) if seen.status in (404, 410) else None
    if moved is not None:
        reason = "its old address is gone; trying the one that it used to redirect to"
        return replace(
            moved, failures=failures, validators=Validators(), next_poll_at=now, next_poll_reason=reason
        )
    if seen.result is PollResult.GONE and feed.failures:
        reason = "it said twice that it has ended; no longer polled"
        return replace(feed, failures=failures, state=FeedState.PAUSED, next_poll_reason=reason)
    plan = (
        schedule.after_gone(now=now)
        if seen.result is PollResult.GONE
        else schedule.after_failure(now=now, failures=failures, retry_after=seen.retry_after, jitter=random())
    )
    return replace(feed, failures=failures, next_poll_at=plan.at, next_poll_reason=plan.reason)


def _log(polled: Polled, seen: Look, now: datetime) -> Poll:
    document = seen.document
    return Poll(
        feed_id=polled.feed_id,
        at=now,
        result=polled.result,
        status=seen.status,
        size=seen.size,
        entries=len(document.entries) + len(document.known) if document is not None else 0,
        new=len(polled.new),
        edited=len(polled.edited),
        held=len(polled.held),
        elapsed_ms=seen.elapsed_ms,
        problem=seen.problem
        or polled.note
        or seen.note
        or (document.problem if document is not None else ""),
        next_poll_at=polled.next_poll_at,
        next_poll_reason=polled.next_poll_reason,
    )
