"""Looks at feeds, several at a time, and has what that means filed.

Looking happens outside any transaction; comparing and storing happen inside one, under the feed's lease.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from newsletter.detect import names_of
from newsletter.errors import Conflict, StoreProblem
from newsletter.model.entry import FeedDocument
from newsletter.model.feed import Feed, PollResult
from newsletter.model.policy import PollPolicy
from newsletter.poll import paging
from newsletter.poll.fulltext import full_text, has_fulltext
from newsletter.poll.look import Look, look, read_page
from newsletter.poll.ports import Http, Parse
from newsletter.steps.filing import Polled, Visit, Work, file_look, visit_of

__all__ = ["Polled", "poll_due", "poll_feed"]

LEASE = timedelta(seconds=30)  #: kept while a look lasts; what a dead process held is free after it
RENEW_S = 10.0
AT_ONCE = 8  #: feeds looked at together
CLAIMED = 32  #: feeds claimed together
PAGING_S = 30.0  #: after which no older page of a feed is asked for
PAGES_AT_ONCE = 10  #: posts of a feed completed from their pages after one look
GATHER_S = 0.05  #: how long results wait for each other, to be stored together
Clock = Callable[[], datetime]
log = structlog.get_logger(__name__)


def poll_due(
    work: Work, http: Http, parser: Parse, policy: PollPolicy, clock: Clock, budget_s: float = 60.0
) -> list[Polled]:
    """Polls every feed that is due, several at a time, until none is left or the budget is used up.

    One feed's trouble is that feed's alone. A feed claimed and not reached in time is due again when its
    lease ends. Raises StoreProblem where the database cannot be used.
    """
    until = time.monotonic() + budget_s
    token = secrets.token_hex(8)
    polled: list[Polled] = []
    with _kept(work, token, clock), ThreadPoolExecutor(AT_ONCE, thread_name_prefix="poll") as pool:
        looking: dict[Future[Visit], Feed] = {}
        completing: list[Future[None]] = []
        while True:
            if len(looking) < CLAIMED and time.monotonic() < until:
                looking |= _start(work, http, parser, clock, token, pool)
            if not looking:
                for future in completing:
                    future.result()
                return polled
            done, _waiting = wait(looking, timeout=GATHER_S)
            looks = [(looking.pop(future), future.result()) for future in done]
            polled += _store(work, looks, token, policy, clock())
            completing += [
                pool.submit(_complete, work, feed, http, clock) for feed, _look in looks if feed.full_text
            ]


def poll_feed(
    feed_id: int, work: Work, http: Http, parser: Parse, policy: PollPolicy, clock: Clock
) -> Polled:
    """Polls one feed now, whatever the schedule says.

    Raises NotFound, and Conflict while another process polls it.
    """
    token = secrets.token_hex(8)
    with work() as unit:
        feed = unit.feeds.claim(feed_id, clock(), lease=LEASE, token=token)
    if feed is None:
        raise Conflict(f"Feed {feed_id} is being polled right now.", hint="Try again in a minute.")
    with _kept(work, token, clock):
        visit = _visit(work, feed, http, parser, clock())
        stored = _store(work, [(feed, visit)], token, policy, clock())
    _complete(work, feed, http, clock)
    if not stored:
        raise Conflict(f"Feed {feed_id} was polled by another process meanwhile.", hint="See what it found.")
    return stored[0]


@contextmanager
def _kept(work: Work, token: str, clock: Clock) -> Iterator[None]:
    """Renews the leases under ``token`` for as long as the block lasts."""
    done = threading.Event()

    def renew() -> None:
        while not done.wait(RENEW_S):
            with suppress(StoreProblem), work() as unit:  # the next renewal may come through
                unit.feeds.renew(token, clock() + LEASE)

    thread = threading.Thread(target=renew, name="poll leases", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _start(
    work: Work, http: Http, parser: Parse, clock: Clock, token: str, pool: ThreadPoolExecutor
) -> dict[Future[Visit], Feed]:
    now = clock()
    with work() as unit:
        feeds = unit.feeds.claim_due(now, lease=LEASE, token=token, limit=CLAIMED)
    return {pool.submit(_visit, work, feed, http, parser, now): feed for feed in feeds}


def _visit(work: Work, feed: Feed, http: Http, parser: Parse, now: datetime) -> Visit:
    """Looks at a feed, and at its older pages where there is a gap. Raises StoreProblem."""

    def known() -> frozenset[str]:
        with work() as unit:
            return unit.posts.known_raws(feed.id)

    try:
        seen = look(feed, known, http=http, parser=parser, now=now)
        if seen.document is None or feed.baseline_at is None:
            return visit_of(seen, feed.id)
        document = _without_gap(work, feed, seen.document, http, parser, now)
        return visit_of(replace(seen, document=document), feed.id)
    except StoreProblem:
        raise
    except Exception:
        return _our_fault(feed)


def _without_gap(
    work: Work, feed: Feed, document: FeedDocument, http: Http, parser: Parse, now: datetime
) -> FeedDocument:
    """Where nothing in a document is known although we know the feed's posts, its older pages are added.

    Posts that came and went between two visits are found there. Ends at the first page with a known post, or
    where it has taken too long: a slow server must not keep other feeds waiting.
    """
    if document.cut_short:
        return document
    url, until = feed.url, time.monotonic() + PAGING_S
    for number in range(2, paging.PAGES + 1):
        last_known = _last_known(work, feed.id, document)
        if last_known is not None:
            # What stands below it was there before us, or before the feed showed so many.
            kept = document.entries[: last_known + 1] if number > 2 else document.entries
            return replace(document, entries=kept)
        if time.monotonic() > until:
            break
        url = paging.older_page(url, document, number=number, entries=len(document.entries))
        older = read_page(url, http=http, parser=parser, now=now) if url else None
        if older is None or not older.entries:
            break
        document = paging.join(document, older)
    return document


def _last_known(work: Work, feed_id: int, document: FeedDocument) -> int | None:
    """The last entry that is a known post, by index; None where there is none although there are posts."""
    if document.known:
        return len(document.entries)
    named, names = names_of(document, feed_id)
    with work() as unit:
        known = unit.posts.known(feed_id, names)
    if not known.count:
        return len(document.entries)
    found = [
        document.entries.index(item.entry)
        for item in named
        if item.entry.raw_sha in known.raws or any(alias in known.aliases for alias in item.aliases)
    ]
    return max(found, default=None)


def _complete(work: Work, feed: Feed, http: Http, clock: Clock) -> None:
    """Fetches the pages of unmailed posts that came as summaries, where the author wants full text."""
    if not feed.full_text or not has_fulltext():
        return
    with work() as unit:
        waiting = unit.posts.cut_off(feed.id)[:PAGES_AT_ONCE]
    try:
        for post in waiting:
            text = full_text(post.url, post.html, http)
            if text is not None:
                with work() as unit:
                    unit.posts.replace_text(post.id, text, clock())
    except StoreProblem:
        raise
    except Exception:
        log.exception("the pages of a feed's posts could not be read", feed=feed.id)


def _store(
    work: Work, looks: Sequence[tuple[Feed, Visit]], token: str, policy: PollPolicy, now: datetime
) -> list[Polled]:
    """Stores looks: those that brought a document each in a transaction of its own, the others together."""
    plain = [item for item in looks if item[1].seen.document is None]
    polled: list[Polled] = []
    one_by_one = [item for item in looks if item[1].seen.document is not None]
    try:
        polled += _file(work, plain, token, policy, now) if plain else []
    except StoreProblem:
        raise
    except Exception:
        log.exception("feeds could not be handled together")
        one_by_one += plain
    for feed, visit in one_by_one:
        try:
            polled += _file(work, [(feed, visit)], token, policy, now)
        except StoreProblem:
            raise
        except Exception:
            polled += _file(work, [(feed, _our_fault(feed))], token, policy, now)
    return polled


def _file(
    work: Work, looks: Sequence[tuple[Feed, Visit]], token: str, policy: PollPolicy, now: datetime
) -> list[Polled]:
    with work() as unit:
        return [
            file_look(unit, feed, visit, policy, now)
            for feed, visit in looks
            if unit.feeds.holds(feed.id, token)
        ]


def _our_fault(feed: Feed) -> Visit:
    """What becomes of a feed on which our own code stumbled: its trouble alone (invariant 12)."""
    log.exception("a feed could not be handled", feed=feed.id)
    told = f"The feed {feed.url} cannot be handled because of a fault of ours; the log says which."
    return Visit(seen=Look(result=PollResult.FAILED, problem=f"{told} Please report it."))
