"""What the desk shows: frozen, read-only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from newsletter.compose import Told
from newsletter.desk.history import Happened
from newsletter.learn.progress import Timeline
from newsletter.model.checklist import Checklist
from newsletter.model.delivery import Delivery
from newsletter.model.feed import Feed, Poll
from newsletter.model.issue import Carrier, Issue, IssueState
from newsletter.model.post import Post
from newsletter.model.receipt import DomainLine, Receipt, Trouble
from newsletter.model.tracking import Reading, Readings
from subscribers.model import Consent, Subscriber, Suppression
from subscribers.tracking import Agreed


@dataclass(frozen=True, kw_only=True)
class IssueShown:
    """``posts`` in the issue's order, left-out ones too. ``size`` is that of the HTML part in bytes, 0
    where nothing is composed yet."""

    issue: Issue
    posts: tuple[Post, ...]
    checklist: Checklist
    size: int


@dataclass(frozen=True, kw_only=True)
class FeedShown:
    """``polls`` and ``posts`` newest first. ``carriers``: the issues of a post, by its id. ``elsewhere``:
    posts that this feed carries too, but that another feed brought first."""

    feed: Feed
    polls: Sequence[Poll]
    posts: Sequence[Post]
    carriers: Mapping[int, Sequence[Carrier]] = field(default_factory=dict)
    elsewhere: Sequence[Post] = ()


@dataclass(frozen=True, kw_only=True)
class HeldPost:
    """A post on hold, and how its title and first words read."""

    post: Post
    told: Told


@dataclass(frozen=True, kw_only=True)
class FeedWaiting:
    feed: Feed
    held: tuple[HeldPost, ...]


@dataclass(frozen=True, kw_only=True)
class ReceiptShown:
    """``seconds_left`` is how long it takes until everybody had their turn, None where nobody knows;
    ``full_until`` when more may leave, where all that ``rate`` allows just now has left;
    ``next_try_at`` when the first of those who wait is tried again; ``readings`` what was counted of opens
    and clicks, None where nothing is."""

    receipt: Receipt
    issue: Issue
    timeline: Timeline
    seconds_left: float | None
    full_until: datetime | None
    rate: str
    next_try_at: datetime | None
    readings: Readings | None


@dataclass(frozen=True, kw_only=True)
class Details:
    """The receipt by recipient domain and by reason; each list adds up or is cut at its most frequent."""

    domains: Sequence[DomainLine]
    troubles: Sequence[Trouble]


@dataclass(frozen=True, kw_only=True)
class Named:
    """One who failed, waits, was left out, or may not have received it. ``address`` is empty for an erased
    subscriber."""

    delivery: Delivery
    address: str


@dataclass(frozen=True, kw_only=True)
class Person:
    subscriber: Subscriber
    consents: Sequence[Consent]
    suppressions: Sequence[Suppression]
    received: Sequence[Received] = ()
    agreed: Sequence[Agreed] = ()  #: that their own opens and clicks may be kept
    read: Sequence[Reading] = ()
    history: Sequence[Happened] = ()  #: all of it as one story, newest first


@dataclass(frozen=True, kw_only=True)
class Received:
    """What became of one issue for one subscriber."""

    issue_id: int
    subject: str
    what: str  #: for people
    at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Today:
    """What needs the author."""

    drafts: Sequence[IssueShown]
    held: Sequence[Post]
    problems: Sequence[str]
    sending: Sequence[IssueShown]
    approved: Sequence[IssueShown]
    set_up: bool


_FATES: Final[Mapping[IssueState, str]] = {
    IssueState.DRAFT: "waits for your approval in",
    IssueState.APPROVED: "approved in",
    IssueState.SENDING: "being mailed in",
    IssueState.PAUSED: "mailed in part in",
    IssueState.FINISHED: "mailed in",
    IssueState.CANCELLED: "cancelled with",
}


def brought(poll: Poll) -> str:
    """What a look at a feed brought, in one clause: "9 posts, 1 new, 4 held"; "" where it brought nothing."""
    counts = ((poll.entries, "posts"), (poll.new, "new"), (poll.edited, "edited"), (poll.held, "held"))
    said = [
        f"{count:,} {'post' if count == 1 and word == 'posts' else word}" for count, word in counts if count
    ]
    return ", ".join(said)


def is_mailed(carriers: Iterable[Carrier]) -> bool:
    """Whether a post has gone out, at least to some, in one of these issues."""
    under_way = (IssueState.SENDING, IssueState.PAUSED, IssueState.FINISHED)
    return any(carrier.included and carrier.state in under_way for carrier in carriers)


def fate(carrier: Carrier) -> str:
    """What became of a post in an issue, to be followed by the issue: "mailed in", "left out of"."""
    return _FATES[carrier.state] if carrier.included else "left out of"
