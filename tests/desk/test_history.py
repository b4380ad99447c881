from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from newsletter.desk.history import story
from newsletter.model.event import Event, EventKind
from newsletter.model.notice import Notice, NoticeKind, NoticeState
from newsletter.model.tracking import Reading
from subscribers.happenings import Happening, What
from subscribers.model import Consent, ConsentKind, Suppression, SuppressionCause
from subscribers.requests import Form, Request, RequestKind
from subscribers.tracking import Agreed

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def later(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def test_everything_stands_in_one_story_the_newest_first() -> None:
    told = story(
        consents=[
            Consent(
                subscriber_id=1,
                kind=ConsentKind.EXPRESS,
                at=later(1),
                source="form: page",
                origin="192.0.2.0/24",
            )
        ],
        requests=[
            Request(
                id=1,
                subscriber_id=1,
                kind=RequestKind.SIGN_UP,
                at=NOON,
                expires_at=later(99),
                form=Form(source="form: page", wording="Yes"),
                address="",
                used_at=later(1),
            )
        ],
        agreed=[
            Agreed(at=later(2), source="form: preferences", origin="", wording="Keep", withdrawn_at=later(8))
        ],
        read=[
            Reading(
                subscriber_id=1,
                issue_id=4,
                url="https://blog.example/one",
                first_at=later(5),
                last_at=later(6),
                times=2,
            )
        ],
        told=[
            (
                Event(
                    provider="sendgrid",
                    key="k",
                    kind=EventKind.BOUNCED,
                    at=later(9),
                    issue_id=4,
                    subscriber_id=1,
                    code="5.1.1",
                    reason="550 unknown user",
                ),
                '{"event": "bounce"}',
            )
        ],
        happenings=[Happening(at=later(10), what=What.BOUNCED, detail="5.1.1")],
        suppressions=[Suppression(cause=SuppressionCause.BOUNCED, at=later(10), reason="5.1.1")],
    )
    assert [one.what for one in told] == [
        "Nothing goes to this address any more: it bounced",
        "Issue 4 came back for good",
        "No longer agrees that their opens and clicks are kept",
        "Followed blog.example/one",
        "Agreed that their own opens and clicks are kept",
        "Asked for the newsletter",
        "Somebody signed this address up, and a message asked whether that is right",
    ]
    bounce = told[1]
    assert bounce.because == "There is no such mailbox. 5.1.1 550 unknown user (told by SendGrid)"
    assert bounce.raw == '{\n  "event": "bounce"\n}' and bounce.issue_id == 4
    assert told[5].because == "on the sign-up page, network 192.0.2.0/24"


@pytest.mark.parametrize("what", What)
def test_every_happening_has_words(what: What) -> None:
    (one,) = story(happenings=[Happening(at=NOON, what=what, detail="weekly")])
    assert one.what[0].isupper() and "_" not in one.what and " " in f"{one.what} "


@pytest.mark.parametrize("kind", EventKind)
def test_every_report_has_words_and_its_cause(kind: EventKind) -> None:
    event = Event(provider="mail", key="k", kind=kind, at=NOON, issue_id=2, subscriber_id=1)
    (one,) = story(told=[(event, "Status: 5.0.0")])
    assert one.what.startswith("Issue 2 ") and one.because == "Told by mail that came to you"
    assert one.raw == "Status: 5.0.0"


@pytest.mark.parametrize("cause", SuppressionCause)
def test_what_an_import_forbids_stands_there_too(cause: SuppressionCause) -> None:
    (one,) = story(suppressions=[Suppression(cause=cause, at=NOON, reason="import: old.csv")])
    assert one.because == "import: old.csv"


@pytest.mark.parametrize(
    "kind", [NoticeKind.CONFIRM, NoticeKind.WELCOME, NoticeKind.ADDRESS_CHANGE, NoticeKind.SUBSCRIBER_LINK]
)
def test_a_message_outside_any_issue_is_told_with_what_became_of_it(kind: NoticeKind) -> None:
    sent_at = NOON + timedelta(seconds=5)
    sent = Notice(
        id=1, key="one", kind=kind, to="ann@example.org", state=NoticeState.ACCEPTED, created_at=NOON,
        due_at=NOON, sent_at=sent_at,
    )  # fmt: skip
    refused = replace(sent, state=NoticeState.FAILED, sent_at=None, code="5.1.1", reason="Nobody")
    one, other = story(notices=[sent, refused])
    assert one.at == sent_at and one.what.endswith("was sent") and not one.because
    assert other.what.endswith("could not be sent") and "Nobody" in other.because
