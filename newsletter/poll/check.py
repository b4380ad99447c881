"""What a poll of an address would see, without storing anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from newsletter.model.entry import FeedDocument
from newsletter.model.feed import Validators
from newsletter.poll.feedburner import fetch_feed
from newsletter.poll.look import read_document
from newsletter.poll.ports import Http, Parse


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A feed as we see it. ``problem`` is one sentence about what is odd although it can be read."""

    url: str
    answered_by: str  #: the address that gave the document, after all redirects
    redirects: tuple[str, ...]
    permanent: str  #: where a permanent redirect points; empty: none
    size: int  #: bytes after decompression
    elapsed_ms: int
    validators: Validators
    max_age: timedelta | None
    document: FeedDocument
    problem: str


def check(url: str, http: Http, parser: Parse) -> Checked:
    """Fetches and reads a feed as a first poll would. Raises FeedProblem."""
    fetched = fetch_feed(http, url, validators=Validators(), now=datetime.now(UTC))
    document = read_document(fetched, (), parser)
    return Checked(
        url=url,
        answered_by=fetched.url,
        redirects=fetched.redirects,
        permanent=fetched.permanent,
        size=len(fetched.body),
        elapsed_ms=fetched.elapsed_ms,
        validators=fetched.validators,
        max_age=fetched.max_age,
        document=document,
        problem=fetched.note or document.problem,
    )
