"""Changes: what one feed document means, compared with what we know. Values only; the store applies them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from newsletter.model.entry import Entry
from newsletter.model.post import Alias, Post, PostState


@dataclass(frozen=True, kw_only=True)
class Names:
    """What a document's entries call themselves: everything to look up before comparing."""

    aliases: frozenset[Alias]
    raws: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Known:
    """What we remember, as far as one document of one feed can touch it.

    ``posts`` holds the post behind every id in ``aliases`` and ``raws``, and ``recent``: the feed's latest
    posts and all of its unmailed ones, whether or not the document names them.
    """

    aliases: Mapping[Alias, int] = field(default_factory=dict)
    raws: Mapping[str, int] = field(default_factory=dict)
    posts: Mapping[int, Post] = field(default_factory=dict)
    recent: tuple[int, ...] = ()
    mailed: frozenset[int] = frozenset()  #: posts of issues being sent or sent: past withdrawing
    count: int = 0  #: posts of this feed


@dataclass(frozen=True, kw_only=True)
class NewPost:
    entry: Entry
    state: PostState
    reason: str
    published_at: datetime | None
    settle_until: datetime | None
    content_sha: str
    aliases: tuple[Alias, ...]


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """A known post is in the document; ``aliases`` may hold names that it did not have before.

    ``entry`` is None when its text is as we know it, else what replaces it.
    """

    post_id: int
    raw_sha: str = ""
    aliases: tuple[Alias, ...] = ()
    position: int = 0
    entry: Entry | None = None
    content_sha: str = ""
    state: PostState | None = None  #: a move that goes with it
    reason: str = ""
    settle_until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Changes:
    new: tuple[NewPost, ...] = ()
    seen: tuple[Sighting, ...] = ()
    gone: tuple[tuple[int, str], ...] = ()  #: post id and one sentence why
    note: str = ""  #: one sentence for the feed's page; empty: nothing out of the ordinary
