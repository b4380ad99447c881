"""Whether to take a permanent redirect at its word. Pure.

A hijacked or misconfigured host redirects "permanently" too, so a new address is adopted only after a feed
has been read there for a week; a mere change to https at once.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from newsletter.model.feed import Feed

_TRUSTED_AFTER = timedelta(days=7)


def follow(feed: Feed, permanent: str, now: datetime) -> Feed:
    """The feed after a successful look that was led to ``permanent`` (empty: it was not led anywhere)."""
    if not permanent or permanent == feed.url:
        return replace(feed, redirect_url="", redirect_since=None)
    if _only_https(feed.url, permanent):
        return _adopt(feed, permanent)
    if feed.redirect_url != permanent or feed.redirect_since is None:
        return replace(feed, redirect_url=permanent, redirect_since=now)
    if now - feed.redirect_since >= _TRUSTED_AFTER:
        return _adopt(feed, permanent)
    return feed


def fall_back(feed: Feed, answered_by: str) -> Feed | None:
    """The feed at the address that its old one used to redirect to, once the old one itself is not found any
    more. ``answered_by`` said so: where it is another address, it is the new one that is broken."""
    return _adopt(feed, feed.redirect_url) if feed.redirect_url and answered_by == feed.url else None


def _adopt(feed: Feed, url: str) -> Feed:
    return replace(feed, url=url, redirect_url="", redirect_since=None)


def _only_https(old: str, new: str) -> bool:
    before, after = urlsplit(old), urlsplit(new)
    return (
        before.scheme == "http"
        and after.scheme == "https"
        and (before.hostname, before.path, before.query) == (after.hostname, after.path, after.query)
        and before.port in (None, 80)
        and after.port in (None, 443)
    )
