"""Leaving by mail: what a mail program writes to the address in List-Unsubscribe."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage

import pytest

from newsletter.learn.wishes import mailto, parse
from newsletter.model.event import EventKind
from newsletter.steps.links import Links
from subscribers.model import Recipient
from subscribers.tokens import Purpose, Tokens

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
TOKENS = Tokens([b"a key of the tests, 32 bytes long"])
TOKEN = TOKENS.sign(Purpose.UNSUBSCRIBE, 7, 3)


def mail(subject: str) -> bytes:
    message = EmailMessage()
    message["From"] = "ann@example.org"
    message["Subject"] = subject
    message.set_content("")
    return message.as_bytes()


@pytest.mark.parametrize(
    "subject",
    [f"unsubscribe {TOKEN}", f"Re: Unsubscribe  {TOKEN}", f"UNSUBSCRIBE {TOKEN} - sent from my phone"],
)
def test_the_subject_of_the_header_unsubscribes_whoever_it_names(subject: str) -> None:
    ((event, raw),) = parse(mail(subject), tokens=TOKENS, now=NOW)
    assert (event.kind, event.subscriber_id, event.issue_id) == (EventKind.UNSUBSCRIBED, 7, 3)
    assert "@" not in raw


@pytest.mark.parametrize(
    "subject",
    [
        "unsubscribe",
        "unsubscribe me please",
        TOKEN,
        f"unsubscribe {TOKEN[:-1]}",
        f"unsubscribe {TOKEN}A",
        f"unsubscribe {TOKENS.sign(Purpose.PREFERENCES, 7)}",
        f"unsubscribe {TOKENS.sign(Purpose.UNSUBSCRIBE, 7)}",
        f"unsubscribe {Tokens([b'somebody elses key of 32 bytes..']).sign(Purpose.UNSUBSCRIBE, 7, 3)}",
    ],
)
def test_anything_else_unsubscribes_nobody(subject: str) -> None:
    assert parse(mail(subject), tokens=TOKENS, now=NOW) == []


@pytest.mark.parametrize(
    "raw", [b"", b"\xff\xfe\x00", b"Subject: =?x?b?###?=\n\n", b"Subject: " + b"(" * 9999]
)
def test_broken_mail_is_passed_over(raw: bytes) -> None:
    assert parse(raw, tokens=TOKENS, now=NOW) == []


def links(base_url: str, mailbox: str = "") -> Links:
    return Links(
        base_url=base_url, tokens=TOKENS, message_key=b"k" * 32, host="news.example", mailbox=mailbox
    )


def test_one_click_is_promised_over_https_only() -> None:
    ann = Recipient(id=7, address="ann@example.org")
    assert dict(links("https://news.example").headers(ann, 3)) == {
        "List-Unsubscribe": f"<https://news.example/u/{TOKEN}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    assert dict(links("http://localhost:8000").headers(ann, 3)) == {
        "List-Unsubscribe": f"<http://localhost:8000/u/{TOKEN}>"
    }


def test_where_a_mailbox_is_read_the_header_names_it_too_and_its_answer_is_understood() -> None:
    found = dict(
        links("https://news.example", "bounces@news.example").headers(Recipient(id=7, address="a"), 3)
    )
    web, by_mail = found["List-Unsubscribe"].split(", ")
    assert web == f"<https://news.example/u/{TOKEN}>"
    assert by_mail == f"<{mailto('bounces@news.example', TOKEN)}>"
    subject = by_mail.partition("subject=")[2].rstrip(">").replace("%20", " ")
    assert parse(mail(subject), tokens=TOKENS, now=NOW)
