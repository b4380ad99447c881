"""What every transport keeps to, on a real folder, a real server and a strict stand-in on loopback."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pytest

from newsletter.errors import TransportBusy, TransportProblem
from newsletter.model.delivery import Envelope, MessageKey, Verdict
from newsletter.send.ports import Transport
from newsletter.send.transports.outbox import Outbox
from newsletter.send.transports.sendgrid import SendGrid
from newsletter.send.transports.smtp import Smtp
from newsletter.send.transports.smtp_url import relay_of
from subscribers.model import Recipient
from tests.send.world import PlainLinks, letter
from tests.support.sendgrid import SendGridStandIn
from tests.support.smtp import SmtpSink


@dataclass(frozen=True, kw_only=True)
class Got:
    """One message as a reader's mail program sees it."""

    to: str
    sender: str
    subject: str
    headers: Mapping[str, str]
    text: str
    html: str


@dataclass(frozen=True, kw_only=True)
class Way:
    transport: Transport
    got: Callable[[], list[Got]]


def _parsed(data: bytes) -> Got:
    message = email.message_from_bytes(data, policy=email.policy.default)
    text, html = message.get_body(["plain"]), message.get_body(["html"])
    assert isinstance(text, EmailMessage) and isinstance(html, EmailMessage)
    return Got(
        to=str(message["To"]),
        sender=str(message["From"]),
        subject=str(message["Subject"]),
        headers={name: str(value) for name, value in message.items()},
        text=text.get_content().replace("\r\n", "\n"),
        html=html.get_content().replace("\r\n", "\n"),
    )


@pytest.fixture(params=["outbox", "smtp", "sendgrid"])
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Way]:
    if request.param == "outbox":
        folder = tmp_path / "outbox"
        yield Way(
            transport=Outbox(folder),
            got=lambda: [_parsed(file.read_bytes()) for file in sorted((folder / "new").iterdir())],
        )
    elif request.param == "smtp":
        with SmtpSink() as sink:
            smtp = Smtp(relay_of(sink.url))
            yield Way(transport=smtp, got=lambda: [_parsed(one.data) for one in sink.messages])
            smtp.close()
    else:
        with SendGridStandIn() as standin:
            yield Way(
                transport=SendGrid(standin.api_key, base_url=standin.url),
                got=lambda: [
                    Got(
                        to=one.address,
                        sender=f"{one.sender_name} <{one.sender}>",
                        subject=one.subject,
                        headers=one.headers,
                        text=one.text,
                        html=one.html,
                    )
                    for one in standin.messages
                ],
            )


def envelope(number: int, *, name: str = "", to: str = "", mask: int = 3) -> Envelope:
    links = PlainLinks()
    recipient = Recipient(id=number, address=to or f"reader{number}@readers.example", name=name)
    return Envelope(
        key=MessageKey(7, number),
        to=recipient.address,
        letter=letter(mask),
        message_id=links.message_id(number, 7),
        values=links.values(recipient, 7),
        headers=links.headers(recipient, 7),
        attempt_id=1,
    )


def test_every_envelope_gets_exactly_one_outcome(way: Way) -> None:
    envelopes = [envelope(number) for number in range(1, 41)]
    outcomes = list(way.transport.hand_over(envelopes))
    assert sorted(outcome.key for outcome in outcomes) == [one.key for one in envelopes]
    assert {outcome.verdict for outcome in outcomes} == {Verdict.ACCEPTED}
    assert sorted(got.to for got in way.got()) == sorted(one.to for one in envelopes)


def test_a_transport_can_be_used_again(way: Way) -> None:
    for number in (1, 2):
        assert len(list(way.transport.hand_over([envelope(number)]))) == 1
    assert len(way.got()) == 2


def test_nothing_to_hand_over_is_no_work(way: Way) -> None:
    assert list(way.transport.hand_over([])) == []


