"""Looks at a feed: fetches it, and reads as little of it as is needed. Cheapest first.

304 -> nothing. The same bytes as last time -> nothing. Else the document is cut into entries, those whose
bytes we have seen are dropped, and only the rest goes through the parser.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256

from newsletter.errors import FeedProblem, FeedUnparsable
from newsletter.model.entry import FeedDocument
from newsletter.model.feed import Feed, PollResult, Validators
from newsletter.poll.feedburner import fetch_feed
from newsletter.poll.fetch import Ended, Fetched, Refused
from newsletter.poll.ports import Http, Parse
from newsletter.poll.split import is_cut_short, split, whole_part, without

_DAY = timedelta(days=1)
_CUT_SHORT = "It broke off before its end; only the posts that came whole were read."


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one look at a feed brought. Nothing of it is stored yet."""

    result: PollResult
    status: int = 0
    answered_by: str = ""  #: of a refusal: the address that gave it, after all redirects
    size: int = 0  #: bytes after decompression
    elapsed_ms: int = 0
    document: FeedDocument | None = None  #: for READ
    validators: Validators = field(default_factory=Validators)
    body_sha: str = ""
    problem: str = ""
    retry_after: timedelta | None = None
    max_age: timedelta | None = None
    note: str = ""  #: one sentence for the feed's page although all went well
    permanent: str = ""  #: see :class:`newsletter.poll.fetch.Fetched`


def look(
    feed: Feed, known: Callable[[], Collection[str]], *, http: Http, parser: Parse, now: datetime
) -> Look:
    """Fetches and reads a feed. ``known`` gives the raw hashes of its posts, and is asked only when needed.

    Never raises a FeedProblem: it is part of the answer. Never touches the database. Once a day it asks
    without validators, since some servers answer 304 for ever.
    """
    asked_whole = feed.full_fetch_at is None or now - feed.full_fetch_at >= _DAY
    try:
        validators = Validators() if asked_whole else feed.validators
        fetched = fetch_feed(http, feed.url, validators=validators, now=now)
        return _read(feed, fetched, known, parser)
    except Ended as problem:
        return Look(result=PollResult.GONE, status=410, answered_by=problem.answered_by, problem=str(problem))
    except Refused as problem:
        return Look(
            result=PollResult.FAILED,
            status=problem.status,
            answered_by=problem.answered_by,
            problem=str(problem),
            retry_after=problem.retry_after,
        )
    except FeedProblem as problem:
        return Look(result=PollResult.FAILED, problem=str(problem))


def read_page(url: str, *, http: Http, parser: Parse, now: datetime) -> FeedDocument | None:
    """An older page of a feed; None where there is none to be had."""
    try:
        fetched = fetch_feed(http, url, validators=Validators(), now=now)
        return parser.parse(fetched.body, url=fetched.url, content_type=fetched.content_type)
    except FeedProblem:
        return None


def _read(feed: Feed, fetched: Fetched, known: Callable[[], Collection[str]], parser: Parse) -> Look:
    seen = Look(
        result=PollResult.UNCHANGED,
        status=fetched.status,
        size=len(fetched.body),
        elapsed_ms=fetched.elapsed_ms,
        validators=fetched.validators,
        body_sha=feed.body_sha,
        max_age=fetched.max_age,
        permanent=fetched.permanent,
        note=fetched.note,
    )
    if fetched.status == 304:
        return seen
    body_sha = sha256(fetched.body).hexdigest()
    if body_sha == feed.body_sha:
        return seen
    try:
        document = read_document(fetched, known(), parser)
    except FeedUnparsable as problem:
        return replace(seen, result=PollResult.FAILED, validators=feed.validators, problem=str(problem))
    if document.cut_short:  # what is missing must not be hidden by a 304
        return replace(
            seen, result=PollResult.READ, document=document, body_sha="", validators=feed.validators
        )
    return replace(seen, result=PollResult.READ, document=document, body_sha=body_sha)


def read_document(fetched: Fetched, known: Collection[str], parser: Parse) -> FeedDocument:
    """Parses what is not known by its bytes. Raises FeedUnparsable.

    Of a document that was cut short, what came whole: half a post must not be mailed.
    """
    if not is_cut_short(fetched.body):
        return _read_whole(fetched, known, parser)
    document = _read_whole(replace(fetched, body=whole_part(fetched.body)), known, parser)
    return replace(document, cut_short=True, problem=_CUT_SHORT)


def _read_whole(fetched: Fetched, known: Collection[str], parser: Parse) -> FeedDocument:
    pieces = split(fetched.body) if known else None
    if pieces is None or not any(piece.sha in known for piece in pieces):
        document = _with_hub(
            parser.parse(fetched.body, url=fetched.url, content_type=fetched.content_type), fetched
        )
        if document.problem and not document.entries:
            raise FeedUnparsable(
                f"The feed {fetched.url} cannot be read: it is damaged, and none of its posts can be found.",
                url=fetched.url,
                hint="Open the address in a browser.",
            )
        return document
    by_bytes = tuple(piece.sha for piece in pieces if piece.sha in known)
    rest = [number for number, piece in enumerate(pieces) if piece.sha not in known]
    if not rest:
        return FeedDocument(known=by_bytes)
    document = parser.parse(
        without(fetched.body, pieces, known), url=fetched.url, content_type=fetched.content_type
    )
    if len(document.entries) != len(rest):
        document = parser.parse(fetched.body, url=fetched.url, content_type=fetched.content_type)
        return _with_hub(document, fetched)
    entries = tuple(
        replace(entry, position=number) for entry, number in zip(document.entries, rest, strict=True)
    )
    return _with_hub(replace(document, entries=entries, known=by_bytes), fetched)


def _with_hub(document: FeedDocument, fetched: Fetched) -> FeedDocument:
    """A hub may be named in the document or beside it; beside it goes first (WebSub section 4)."""
    if not fetched.hub_url:
        return document
    return replace(document, hub_url=fetched.hub_url, self_url=fetched.self_url or document.self_url)
