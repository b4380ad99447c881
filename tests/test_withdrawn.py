"""Posts that leave the blog before they are mailed, seen from drafts and from the author."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from newsletter import pipeline, wiring
from newsletter.desk import IssueShown
from newsletter.model.issue import IssueState
from newsletter.model.notice import NoticeKind
from newsletter.pipeline import Step
from newsletter.wiring import House
from subscribers.model import Cadence
from tests.intake.blog import articles
from tests.support.live_blog import LiveBlog

INTAKE = (Step.POLL, Step.DETECT, Step.COMPOSE)


@pytest.fixture
def blog() -> Iterator[LiveBlog]:
    with LiveBlog(articles(1, 2)) as blog:
        yield blog


@pytest.fixture
def house(tmp_path: Path, blog: LiveBlog) -> Iterator[House]:
    fixed = {
        "secret_key": "a secret key of the tests that is long enough",
        "database_url": f"sqlite:///{tmp_path}/newsletter.db",
        "data_dir": str(tmp_path),
        "sender": "Ann <ann@example.org>",
        "postal_address": "PO Box 1",
        "settle": "0",
        "max_age": "36500 days",
        "allow_private_addresses": "true",
    }
    wiring.prepare(fixed)
    with wiring.build(fixed) as built:
        built.desk.add_subscriber("ines@example.org")
        built.desk.add_feed(blog.feed_url)
        built.turn(INTAKE)
        yield built


def shows(house: House, blog: LiveBlog, *numbers: int) -> None:
    """The blog has these articles from now on, and the feed is looked at."""
    blog.articles = articles(*numbers)
    house.desk.poll(1)
    house.turn([Step.DETECT, Step.COMPOSE])


@pytest.fixture
def weekly(house: House) -> Iterator[Calendar]:
    """The house with a second reader, who wants a digest a week that waits for its author, and a calendar
    to turn."""
    house.desk.set_setting("DIGEST_APPROVAL", "again")
    calendar = Calendar(house)
    house.desk.add_subscriber("paul@example.org")
    with house.store.begin() as unit:
        paul = unit.subscribers.by_address("paul@example.org")
        assert paul is not None
        unit.subscribers.choose(
            paul.id, calendar.now(), cadence=Cadence.WEEKLY, topics_off=(), paused_until=None
        )
    house.turn()
    yield calendar


class Calendar:
    """Days go by when a test says so."""

    def __init__(self, house: House) -> None:
        self._house, self._days = house, 0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=self._days)

    def later(self, days: int) -> None:
        self._days += days
        pipeline.turn(replace(self._house.tools, clock=self.now))

    def mails(self, issue_id: int) -> int:
        """Approves and sends an issue; how many got it."""
        self._house.desk.approve_issue(issue_id)
        self._house.turn()
        return self._house.desk.receipt(issue_id).receipt.accepted


def digest(house: House) -> IssueShown:
    [found] = [shown for shown in house.desk.issues() if shown.issue.cadence is Cadence.WEEKLY]
    return house.desk.issue(found.issue.id)


def problems(house: House) -> list[str]:
    with house.store.read() as unit:
        return [notice.data["text"] for notice in unit.notices.list() if notice.kind is NoticeKind.PROBLEM]


def test_a_deleted_post_leaves_its_draft_and_comes_back_into_it(house: House, blog: LiveBlog) -> None:
    shows(house, blog, 1, 2, 3)
    house.desk.edit_issue(1, subject="My own subject")
    shows(house, blog, 1, 2)
    shown = house.desk.issue(1)
    assert shown.issue.included == ()
    assert shown.checklist.blocking, "nothing is left to send"
    assert articles(3)[0].title not in house.desk.preview(1, format="text")

    shows(house, blog, 1, 2, 3)
    shown = house.desk.issue(1)
    assert [place.post_id for place in shown.issue.included] == [3]
    assert shown.issue.subject == "My own subject"
    assert articles(3)[0].title in house.desk.preview(1, format="text")
    assert len(house.desk.issues()) == 1, "never a second draft of it"
    assert problems(house) == []


def test_an_approved_issue_that_loses_a_post_is_a_draft_again_and_the_author_is_told(
    house: House, blog: LiveBlog
) -> None:
    shows(house, blog, 1, 2, 3)
    house.desk.approve_issue(1)
    blog.articles = articles(1, 2)
    house.desk.poll(1)
    issue = house.desk.issue(1).issue
    assert issue.state is IssueState.DRAFT, "at once, whatever else waits for its turn"
    assert "was deleted from the blog after you approved this issue" in issue.problem
    [told] = problems(house)
    assert issue.problem in told

    house.turn()
    assert house.desk.issue(1).issue.state is IssueState.DRAFT
    assert house.desk.receipt(1).receipt.audience == 0
    house.desk.poll(1)
    house.turn()
    assert len(problems(house)) == 1, "told once"


def test_a_post_that_is_skipped_leaves_an_approved_issue_too_and_returns_when_released(
    house: House, blog: LiveBlog
) -> None:
    shows(house, blog, 1, 2, 3)
    house.desk.approve_issue(1)
    house.desk.skip_post(3)
    issue = house.desk.issue(1).issue
    assert (issue.state, issue.included) == (IssueState.DRAFT, ())
    assert "You chose not to mail" in issue.problem
    house.desk.release_post(3)
    house.turn([Step.DETECT, Step.COMPOSE])
    assert len(house.desk.issue(1).issue.included) == 1


def test_what_the_author_left_out_stays_out_when_the_post_comes_back(house: House, blog: LiveBlog) -> None:
    shows(house, blog, 1, 2, 3)
    house.desk.edit_issue(1, exclude=[3])
    shows(house, blog, 1, 2)
    shows(house, blog, 1, 2, 3)
    assert house.desk.issue(1).issue.included == ()


def test_a_post_deleted_after_it_was_mailed_changes_nothing(house: House, blog: LiveBlog) -> None:
    shows(house, blog, 1, 2, 3)
    house.desk.approve_issue(1)
    house.turn()
    assert house.desk.issue(1).issue.state is IssueState.FINISHED
    shows(house, blog, 1, 2)
    shows(house, blog, 1, 2, 3)
    assert house.desk.receipt(1).receipt.accepted == 1
    assert len(house.desk.issues()) == 1


def test_a_post_mailed_in_one_rhythm_and_then_deleted_leaves_the_digest_that_waits(
    house: House, blog: LiveBlog, weekly: Calendar
) -> None:
    shows(house, blog, 1, 2, 3, 4)
    assert [weekly.mails(issue_id) for issue_id in (1, 2)] == [1, 1]
    weekly.later(days=8)
    assert len(digest(house).issue.included) == 2
    shows(house, blog, 1, 2, 4)
    shown = digest(house)
    assert [post.title for post in shown.posts if post.id in {p.post_id for p in shown.issue.included}] == [
        articles(4)[0].title
    ]
    gone = house.desk.post(3)
    assert gone.reason == "It was deleted from the feed after it was mailed."
    assert weekly.mails(shown.issue.id) == 1

    shows(house, blog, 1, 2, 3, 4)
    weekly.later(days=8)
    assert house.desk.receipt(1).receipt.accepted == 1
    assert len([issue for issue in house.desk.issues() if issue.issue.cadence is Cadence.EACH]) == 2


def test_a_post_mailed_in_one_rhythm_and_deleted_never_enters_the_digest_to_come(
    house: House, blog: LiveBlog, weekly: Calendar
) -> None:
    shows(house, blog, 1, 2, 3, 4)
    assert [weekly.mails(issue_id) for issue_id in (1, 2)] == [1, 1]
    shows(house, blog, 1, 2, 4)
    weekly.later(days=8)
    assert [place.post_id for place in digest(house).issue.included] == [4]


def test_a_digest_approved_with_a_post_that_is_deleted_then_is_a_draft_again(
    house: House, blog: LiveBlog, weekly: Calendar
) -> None:
    shows(house, blog, 1, 2, 3, 4)
    assert [weekly.mails(issue_id) for issue_id in (1, 2)] == [1, 1]
    weekly.later(days=8)
    house.desk.approve_issue(digest(house).issue.id, at=weekly.now() + timedelta(days=1))
    blog.articles = articles(1, 2, 4)
    house.desk.poll(1)
    assert digest(house).issue.state is IssueState.DRAFT
    [told] = problems(house)
    assert "was deleted from the blog after you approved this issue" in told
    shows(house, blog, 1, 2, 3, 4)
    assert len(digest(house).issue.included) == 2, "back again, with what else waits"
