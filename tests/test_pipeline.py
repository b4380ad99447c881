"""The turn itself: order, isolation, and that nothing is done twice."""

from __future__ import annotations

import mailbox
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from newsletter import pipeline, wiring
from newsletter.demo.blog_server import SampleBlog
from newsletter.errors import ConfigError, StoreProblem, TransportBusy
from newsletter.learn import take_in
from newsletter.model.delivery import Envelope, Outcome, Verdict
from newsletter.model.event import Event, EventKind
from newsletter.model.issue import IssueState
from newsletter.model.notice import NoticeKind
from newsletter.pipeline import ALL, Step
from newsletter.steps import dispatch
from newsletter.steps.telling import confirmation, welcome
from newsletter.steps.tools import Tools
from newsletter.wiring import House
from subscribers.model import SubscriberState
from subscribers.requests import Form
from subscribers.signups import SignUps


@pytest.fixture
def blog() -> Iterator[SampleBlog]:
    with SampleBlog() as running:
        yield running


@pytest.fixture
def house(tmp_path: Path, blog: SampleBlog) -> Iterator[House]:
    fixed = {
        "secret_key": "a secret key of the tests that is long enough",
        "database_url": f"sqlite:///{tmp_path}/newsletter.db",
        "data_dir": str(tmp_path),
        "sender": "Ann <ann@example.org>",
        "postal_address": "PO Box 1",
        "feed_url": blog.feed_url,
        "first_poll": "newest",
        "settle": "0",
        "allow_private_addresses": "true",
    }
    wiring.prepare(fixed)
    with wiring.build(fixed) as built:
        built.desk.add_subscriber("ines@example.org")
        yield built


def at(house: House, moment: datetime) -> Tools:
    """The house's tools at another time."""
    return replace(house.tools, clock=lambda: moment)


def notices(house: House) -> list[NoticeKind]:
    with house.store.read() as unit:
        return [notice.kind for notice in unit.notices.list()]


def test_a_turn_does_every_step_in_order_and_says_what_it_did(house: House) -> None:
    turned = house.turn()
    assert tuple(done.name for done in turned.steps) == ALL
    said = {done.name: done.summary for done in turned.steps}
    assert said[Step.POLL] == "1 looked at, 1 new"
    assert said[Step.COMPOSE] == "1 new draft"
    assert turned.problems == ()


def test_a_second_turn_finds_nothing_due(house: House) -> None:
    house.turn()
    again = house.turn()
    assert [done.summary for done in again.steps] == [""] * len(ALL)


def test_only_the_steps_that_were_asked_for_run(house: House) -> None:
    turned = house.turn([Step.COMPOSE, Step.POLL])
    assert [done.name for done in turned.steps] == [Step.POLL, Step.COMPOSE]


def test_a_step_that_fails_is_told_and_keeps_no_other_from_running(house: House) -> None:
    def broken(_settings: object) -> object:
        raise ZeroDivisionError

    tools = replace(house.tools, http=broken)  # type: ignore[arg-type]  # broken on purpose
    turned = pipeline.turn(tools)
    assert turned.problems == ("The step poll failed; the log says why.",)
    assert len(turned.steps) == len(ALL)

    def told(_settings: object) -> object:
        raise StoreProblem("The disk is full.", hint="Make room.")

    turned = pipeline.turn(replace(house.tools, http=told))  # type: ignore[arg-type]
    assert turned.problems == ("The disk is full. Make room.",)


def test_a_feed_that_was_removed_is_not_added_again_by_itself(house: House) -> None:
    house.turn()
    house.desk.remove_feed(1)
    house.turn()
    assert list(house.desk.feeds()) == []


def test_a_draft_goes_by_itself_at_its_time_unless_it_is_stopped(house: House) -> None:
    desk = house.desk
    desk.set_setting("APPROVAL", "auto")
    house.turn()
    shown = desk.today().drafts[0]
    assert shown.issue.send_at is not None
    later = shown.issue.send_at + timedelta(seconds=1)

    desk.stop_issue(shown.issue.id)
    pipeline.turn(at(house, later))
    assert desk.issue(shown.issue.id).issue.state is IssueState.DRAFT

    with house.store.begin() as unit:
        unit.issues.plan(shown.issue.id, shown.issue.send_at)
    pipeline.turn(at(house, later))
    assert desk.issue(shown.issue.id).issue.state is IssueState.FINISHED
    assert desk.receipt(shown.issue.id).receipt.accepted == 1


