from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from newsletter.model.policy import PollPolicy
from newsletter.poll.schedule import Next, after_failure, after_success

NOW = datetime(2026, 5, 10, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
POLICY = PollPolicy(interval=HOUR, longest=4 * HOUR)


def _success(
    *,
    every: timedelta | None = None,
    ttl: timedelta | None = None,
    max_age: timedelta | None = None,
    settles_at: datetime | None = None,
    jitter: float = 0.0,
) -> Next:
    published = [NOW - every * number for number in range(1, 11)] if every else []
    return after_success(
        now=NOW,
        policy=POLICY,
        published=published,
        ttl=ttl,
        max_age=max_age,
        settles_at=settles_at,
        jitter=jitter,
    )


def test_an_unknown_blog_is_read_as_often_as_the_author_allows() -> None:
    assert _success() == Next(at=NOW + HOUR, reason="every hour, as you set", interval=HOUR)


def test_a_busy_blog_is_read_as_often_as_the_author_allows() -> None:
    assert _success(every=timedelta(minutes=30)).at == NOW + HOUR


def test_a_blog_that_posts_daily_is_read_every_three_hours() -> None:
    plan = _success(every=timedelta(days=1))
    assert (plan.at, plan.reason) == (NOW + 3 * HOUR, "it posts about every day")


def test_a_quiet_blog_is_read_no_less_often_than_the_author_allows() -> None:
    assert _success(every=timedelta(days=30)).at == NOW + 4 * HOUR


def test_the_feeds_own_demand_is_met() -> None:
    plan = _success(ttl=6 * HOUR)
    assert (plan.at, plan.reason) == (
        NOW + 6 * HOUR,
        "the feed asks for no more than one visit every 6 hours",
    )


def test_the_servers_freshness_is_met_but_no_longer_than_a_day() -> None:
    plan = _success(max_age=timedelta(days=7))
    assert plan.at == NOW + timedelta(days=1)
    assert plan.reason == "the server says that its answer holds for 7 days"


def test_a_settling_post_brings_us_back_sooner() -> None:
    plan = _success(ttl=6 * HOUR, settles_at=NOW + timedelta(minutes=10))
    assert plan.at == NOW + timedelta(minutes=10)
    assert plan.reason == "a new post is read once more before it is mailed"


def test_failures_double_the_wait_up_to_a_day_and_never_end_it() -> None:
    waits = [
        after_failure(now=NOW, failures=count, retry_after=None, jitter=0.0).at - NOW
        for count in (1, 2, 3, 500)
    ]
    assert waits == [HOUR / 4, HOUR / 2, HOUR, timedelta(days=1)]


def test_retry_after_is_kept_to() -> None:
    plan = after_failure(now=NOW, failures=1, retry_after=2 * HOUR, jitter=0.0)
    assert (plan.at, plan.reason) == (NOW + 2 * HOUR, "the server asked us to wait 2 hours")


@given(
    st.floats(0, 1), st.sampled_from([None, timedelta(minutes=30), timedelta(days=1)]), st.integers(0, 10**6)
)
def test_jitter_only_lengthens_and_by_a_tenth_at_most(
    jitter: float, every: timedelta | None, ttl: int
) -> None:
    plain = _success(every=every, ttl=timedelta(seconds=ttl))
    jittered = _success(every=every, ttl=timedelta(seconds=ttl), jitter=jitter)
    assert plain.at <= jittered.at <= plain.at + plain.interval * 0.1
    assert plain.interval >= POLICY.interval


@given(st.integers(-(10**6), 10**6), st.floats(0, 1))
def test_the_next_look_is_never_now(settles_in_s: int, jitter: float) -> None:
    assert _success(settles_at=NOW + timedelta(seconds=settles_in_s), jitter=jitter).at > NOW


def test_times_are_told_as_people_say_them() -> None:
    told = {
        timedelta(minutes=1): "every minute, as you set",
        timedelta(minutes=45): "every 45 minutes, as you set",
        timedelta(minutes=70): "every hour, as you set",
        timedelta(hours=2): "every 2 hours, as you set",
        timedelta(hours=24): "every day, as you set",
        timedelta(days=3): "every 3 days, as you set",
    }
    for interval, words in told.items():
        policy = PollPolicy(interval=interval, longest=interval)
        plan = after_success(
            now=NOW, policy=policy, published=[], ttl=None, max_age=None, settles_at=None, jitter=0.0
        )
        assert plan.reason == words
