"""JSON Feed 1.0 and 1.1 (https://www.jsonfeed.org/version/1.1/) -> FeedDocument. Runs inside the killable
child."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from html import escape
from typing import Any

from newsletter.model.entry import Entry, FeedDocument
from newsletter.poll.dates import parse_date
from newsletter.poll.text import NAME_LIMIT, clean, one_line, web_url, without_markup


class NoJsonFeed(ValueError):
    """JSON, perhaps, but no JSON Feed."""


def read(body: bytes, *, url: str, limit: int) -> FeedDocument:
    """Raises NoJsonFeed. Reads at most ``limit`` items."""
    try:
        feed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NoJsonFeed("it is damaged JSON") from error
    if not isinstance(feed, dict) or not isinstance(feed.get("items"), list):
        raise NoJsonFeed("it is JSON, but no JSON Feed")
    items = [item for item in feed["items"][:limit] if isinstance(item, dict)]
    language = one_line(feed.get("language"), 35)
    hubs = [hub.get("url") for hub in _list(feed.get("hubs")) if hub.get("type") == "WebSub"]
    return FeedDocument(
        title=one_line(feed.get("title")),
        subtitle=one_line(feed.get("description"), 2_000),
        site_url=web_url(url, feed.get("home_page_url")),
        language=language,
        hub_url=next(filter(None, (web_url(url, hub) for hub in hubs)), ""),
        self_url=web_url(url, feed.get("feed_url")),
        next_url=web_url(url, feed.get("next_url")),
        kind="json",
        entries=tuple(
            _entry(item, feed, url, language, position=position) for position, item in enumerate(items)
        ),
    )


def _entry(
    item: Mapping[str, Any], feed: Mapping[str, Any], base: str, language: str, *, position: int
) -> Entry:
    link = web_url(base, item.get("url")) or web_url(base, item.get("external_url"))
    html = clean(item.get("content_html"))
    if not html and isinstance(item.get("content_text"), str):
        html = "".join(
            f"<p>{escape(part)}</p>" for part in clean(item["content_text"]).split("\n\n") if part.strip()
        )
    summary = clean(item.get("summary"))
    raw = json.dumps(item, sort_keys=True, ensure_ascii=True).encode()
    identifier = item.get("id")
    return Entry(
        guid=one_line(str(identifier) if isinstance(identifier, (str, int, float)) else "", 2_000),
        url=link,
        title=without_markup(item.get("title")),
        html=html or summary,
        summary=summary if html else "",
        author=_author(item) or _author(feed),
        published_at=parse_date(str(item.get("date_published") or "")),
        updated_at=parse_date(str(item.get("date_modified") or "")),
        topics=tuple(dict.fromkeys(filter(None, (one_line(tag, 100) for tag in _tags(item))))),
        image_url=web_url(base, item.get("image")) or web_url(base, item.get("banner_image")),
        language=one_line(item.get("language"), 35) or language,
        position=position,
        raw_sha=sha256(raw).hexdigest(),
        base_url=link or base,
        truncated=not html,
    )


def _author(thing: Mapping[str, Any]) -> str:
    people = [*_list(thing.get("authors")), thing.get("author")]
    names = (one_line(person.get("name"), NAME_LIMIT) for person in people if isinstance(person, dict))
    return next(filter(None, names), "")


def _tags(item: Mapping[str, Any]) -> list[object]:
    tags = item.get("tags")
    return tags[:50] if isinstance(tags, list) else []


def _list(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