def test_a_draft_that_may_not_go_by_itself_waits_and_the_author_is_told(house: House) -> None:
    desk = house.desk
    desk.set_setting("APPROVAL", "auto")
    house.turn()
    shown = desk.today().drafts[0]
    assert shown.issue.send_at is not None
    later = shown.issue.send_at + timedelta(seconds=1)
    desk.edit_issue(shown.issue.id, exclude=[shown.posts[0].id])
    for _ in range(2):
        pipeline.turn(at(house, later))
    assert desk.issue(shown.issue.id).issue.state is IssueState.DRAFT
    assert notices(house).count(NoticeKind.PROBLEM) == 1


def test_a_setting_that_changes_the_email_composes_the_draft_anew(house: House) -> None:
    house.turn()
    before = house.desk.today().drafts[0].issue.content_hash
    house.desk.set_setting("DISCLAIMER", "Not a doctor at all.")
    house.turn()
    after = house.desk.today().drafts[0].issue.content_hash
    assert after != before
    assert "Not a doctor at all." in house.desk.preview(1, format="text")


def test_what_was_approved_is_what_is_sent_whatever_is_set_afterwards(house: House, tmp_path: Path) -> None:
    house.turn()
    house.desk.approve_issue(1)
    approved = house.desk.issue(1).issue.approved_hash
    house.desk.set_setting("DISCLAIMER", "Added after approval.")
    house.desk.send_issue(1)
    assert house.desk.issue(1).issue.content_hash == approved
    sent = [
        file.read_text() for file in (tmp_path / "outbox" / "new").iterdir() if "ines@" in file.read_text()
    ]
    assert len(sent) == 1
    assert "Added after approval." not in sent[0]


def test_a_post_edited_after_approval_asks_for_it_again(house: House) -> None:
    house.turn()
    house.desk.approve_issue(1)
    with house.store.begin() as unit:
        unit.conn.exec_driver_sql(
            "UPDATE posts SET revision = revision + 1, title = 'Corrected' WHERE state = 'ready'"
        )
        unit.conn.exec_driver_sql("UPDATE issues SET send_at = send_at + 3600000")
    house.turn()
    issue = house.desk.issue(1).issue
    assert issue.state is IssueState.DRAFT
    assert issue.subject == "Corrected"
    assert "edited on the blog" in issue.problem
    assert notices(house).count(NoticeKind.DRAFT_WAITING) == 2


def test_who_never_confirmed_is_reminded_once_and_then_vanishes(house: House) -> None:
    now = house.tools.clock()
    with house.store.begin() as unit:
        asked = SignUps(unit.subscribers).sign_up(
            "new@example.org", Form(source="form", wording="Yes", origin=""), now
        )
        assert asked.ask is not None
        unit.notices.queue(confirmation(asked.ask), now)
    for days in (3, 4, 5):
        pipeline.turn(at(house, now + timedelta(days=days)), [Step.CLEAN])
    assert notices(house).count(NoticeKind.CONFIRM) == 2
    assert house.desk.subscribers(text="new@")
    pipeline.turn(at(house, now + timedelta(days=31)), [Step.CLEAN])
    assert not house.desk.subscribers(text="new@")


def test_a_restored_older_database_sends_nothing_until_the_author_says_so(
    house: House, tmp_path: Path
) -> None:
    house.turn()
    house.desk.approve_issue(1)
    backup(tmp_path / "newsletter.db", tmp_path / "yesterday.db")
    assert house.desk.send_issue(1).accepted == 1

    fixed = {**house.tools.fixed, "database_url": f"sqlite:///{tmp_path}/yesterday.db"}
    with wiring.build(fixed) as restored:
        restored.turn()
        issue = restored.desk.issue(1).issue
        assert issue.state is IssueState.PAUSED
        assert "restored copy" in issue.problem
        assert restored.desk.receipt(1).receipt.accepted == 0
        assert any(line.code == "restored" for line in restored.desk.doctor())

        restored.desk.accept_database()
        restored.desk.resume_issue(1)
        restored.turn()
        assert restored.desk.issue(1).issue.state is IssueState.FINISHED


