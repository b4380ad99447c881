"""Entry: what a feed document says, as parsed just now. Not yet compared with what we remember."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of one feed document.

    ``html`` is the feed's own markup, never sanitised here; it is the full content where the feed
    carries one, else the summary. ``raw_sha`` is the SHA-256 (hex) of the entry's bytes in the document.
    """

    guid: str  #: empty where the feed gives none
    url: str  #: absolute; empty where the feed gives none
    title: str  #: plain text
    html: str
    summary: str = ""  #: plain text or markup of a summary beside the content
    author: str = ""
    published_at: datetime | None = None  #: None: absent or nonsense
    updated_at: datetime | None = None
    topics: tuple[str, ...] = ()
    comments_url: str = ""
    image_url: str = ""
    language: str = ""
    position: int = 0  #: 0 is the first in the document
    raw_sha: str = ""
    base_url: str = ""  #: xml:base or the entry's URL: what relative URLs mean
    truncated: bool = False  #: only a summary came


@dataclass(frozen=True, kw_only=True)
class FeedDocument:
    """A parsed feed document: what it says of itself, and its entries in document order."""

    title: str = ""
    subtitle: str = ""
    site_url: str = ""
    language: str = ""
    hub_url: str = ""
    self_url: str = ""
    next_url: str = ""  #: an older page (RFC 5005, JSON Feed), for paging back
    ttl_s: int | None = None  #: how long the feed asks us to wait, seconds
    kind: str = ""  #: rss, atom, rdf, json, cdf
    generator: str = ""
    entries: tuple[Entry, ...] = ()
    known: tuple[str, ...] = ()  #: raw hashes of entries recognised by their bytes and not parsed again
    problem: str = ""  #: one sentence where the document was damaged but readable
    cut_short: bool = False  #: it broke off before its end
