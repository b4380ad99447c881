"""What is one's own, in the whole house: the copy of everything that was sent, and to be forgotten."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest

from newsletter.model.notice import NoticeKind
from subscribers.imports import Report
from subscribers.tokens import Purpose
from tests.web.conftest import Studio

READER = "reader.to.forget@example.org"


@pytest.fixture
def own_page(studio: Studio) -> str:
    """The page of somebody who received an issue."""
    desk = studio.house.desk
    desk.set_setting("AUTHOR_EMAIL", "marian@notebook.example")
    added = desk.add_subscriber(READER).subscriber
    assert added is not None
    issue = studio.draft()
    desk.approve_issue(issue)
    desk.send_issue(issue)
    until = studio.house.tools.clock() + timedelta(minutes=30)
    return f"/m/{studio.house.tokens.sign(Purpose.PERSONAL, added.id, expires_at=until)}"


def test_the_copy_of_everything_names_the_posts_that_were_sent(studio: Studio, own_page: str) -> None:
    with studio.visitor(signed_in=False) as visitor:
        document = json.loads(visitor.post(f"{own_page}/copy").text)
    (sent,) = document["deliveries"]
    posts = [post for post in studio.house.desk.issue(sent["issue"]).posts]
    assert sent["state"] == "accepted"
    assert sent["posts"] == [{"title": post.title, "url": post.url} for post in posts] and sent["posts"]


def test_the_author_is_told_of_an_erasure_and_never_of_whom(studio: Studio, own_page: str) -> None:
    with studio.visitor(signed_in=False) as visitor:
        assert visitor.post(f"{own_page}/erase", data={"sure": "yes"}).status_code == 200
    with studio.house.store.read() as unit:
        told = [one for one in unit.notices.list() if one.key.startswith("erased:")]
    (notice,) = told
    assert (notice.kind, notice.to) == (NoticeKind.PROBLEM, "marian@notebook.example")
    said = json.dumps(dict(notice.data))
    assert "asked to be forgotten" in said and "suppression lists" in said
    assert READER not in said and "reader" not in said
    assert notice.subscriber_id is None


def test_nothing_that_was_told_of_an_import_names_them_any_more(studio: Studio, own_page: str) -> None:
    desk = studio.house.desk
    desk.unsubscribe(READER)
    two = f'"{READER}; bert@example.org"'
    file = f"email\n{READER}\nann@example.org\n{two}\n{READER} <me\n".encode()
    one = desk.look_at_import(io.BytesIO(file), "l.csv", 60)
    assert READER in desk.import_of(one.id).report
    with studio.visitor(signed_in=False) as visitor:
        assert visitor.post(f"{own_page}/erase", data={"sure": "yes"}).status_code == 200
    report = desk.import_of(one.id).report
    assert "reader" not in report and Report.read(report).rows == 4


def test_an_author_who_erases_themselves_is_told_nothing(studio: Studio, own_page: str) -> None:
    studio.house.desk.set_setting("AUTHOR_EMAIL", READER)
    with studio.visitor(signed_in=False) as visitor:
        visitor.post(f"{own_page}/erase", data={"sure": "yes"})
    with studio.house.store.read() as unit:
        assert [one for one in unit.notices.list() if one.to == READER] == []
