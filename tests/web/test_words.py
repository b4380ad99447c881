"""How numbers, times and states read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.model.feed import PollResult
from newsletter.model.issue import IssueState
from newsletter.model.post import PostState
from newsletter.web import words
from subscribers.model import Cadence, SubscriberState

MADRID = ZoneInfo("Europe/Madrid")
NOW = datetime(2026, 2, 4, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 2, 4, 13, 5, tzinfo=UTC), "today 14:05"),
        (datetime(2026, 2, 4, 23, 30, tzinfo=UTC), "tomorrow 00:30"),
        (datetime(2026, 2, 3, 9, 0, tzinfo=UTC), "yesterday 10:00"),
        (datetime(2026, 2, 8, 7, 0, tzinfo=UTC), "Sun 8 February 08:00"),
        (datetime(2026, 5, 1, 7, 0, tzinfo=UTC), "1 May 09:00"),
        (datetime(2024, 5, 1, 7, 0, tzinfo=UTC), "1 May 2024"),
    ],
)
def test_a_moment_reads_as_people_say_it_where_they_live(moment: datetime, text: str) -> None:
    assert words.when(moment, NOW, MADRID) == text


@pytest.mark.parametrize(
    ("days", "text"), [(0, "today"), (-1, "yesterday"), (-20, "15 January"), (-400, "31 December 2024")]
)
def test_a_day_reads_without_its_hour(days: int, text: str) -> None:
    assert words.day(NOW + timedelta(days=days), NOW, MADRID) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "now"),
        (20, "now"),
        (60, "in 1 minute"),
        (-300, "5 minutes ago"),
        (7200, "in 2 hours"),
        (200_000, "in 2 days"),
    ],
)
def test_a_distance_in_time(seconds: int, text: str) -> None:
    assert words.until(NOW + timedelta(seconds=seconds), NOW) == text


def test_counts_and_sizes() -> None:
    assert words.count(1, "post") == "1 post"
    assert words.count(1204, "post") == "1,204 posts"
    assert words.count(2, "person", "people") == "2 people"
    assert words.size(999) == "999 bytes"
    assert words.size(41_300) == "41 KB"


@pytest.mark.parametrize(
    ("agent", "text"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0", "Firefox on Linux"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Safari/604.1",
            "Safari on iPhone",
        ),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/130.0 Safari/537.36 Edg/130.0", "Edge on Windows"),
        ("", "A browser"),
    ],
)
def test_a_browser_is_named_as_people_know_it(agent: str, text: str) -> None:
    assert words.browser(agent) == text


@given(st.text())
def test_any_user_agent_has_a_name(agent: str) -> None:
    assert words.browser(agent)


def test_every_state_has_a_word() -> None:
    assert set(words.ISSUE_STATES) == set(IssueState)
    assert set(words.POST_STATES) == set(PostState)
    assert set(words.SUBSCRIBER_STATES) == set(SubscriberState)
    assert set(words.POLL_RESULTS) == set(PollResult)
    assert set(words.CADENCES) == set(Cadence)


def test_no_page_speaks_of_the_machinery() -> None:
    said = " ".join(words.DONE.values()).lower()
    for word in ("artefact", "attempt", "tick", "transport", "success"):
        assert word not in said


@pytest.mark.parametrize(
    ("hint", "shown"),
    [
        ("See: newsletter issues list", ""),
        ("Run: newsletter tick", ""),
        ("Get a fresh one with: newsletter login", ""),
        ("Wait for the next turn, or run: newsletter tick", "Wait for the next turn."),
        ("Open the address; `newsletter feeds check` shows what we see.", "Open the address."),
        ("Add your blog: newsletter feeds add URL", "Add your blog."),
        ("newsletter settings set FROM x", ""),
        ("Choose another newsletter.", "Choose another newsletter."),
    ],
)
def test_a_hint_on_a_page_names_no_command(hint: str, shown: str) -> None:
    assert words.for_pages(hint) == shown
