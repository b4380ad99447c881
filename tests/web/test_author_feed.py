"""The author's signed link to what is held of a feed: look without signing in, decide by a press."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from newsletter import wiring
from newsletter.model.issue import IssueState
from newsletter.model.notice import NoticeKind
from newsletter.model.post import PostState
from newsletter.pipeline import Step
from newsletter.steps.rendering import render_notice
from newsletter.steps.telling import tell_if_paused
from subscribers.tokens import Purpose
from tests.intake.blog import articles
from tests.support.live_blog import LiveBlog
from tests.web.conftest import AUTHOR, Studio, opened


@dataclass
class Held:
    """A studio whose blog brought more new posts at once than it may: ids 3 to 6 are on hold."""

    studio: Studio
    blog: LiveBlog

    def link(self, kind: NoticeKind = NoticeKind.POST_HELD) -> str:
        """The path that the author's mail of this kind leads to."""
        house = self.studio.house
        with house.store.read() as unit:
            notice = next(one for one in unit.notices.list() if one.kind is kind)
        letter = render_notice(house.tools, house.settings(), notice).letter
        text = "".join(segment.text for segment in letter.text)
        found = re.search(r"https?://[^/\s]+(/[af]/\S+)", text)
        assert found is not None
        return found[1]

    def states(self) -> dict[int, PostState]:
        return {post.id: post.state for post in self.studio.house.desk.posts() if post.id > 2}


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Held]:
    with (
        LiveBlog(articles(1, 2)) as blog,
        opened(tmp_path, first_poll="baseline", max_age="36500 days", sender=AUTHOR) as studio,
    ):
        studio.house.desk.set_setting("POSTAL_ADDRESS", "PO Box 7, Leith")
        studio.house.desk.add_feed(blog.feed_url)
        studio.house.turn([Step.POLL])
        blog.articles = articles(1, 2, 3, 4, 5, 6)
        studio.house.desk.poll(1)
        yield Held(studio, blog)


def test_the_mail_shows_the_post_and_leads_to_a_page_that_anybody_who_holds_it_may_read(held: Held) -> None:
    house = held.studio.house
    with house.store.read() as unit:
        notice = next(one for one in unit.notices.list() if one.kind is NoticeKind.POST_HELD)
    letter = render_notice(house.tools, house.settings(), notice).letter
    text = " ".join("".join(segment.text for segment in letter.text).split())
    first = articles(3)[0]
    assert first.title in text
    assert "3 more were held with it" in text
    with held.studio.visitor(signed_in=False) as visitor:
        page = visitor.get(held.link()).text
    assert "4 posts on hold" in page
    assert page.count(">Release it<") == page.count(">Skip it<") == 4
    assert [article.title in page for article in articles(3, 4, 5, 6)] == [True] * 4


def test_a_program_that_follows_the_link_changes_nothing(held: Held) -> None:
    before = held.states()
    with held.studio.visitor(signed_in=False) as visitor:
        for _ in range(3):
            assert visitor.get(held.link()).status_code == 200
            visitor.head(held.link())
    assert held.states() == before == dict.fromkeys((3, 4, 5, 6), PostState.HELD)


def test_a_press_releases_one_post_and_another_skips_one(held: Held) -> None:
    link = held.link()
    with held.studio.visitor(signed_in=False) as visitor:
        answer = visitor.post(link, data={"choice": "release", "post": 3})
        assert answer.headers["location"] == f"{link}?done=released-told"
        visitor.post(link, data={"choice": "skip", "post": 4})
        assert "2 posts on hold" in visitor.get(link).text
        again = visitor.post(link, data={"choice": "skip", "post": 3})
        assert again.status_code == 409 and "decided already" in again.text
    assert held.states() == {
        3: PostState.READY, 4: PostState.SKIPPED, 5: PostState.HELD, 6: PostState.HELD
    }  # fmt: skip


def test_the_link_decides_nothing_about_another_feed(held: Held) -> None:
    house = held.studio.house
    expires = wiring.now() + timedelta(hours=1)
    house.desk.add_feed(held.studio.blog.feed_url)
    other = "/f/" + house.tokens.sign(Purpose.AUTHOR_FEED, 2, expires_at=expires)
    with held.studio.visitor(signed_in=False) as visitor:
        assert visitor.post(other, data={"choice": "release", "post": 3}).status_code == 404
    assert held.states()[3] is PostState.HELD


def test_a_forged_old_or_foreign_link_opens_nothing(held: Held) -> None:
    sign = held.studio.house.tokens.sign
    soon, past = wiring.now() + timedelta(hours=1), wiring.now() - timedelta(hours=1)
    good = sign(Purpose.AUTHOR_FEED, 1, expires_at=soon)
    foreign = sign(Purpose.AUTHOR_ISSUE, 1, expires_at=soon)
    old = sign(Purpose.AUTHOR_FEED, 1, expires_at=past)
    with held.studio.visitor(signed_in=False) as visitor:
        for token in (good[:-2] + "AA", foreign, old, "x"):
            assert visitor.get(f"/f/{token}").status_code == 404
            assert visitor.post(f"/f/{token}", data={"choice": "release", "post": 3}).status_code == 404
    assert held.states()[3] is PostState.HELD


def test_a_feed_that_fails_is_told_with_a_link_to_look_at_it_again(held: Held) -> None:
    def answers(status: int) -> None:
        held.blog.answer = lambda path: (status, "application/atom+xml", held.blog.feed())  # type: ignore[method-assign]
        held.studio.house.desk.poll(1)

    for _ in range(5):
        answers(503)
    link = held.link(NoticeKind.PROBLEM)
    with held.studio.visitor(signed_in=False) as visitor:
        assert "503" in visitor.get(link).text
        held.blog.answer = lambda path: (200, "application/atom+xml", held.blog.feed())  # type: ignore[method-assign]
        assert visitor.post(link, data={"choice": "look"}).headers["location"] == f"{link}?done=looked-told"
        assert "503" not in visitor.get(link).text


def test_an_issue_that_paused_by_itself_is_told_with_a_link_to_go_on_or_cancel(held: Held) -> None:
    house = held.studio.house
    house.desk.add_subscriber("ines@example.org")
    house.desk.release_post(3)
    house.turn([Step.COMPOSE])
    issue = house.desk.today().drafts[0].issue.id
    house.desk.approve_issue(issue)
    house.turn([Step.START])
    with house.store.begin() as unit:
        unit.issues.pause(issue, "Too many of its messages bounced.", wiring.now())
    tell_if_paused(house.tools, issue, "Too many of its messages bounced.")
    link = held.link(NoticeKind.PROBLEM)
    with held.studio.visitor(signed_in=False) as visitor:
        page = visitor.get(link).text
        assert "Too many of its messages bounced." in page and "Go on sending" in page
        visitor.post(link, data={"choice": "resume"})
        assert house.desk.issue(issue).issue.state is IssueState.SENDING
