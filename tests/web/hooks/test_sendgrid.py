"""SendGrid's events over HTTP: believed only with their signature, and then whatever order they come in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from newsletter import wiring
from newsletter.demo.blog_server import SampleBlog
from newsletter.model.receipt import Receipt
from newsletter.pipeline import Step
from newsletter.wiring import House
from subscribers.model import SubscriberState
from tests.support.sendgrid import SendGridStandIn, server_error
from tests.support.sendgrid_events import Signed, event_of, in_disorder
from tests.support.sendgrid_rules import Delivered
from tests.web.conftest import serving

READERS = 30


@dataclass(frozen=True, kw_only=True)
class Account:
    """A house that sends through the stand-in, and SendGrid's side of its webhook."""

    house: House
    sendgrid: SendGridStandIn
    signed: Signed
    hook: str

    def post(self, raw: bytes, headers: dict[str, str]) -> httpx.Response:
        return httpx.post(self.hook, content=raw, headers=headers, timeout=30)

    def messages(self) -> list[Delivered]:
        """What reached subscribers, without notices, in order of their addresses."""
        mail = [one for one in self.sendgrid.messages if one.custom_args["newsletter_attempt"] != "0"]
        return sorted(mail, key=lambda one: one.address)

    def sent(self) -> int:
        """One issue, as far as it goes; its id."""
        self.house.turn([Step.POLL, Step.DETECT, Step.COMPOSE])
        issue_id = self.house.desk.today().drafts[0].issue.id
        self.house.desk.approve_issue(issue_id)
        self.house.turn([Step.START, Step.SEND])
        return issue_id

    def learned(self, issue_id: int) -> Receipt:
        self.house.turn([Step.LEARN])
        return self.house.desk.receipt(issue_id).receipt


@contextmanager
def account(folder: Path, standin: SendGridStandIn, **settings: str) -> Iterator[Account]:
    signed = Signed()
    fixed = {
        "secret_key": "a secret key of the tests that is long enough",
        "database_url": f"sqlite:///{folder}/newsletter.db",
        "data_dir": str(folder),
        "base_url": "https://news.example.org",
        "sender": "Marian Holt <marian@notebook.example>",
        "postal_address": "PO Box 117, 4820 Little Harbour",
        "allow_private_addresses": "true",
        "first_poll": "newest",
        "settle": "0",
        "transport": "sendgrid",
        "sendgrid_api_key": "SG.test",
        "sendgrid_url": standin.url,
        "sendgrid_webhook_key": signed.public,
        **settings,
    }
    wiring.prepare(fixed)
    with wiring.build(fixed) as house, SampleBlog() as blog, serving(house) as base:
        for number in range(READERS):
            house.desk.add_subscriber(f"reader{number}@example.org")
        house.desk.add_feed(blog.feed_url)
        yield Account(house=house, sendgrid=standin, signed=signed, hook=f"{base}/hooks/sendgrid")


def test_only_what_sendgrid_signed_is_believed(tmp_path: Path, sendgrid_standin: SendGridStandIn) -> None:
    with account(tmp_path, sendgrid_standin) as one:
        issue_id = one.sent()
        message = one.sendgrid.sent_to("reader7@example.org")[0]
        raw, headers = one.signed.post([event_of(message, "spamreport")])
        stranger, theirs = Signed().post([event_of(message, "spamreport")])
        assert one.post(raw.rstrip(), headers).status_code == 403, "the very bytes are signed"
        assert one.post(raw + b" ", headers).status_code == 403
        assert one.post(stranger, theirs).status_code == 403
        assert one.post(raw, {}).status_code == 403
        assert one.learned(issue_id).complained == 0
        assert one.post(raw, headers).text == "1 new\n"
        assert one.post(raw, headers).text == "0 new\n", "a replay is known"
        assert one.learned(issue_id).complained == 1


def test_without_a_verification_key_nothing_is_taken(
    tmp_path: Path, sendgrid_standin: SendGridStandIn
) -> None:
    with account(tmp_path, sendgrid_standin, sendgrid_webhook_key="") as one:
        assert one.post(*one.signed.post([])).status_code >= 400


def test_events_in_any_order_and_many_times_over_leave_the_same_account(tmp_path: Path) -> None:
    receipts = []
    for seed in (1, 2):
        folder = tmp_path / str(seed)
        folder.mkdir()
        with SendGridStandIn() as standin, account(folder, standin) as one:
            issue_id = one.sent()
            events = []
            messages = one.messages()
            assert len(messages) == READERS
            for number, message in enumerate(messages):
                events.append(event_of(message, "processed"))
                if number == 0:
                    events.append(event_of(message, "bounce", type="bounce", status="5.1.1"))
                elif number == 1:
                    events.append(event_of(message, "bounce", type="blocked", status="5.7.1"))
                elif number == 2:
                    events.append(event_of(message, "dropped", reason="Unsubscribed Address"))
                else:
                    events += [event_of(message, "deferred"), event_of(message, "delivered")]
                if number == 3:
                    events.append(event_of(message, "spamreport"))
            for part in in_disorder(events, seed=seed):
                assert one.post(*one.signed.post(part)).status_code == 200
                if len(part) == 7:
                    one.house.turn([Step.LEARN])
            receipt = one.learned(issue_id)
            states = [one.house.desk.subscriber(message.address).subscriber.state for message in messages[:5]]
            receipts.append((receipt, states))
    (first, states), (second, again) = receipts
    assert (first, states) == (second, again)
    assert (first.accepted, first.failed, first.delivered, first.bounced) == (READERS - 2, 2, READERS - 3, 1)
    assert states == [
        SubscriberState.BOUNCED,
        SubscriberState.ACTIVE,
        SubscriberState.UNSUBSCRIBED,
        SubscriberState.COMPLAINED,
        SubscriberState.ACTIVE,
    ]


@pytest.mark.parametrize("stored", [True, False])
def test_an_unclear_answer_is_settled_by_events_and_else_stays_unknown(
    stored: bool, tmp_path: Path, sendgrid_standin: SendGridStandIn
) -> None:
    with account(tmp_path, sendgrid_standin) as one:
        one.house.turn([Step.POLL, Step.DETECT, Step.COMPOSE, Step.SEND])  # the author's notice is gone
        sendgrid_standin.plan(server_error(502, stored=stored))
        issue_id = one.sent()
        assert one.house.desk.receipt(issue_id).receipt.unknown == READERS
        posted = len(sendgrid_standin.requests)
        messages = one.messages()
        assert len(messages) == (READERS if stored else 0)
        one.post(*one.signed.post([event_of(message, "processed") for message in messages]))
        receipt = one.learned(issue_id)
        assert (receipt.accepted, receipt.unknown) == ((READERS, 0) if stored else (0, READERS))
        one.house.turn([Step.SEND])
        assert len(sendgrid_standin.requests) == posted, "nothing is posted again by itself"


def test_an_event_of_a_thousand_in_one_post_is_taken(
    tmp_path: Path, sendgrid_standin: SendGridStandIn
) -> None:
    with account(tmp_path, sendgrid_standin) as one:
        issue_id = one.sent()
        message = one.sendgrid.sent_to("reader7@example.org")[0]
        raw, headers = one.signed.post([event_of(message, "deferred", reason="x" * 300) for _ in range(1400)])
        assert 700_000 < len(raw) < 1_000_000
        assert one.post(raw, headers).text == "1400 new\n"
        assert one.learned(issue_id).accepted == READERS
