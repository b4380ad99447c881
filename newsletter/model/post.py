"""Post: an entry that we know and remember, with its aliases and revisions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from newsletter.errors import Conflict


class PostState(StrEnum):
    BASELINE = "baseline"  #: was there before we were: never mailed by itself
    SETTLING = "settling"  #: new; waiting for the author's corrections
    READY = "ready"  #: may be mailed
    HELD = "held"  #: doubtful: the author decides
    SKIPPED = "skipped"  #: the author decided: not mailed
    GONE = "gone"  #: deleted from the feed; whatever was not sent yet leaves it out


_MOVES: dict[PostState, frozenset[PostState]] = {
    PostState.BASELINE: frozenset({PostState.READY}),
    PostState.SETTLING: frozenset({PostState.READY, PostState.HELD, PostState.SKIPPED, PostState.GONE}),
    PostState.READY: frozenset({PostState.SKIPPED, PostState.GONE}),
    PostState.HELD: frozenset({PostState.READY, PostState.SKIPPED, PostState.GONE}),
    PostState.SKIPPED: frozenset({PostState.READY}),
    PostState.GONE: frozenset({PostState.READY, PostState.SETTLING, PostState.HELD}),  # back in the feed
}


def move_post(state: PostState, to: PostState) -> PostState:
    """The one place where a post changes state. Raises Conflict for a move that does not exist."""
    if to is state:
        return state
    if to not in _MOVES[state]:
        raise Conflict(f"A post that is {state} cannot become {to}.")
    return to


class AliasKind(StrEnum):
    GUID = "guid"  #: unique per feed
    LINK = "link"  #: canonical link, unique per newsletter
    TITLE_TIME = "title_time"  #: title with publication second
    TEXT = "text"  #: hash of a text of at least 48 words


@dataclass(frozen=True, kw_only=True)
class Alias:
    """One name by which an entry can be recognised. Kept for ever."""

    kind: AliasKind
    value: str
    feed_id: int = 0  #: the feed for GUID, 0 for kinds that hold for the whole newsletter


@dataclass(frozen=True, kw_only=True)
class Post:
    id: int
    feed_id: int
    state: PostState
    reason: str = ""  #: one sentence: why it is in this state
    title: str
    url: str = ""
    author: str = ""
    html: str = ""  #: the feed's markup as it came
    summary: str = ""
    base_url: str = ""
    published_at: datetime | None = None
    first_seen_at: datetime
    last_seen_at: datetime
    changed_at: datetime | None = None  #: when an edit was last seen
    settle_until: datetime | None = None
    position: int = 0
    topics: tuple[str, ...] = ()
    comments_url: str = ""
    image_url: str = ""
    language: str = ""
    content_sha: str = ""  #: of what a reader would notice: title, link, visible words, pictures
    raw_sha: str = ""
    revision: int = 1
    truncated: bool = False
