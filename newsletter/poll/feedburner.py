"""Blogger blogs whose feed still redirects to a FeedBurner feed that is no more.

Blogger can send visitors of its feed on to FeedBurner ("Post feed redirect URL"). Where that feed was
deleted, readers get an error or a web page for ever, although Blogger still has the feed:
``redirect=false`` asks for it (unofficial, but what Blogger's own links use).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

from newsletter.errors import FeedProblem, FeedUnreachable, RequestProblem
from newsletter.model.feed import Validators
from newsletter.poll.fetch import Ended, Fetched, Refused, fetch
from newsletter.poll.ports import Http

_SETTING = "In Blogger, open Settings, Site feed, and empty “Post feed redirect URL”."
_HOSTS = ("feedburner.com", "feedproxy.google.com", "feedburner.google.com")


def fetch_feed(http: Http, url: str, *, validators: Validators, now: datetime) -> Fetched:
    """:func:`newsletter.poll.fetch.fetch`, past a dead FeedBurner; then the answer's note says so.

    Raises what ``fetch`` raises.
    """
    problem: FeedProblem
    try:
        fetched = fetch(http, url, validators=validators, now=now)
        if not (_is_feedburner(fetched.url) and _is_page(fetched.body)):
            return fetched
        problem = FeedUnreachable(f"The feed {url} leads to FeedBurner, which has no feed there.", url=url)
    except FeedProblem as error:
        if not _is_feedburner(_answered_by(error)):
            raise
        problem = error
    own = own_feed(url)
    if not own:
        raise problem
    note = f"The blog's feed leads to FeedBurner, which no longer has it; it is read at Blogger. {_SETTING}"
    return replace(fetch(http, own, validators=validators, now=now), asked=url, permanent="", note=note)


def own_feed(url: str) -> str:
    """Where Blogger gives the feed itself; "" for an address that is no Blogger feed of posts."""
    parts = urlsplit(url)
    if not parts.path.startswith("/feeds/posts/"):
        return ""
    query = "&".join(filter(None, (parts.query, "redirect=false&orderby=published")))
    return parts._replace(query=query).geturl()


def _answered_by(problem: FeedProblem) -> str:
    if isinstance(problem, Refused | Ended):
        return problem.answered_by
    return problem.__cause__.url if isinstance(problem.__cause__, RequestProblem) else ""


def _is_feedburner(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:  # where a redirect led, say: http://[
        return False
    return any(host == known or host.endswith(f".{known}") for known in _HOSTS)


def _is_page(body: bytes) -> bool:
    start = body[:1_000].lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html")) or not start
