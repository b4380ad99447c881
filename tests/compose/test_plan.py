from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.compose import period_key, plan_drafts, taken_up
from newsletter.model.issue import MAX_BLOCKS
from newsletter.model.post import Post
from subscribers.model import Cadence
from tests.compose.samples import NOW, a_post

VIENNA = ZoneInfo("Europe/Vienna")
DIGESTS = (Cadence.DAILY, Cadence.WEEKLY, Cadence.MONTHLY)


def seen(number: int, moment: datetime) -> Post:
    return a_post(number, first_seen_at=moment, last_seen_at=moment, published_at=moment)


def test_each_post_gets_a_draft_of_its_own_oldest_first() -> None:
    posts = [seen(2, NOW), seen(1, NOW - timedelta(days=1))]
    drafts = plan_drafts(ready=posts, cadence=Cadence.EACH, now=NOW, timezone=UTC)
    assert [[post.id for post in draft.posts] for draft in drafts] == [[1], [2]]
    assert {draft.period for draft in drafts} == {""}


@pytest.mark.parametrize("cadence", DIGESTS)
def test_an_empty_digest_is_never_made(cadence: Cadence) -> None:
    assert plan_drafts(ready=[], cadence=cadence, now=NOW, timezone=UTC) == []


def test_a_weekly_digest_waits_for_the_end_of_the_week_where_the_author_lives() -> None:
    posts = [seen(1, datetime(2026, 3, 4, 9, tzinfo=UTC))]  # a Wednesday
    sunday_night = datetime(2026, 3, 8, 22, 59, tzinfo=UTC)
    assert plan_drafts(ready=posts, cadence=Cadence.WEEKLY, now=sunday_night, timezone=VIENNA) == []
    monday = sunday_night + timedelta(minutes=1)
    (draft,) = plan_drafts(ready=posts, cadence=Cadence.WEEKLY, now=monday, timezone=VIENNA)
    assert draft.period == "2026-W10"


def test_a_digest_is_made_at_the_authors_hour_from_the_posts_since_the_last_one() -> None:
    posts = [
        seen(1, datetime(2026, 3, 8, 6, 59, tzinfo=UTC)),
        seen(2, datetime(2026, 3, 9, 6, 59, tzinfo=UTC)),
    ]
    how: dict[str, Any] = {"cadence": Cadence.DAILY, "timezone": VIENNA, "at": time(8), "ready": posts}

    (early,) = plan_drafts(now=datetime(2026, 3, 9, 6, 59, tzinfo=UTC), **how)
    assert (early.period, [post.id for post in early.posts]) == ("2026-03-07", [1])
    (draft,) = plan_drafts(now=datetime(2026, 3, 9, 7, tzinfo=UTC), last_period=early.period, **how)
    assert (draft.period, [post.id for post in draft.posts]) == ("2026-03-08", [1, 2])

    # The clock goes forward on 29 March: the hour on the wall is what counts.
    posts[:] = [seen(3, datetime(2026, 3, 29, 5, 59, tzinfo=UTC))]
    assert plan_drafts(now=datetime(2026, 3, 29, 5, 59, tzinfo=UTC), **how) == []
    assert plan_drafts(now=datetime(2026, 3, 29, 6, tzinfo=UTC), **how)


def test_a_post_of_the_running_period_waits_for_its_end() -> None:
    posts = [seen(1, datetime(2026, 2, 27, tzinfo=UTC)), seen(2, datetime(2026, 3, 1, 5, tzinfo=UTC))]
    (draft,) = plan_drafts(ready=posts, cadence=Cadence.MONTHLY, now=NOW, timezone=UTC)
    assert [post.id for post in draft.posts] == [1]
    assert draft.period == "2026-02"


def test_after_a_long_silence_everything_since_comes_in_one_digest() -> None:
    posts = [seen(1, datetime(2025, 11, 3, tzinfo=UTC)), seen(2, datetime(2026, 2, 3, tzinfo=UTC))]
    (draft,) = plan_drafts(ready=posts, cadence=Cadence.WEEKLY, now=NOW, timezone=UTC, last_period="2025-W40")
    assert [post.id for post in draft.posts] == [1, 2]
    assert draft.period == "2026-W09"


def test_what_does_not_fit_an_issue_waits_for_the_next() -> None:
    posts = [seen(number, NOW - timedelta(days=40, minutes=-number)) for number in range(1, 71)]
    (draft,) = plan_drafts(ready=posts, cadence=Cadence.MONTHLY, now=NOW, timezone=UTC)
    assert [post.id for post in draft.posts] == list(range(1, MAX_BLOCKS + 1))


@given(cadence=st.sampled_from(DIGESTS), now=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)))
def test_a_period_never_gets_a_second_digest(cadence: Cadence, now: datetime) -> None:
    moment = now.replace(tzinfo=UTC)
    posts = [seen(1, datetime(1999, 1, 1, tzinfo=UTC))]
    (draft,) = plan_drafts(ready=posts, cadence=cadence, now=moment, timezone=VIENNA)
    again = plan_drafts(ready=posts, cadence=cadence, now=moment, timezone=VIENNA, last_period=draft.period)
    assert again == []


@given(
    cadence=st.sampled_from(DIGESTS),
    one=st.dates(date(1990, 1, 1), date(2100, 1, 1)),
    other=st.dates(date(1990, 1, 1), date(2100, 1, 1)),
)
def test_keys_sort_as_their_periods_do(cadence: Cadence, one: date, other: date) -> None:
    earlier, later = sorted((one, other))
    assert period_key(cadence, earlier) <= period_key(cadence, later)


def test_each_post_has_no_periods() -> None:
    with pytest.raises(ValueError, match="digests"):
        period_key(Cadence.EACH, date(2026, 1, 1))


@pytest.mark.parametrize("cadence", Cadence)
def test_while_nothing_runs_nobody_stops_wanting_a_rhythm(cadence: Cadence) -> None:
    """A laptop that was closed for months mails what came meanwhile; what nobody wanted is taken up anew."""
    since, used = NOW - timedelta(days=400), NOW - timedelta(days=200)
    how: dict[str, Any] = {"first": False, "now": NOW, "timezone": UTC}
    assert taken_up(cadence, (since, used), running_until=used, **how) == since
    assert taken_up(cadence, (since, used), running_until=NOW - timedelta(hours=1), **how) > used
