from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.learn.dsn import kind_of, parse
from newsletter.model.delivery import Envelope, MessageKey
from newsletter.model.event import Event, EventKind
from newsletter.model.identity import delivery_of, delivery_of_path, message_id, return_path
from tests.send.world import KEY, NOW, letter


def handed(key: MessageKey, *, attempt_id: int) -> Envelope:
    return Envelope(key=key, to="", letter=letter(), message_id="", attempt_id=attempt_id)


OURS = MessageKey(7, 12)
MESSAGE_ID = message_id(7, 12, KEY, "news.example")
PATH = return_path(handed(OURS, attempt_id=3), KEY, "bounces@news.example")


def report(
    *,
    action: str = "failed",
    status: str = "5.1.1",
    to: str = "bounces@news.example",
    quoted: str = MESSAGE_ID,
    diagnostic: str = "smtp; 550 5.1.1 <reader@readers.example>: user unknown",
) -> bytes:
    return f"""\
From: MAILER-DAEMON@relay.example
To: {to}
Subject: Undelivered Mail Returned to Sender
Date: Mon, 02 Mar 2026 07:00:00 +0000
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

This is the mail system at host relay.example.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example
Arrival-Date: Mon, 02 Mar 2026 06:59:00 +0000

Final-Recipient: rfc822; reader@readers.example
Action: {action}
Status: {status}
Diagnostic-Code: {diagnostic}

--b
Content-Type: text/rfc822-headers

From: ada@news.example
Message-ID: {quoted}

--b--
""".replace("\n", "\r\n").encode()


def complaint(kind: str = "abuse") -> bytes:
    return f"""\
From: fbl@relay.example
To: abuse@news.example
Subject: complaint
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b"

--b
Content-Type: text/plain

This is a complaint.

--b
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: Relay/1.0
Version: 1

--b
Content-Type: message/rfc822

From: ada@news.example
To: reader@readers.example
Message-ID: {MESSAGE_ID}
Subject: A morning letter

Good morning.

--b--
""".replace("\n", "\r\n").encode()


def events(raw: bytes) -> list[Event]:
    return [event for event, _ in parse(raw, keys=[KEY], now=NOW) or []]


@pytest.mark.parametrize("where", ["path", "quoted"])
def test_a_report_names_its_delivery(where: str) -> None:
    raw = report(to=PATH, quoted="<x@y>") if where == "path" else report()
    (event,) = events(raw)
    assert (event.kind, event.issue_id, event.subscriber_id) == (EventKind.BOUNCED, 7, 12)
    assert event.attempt_id == (3 if where == "path" else 0)
    assert event.code == "5.1.1"
    assert "@" not in event.reason
    assert event.at.hour == 7


@pytest.mark.parametrize(
    ("action", "status", "kind"),
    [
        ("failed", "5.1.1", EventKind.BOUNCED),
        ("failed", "5.1.10", EventKind.BOUNCED),
        ("failed", "5.2.2", EventKind.SOFT_BOUNCED),
        ("failed", "4.7.1", EventKind.SOFT_BOUNCED),  # an expired greylisting
        ("failed", "4.4.7", EventKind.SOFT_BOUNCED),
        ("failed", "5.7.1", EventKind.BLOCKED),
        ("failed", "5.7.26", EventKind.BLOCKED),
        ("failed", "5.4.5", EventKind.BLOCKED),
        ("failed", "5.3.4", EventKind.BLOCKED),
        ("failed", "5.1.8", EventKind.BLOCKED),
        ("delayed", "4.2.2", EventKind.DEFERRED),
        ("delivered", "2.0.0", EventKind.DELIVERED),
        ("relayed", "2.0.0", EventKind.PROCESSED),
    ],
)
def test_a_reports_own_status_decides(action: str, status: str, kind: EventKind) -> None:
    assert kind_of(action, status) is kind
    assert [event.kind for event in events(report(action=action, status=status))] == [kind]


@pytest.mark.parametrize(
    "quoted",
    ["<7.12.000000000000000000@news.example>", MESSAGE_ID.replace("7.12", "7.13"), "<abc@x.example>", ""],
)
def test_a_forged_report_moves_nothing(quoted: str) -> None:
    assert events(report(quoted=quoted)) == []


def test_a_complaint_is_one_and_a_pardon_is_none() -> None:
    assert [event.kind for event in events(complaint())] == [EventKind.COMPLAINED]
    assert events(complaint("not-spam")) == []


def test_a_bounce_without_a_report_is_guessed() -> None:
    raw = (
        f"From: MAILER-DAEMON@relay.example\r\nTo: {PATH}\r\nSubject: failure notice\r\n\r\n"
        "Hi. This is the qmail-send program at relay.example.\r\n"
        "I'm afraid I wasn't able to deliver your message to the following addresses.\r\n"
        "This is a permanent error; I've given up. Sorry it didn't work out.\r\n\r\n"
        "<reader@readers.example>:\r\nno such user\r\n\r\n--- Below this line is a copy of the message.\r\n"
    ).encode()
    assert [event.kind for event in events(raw)] == [EventKind.BOUNCED]


def test_an_answer_from_a_holiday_is_no_bounce() -> None:
    raw = (
        f"From: reader@readers.example\r\nTo: {PATH}\r\nAuto-Submitted: auto-replied\r\n"
        "Subject: away\r\n\r\nI am away until Monday.\r\n"
    ).encode()
    assert events(raw) == []


@given(st.binary(max_size=300), st.integers(0, 900))
def test_nothing_in_the_mailbox_breaks_the_parser(junk: bytes, place: int) -> None:
    raw = report(to=PATH)
    events(raw[:place] + junk + raw[place:])
    events(junk)


@given(issue_id=st.integers(0, 10**9), number=st.integers(1, 10**12), attempt_id=st.integers(0, 10**9))
def test_names_lead_back_to_their_delivery(issue_id: int, number: int, attempt_id: int) -> None:
    key = MessageKey(issue_id, number)
    assert delivery_of(message_id(issue_id, number, KEY, "news.example"), [KEY]) == key
    path = return_path(handed(key, attempt_id=attempt_id), KEY, "bounces@news.example")
    assert delivery_of_path(f"<{path}>", [b"a newer key", KEY]) == (key, attempt_id)
    assert len(path.rpartition("@")[0]) <= 64  # RFC 5321 section 4.5.3.1.1
    assert delivery_of_path(path, [b"another key"]) is None
    assert delivery_of_path(path.replace("+", "+1", 1), [KEY]) is None


def test_what_is_none_of_ours_is_told_from_what_tells_nothing() -> None:
    letter_to_the_author = b"From: a@b.example\r\nTo: bounces@news.example\r\nSubject: hi\r\n\r\nHello\r\n"
    assert parse(letter_to_the_author, keys=[KEY], now=NOW) is None
    away = f"To: {PATH}\r\nAuto-Submitted: auto-replied\r\nSubject: away\r\n\r\nAway.\r\n".encode()
    assert parse(away, keys=[KEY], now=NOW) == []
