"""One polite, conditional request for a feed, and what its answer means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from newsletter.errors import FeedGone, FeedProblem, FeedUnreachable, RequestProblem
from newsletter.guard.http import Response
from newsletter.model.feed import Validators
from newsletter.poll.ports import Http
from newsletter.poll.text import web_url

MAX_BYTES = 10 * 1024 * 1024  #: after decompression
DEADLINE_S = 30.0
_ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, "
    "application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.1"
)
_LONGEST_DEMAND = timedelta(days=7)
_LONGEST_HEADER = 8_192
_LONGEST_VALIDATOR = 1_000  #: servers refuse requests with very long headers, their own words included
_LINK = re.compile(r"<([^<>]*)>([^<>]*)")
_REL = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s;,\"]+))", re.I)


class Refused(FeedUnreachable):
    """An answer that is not a feed. ``status`` is its HTTP status, ``retry_after`` what it asked for.

    ``answered_by`` is the address that gave it, after all redirects.
    """

    def __init__(
        self,
        message: str,
        *,
        url: str,
        status: int,
        answered_by: str,
        retry_after: timedelta | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message, url=url, hint=hint)
        self.answered_by = answered_by
        self.status = status
        self.retry_after = retry_after


class Ended(FeedGone):
    """410 Gone, from ``answered_by``."""

    def __init__(self, message: str, *, url: str, answered_by: str, hint: str = "") -> None:
        super().__init__(message, url=url, hint=hint)
        self.answered_by = answered_by


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """An answer with a document, or 304 without one."""

    status: int
    asked: str  #: the address that was asked for
    url: str  #: where it came from, after all redirects
    body: bytes
    content_type: str
    validators: Validators
    max_age: timedelta | None  #: how long the server calls its answer fresh
    permanent: str  #: where a leading run of permanent redirects points; empty: none
    redirects: tuple[str, ...]  #: every address that was passed through
    elapsed_ms: int
    hub_url: str = ""  #: named in a Link header (WebSub section 4), as is ``self_url``
    self_url: str = ""
    note: str = ""  #: one sentence for the feed's page, where the way here was odd


def fetch(http: Http, url: str, *, validators: Validators, now: datetime) -> Fetched:
    """GETs a feed, with the validators sent back verbatim where there are any (RFC 9110 section 13.1).

    Raises Ended for 410, Refused for any other answer that carries no document, FeedUnreachable where none
    came. A 304 without validators in it keeps ours.
    """
    headers = {"Accept": _ACCEPT}
    if validators.etag:
        headers["If-None-Match"] = validators.etag
    if validators.last_modified:
        headers["If-Modified-Since"] = validators.last_modified
    try:
        response = http.get(url, headers=headers, max_bytes=MAX_BYTES, deadline_s=DEADLINE_S)
    except RequestProblem as problem:
        raise FeedUnreachable(
            f"The feed {url} cannot be fetched: {problem.message}", url=url, hint=problem.hint
        ) from problem
    if response.status not in (200, 304):
        raise _refusal(url, response, now)
    received = Validators(
        etag=_validator(response, "etag"), last_modified=_validator(response, "last-modified")
    )
    if response.status == 304:
        received = Validators(
            etag=received.etag or validators.etag,
            last_modified=received.last_modified or validators.last_modified,
        )
    return Fetched(
        status=response.status,
        asked=url,
        url=response.url,
        body=response.body if response.status == 200 else b"",
        content_type=response.headers.get("content-type", ""),
        validators=received,
        max_age=fresh_for(response.headers, now),
        permanent=permanent_target(response),
        redirects=tuple(hop.url for hop in response.hops),
        hub_url=linked(response, "hub"),
        self_url=linked(response, "self"),
        elapsed_ms=response.elapsed_ms,
    )


def _refusal(url: str, response: Response, now: datetime) -> FeedProblem:
    status = response.status
    if status == 410:
        return Ended(
            f"The feed {url} says that it has ended (410 Gone).",
            url=url,
            answered_by=response.url,
            hint="If the blog lives on, add its new feed and remove this one.",
        )
    retry_after = retry_after_of(response.headers, now)
    host = urlsplit(response.url).hostname or url
    if _is_challenge(response):
        return Refused(
            f"The feed {url} is behind a Cloudflare challenge that only a browser can pass ({status}).",
            url=url,
            status=status,
            answered_by=response.url,
            retry_after=retry_after,
            hint="The blog's owner can allow the feed's address in Cloudflare (Security, WAF, skip rule).",
        )
    words = {
        401: "it asks for a password",
        403: f"{host} refuses to give it to us",
        404: f"{host} has nothing at this address",
        429: f"{host} asks us to come less often",
    }
    what = words.get(status, f"{host} has a fault of its own" if status >= 500 else f"{host} gave no feed")
    return Refused(
        f"The feed {url} cannot be read: {what} (HTTP {status}).",
        url=url,
        status=status,
        answered_by=response.url,
        retry_after=retry_after,
        hint="Open the address in a browser."
        if status < 500 and status != 429
        else "It is tried again by itself.",
    )


def _is_challenge(response: Response) -> bool:
    """Whether Cloudflare, before the blog, wants to see a browser. The header is documented; the page is for
    answers that passed through another proxy, which may have taken it away."""
    if response.headers.get("cf-mitigated") == "challenge":
        return True
    cloudflare = "cloudflare" in response.headers.get("server", "").lower() or "cf-ray" in response.headers
    return (
        cloudflare and response.status in (403, 429, 503) and b"/cdn-cgi/challenge-platform/" in response.body
    )


def _validator(response: Response, name: str) -> str:
    value = response.headers.get(name, "")
    return value if len(value) <= _LONGEST_VALIDATOR else ""


def linked(response: Response, relation: str) -> str:
    """The web address that a Link header gives for a relation (RFC 8288 section 3); "" where none does."""
    for target, parameters in _LINK.findall(response.headers.get("link", "")[:_LONGEST_HEADER]):
        found = _REL.search(parameters)
        if found and relation in (found[1] or found[2]).lower().split():
            return web_url(response.url, target)
    return ""


def permanent_target(response: Response) -> str:
    """Where the leading run of 301 and 308 points: only that much of a chain is permanent."""
    target = ""
    for number, hop in enumerate(response.hops):
        if hop.status not in (301, 308):
            break
        target = response.hops[number + 1].url if number + 1 < len(response.hops) else response.url
    return target


def retry_after_of(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Retry-After as seconds or a date (RFC 9110 section 10.2.3), at most a week; None for none or
    nonsense."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:9])), _LONGEST_DEMAND)
    return _until(text, now)


def fresh_for(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Cache-Control max-age, else Expires (RFC 9111 section 4.2.1), at most a week."""
    for directive in headers.get("cache-control", "").lower().split(","):
        name, _, value = directive.strip().partition("=")
        value = value.strip('" ')
        if name in ("no-cache", "no-store"):
            return None
        if name == "max-age" and value.isascii() and value.isdigit():
            return min(timedelta(seconds=int(value[:9])), _LONGEST_DEMAND)
    return _until(headers.get("expires", ""), _date(headers.get("date", "")) or now)


def _until(text: str, now: datetime) -> timedelta | None:
    moment = _date(text)
    return None if moment is None or moment <= now else min(moment - now, _LONGEST_DEMAND)


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