def test_mail_is_signed_where_the_author_gave_a_key(house: House, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    house.desk.set_setting("DKIM_KEY", key.decode().replace("\n", "\\n"))
    house.desk.set_setting("DKIM_SELECTOR", "news")
    house.turn()
    [notice] = (tmp_path / "outbox" / "new").iterdir()
    assert "DKIM-Signature: v=1; a=ed25519-sha256" in notice.read_text()
    assert key not in (tmp_path / "newsletter.db").read_bytes()


def backup(source: Path, target: Path) -> None:
    with sqlite3.connect(source) as reader, sqlite3.connect(target) as writer:
        reader.backup(writer)
    reader.close()
    writer.close()


def test_a_provider_that_is_busy_is_left_alone_for_a_while(house: House) -> None:
    asked = 0

    class Busy:
        name, window, in_hand = "busy", 16, 32

        def hand_over(self, envelopes: Iterable[Envelope]) -> Iterator[Outcome]:
            nonlocal asked
            asked += 1
            for envelope in envelopes:
                yield Outcome(key=envelope.key, verdict=Verdict.UNSENT)
                raise TransportBusy("The mail server asks us to come back later.")

    busy = replace(house.tools, transport=lambda _settings: Busy())
    for _ in range(5):
        pipeline.turn(busy)
    assert asked == 1, "once, and not again before a minute is over"
    later = house.tools.clock() + timedelta(minutes=2)
    pipeline.turn(replace(busy, clock=lambda: later))
    assert asked == 2


def test_a_send_in_the_foreground_leaves_a_busy_provider_alone_too(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    stop = threading.Event()
    monkeypatch.setattr(dispatch, "LONGEST_WAIT_S", 0.05)

    class Busy:
        name, window, in_hand = "busy", 16, 32

        def hand_over(self, envelopes: Iterable[Envelope]) -> Iterator[Outcome]:
            nonlocal asked
            asked += 1
            for envelope in envelopes:
                yield Outcome(key=envelope.key, verdict=Verdict.UNSENT)
                raise TransportBusy("The mail server asks us to come back later.")

    house.turn()
    house.desk.approve_issue(1)
    busy = replace(house.tools, transport=lambda _settings: Busy())
    threading.Timer(2, stop.set).start()
    assert dispatch.send_now(busy, 1, stop).remaining == 1
    assert asked == 1


def test_what_was_approved_for_a_folder_does_not_go_by_mail_with_links_that_nobody_can_open(
    house: House,
) -> None:
    house.turn()
    house.desk.approve_issue(1)
    real = {**house.tools.fixed, "allow_private_addresses": "false", "transport": "smtp"}
    with wiring.build({**real, "smtp_url": "smtp+plain://127.0.0.1:1"}) as switched:
        switched.turn()
        shown = switched.desk.receipt(1)
    assert shown.issue.state is IssueState.PAUSED
    assert "which subscribers cannot reach" in shown.issue.problem
    assert shown.receipt.audience == 0


def test_a_send_in_the_foreground_says_why_it_waits(house: House) -> None:
    house.turn()
    house.desk.approve_issue(1)
    stop, heard = threading.Event(), list[str]()

    def told(why: str) -> None:
        heard.append(why)
        stop.set()

    away = {**house.tools.fixed, "transport": "smtp", "smtp_url": "smtp+plain://127.0.0.1:1"}
    with wiring.build(away) as unreachable:
        assert unreachable.desk.send_issue(1, stop, told).remaining == 1
    assert len(heard) == 1 and "cannot be reached" in heard[0]


def test_who_reads_the_machine_reads_no_addresses(house: House, tmp_path: Path) -> None:
    house.turn()
    assert (tmp_path / "newsletter.db").stat().st_mode & 0o077 == 0
    assert (tmp_path / "outbox/new").stat().st_mode & 0o077 == 0


def test_without_from_a_test_says_so(house: House) -> None:
    house.turn()
    with (
        wiring.build({**house.tools.fixed, "sender": ""}) as nameless,
        pytest.raises(ConfigError, match="From"),
    ):
        nameless.desk.test_issue(1, "me@example.org")


def test_notices_that_cannot_be_sent_keep_no_issue_waiting(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_of: object) -> int:
        raise ZeroDivisionError

    house.turn()
    house.desk.approve_issue(1)
    monkeypatch.setattr(dispatch, "_send_notices", broken)
    turned = house.turn()
    assert turned.problems == ("Notices could not be sent; the log says why.",)
    assert house.desk.receipt(1).receipt.accepted == 1


def test_a_mailbox_that_cannot_be_read_keeps_no_other_news_from_being_applied(house: House) -> None:
    house.turn()
    house.desk.approve_issue(1)
    house.turn()
    told = Event(
        provider="test",
        key="1",
        kind=EventKind.DELIVERED,
        at=house.tools.clock(),
        issue_id=1,
        subscriber_id=house.desk.subscriber("ines@example.org").subscriber.id,
    )
    with house.store.begin() as unit:
        take_in(unit, [(told, "{}")], house.tools.clock())
    house.desk.set_setting("BOUNCE_URL", "maildir:///nowhere/at/all")
    assert house.turn([Step.LEARN]).problems
    assert house.desk.receipt(1).receipt.delivered == 1


def text_of(message: EmailMessage) -> str:
    body = message.get_body(("html",))
    assert body is not None
    return str(body.get_content())


def test_whoever_joins_is_welcomed_with_the_latest_issue(house: House, tmp_path: Path) -> None:
    desk = house.desk
    desk.set_setting("WELCOME", "Good to have you here.")
    house.turn()
    desk.approve_issue(1)
    with house.store.begin() as unit:
        form = Form(source="form: page", wording="I ask for it.")
        ask = SignUps(unit.subscribers).sign_up("new@example.org", form, house.tools.clock()).ask
        assert ask is not None
        done = SignUps(unit.subscribers).confirm(ask.request_id, house.tools.clock())
        unit.notices.queue(welcome(done.subscriber, ask.request_id), house.tools.clock())
    house.turn()
    with house.store.begin() as unit:
        unit.notices.queue(welcome(done.subscriber, 99), house.tools.clock())
    house.turn()
    letters = [
        message_from_bytes(file.read_bytes(), policy=default)
        for file in (tmp_path / "outbox" / "new").iterdir()
    ]
    welcomes = [one for one in letters if "Welcome" in str(one["Subject"])]
    assert len(welcomes) == 2
    texts = [text_of(one) for one in welcomes]
    assert all("Good to have you here." in text and "/u/" in text for text in texts)
    assert sum("/i/1" in text for text in texts) == 1  # the first left ahead of the issue
    assert all("/u/" in one["List-Unsubscribe"] for one in welcomes)


def test_nothing_of_whoever_never_confirmed_is_left(house: House) -> None:
    now = house.tools.clock()
    with house.store.begin() as unit:
        form = Form(source="form: page", wording="I ask for it.")
        ask = SignUps(unit.subscribers).sign_up("new@example.org", form, now).ask
        assert ask is not None
        unit.notices.queue(confirmation(ask), now)
    for days in (0, 2, 3, 31):
        pipeline.turn(at(house, now + timedelta(days=days)))
        with house.store.read() as unit:
            mine = [notice for notice in unit.notices.list() if notice.to == "new@example.org"]
            assert len(mine) == {0: 1, 2: 2, 3: 2, 31: 0}[days]
            assert (unit.subscribers.by_address("new@example.org") is None) == (days == 31)


def test_an_answer_to_the_mailto_address_unsubscribes(house: House, tmp_path: Path) -> None:
    desk = house.desk
    box = mailbox.Maildir(tmp_path / "bounces")
    desk.set_setting("BOUNCE_URL", f"maildir://{tmp_path}/bounces?address=bounces@news.example")
    house.turn()
    desk.approve_issue(1)
    house.turn()
    (letter,) = [
        found
        for file in (tmp_path / "outbox" / "new").iterdir()
        if (found := message_from_bytes(file.read_bytes(), policy=default))["List-Unsubscribe"]
    ]
    way = urlsplit(str(letter["List-Unsubscribe"]).split(", ")[1].strip("<>"))
    answer = EmailMessage()
    answer["To"], answer["Subject"] = way.path, parse_qs(way.query)["subject"][0]
    box.add(answer)

    pipeline.turn(at(house, house.tools.clock() + timedelta(minutes=2)))  # the mailbox is read once a minute

    assert way.path == "bounces@news.example"
    assert desk.subscriber("ines@example.org").subscriber.state is SubscriberState.UNSUBSCRIBED
    assert desk.receipt(1).receipt.unsubscribed == 1
    assert not list(box)


def test_a_restored_database_sends_neither_issues_nor_notices_until_it_is_accepted(
    house: House, tmp_path: Path
) -> None:
    (tmp_path / "sent.mark").write_text("99\n")  # more was sent from here than this database knows of
    house.turn()
    house.desk.approve_issue(1)
    turned = house.turn()
    assert any("restored copy" in problem for problem in turned.problems)
    assert not list((tmp_path / "outbox").glob("*/*"))
    assert house.desk.issue(1).issue.state is IssueState.PAUSED
    house.desk.accept_database()
    house.desk.resume_issue(1)
    house.turn()
    assert house.desk.receipt(1).receipt.accepted == 1
