"""The author's signed link: look without signing in, decide by a press."""

from __future__ import annotations

from datetime import timedelta

import httpx

from newsletter import wiring
from newsletter.model.issue import IssueState
from subscribers.tokens import Purpose
from tests.web.conftest import Studio


def link_of(studio: Studio, issue: int, *, hours: int = 24) -> str:
    expires = wiring.now() + timedelta(hours=hours)
    return "/a/" + studio.house.tokens.sign(Purpose.AUTHOR_ISSUE, issue, expires_at=expires)


def seen(visitor: httpx.Client, link: str) -> str:
    return visitor.get(link).text.split('name="seen" value="')[1].split('"')[0]


def test_the_link_shows_the_email_and_two_buttons_to_whoever_holds_it(studio: Studio) -> None:
    link = link_of(studio, studio.draft())
    with studio.visitor(signed_in=False) as visitor:
        text = visitor.get(link).text
        assert "Approve and send" in text and "Cancel it" in text
        preview = visitor.get(f"{link}/preview")
        assert preview.headers["content-security-policy"].startswith("sandbox;")
        assert "naltrexone" in preview.text


def test_a_program_that_follows_the_link_changes_nothing(studio: Studio) -> None:
    issue = studio.draft()
    link = link_of(studio, issue)
    with studio.visitor(signed_in=False) as visitor:
        for _ in range(3):
            visitor.get(link)
            visitor.head(link)
    assert studio.house.desk.issue(issue).issue.state is IssueState.DRAFT


def test_a_press_approves_what_was_seen(studio: Studio) -> None:
    issue = studio.draft()
    link = link_of(studio, issue)
    with studio.visitor(signed_in=False) as visitor:
        answer = visitor.post(link, data={"choice": "approve", "seen": seen(visitor, link)})
        assert answer.headers["location"] == f"{link}?done=approved-now"
        assert "Stop it" in visitor.get(link).text
        visitor.post(link, data={"choice": "unapprove"})
    assert studio.house.desk.issue(issue).issue.state is IssueState.DRAFT


def test_a_press_on_an_email_that_changed_meanwhile_asks_to_look_again(studio: Studio) -> None:
    issue = studio.draft()
    link = link_of(studio, issue)
    with studio.visitor(signed_in=False) as visitor:
        old = seen(visitor, link)
        studio.house.desk.edit_issue(issue, note="Changed.")
        answer = visitor.post(link, data={"choice": "approve", "seen": old})
        assert answer.headers["location"] == f"{link}?done=look-again"
    assert studio.house.desk.issue(issue).issue.state is IssueState.DRAFT


def test_a_press_cancels(studio: Studio) -> None:
    issue = studio.draft()
    link = link_of(studio, issue)
    with studio.visitor(signed_in=False) as visitor:
        visitor.post(link, data={"choice": "cancel"})
        assert "nothing left to decide" in visitor.get(link).text
    assert studio.house.desk.issue(issue).issue.state is IssueState.CANCELLED


def test_a_forged_old_or_foreign_link_opens_nothing(studio: Studio) -> None:
    issue = studio.draft()
    good = link_of(studio, issue)
    foreign = "/a/" + studio.house.tokens.sign(Purpose.PREFERENCES, issue)
    old = link_of(studio, issue, hours=-1)
    with studio.visitor(signed_in=False) as visitor:
        for link in (good[:-2] + "AA", old, foreign, "/a/x"):
            assert visitor.get(link).status_code == 404
            assert visitor.get(f"{link}/preview").status_code == 404
            assert visitor.post(link, data={"choice": "cancel"}).status_code == 404
    assert studio.house.desk.issue(issue).issue.state is IssueState.DRAFT


def test_the_link_opens_no_other_page(studio: Studio) -> None:
    link = link_of(studio, studio.draft())
    with studio.visitor(signed_in=False) as visitor:
        visitor.get(link)
        assert visitor.get("/studio/").status_code == 303
