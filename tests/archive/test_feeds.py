"""The newsletter's own feeds, read by a feed reader."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import feedparser
from hypothesis import given
from hypothesis import strategies as st

from newsletter.archive import atom_feed, json_feed
from newsletter.model.issue import Issue, IssueState
from newsletter.model.publication import Newsletter
from subscribers.model import Cadence

SENT = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
NEWSLETTER = Newsletter(
    title="Field & Notes", sender=None, language="de", base_url="https://news.example.org"
)


def an_issue(number: int, subject: str = "A <subject>", preheader: str = "First words") -> Issue:
    return Issue(
        id=number,
        state=IssueState.FINISHED,
        cadence=Cadence.EACH,
        subject=subject,
        preheader=preheader,
        created_at=SENT,
        changed_at=SENT,
        started_at=SENT,
    )


def test_a_feed_reader_finds_every_issue_with_its_public_page() -> None:
    read = feedparser.parse(atom_feed(NEWSLETTER, [an_issue(2), an_issue(1)]))
    assert not read.bozo
    assert (read.feed.title, read.feed.language) == ("Field & Notes", "de")
    assert [entry.link for entry in read.entries] == [
        "https://news.example.org/i/2",
        "https://news.example.org/i/1",
    ]
    assert read.entries[0].published == "2026-03-04T09:00:00Z"
    assert (read.entries[0].title, read.entries[0].summary) == ("A <subject>", "First words")


def test_json_says_the_same() -> None:
    read = json.loads(json_feed(NEWSLETTER, [an_issue(2)]))
    assert read["version"] == "https://jsonfeed.org/version/1.1"
    (item,) = read["items"]
    assert item == {
        "id": "https://news.example.org/i/2",
        "url": "https://news.example.org/i/2",
        "title": "A <subject>",
        "content_text": "First words",
        "date_published": "2026-03-04T09:00:00Z",
    }


def test_before_the_first_issue_both_are_whole_and_empty() -> None:
    read = feedparser.parse(atom_feed(NEWSLETTER, []))
    assert not read.bozo and read.entries == []
    assert json.loads(json_feed(NEWSLETTER, []))["items"] == []


@given(st.text(), st.text())
def test_no_subject_breaks_the_document(subject: str, preheader: str) -> None:
    read = feedparser.parse(atom_feed(NEWSLETTER, [an_issue(1, subject, preheader)]))
    assert not read.bozo
    assert len(read.entries) == 1