@pytest.mark.parametrize(
    "name",
    ["Ada", "Żółw 🐢", "A & B <script>", "=?utf-8?q?x?=", ".leading dot", "From me ", "x" * 300, ""],
)
def test_a_reader_sees_their_own_values_and_nothing_else(way: Way, name: str) -> None:
    list(way.transport.hand_over([envelope(1, name=name)]))
    (got,) = way.got()
    assert got.sender == "Ada <ada@news.example>"
    assert got.subject == "A morning letter"
    assert got.text.startswith(f"Good morning, {name}.\n<p>First post, <b>café</b></p>\n<p>Second post</p>\n")
    escaped = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert got.html.startswith(f"Good morning, {escaped}.\n<p>First post, <b>café</b></p>\n")
    assert "https://news.example/u/1" in got.text


def test_the_headers_of_the_letter_and_of_the_recipient_arrive(way: Way) -> None:
    list(way.transport.hand_over([envelope(1)]))
    (got,) = way.got()
    assert got.headers["List-Unsubscribe"] == "<https://news.example/u/1>"
    assert got.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert got.headers["List-Id"] == "<news.example>"
    assert got.headers["Message-ID"] == PlainLinks().message_id(1, 7)


def test_variants_reach_those_they_are_for(way: Way) -> None:
    list(way.transport.hand_over([envelope(number, mask=number) for number in (1, 2, 3)]))
    by_reader = {got.to: ("First" in got.text, "Second" in got.html) for got in way.got()}
    assert by_reader == {
        "reader1@readers.example": (True, False),
        "reader2@readers.example": (False, True),
        "reader3@readers.example": (True, True),
    }


@pytest.mark.parametrize(
    "address",
    ["a@b\r\nBcc: x@y.example", "a b@c.example", "<a@b.example>", "nobody", "a@b.example,c@d.example"],
)
def test_an_address_that_could_become_more_fails_alone(way: Way, address: str) -> None:
    outcomes = {
        outcome.key.number: outcome
        for outcome in way.transport.hand_over([envelope(1), envelope(2, to=address), envelope(3)])
    }
    assert outcomes[2].verdict is Verdict.FAILED
    assert {outcomes[1].verdict, outcomes[3].verdict} == {Verdict.ACCEPTED}
    assert len(way.got()) == 2


def test_the_same_address_twice_gets_both_messages(way: Way) -> None:
    outcomes = list(way.transport.hand_over([envelope(1, to="A@r.example"), envelope(2, to="a@r.example")]))
    assert [outcome.verdict for outcome in outcomes] == [Verdict.ACCEPTED] * 2
    assert len(way.got()) == 2


def test_what_the_source_raises_comes_out_after_every_outcome(way: Way) -> None:
    def source() -> Iterable[Envelope]:
        yield envelope(1)
        yield envelope(2)
        raise LookupError("the database went away")

    outcomes = []
    with pytest.raises(LookupError):
        for outcome in way.transport.hand_over(source()):
            outcomes.append(outcome.key.number)
    assert sorted(outcomes) == [1, 2]


def test_no_more_is_pulled_than_may_be_in_hand(way: Way) -> None:
    pulled, answered, most = 0, 0, 0

    def source() -> Iterable[Envelope]:
        nonlocal pulled, most
        for number in range(1, 101):
            pulled += 1
            most = max(most, pulled - answered)
            yield envelope(number)

    for _ in way.transport.hand_over(source()):
        answered += 1
    assert answered == 100
    assert most <= way.transport.in_hand


def unreachable(name: str, tmp_path: Path) -> Transport:
    if name == "outbox":
        (tmp_path / "outbox").write_text("not a folder")
        return Outbox(tmp_path / "outbox")
    if name == "smtp":
        with SmtpSink() as sink:
            url = sink.url
        return Smtp(relay_of(url))
    with SendGridStandIn() as standin:
        url = standin.url
    return SendGrid("SG.test", base_url=url)


@pytest.mark.parametrize("name", ["outbox", "smtp", "sendgrid"])
def test_a_transport_that_is_not_there_leaves_everything_unsent(name: str, tmp_path: Path) -> None:
    pulled = []

    def source() -> Iterable[Envelope]:
        for number in range(1, 6):
            pulled.append(number)
            yield envelope(number)

    outcomes = []
    with pytest.raises(TransportProblem) as told:
        for outcome in unreachable(name, tmp_path).hand_over(source()):
            outcomes.append((outcome.key.number, outcome.verdict))
    assert sorted(outcomes) == [(number, Verdict.UNSENT) for number in pulled]
    assert isinstance(told.value, TransportBusy) is (name != "outbox")
