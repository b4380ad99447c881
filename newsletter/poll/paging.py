"""Where the older part of a feed is, when its newest part has nothing that we know. Pure."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl, urlencode, urlsplit

from newsletter.model.entry import FeedDocument

PAGES = 6  #: asked for at most, the first included


def older_page(url: str, document: FeedDocument, *, number: int, entries: int) -> str:
    """The address of page ``number`` (2 is the first older one), ``entries`` having been read so far; or "".

    The feed's own word counts first (RFC 5005 ``prev-archive`` and ``next``, JSON Feed ``next_url``), then
    what Blogger (``start-index``) and WordPress (``paged``) understand.
    """
    if document.next_url:
        return document.next_url
    if not document.entries:
        return ""
    if urlsplit(url).path.startswith("/feeds/posts/"):
        return _with(url, "start-index", str(entries + 1))
    if "wordpress" in document.generator.lower():
        return _with(url, "paged", str(number))
    return ""


def join(newer: FeedDocument, older: FeedDocument) -> FeedDocument:
    """Both as one document, the newer one's description kept."""
    first = len(newer.entries)
    moved = tuple(
        replace(entry, position=first + index, raw_sha="") for index, entry in enumerate(older.entries)
    )
    return replace(newer, entries=newer.entries + moved, next_url=older.next_url)


def _with(url: str, name: str, value: str) -> str:
    parts = urlsplit(url)
    query = [(key, text) for key, text in parse_qsl(parts.query, keep_blank_values=True) if key != name]
    return parts._replace(query=urlencode([*query, (name, value)])).geturl()
