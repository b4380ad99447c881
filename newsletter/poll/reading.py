"""Bytes of a feed document -> Entries. Runs only inside the killable child: it trusts nothing it reads.

feedparser does the reading, in raw mode (no sanitising, no rewriting of URLs in content: both are
quadratic on hostile input and are done later, once, by :mod:`newsletter.guard`). It is given bytes in
memory only: a string would be opened as a path or a URL.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from html import escape
from io import BytesIO
from typing import Any

import feedparser

from newsletter.model.entry import Entry, FeedDocument
from newsletter.poll import jsonfeed
from newsletter.poll.dates import parse_date
from newsletter.poll.repair import CHARSET, as_utf8, repaired
from newsletter.poll.split import Piece, split
from newsletter.poll.text import NAME_LIMIT, clean, one_line, web_url, without_markup

ENTRY_LIMIT = 10_000  #: entries of one document that are looked at
CHUNK = 200  #: entries handed to feedparser at once: bounds its memory
_CUT = re.compile(
    r"(?:\[?(?:…|\.\.\.|&#8230;|&hellip;|&#x2026;)\]?|(?:read more|continue reading)\S*)\s*$", re.I
)
_TAGS = re.compile(r"<[^<>]{0,500}>")
_KIND = {"rss": "rss", "ato": "atom"}  # feedparser has no version for a CDF document


def _bounded_authors() -> None:
    """Lets feedparser look for the email address in an author's name only where the name is one.

    Its expression takes time that grows with the square of the text (feedparser issue 562, open in 6.0.14):
    20 KB cost 9 s.
    """
    mixin = feedparser.mixin._FeedParserMixin
    unbounded = mixin._sync_author_detail

    def bounded(self: Any, key: str = "author") -> None:
        context = self._get_context()
        text = context.get(key)
        if isinstance(text, str) and len(text) > NAME_LIMIT:
            context[key] = text[:NAME_LIMIT]
        unbounded(self, key)

    mixin._sync_author_detail = bounded


_bounded_authors()


class NoFeed(ValueError):
    """What came is no feed of any kind. The text says what it looks like instead."""


def read(body: bytes, *, url: str, content_type: str = "") -> Iterator[FeedDocument]:
    """The document in parts, each with some of its entries; only the first part's other fields count.

    Raises NoFeed. Never touches the network or a file.
    """
    plain = as_utf8(body)
    if plain is not None:
        body, content_type = plain, CHARSET
    body = body.lstrip()  # feedparser looks for a document type in time that grows with its square
    start = body[:1]
    if start in (b"{", b"["):
        try:
            yield jsonfeed.read(body, url=url, limit=ENTRY_LIMIT)
        except jsonfeed.NoJsonFeed as error:
            raise NoFeed(str(error)) from error
        return
    pieces = split(body)
    if pieces is None or len(pieces) <= CHUNK:
        yield _parse(body, pieces, 0, url, content_type)
        return
    too_many = "" if len(pieces) <= ENTRY_LIMIT else f"Only the first {ENTRY_LIMIT} of its entries were read."
    head, tail = body[: pieces[0].start], body[pieces[-1].end :]
    for first in range(0, min(len(pieces), ENTRY_LIMIT), CHUNK):
        some = pieces[first : min(first + CHUNK, ENTRY_LIMIT)]
        part = head + body[some[0].start : some[-1].end] + tail
        document = _parse(part, some, first, url, content_type)
        yield replace(document, problem=" ".join(filter(None, (document.problem, too_many))))


def _parse(body: bytes, pieces: list[Piece] | None, first: int, url: str, content_type: str) -> FeedDocument:
    parsed = _feedparser(body, url, content_type)
    if parsed is None:
        parsed = _feedparser(repaired(body), url, CHARSET)
    if parsed is None:
        raise NoFeed("it is damaged in a way that hides all of it")
    entries = parsed.get("entries") or []
    version = parsed.get("version") or ""
    if not version and not entries:
        raise NoFeed(_looks_like(body))
    feed = parsed.get("feed") or {}
    base = _base(feed, url)
    shas = [piece.sha for piece in pieces] if pieces and len(pieces) == len(entries) else [""] * len(entries)
    return FeedDocument(
        title=_title(feed) or "",
        subtitle=without_markup(_get(feed, "subtitle"), 2_000),
        site_url=web_url(base, _get(feed, "link")),
        language=one_line(_get(feed, "language"), 35),
        hub_url=_link(feed, "hub", base),
        self_url=_link(feed, "self", base),
        next_url=_link(feed, "prev-archive", base) or _link(feed, "next", base),
        ttl_s=_ttl(feed),
        kind="rdf" if version in ("rss10", "rss090") else _KIND.get(version[:3], "cdf"),
        generator=one_line(_get(feed, "generator"), NAME_LIMIT),
        entries=tuple(
            _entry(entry, base, is_atom=version.startswith("atom"), position=first + index, sha=sha)
            for index, (entry, sha) in enumerate(zip(entries[:ENTRY_LIMIT], shas, strict=False))
        ),
        problem=_damage(parsed, pieces, len(entries)),
    )


def _feedparser(body: bytes, url: str, content_type: str) -> Mapping[str, Any] | None:
    """What feedparser makes of it; None where it fails: it raises whatever its last regex or codec raised."""
    headers = {"content-location": url, "content-type": content_type or "application/xml"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            parsed: Mapping[str, Any] = feedparser.parse(
                BytesIO(body), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
            )
            return parsed
        except (RecursionError, MemoryError):
            raise
        except Exception:
            return None


def _entry(entry: Mapping[str, Any], base: str, *, is_atom: bool, position: int, sha: str) -> Entry:
    html, language, markup_base, is_full = _content(entry, is_atom=is_atom)
    url = web_url(base, _get(entry, "feedburner_origlink")) or web_url(base, _get(entry, "link"))
    summary = clean(_get(entry, "summary"))
    published = _date(entry, "published") or _date(entry, "updated") or _date(entry, "created")
    return Entry(
        guid=one_line(_get(entry, "id"), 2_000),
        url=url,
        title=_title(entry),
        html=html,
        summary=summary if summary != html else "",
        author=_author(entry),
        published_at=published,
        updated_at=_date(entry, "updated"),
        topics=_topics(entry),
        comments_url=web_url(base, _get(entry, "comments")) or _link(entry, "replies", base),
        image_url=_image(entry, base),
        language=one_line(language, 35),
        position=position,
        raw_sha=sha,
        base_url=web_url(base, markup_base) or url or base,
        truncated=not is_full,
    )


def _content(entry: Mapping[str, Any], *, is_atom: bool) -> tuple[str, object, object, bool]:
    """The fullest markup of an entry, its language, its base, and whether it looks whole.

    An Atom summary never is (RFC 4287 section 4.2.13); an RSS description often is all there is.
    """
    contents = [item for item in _list(entry, "content") if isinstance(item.get("value"), str)]
    detail = _get(entry, "summary_detail")
    summary = detail if isinstance(detail, Mapping) else {"value": _get(entry, "summary")}
    best = max(contents, key=lambda item: len(item["value"]), default=None)
    if best is not None and len(best["value"]) >= len(clean(summary.get("value"))):
        return _markup(best), best.get("language"), best.get("base"), True
    markup = _markup(summary)
    whole = bool(markup) and not is_atom and not _CUT.search(_TAGS.sub(" ", markup[-2_000:]))
    return markup, summary.get("language"), summary.get("base"), whole


def _markup(item: Mapping[str, Any]) -> str:
    text = clean(item.get("value"))
    if item.get("type") == "text/plain" and text:
        return "".join(f"<p>{escape(part)}</p>" for part in re.split(r"\n\s*\n", text) if part.strip())
    return text


def _title(thing: Mapping[str, Any]) -> str:
    detail = _get(thing, "title_detail")
    if isinstance(detail, Mapping) and detail.get("type") == "text/plain":
        return one_line(detail.get("value"))
    return without_markup(_get(thing, "title"))


def _author(entry: Mapping[str, Any]) -> str:
    detail = _get(entry, "author_detail")
    name = detail.get("name") if isinstance(detail, Mapping) else None
    return without_markup(name or _get(entry, "author"), NAME_LIMIT)


def _topics(entry: Mapping[str, Any]) -> tuple[str, ...]:
    named: dict[str, None] = {}
    for tag in _list(entry, "tags")[:50]:
        if str(tag.get("term")).startswith("http://schemas.google.com/"):  # Google's "this is a post"
            continue
        topic = without_markup(tag.get("label") or tag.get("term"), 100)
        if topic:
            named[topic] = None
    return tuple(named)


def _image(entry: Mapping[str, Any], base: str) -> str:
    for key in ("media_content", "media_thumbnail", "enclosures"):
        for item in _list(entry, key):
            kind = str(item.get("type") or item.get("medium") or "")
            if key == "media_thumbnail" or kind.startswith("image"):
                found = web_url(base, item.get("url") or item.get("href"))
                if found:
                    return found
    return ""


def _link(thing: Mapping[str, Any], rel: str, base: str) -> str:
    for link in _list(thing, "links"):
        if link.get("rel") == rel and (rel != "replies" or "html" in str(link.get("type"))):
            return web_url(base, link.get("href"))
    return ""


def _ttl(feed: Mapping[str, Any]) -> int | None:
    """RSS ``ttl`` (minutes), else the syndication module's ``updatePeriod``/``updateFrequency``; in
    seconds."""
    minutes = _number(_get(feed, "ttl"))
    if minutes is not None:
        return min(minutes * 60, 7 * 86_400)
    period = {"hourly": 3_600, "daily": 86_400, "weekly": 604_800}.get(
        str(_get(feed, "sy_updateperiod") or "").strip()
    )
    often = _number(_get(feed, "sy_updatefrequency") or "1")
    return period // max(1, often) if period and often is not None else None


def _number(text: object) -> int | None:
    """What up to nine digits say; None for anything else, such as a "²", which Python calls a digit too."""
    found = re.fullmatch(r"\s*([0-9]{1,9})\s*", str(text or ""))
    return int(found[1]) if found else None


def _date(entry: Mapping[str, Any], name: str) -> datetime | None:
    return parse_date(str(_get(entry, name) or ""), _get(entry, f"{name}_parsed"))


def _base(feed: Mapping[str, Any], url: str) -> str:
    detail = _get(feed, "title_detail")
    return web_url(url, detail.get("base")) or url if isinstance(detail, Mapping) else url


def _get(thing: Mapping[str, Any], name: str) -> Any:
    # Not FeedParserDict.get: that answers "updated" with "published" where the former is missing.
    return dict.get(thing, name) if isinstance(thing, dict) else thing.get(name)


def _list(thing: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = _get(thing, name)
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def _damage(parsed: Mapping[str, Any], pieces: list[Piece] | None, count: int) -> str:
    if pieces and not count:
        return f"It is damaged: it names {len(pieces)} entries and none of them can be read."
    if parsed.get("bozo") and not isinstance(
        parsed.get("bozo_exception"), (feedparser.CharacterEncodingOverride, feedparser.NonXMLContentType)
    ):
        return "It is not well-formed XML; what could be read of it was read."
    return ""


def _looks_like(body: bytes) -> str:
    start = body[:2_000].lstrip().lower()
    if not start:
        return "the answer is empty"
    if b"<html" in start or b"<!doctype html" in start:
        return "it is a web page"
    return "it is neither RSS, Atom nor JSON Feed"
