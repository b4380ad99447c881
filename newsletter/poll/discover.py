"""Finds the feeds behind any address: a feed, a blog's home page, one of its posts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urljoin, urlsplit

from selectolax.lexbor import LexborHTMLParser

from newsletter.errors import FeedProblem, FeedUnparsable, Invalid
from newsletter.model.entry import FeedDocument
from newsletter.model.feed import Validators
from newsletter.poll.fetch import Fetched, fetch
from newsletter.poll.ports import Http, Parse

TRIED = 12  #: addresses asked behind one page
_HTML_LIMIT = 2_000_000
_TYPES = {"application/atom+xml", "application/rss+xml", "application/feed+json", "application/rdf+xml",
          "text/xml", "application/xml", "application/json", "application/x.atom+xml"}  # fmt: skip
_NO_FEED = re.compile(r"/wp-json|oembed|/xmlrpc|rsd\.xml|opensearch|manifest|sitemap", re.I)
_COMMENTS = re.compile(r"comment|kommentar|commentaire|comentario|replies", re.I)
_LIKELY = re.compile(
    r"/(?:feed|rss|atom)/?$|/(?:feed|rss|atom|index)\.(?:xml|rss|atom|json)$|/feeds/posts/default", re.I
)
_WELL_KNOWN = ("/feed/", "/feeds/posts/default", "/rss/", "/feed.xml", "/atom.xml", "/rss.xml",
"/index.xml",
               "/feed.json", "/blog/feed/", "/blog/index.xml")  # fmt: skip
_BY_GENERATOR = {"blogger": "/feeds/posts/default", "wordpress": "/feed/", "ghost": "/rss/", "substack":
"/feed",
                 "hugo": "/index.xml", "jekyll": "/feed.xml", "eleventy": "/feed.xml"}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class FoundFeed:
    """A feed that was fetched and read: enough for an author to recognise it."""

    url: str
    title: str
    kind: str  #: rss, atom, rdf, json, cdf
    entries: int
    newest_title: str
    newest_at: datetime | None
    site_url: str
    comments: bool = False  #: it carries comments, not posts


def find_feeds(url: str, http: Http, parser: Parse) -> list[FoundFeed]:
    """The feeds at or behind an address, the best first; empty where there is none.

    Every one has been read. ``url`` may lack its scheme. Raises Invalid for what is no web address and
    FeedUnreachable where the page itself cannot be fetched. Never stores anything.
    """
    fetched = _first(_addresses(url), http)
    itself = _try_parse(fetched, parser)
    if itself is not None:
        return [_found(fetched.url if fetched.permanent else url_of(fetched, url), itself)]
    found: list[FoundFeed] = []
    seen = {fetched.url}
    for address in _candidates(fetched):
        if address in seen or len(seen) > TRIED:
            continue
        if len(found) and not _named(address, fetched):
            break
        seen.add(address)
        feed = _read(address, http, parser)
        if feed is not None and not _same(feed, found):
            found.append(feed)
    return sorted(found, key=lambda feed: (feed.comments, feed.entries == 0))


def url_of(fetched: Fetched, asked: str) -> str:
    """The address to keep for a feed: the one asked for, unless it lacked its scheme."""
    return asked if asked.startswith(("http://", "https://")) else fetched.url


def _addresses(url: str) -> tuple[str, ...]:
    text = re.sub(r"^feed:(?://)?(?=https?:)", "", url.strip()).replace("feed://", "http://", 1)
    if not text or any(character.isspace() for character in text):
        raise Invalid("That is not a web address.", hint="Give the blog's, such as https://example.org.")
    if "://" not in text:
        return tuple(_page(f"{scheme}://{text}") for scheme in ("https", "http"))
    return (_page(text),)


def _page(url: str) -> str:
    """Where a well-known host keeps the feed of a page that does not name it."""
    parts = urlsplit(url)
    host = (parts.hostname or "").removeprefix("www.")
    path = [part for part in parts.path.split("/") if part]
    if host == "github.com" and len(path) == 2:
        return f"https://github.com/{path[0]}/{path[1]}/releases.atom"
    if host == "medium.com" and path and path[0] != "feed":
        return f"https://medium.com/feed/{path[0]}"
    if host == "reddit.com" and path[:1] == ["r"] and not parts.path.endswith(".rss"):
        return f"https://www.reddit.com/r/{path[1]}/.rss" if len(path) > 1 else url
    return url


def _first(addresses: tuple[str, ...], http: Http) -> Fetched:
    for address in addresses[:-1]:
        try:
            return fetch(http, address, validators=Validators(), now=datetime.now(UTC))
        except FeedProblem:
            continue
    return fetch(http, addresses[-1], validators=Validators(), now=datetime.now(UTC))


def _try_parse(fetched: Fetched, parser: Parse) -> FeedDocument | None:
    try:
        document = parser.parse(fetched.body, url=fetched.url, content_type=fetched.content_type)
    except FeedUnparsable:
        return None
    return document if document.kind or document.entries else None


def _read(address: str, http: Http, parser: Parse) -> FoundFeed | None:
    try:
        fetched = fetch(http, address, validators=Validators(), now=datetime.now(UTC))
    except FeedProblem:
        return None
    document = _try_parse(fetched, parser)
    return None if document is None else _found(address, document)


def _candidates(page: Fetched) -> Iterator[str]:
    """Addresses to try: those that the page names, then those where its kind of blog keeps its feed."""
    tree = LexborHTMLParser(page.body[:_HTML_LIMIT])
    base = _base(tree, page.url)
    yield from _linked(tree, base)
    generator = tree.css_first('meta[name="generator"]')
    named = (generator.attributes.get("content") or "").lower() if generator else ""
    root = urljoin(page.url, "/")
    for word, path in _BY_GENERATOR.items():
        if word in named:
            yield urljoin(root, path)
    host = urlsplit(page.url).hostname
    for anchor in tree.css("a[href]"):
        address = _absolute(base, anchor.attributes.get("href"))
        if _LIKELY.search(urlsplit(address).path) and urlsplit(address).hostname == host:
            yield address
    for path in _WELL_KNOWN:
        yield urljoin(root, path)


def _linked(tree: LexborHTMLParser, base: str) -> list[str]:
    addresses = []
    for link in tree.css("link[rel][href]"):
        rels = (link.attributes.get("rel") or "").lower().split()
        kind = (link.attributes.get("type") or "").lower().split(";")[0].strip()
        address = _absolute(base, link.attributes.get("href"))
        is_feed = "feed" in rels or ("alternate" in rels and kind in _TYPES)
        if is_feed and address and not _NO_FEED.search(address):
            addresses.append(address)
    return sorted(dict.fromkeys(addresses), key=lambda address: bool(_COMMENTS.search(address)))


def _named(address: str, page: Fetched) -> bool:
    tree = LexborHTMLParser(page.body[:_HTML_LIMIT])
    return address in _linked(tree, _base(tree, page.url))


def _base(tree: LexborHTMLParser, url: str) -> str:
    base = tree.css_first("base[href]")
    return urljoin(url, base.attributes.get("href") or "") if base else url


def _absolute(base: str, href: str | None) -> str:
    try:
        address = urljoin(base, (href or "").strip())
        return address if urlsplit(address).scheme in {"http", "https"} else ""
    except ValueError:
        return ""


def _found(url: str, document: FeedDocument) -> FoundFeed:
    dated = [entry for entry in document.entries if entry.published_at is not None]
    newest = max(dated, key=lambda entry: str(entry.published_at), default=next(iter(document.entries), None))
    return FoundFeed(
        url=url,
        title=document.title,
        kind=document.kind,
        entries=len(document.entries),
        newest_title=newest.title if newest else "",
        newest_at=newest.published_at if newest else None,
        site_url=document.site_url,
        comments=bool(_COMMENTS.search(urlsplit(url).path) or _COMMENTS.match(document.title)),
    )


def _same(feed: FoundFeed, found: list[FoundFeed]) -> bool:
    """The same posts in another format."""
    return feed.entries > 0 and _face(feed) in {_face(other) for other in found}


def _face(feed: FoundFeed) -> tuple[str, datetime | None, int]:
    return feed.newest_title, feed.newest_at, feed.entries
