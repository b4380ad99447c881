"""Finds the feeds behind any address: a feed, a blog's home page, one of its posts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urljoin, urlsplit

from newsletter.errors import FeedProblem, FeedUnparsable, Invalid
from newsletter.model.entry import FeedDocument
from newsletter.model.feed import Validators
from newsletter.poll.feedburner import fetch_feed
from newsletter.poll.fetch import Fetched
from newsletter.poll.ports import Http, Parse
from newsletter.poll.tags import decoded, tags

TRIED = 12  #: addresses asked behind one page
_TYPES = {"application/atom+xml", "application/rss+xml", "application/feed+json", "application/rdf+xml",
          "text/xml", "application/xml", "application/json", "application/x.atom+xml"}  # fmt: skip
_NO_FEED = re.compile(r"/wp-json|oembed|/xmlrpc|rsd\.xml|opensearch|manifest|sitemap", re.I)
_COMMENTS = re.compile(
    r"comment|kommentar|coment[aá]rio|reacties|replies|комментари|評論|评论|コメント", re.I
)
_LIKELY = re.compile(
    r"/(?:feed|rss|atom)/?$|/(?:feed|rss|atom|index)\.(?:xml|rss|atom|json)$|/feeds/posts/default", re.I
)
_VIDEOS = "https://www.youtube.com/feeds/videos.xml"
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
    page = _first(_addresses(url), http)
    itself = _try_parse(page, parser)
    if itself is not None:
        return [_found(page.asked, itself)]
    named, guessed = _candidates(page)
    found = _all_of(named, page, http, parser, TRIED) or _all_of(guessed, page, http, parser, 1)
    return sorted(found, key=lambda feed: (feed.comments, feed.entries == 0))


def _of_youtube(path: str, query: str) -> str:
    """The feed of a channel or a list whose page may be hidden behind a question about cookies; "" else."""
    channel = re.fullmatch(r"/channel/(UC[\w-]{10,40})(?:/.*)?", path)
    if channel:
        return f"{_VIDEOS}?channel_id={channel[1]}"
    playlist = re.search(r"(?:^|&)list=([\w-]{10,60})(?:&|$)", query) if path == "/playlist" else None
    return f"{_VIDEOS}?playlist_id={playlist[1]}" if playlist else ""


def _all_of(
    addresses: Sequence[str], page: Fetched, http: Http, parser: Parse, wanted: int
) -> list[FoundFeed]:
    found: list[FoundFeed] = []
    for address in [address for address in dict.fromkeys(addresses) if address != page.url][:TRIED]:
        feed = _read(address, http, parser)
        if feed is not None and not _same(feed, found):
            found.append(feed)
        if len(found) == wanted:
            break
    return found


def _addresses(url: str) -> tuple[str, ...]:
    text = re.sub(r"^feed:(?://)?(?=https?:)", "", url.strip()).replace("feed://", "http://", 1)
    if not text or any(character.isspace() for character in text):
        raise _no_address()
    if "://" not in text:
        return tuple(_page(f"{scheme}://{text}") for scheme in ("https", "http"))
    return (_page(text),)


def _no_address() -> Invalid:
    return Invalid("That is not a web address.", hint="Give the blog's, such as https://example.org.")


def _page(url: str) -> str:
    """Where a well-known host keeps the feed of a page that does not name it. Raises Invalid."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise _no_address() from error
    host = (parts.hostname or "").removeprefix("www.")
    path = [part for part in parts.path.split("/") if part]
    if host == "github.com" and len(path) == 2:
        return f"https://github.com/{path[0]}/{path[1]}/releases.atom"
    if host == "medium.com" and path and path[0] != "feed":
        return f"https://medium.com/feed/{path[0]}"
    if host == "open.substack.com" and path[:1] == ["pub"] and len(path) > 1:
        return f"https://{path[1]}.substack.com/feed"
    if host in ("youtube.com", "m.youtube.com"):
        return _of_youtube(parts.path, parts.query) or url
    if host == "reddit.com" and path[:1] == ["r"] and not parts.path.endswith(".rss"):
        return f"https://www.reddit.com/r/{path[1]}/.rss" if len(path) > 1 else url
    return url


def _first(addresses: tuple[str, ...], http: Http) -> Fetched:
    for address in addresses[:-1]:
        try:
            return fetch_feed(http, address, validators=Validators(), now=datetime.now(UTC))
        except FeedProblem:
            continue
    return fetch_feed(http, addresses[-1], validators=Validators(), now=datetime.now(UTC))


def _try_parse(fetched: Fetched, parser: Parse) -> FeedDocument | None:
    try:
        document = parser.parse(fetched.body, url=fetched.url, content_type=fetched.content_type)
    except FeedUnparsable:
        return None
    return document if document.kind or document.entries else None


def _read(address: str, http: Http, parser: Parse) -> FoundFeed | None:
    try:
        fetched = fetch_feed(http, address, validators=Validators(), now=datetime.now(UTC))
    except FeedProblem:
        return None
    document = _try_parse(fetched, parser)
    return None if document is None else _found(address, document)


def _candidates(page: Fetched) -> tuple[list[str], list[str]]:
    """Addresses that the page names as feeds, and those where a blog of its kind keeps them."""
    html = decoded(page.body, page.content_type)
    base, root, generator = page.url, urljoin(page.url, "/"), ""
    linked: list[str] = []
    likely: list[str] = []
    for name, attributes in tags(html, "base", "link", "meta", "a"):
        address = _absolute(base, attributes.get("href"))
        if name == "base" and address:
            base = address
        elif name == "meta" and attributes.get("name", "").lower() == "generator":
            generator = attributes.get("content", "").lower()
        elif name == "meta" and attributes.get("itemprop") in ("channelId", "identifier"):
            channel = attributes.get("content", "")  # on the page of a YouTube video, which links no feed
            if channel.startswith("UC") and (urlsplit(page.url).hostname or "").endswith("youtube.com"):
                likely.insert(0, f"{_VIDEOS}?channel_id={channel}")
        elif name == "link" and _is_feed_link(attributes) and not _NO_FEED.search(address):
            linked.append(address)
        elif name == "a" and _LIKELY.search(urlsplit(address).path) and address.startswith(root):
            likely.append(address)
    by_kind = [urljoin(root, path) for word, path in _BY_GENERATOR.items() if word in generator]
    posts_first = sorted(linked, key=lambda address: bool(_COMMENTS.search(address)))
    guessed = [*by_kind, *likely[:4], *(urljoin(root, path) for path in _WELL_KNOWN)]
    return [address for address in posts_first if address], guessed


def _is_feed_link(attributes: Mapping[str, str]) -> bool:
    rels = attributes.get("rel", "").lower().split()
    kind = attributes.get("type", "").lower().partition(";")[0].strip()
    return "feed" in rels or ("alternate" in rels and kind in _TYPES)


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
