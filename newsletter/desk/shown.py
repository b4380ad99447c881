"""What the desk shows: frozen, read-only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.model.checklist import Checklist
from newsletter.model.delivery import Delivery
from newsletter.model.feed import Feed, Poll
from newsletter.model.issue import Issue
from newsletter.model.post import Post
from newsletter.model.receipt import Receipt
from subscribers.model import Consent, Subscriber, Suppression


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
    feed: Feed
    polls: Sequence[Poll]
    posts: Sequence[Post]


@dataclass(frozen=True, kw_only=True)
class ReceiptShown:
    """``remarks`` are the failed, unknown and skipped deliveries, each with its reason."""

    receipt: Receipt
    issue: Issue
    remarks: Sequence[Delivery]


@dataclass(frozen=True, kw_only=True)
class Person:
    subscriber: Subscriber
    consents: Sequence[Consent]
    suppressions: Sequence[Suppression]


@dataclass(frozen=True, kw_only=True)
class Today:
    """What needs the author."""

    drafts: Sequence[IssueShown]
    held: Sequence[Post]
    problems: Sequence[str]
    sending: Sequence[IssueShown]
    approved: Sequence[IssueShown]
    set_up: bool
