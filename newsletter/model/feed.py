"""Feed: a source URL, with what politeness towards it needs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class FeedState(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"  #: by the author, or after 410 Gone
    REMOVED = "removed"  #: no longer polled; its posts and aliases stay


class PollResult(StrEnum):
    """What came back from one poll."""

    UNCHANGED = "unchanged"  #: 304, or the same bytes
    READ = "read"  #: a document, compared with what we know
    FAILED = "failed"
    GONE = "gone"


@dataclass(frozen=True, kw_only=True)
class Validators:
    """HTTP validators, sent back verbatim (RFC 9110 section 8.8)."""

    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, kw_only=True)
class Feed:
    id: int
    url: str
    title: str = ""
    subtitle: str = ""
    site_url: str = ""
    language: str = ""
    state: FeedState = FeedState.ACTIVE
    full_text: bool = False  #: fetch the page when the feed carries only a summary
    validators: Validators = Validators()
    body_sha: str = ""
    interval_s: int = 0  #: the current rhythm, seconds; 0: not yet known
    ttl_s: int | None = None  #: how long the feed asks us to wait between polls, seconds
    added_at: datetime
    polled_at: datetime | None = None
    next_poll_at: datetime | None = None
    next_poll_reason: str = ""  #: one clause: why then
    baseline_at: datetime | None = None  #: when the first successful poll drew the line
    full_fetch_at: datetime | None = None  #: the last unconditional GET
    failures: int = 0  #: in a row
    problem: str = ""  #: the last one, in one sentence; empty when the last poll went well
    redirect_url: str = ""  #: where a permanent redirect points, not yet adopted
    redirect_since: datetime | None = None
    hub_url: str = ""
    self_url: str = ""
    hub_secret: str = ""  #: what the hub signs its pushes with; empty: not subscribed
    hub_lease_until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Poll:
    """One line of the poll log."""

    feed_id: int
    at: datetime
    result: PollResult
    status: int = 0  #: HTTP status, 0 where none came
    size: int = 0  #: bytes after decompression
    entries: int = 0
    new: int = 0
    edited: int = 0
    held: int = 0
    elapsed_ms: int = 0
    problem: str = ""
    next_poll_at: datetime | None = None
    next_poll_reason: str = ""
