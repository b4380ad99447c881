"""A blog post becomes a delivered email: the whole way, on each database, by each way of sending."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx
import pytest

from newsletter.errors import Conflict
from newsletter.model.issue import IssueState
from tests.acceptance.conftest import READERS, Arrived, World
from tests.support import ldn
from tests.web.conftest import serving


def send_the_post(world: World) -> list[Arrived]:
    desk = world.house.desk
    world.house.turn()
    issue = desk.today().drafts[0].issue
    desk.approve_issue(issue.id)
    receipt = desk.send_issue(issue.id)
    assert receipt.balances
    assert (receipt.audience, receipt.accepted, receipt.remaining) == (len(READERS), len(READERS), 0)
    assert desk.issue(issue.id).issue.state is IssueState.FINISHED
    return world.issue_mail()


def test_a_post_reaches_every_subscriber_once_and_whole(world: World) -> None:
    mail = send_the_post(world)

    assert sorted(message.to for message in mail) == sorted(READERS)
    for message in mail:
        assert message.subject == ldn.TITLE
        for passage in (*ldn.PARAGRAPHS, *ldn.QUOTATIONS):
            assert passage in message.words
        for link in ldn.LINKS:
            assert f'href="{link}"' in message.html
            assert link in message.text
        assert "PO Box 117" in message.words and "PO Box 117" in message.text
        assert "not a doctor" in message.words.lower(), "the disclaimer is in the footer"
        assert ldn.PICTURE in message.html

    links = {message.headers["List-Unsubscribe"] for message in mail}
    assert len(links) == len(READERS), "everybody has a link of their own"
    for message in mail:
        link = message.headers["List-Unsubscribe"].strip("<>")
        assert link.startswith("https://news.example.org/u/")
        assert link in message.html and link in message.text
        assert message.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert message.headers["List-Id"] == "<newsletter.notebook.example>"
        assert "Feedback-ID" in message.headers


def test_the_author_is_told_once_of_a_waiting_draft(world: World) -> None:
    for _ in range(3):
        world.house.turn()
    told = [message for message in world.mail() if message.to == "marian@notebook.example"]
    assert len(told) == 1
    assert ldn.TITLE in told[0].subject
    link = re.search(r"https://news\.example\.org/a/[\w-]+", told[0].text)
    assert link is not None
    with serving(world.house) as base, httpx.Client(base_url=base) as client:
        path = urlsplit(link[0]).path
        assert client.get(path).status_code == 200
        assert world.house.desk.today().drafts, "looking changes nothing"
        seen = world.house.desk.today().drafts[0].issue.content_hash
        client.post(path, data={"choice": "approve", "seen": seen})
    assert world.house.desk.today().approved


def test_one_click_unsubscribes_at_once_and_looking_does_not(world: World) -> None:
    mail = send_the_post(world)
    leaving = next(message for message in mail if message.to == READERS[0])
    path = urlsplit(leaving.headers["List-Unsubscribe"].strip("<>")).path
    desk = world.house.desk

    with serving(world.house) as base, httpx.Client(base_url=base) as client:
        assert client.get(path).status_code == 200
        assert desk.subscriber(READERS[0]).subscriber.state.value == "active"
        answer = client.post(path, data={"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
        assert desk.subscriber(READERS[0]).subscriber.state.value == "unsubscribed"
        assert client.post(path).status_code == 200, "again is fine"
    assert desk.receipt(1).receipt.unsubscribed == 1


def test_an_approved_issue_goes_at_its_time_by_itself(world: World) -> None:
    desk = world.house.desk
    world.house.turn()
    issue = desk.today().drafts[0].issue
    desk.approve_issue(issue.id, at=datetime.now(UTC) + timedelta(hours=1))
    world.house.turn()
    assert world.issue_mail() == []
    desk.unapprove_issue(issue.id)
    desk.approve_issue(issue.id)
    world.house.turn()
    assert len(world.issue_mail()) == len(READERS)
    assert desk.receipt(issue.id).receipt.remaining == 0


def test_whoever_left_before_sending_starts_gets_nothing(world: World) -> None:
    desk = world.house.desk
    world.house.turn()
    desk.unsubscribe(READERS[1])
    issue = desk.today().drafts[0].issue
    desk.approve_issue(issue.id)
    receipt = desk.send_issue(issue.id)
    assert receipt.audience == len(READERS) - 1
    assert READERS[1] not in {message.to for message in world.issue_mail()}


def test_a_test_reaches_one_address_and_touches_no_subscriber(world: World) -> None:
    world.house.turn()
    issue = world.house.desk.today().drafts[0].issue
    said = world.house.desk.test_issue(issue.id, "friend@example.net")
    assert said.sentence.startswith("The test was handed over") and not said.failed
    [test] = [message for message in world.mail() if message.to == "friend@example.net"]
    assert test.subject == ldn.TITLE
    assert ldn.PARAGRAPHS[0] in test.words
    assert world.issue_mail() == []
    assert world.house.desk.receipt(issue.id).receipt.audience == 0


def test_a_cancelled_draft_is_never_sent(world: World) -> None:
    desk = world.house.desk
    world.house.turn()
    issue = desk.today().drafts[0].issue
    desk.cancel_issue(issue.id)
    for attempt in (lambda: desk.approve_issue(issue.id), lambda: desk.send_issue(issue.id)):
        with pytest.raises(Conflict):
            attempt()
    world.house.turn()
    assert world.issue_mail() == []
    assert desk.issues()[0].issue.state is IssueState.CANCELLED
