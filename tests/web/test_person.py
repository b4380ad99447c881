"""A person's page: their whole history, a copy of it, and to be erased."""

from __future__ import annotations

import io
import json
from datetime import timedelta

from newsletter.model.event import Event, EventKind
from newsletter.model.notice import NewNotice, NoticeKind
from subscribers.imports import How
from subscribers.model import Cadence, SubscriberState
from tests.web.conftest import Studio

ANN = "ann@example.org"
PAGE = "/studio/subscribers/1"


def _with_a_history(studio: Studio) -> int:
    """Ann received an issue, chose, paused, left, and came back; her server spoke of it."""
    desk, now = studio.house.desk, studio.house.tools.clock()
    desk.add_subscriber(ANN)
    issue = studio.draft()
    desk.approve_issue(issue)
    desk.send_issue(issue)
    event = Event(
        provider="sendgrid",
        key="one",
        kind=EventKind.SOFT_BOUNCED,
        at=now,
        issue_id=issue,
        subscriber_id=1,
        code="4.2.2",
        reason="452 over quota",
    )
    with studio.house.store.begin() as unit:
        people = unit.subscribers
        people.choose(
            1, now, cadence=Cadence.WEEKLY, topics_off=["Diet"], paused_until=now + timedelta(days=9)
        )
        people.choose(1, now, cadence=Cadence.WEEKLY, topics_off=["Diet"], paused_until=None)
        people.rename(1, "Ann", now)
        people.readdress(1, "ann@example.net", now)
        unit.events.add([(event, '{"event": "bounce", "status": "4.2.2"}')], now)
        hello = NewNotice(key="hello", kind=NoticeKind.WELCOME, to="ann@example.net", subscriber_id=1)
        unit.notices.queue(hello, now)
        people.unsubscribe(1, now)
        people.explain(1, "often", now)
    return issue


def test_the_page_of_a_person_tells_everything_that_happened_in_plain_words(studio: Studio) -> None:
    issue = _with_a_history(studio)
    with studio.visitor() as visitor:
        page = visitor.get(PAGE).text
    for words in (
        "Asked for the newsletter",
        "you added them",
        "The message that welcomes waits to be sent",
        "handed over",
        "Chose to hear once a week",
        "Wants nothing on Diet",
        "Paused until",
        "Ended the pause",
        "Changed their name",
        "Moved to another address",
        f"Issue {issue} came back for now",
        "The mailbox is full. 4.2.2 452 over quota (told by SendGrid)",
        "Unsubscribed",
        "by the link or button of a message",
        "too often",
    ):
        assert words in page, words
    assert "&#34;status&#34;: &#34;4.2.2&#34;" in page, "the report itself can be seen"
    assert ANN not in page, "where their mail went before is nobody's business"


def test_their_copy_says_what_they_did_and_what_was_told_of_them(studio: Studio) -> None:
    _with_a_history(studio)
    with studio.visitor() as visitor:
        answer = visitor.post(f"{PAGE}/copy")
    document = json.loads(answer.text)
    assert answer.headers["content-disposition"] == 'attachment; filename="subscriber-1.json"'
    assert document["address"] == "ann@example.net" and document["name"] == "Ann"
    assert [one["what"] for one in document["history"]] == [
        "how_often", "topics", "paused", "resumed", "named", "moved", "unsubscribed", "explained",
    ]  # fmt: skip
    assert [(one["what"], one["to"]) for one in document["notices"]] == [("welcome", "ann@example.net")]
    (report,) = document["reports"]
    assert (report["what"], report["code"]) == ("soft_bounced", "4.2.2")
    assert len(document["deliveries"]) == 1


def test_erasing_is_asked_for_in_words_and_done_by_a_button_only(studio: Studio) -> None:
    _with_a_history(studio)
    with studio.visitor() as visitor:
        asked = visitor.get(f"{PAGE}/erase").text
        for words in (
            "What is erased",
            "keyed hash",
            "Whatever program takes messages from the outbox folder",
        ):
            assert words in asked
        assert studio.house.desk.subscriber(1).subscriber.state is SubscriberState.UNSUBSCRIBED
        unsure = visitor.post(f"{PAGE}/erase")
        assert unsure.headers["location"] == f"{PAGE}/erase"
        foreign = visitor.post(
            f"{PAGE}/erase", data={"sure": "yes"}, headers={"sec-fetch-site": "cross-site"}
        )
        assert foreign.status_code == 403
        assert studio.house.desk.subscriber(1).subscriber.state is SubscriberState.UNSUBSCRIBED
        done = visitor.post(f"{PAGE}/erase", data={"sure": "yes"})
        assert done.headers["location"] == "/studio/subscribers?done=erased"
        assert "may still hold it" in visitor.get(done.headers["location"]).text
        page = visitor.get(PAGE).text
        assert "ann@example" not in page and "Diet" not in page
        assert "erased already" in visitor.get(f"{PAGE}/erase").text
        assert visitor.post(f"{PAGE}/erase", data={"sure": "yes"}).status_code == 404
    report = studio.house.desk.import_subscribers(
        b"email\nann@example.net\n", source="old.csv", dry_run=False, how=How()
    )
    assert "refused" in report.sentence, "no import brings them back"


def test_the_page_says_what_remains_at_the_provider_in_use(studio: Studio) -> None:
    studio.house.desk.add_subscriber(ANN)
    with studio.visitor() as visitor:
        for transport, words in (
            ("sendgrid", "SendGrid may still hold"),
            ("smtp", "Your mail server may still"),
        ):
            studio.house.desk.set_setting("TRANSPORT", transport)
            assert words in visitor.get(f"{PAGE}/erase").text


def test_the_page_says_so_where_an_uploaded_file_may_name_them(studio: Studio) -> None:
    desk = studio.house.desk
    desk.add_subscriber(ANN)
    with studio.visitor() as visitor:
        assert "A file of subscribers" not in visitor.get(f"{PAGE}/erase").text
        one = desk.look_at_import(io.BytesIO(f"email\n{ANN}\n".encode()), "l.csv", 60)
        assert "A file of subscribers that you uploaded" in visitor.get(f"{PAGE}/erase").text
        desk.cancel_import(one.id)
        assert "A file of subscribers" not in visitor.get(f"{PAGE}/erase").text


def test_a_visitor_who_is_not_signed_in_erases_and_copies_nobody(studio: Studio) -> None:
    studio.house.desk.add_subscriber(ANN)
    with studio.visitor(signed_in=False) as visitor:
        for path in ("erase", "copy"):
            answer = visitor.post(f"{PAGE}/{path}", data={"sure": "yes"})
            assert answer.status_code == 303 and "/studio/login" in answer.headers["location"]
    assert studio.house.desk.subscriber(1).subscriber.address == ANN
