"""What coming back means for posts in every state; whole sequences of documents are in tests/intake."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from newsletter.detect.decide import detect
from newsletter.detect.identity import names_of
from newsletter.model.changes import Changes, Known
from newsletter.model.entry import Entry, FeedDocument
from newsletter.model.feed import Feed, FeedState
from newsletter.model.policy import FirstPoll, PollPolicy
from newsletter.model.post import PostState
from tests.detect.test_identity import entry, stored
from tests.intake.blog import EPOCH

NOW = EPOCH + timedelta(days=2)
POLICY = PollPolicy()
FEED = Feed(id=1, url="http://blog.example/feed", state=FeedState.ACTIVE, added_at=EPOCH, baseline_at=EPOCH)


def seen(known: Known, *entries: Entry, by_bytes: tuple[str, ...] = (), feed: Feed = FEED) -> Changes:
    document = FeedDocument(entries=entries, known=by_bytes)
    return detect(document, names_of(document, 1)[0], known, feed=feed, policy=POLICY, now=NOW)


@pytest.mark.parametrize(
    ("mailed", "settles", "state", "says"),
    [
        (True, None, PostState.READY, "after it was mailed and has come back"),
        (False, None, PostState.HELD, "Release it to mail it"),
        (False, EPOCH, PostState.SETTLING, "for a while and has come back"),
    ],
)
@pytest.mark.parametrize("parsed", [True, False], ids=["parsed", "by its bytes"])
def test_a_post_that_was_gone_comes_back_as_what_it_may_be(
    mailed: bool, settles: datetime | None, state: PostState, says: str, parsed: bool
) -> None:
    known, entries = stored(entry(1), entry(2))
    gone = replace(known.posts[1], state=PostState.GONE, settle_until=settles)
    known = replace(known, posts={**known.posts, 1: gone}, mailed=frozenset({1} if mailed else ()))
    changes = (
        seen(known, entries[1], entries[2]) if parsed else seen(known, entries[2], by_bytes=("raw 1 0",))
    )
    (back,) = [one for one in changes.seen if one.state is not None]
    assert (back.post_id, back.state) == (1, state)
    assert says in back.reason


def test_bytes_that_nobody_knows_any_more_are_passed_over() -> None:
    known, entries = stored(entry(1), entry(2))
    changes = seen(known, entries[1], entries[2], by_bytes=("forgotten",))
    assert (changes.new, changes.gone) == ((), ())


def test_the_newest_of_undated_entries_is_the_first_one() -> None:
    first, second = entry(1, published_at=None), entry(2, position=1, published_at=None)
    document = FeedDocument(entries=(first, second))
    policy = replace(POLICY, first_poll=FirstPoll.NEWEST)
    fresh = replace(FEED, baseline_at=None)
    changes = detect(document, names_of(document, 1)[0], Known(), feed=fresh, policy=policy, now=NOW)
    assert [one.entry.title for one in changes.new if one.state is PostState.READY] == [first.title]
