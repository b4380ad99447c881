"""The transaction loop against a server that breaks at every step."""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from newsletter.errors import ConfigError, TransportBusy, TransportProblem
from newsletter.model.delivery import Envelope, Outcome, Verdict
from newsletter.send.retry import Phase, Reply
from newsletter.send.transports.smtp import Smtp
from newsletter.send.transports.smtp_session import Broken, Job, Session
from newsletter.send.transports.smtp_url import Protection, relay_of
from tests.contract.test_transports import envelope
from tests.crash.sink import DROP, DROP_STORED, Fault, FaultySink, Step
from tests.support.certificates import Certificate
from tests.support.smtp import SmtpSink

Sent = dict[int, Outcome]


def smtp(sink: FaultySink, *, connections: int = 1, per_connection: int = 100) -> Smtp:
    return Smtp(relay_of(sink.url), connections=connections, per_connection=per_connection)


def send(transport: Smtp, envelopes: Iterable[Envelope]) -> Sent:
    outcomes: Sent = {}
    for outcome in transport.hand_over(envelopes):
        assert outcome.key.number not in outcomes
        outcomes[outcome.key.number] = outcome
    transport.close()
    return outcomes


def ten() -> list[Envelope]:
    return [envelope(number) for number in range(1, 11)]


def verdicts(outcomes: Sent) -> dict[int, Verdict]:
    return {number: outcome.verdict for number, outcome in sorted(outcomes.items())}


def at(verb: str, who: int, reply: str) -> Fault:
    address = f"reader{who}@readers.example"
    return lambda step: reply if step.verb == verb and step.recipient == address else None


both = pytest.mark.parametrize("pipelining", [True, False])


@both
@pytest.mark.parametrize("verb", ["RCPT", "DATA", "DOT"])
@pytest.mark.parametrize(
    ("reply", "verdict"), [("550 5.7.1 no thanks", Verdict.FAILED), ("451 4.3.0 later", Verdict.RETRY)]
)
def test_a_refusal_spares_the_neighbours(verb: str, reply: str, verdict: Verdict, pipelining: bool) -> None:
    with FaultySink(fault=at(verb, 4, reply), pipelining=pipelining) as sink:
        outcomes = send(smtp(sink), ten())
        assert verdicts(outcomes) == {n: verdict if n == 4 else Verdict.ACCEPTED for n in range(1, 11)}
        assert len(sink.recipients) == 9
        assert sink.connections == 1


@both
def test_several_refusals_in_a_row_spare_the_neighbours(pipelining: bool) -> None:
    bad = {f"reader{number}@readers.example" for number in (2, 3, 7, 8, 9)}

    def fault(step: Step) -> str | None:
        return "550 5.1.1 no such user" if step.verb == "RCPT" and step.recipient in bad else None

    with FaultySink(fault=fault, pipelining=pipelining) as sink:
        outcomes = send(smtp(sink), ten())
        assert [n for n, outcome in outcomes.items() if outcome.bad_address] == [2, 3, 7, 8, 9]
        assert len(sink.recipients) == 5


def test_a_server_that_wants_data_for_nobody_gets_a_lone_dot() -> None:
    def fault(step: Step) -> str | None:
        if step.verb == "RCPT" and step.recipient.startswith("reader4@"):
            return "550 5.1.1 no such user"
        return "354 go ahead all the same" if step.verb == "DATA" and not step.recipient else None

    with FaultySink(fault=fault) as sink:
        outcomes = send(smtp(sink), ten())
        assert outcomes[4].verdict is Verdict.FAILED
        assert len(sink.recipients) == 9
        assert sink.connections == 1


@both
@pytest.mark.parametrize("verb", ["RCPT", "DATA"])
def test_a_break_before_the_dot_is_tried_once_more_on_a_new_connection(verb: str, pipelining: bool) -> None:
    broken: list[Step] = []

    def fault(step: Step) -> str | None:
        if step.verb == verb and step.recipient.startswith("reader4@") and not broken:
            broken.append(step)
            return DROP
        return None

    with FaultySink(fault=fault, pipelining=pipelining) as sink:
        outcomes = send(smtp(sink), ten())
        assert set(verdicts(outcomes).values()) == {Verdict.ACCEPTED}
        assert sorted(sink.recipients) == sorted(one.to for one in ten())
        assert sink.connections == 2


@both
def test_a_message_that_always_breaks_the_connection_waits_and_lets_the_others_pass(pipelining: bool) -> None:
    with FaultySink(fault=at("RCPT", 4, DROP), pipelining=pipelining) as sink:
        outcomes = send(smtp(sink), ten())
        assert verdicts(outcomes) == {n: Verdict.RETRY if n == 4 else Verdict.ACCEPTED for n in range(1, 11)}


@both
@pytest.mark.parametrize("what", [DROP, DROP_STORED])
def test_a_break_after_the_dot_is_unknown_and_nothing_is_sent_twice(what: str, pipelining: bool) -> None:
    with FaultySink(fault=at("DOT", 4, what), pipelining=pipelining) as sink:
        outcomes = send(smtp(sink), ten())
        assert verdicts(outcomes) == {
            n: Verdict.UNKNOWN if n == 4 else Verdict.ACCEPTED for n in range(1, 11)
        }
        assert len(sink.recipients) == len(set(sink.recipients)) == (10 if what == DROP_STORED else 9)


@both
def test_a_server_that_closes_with_421_is_called_again(pipelining: bool) -> None:
    seen: list[int] = []

    def fault(step: Step) -> str | None:
        if step.verb == "RCPT" and step.recipient.startswith("reader4@") and not seen:
            seen.append(1)
            return "421 4.3.2 shutting down"
        return None

    with FaultySink(fault=fault, pipelining=pipelining) as sink:
        outcomes = send(smtp(sink), ten())
        assert verdicts(outcomes) == {n: Verdict.RETRY if n == 4 else Verdict.ACCEPTED for n in range(1, 11)}
        assert sink.connections == 2


@both
def test_a_connection_takes_only_so_many_messages(pipelining: bool) -> None:
    with FaultySink(pipelining=pipelining) as sink:
        send(smtp(sink, per_connection=3), ten())
        assert sink.connections == 4


def test_one_connection_needs_one_greeting_for_all_its_messages() -> None:
    with FaultySink() as sink:
        assert set(verdicts(send(smtp(sink), ten())).values()) == {Verdict.ACCEPTED}
        assert sink.verbs[:31] == ["EHLO", *["MAIL", "RCPT", "DATA"] * 10]


def slow(step: Step) -> str | None:
    if step.verb == "DOT":
        time.sleep(0.02)
    return None


def test_a_slow_server_gets_many_connections_and_each_message_once() -> None:
    with FaultySink(fault=slow) as sink:
        envelopes = [envelope(number) for number in range(1, 201)]
        outcomes = send(smtp(sink, connections=8), envelopes)
        assert len(outcomes) == 200
        assert sorted(sink.recipients) == sorted(one.to for one in envelopes)
        assert 1 < sink.connections <= 8


def test_a_quota_stops_everything_and_burns_no_delivery() -> None:
    def fault(step: Step) -> str | None:
        if step.verb == "DATA" and step.message > 4:
            return "550 5.4.5 Daily user sending limit exceeded."
        return None

    with FaultySink(fault=fault) as sink:
        outcomes: list[Outcome] = []
        with pytest.raises(TransportProblem, match="limit exceeded"):
            for outcome in smtp(sink, connections=2).hand_over(ten()):
                outcomes.append(outcome)
        assert {outcome.verdict for outcome in outcomes} == {Verdict.ACCEPTED, Verdict.UNSENT}
        assert sum(outcome.verdict is Verdict.ACCEPTED for outcome in outcomes) == len(sink.recipients) == 4


def test_a_server_that_takes_one_connection_only_gets_everything_over_one() -> None:
    def fault(step: Step) -> str | None:
        if step.verb == "GREET" and step.connection > 1:
            return "421 4.7.0 too many connections"
        return slow(step)

    with FaultySink(fault=fault) as sink:
        outcomes = send(smtp(sink, connections=4), ten())
        assert set(verdicts(outcomes).values()) == {Verdict.ACCEPTED}
        assert sink.connections <= 4


@pytest.mark.parametrize(
    ("greeting", "kind"), [("554 5.7.1 go away", TransportProblem), ("421 4.3.2 not now", TransportBusy)]
)
def test_a_server_that_does_not_let_us_in(greeting: str, kind: type[TransportProblem]) -> None:
    with FaultySink(fault=lambda step: greeting if step.verb == "GREET" else None) as sink:
        outcomes: list[Outcome] = []
        with pytest.raises(TransportProblem) as told:
            for outcome in smtp(sink).hand_over(ten()):
                outcomes.append(outcome)
        assert type(told.value) is kind
        assert {outcome.verdict for outcome in outcomes} == {Verdict.UNSENT}


def test_nonsense_after_the_dot_is_unknown() -> None:
    with FaultySink(fault=at("DOT", 4, "whatever")) as sink:
        assert send(smtp(sink), ten())[4].verdict is Verdict.UNKNOWN


def test_letters_beyond_ascii_need_a_server_that_takes_them() -> None:
    unusual = envelope(2)._replace(to="żółw@readers.example")
    with FaultySink() as sink:
        assert verdicts(send(smtp(sink), [envelope(1), unusual, envelope(3)])) == {
            1: Verdict.ACCEPTED,
            2: Verdict.FAILED,
            3: Verdict.ACCEPTED,
        }
    with FaultySink(features=("8BITMIME", "SMTPUTF8")) as sink:
        assert send(smtp(sink), [unusual])[2].verdict is Verdict.ACCEPTED
        assert sink.recipients == ["żółw@readers.example"]


StartSink = Callable[..., SmtpSink]


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_mail_goes_encrypted_to_a_server_that_proves_itself(
    tls: str, start_smtp_sink: StartSink, certificate: Certificate
) -> None:
    sink = start_smtp_sink(tls=tls, login=("ada", "s3cret:/@"))
    context = ssl.create_default_context(cafile=str(certificate.authority))
    url = sink.url.replace("s3cret:/@", "s3cret%3A%2F%40")
    transport = Smtp(relay_of(url), context=context)
    assert set(verdicts(send(transport, ten())).values()) == {Verdict.ACCEPTED}
    assert all(received.encrypted and received.login == "ada" for received in sink.messages)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_server_that_cannot_prove_itself_gets_nothing(tls: str, start_smtp_sink: StartSink) -> None:
    sink = start_smtp_sink(tls=tls)
    with pytest.raises(TransportProblem, match="prove who it is"):
        send(Smtp(relay_of(sink.url)), ten())
    assert sink.messages == []


def test_a_server_without_starttls_gets_nothing(smtp_sink: SmtpSink) -> None:
    relay = replace(relay_of(smtp_sink.url), protection=Protection.STARTTLS)
    with pytest.raises(TransportProblem, match="STARTTLS"):
        send(Smtp(relay), ten())
    assert smtp_sink.messages == []


def test_a_wrong_password_is_told_without_the_password(
    start_smtp_sink: StartSink, certificate: Certificate
) -> None:
    sink = start_smtp_sink(tls="starttls", login=("ada", "right"))
    context = ssl.create_default_context(cafile=str(certificate.authority))
    transport = Smtp(relay_of(sink.url.replace("right", "wrong")), context=context)
    with pytest.raises(TransportProblem, match="user name and password") as told:
        send(transport, ten())
    assert "wrong" not in str(told.value)


@pytest.mark.parametrize("token", ["ya29.good", "ya29.stale"])
def test_an_access_token_lets_us_in_or_is_told(token: str) -> None:
    good = b64encode(b"user=ada@news.example\x01auth=Bearer ya29.good\x01\x01").decode()

    def fault(step: Step) -> str | None:
        if step.verb.startswith("AUTH"):
            return "235 2.7.0 in" if step.verb == f"AUTH XOAUTH2 {good}" else "535 5.7.8 stale"
        return None

    with FaultySink(fault=fault, features=("AUTH XOAUTH2",)) as sink:
        url = sink.url.replace("//", f"//ada%40news.example:{token}@") + "?auth=xoauth2"
        transport = Smtp(relay_of(url))
        if token == "ya29.good":
            assert len(send(transport, ten())) == 10
        else:
            with pytest.raises(TransportProblem, match="user name and password"):
                send(transport, ten())


@pytest.mark.parametrize(
    "url",
    [
        "http://mail.example",
        "smtp://",
        "smtp://mail.example/path",
        "smtp://mail.example:many",
        "smtp+plain://mail.example",
        "smtp://ada:p%0d%0aQUIT@mail.example",
        "smtp://mail.example?auth=guess",
    ],
)
def test_an_address_of_no_mail_server_is_told_without_its_secret(url: str) -> None:
    with pytest.raises(ConfigError) as told:
        relay_of(url)
    assert "QUIT" not in str(told.value)


def test_the_parts_of_an_smtp_url() -> None:
    relay = relay_of("smtps://ada%40b.example:p%3As@mail.example?auth=xoauth2")
    assert (relay.host, relay.port, relay.protection) == ("mail.example", 465, Protection.TLS)
    assert (relay.user, relay.password, relay.oauth) == ("ada@b.example", "p:s", True)
    assert "p:s" not in repr(relay)


def test_what_waits_for_a_connection_can_be_called_back() -> None:
    held, go_on = threading.Event(), threading.Event()

    def at_the_first(step: Step) -> None:
        if step.verb == "DOT" and step.message == 1:
            held.set()
            go_on.wait(30)

    with FaultySink(fault=at_the_first) as sink:
        transport = smtp(sink)

        def call_back() -> None:
            held.wait(30)
            transport.recall()
            go_on.set()

        caller = threading.Thread(target=call_back)
        caller.start()
        outcomes = send(transport, ten())
        caller.join()
    verdicts = [outcomes[number].verdict for number in range(1, 11)]
    began = len(sink.recipients)
    assert verdicts == [Verdict.ACCEPTED] * began + [Verdict.UNSENT] * (10 - began)
    assert 1 <= began <= 2, "the one in flight, and the next where it was announced already"


class Desk:
    """Has no job ready behind a dot, and lets every conversation go on."""

    def following(self, session: Session) -> Job | None:
        return None

    def answered(self, session: Session, job: Job, phase: Phase, reply: Reply) -> bool:
        return True


def test_a_job_that_comes_too_late_to_go_behind_the_dot_is_announced_before_the_reply_to_it() -> None:
    ours, relay = socket.socketpair()
    client = smtplib.SMTP()
    client.sock, client.esmtp_features = ours, {"pipelining": ""}
    session = Session(client)
    session.desk = Desk()
    first, second = (
        Job(envelope(n), False, "ada@news.example", f"reader{n}@readers.example", [b"x\r\n"], 3)
        for n in (1, 2)
    )
    session.begin(first)
    relay.recv(1000)
    relay.send(b"250 ok\r\n250 ok\r\n354 go\r\n")
    session.readable()
    assert relay.recv(1000) == b"x\r\n.\r\n"
    session.follow(second)
    assert relay.recv(1000).startswith(b"MAIL FROM:<ada@news.example>\r\nRCPT TO:<reader2@")
    relay.close()
    with pytest.raises(Broken):
        session.readable()
    assert session.acted, "the first may have been taken"
    assert session.left() == [first, second], "and the second was not"
    session.close()


@pytest.mark.parametrize("said", ["10240000", "0", "", "²", "٣", "9" * 5000])
def test_a_message_tells_its_size_where_the_relay_offers_one_and_a_strange_offer_is_none(said: str) -> None:
    ours, relay = socket.socketpair()
    client = smtplib.SMTP()
    client.sock, client.esmtp_features = ours, {"pipelining": "", "size": said}
    session = Session(client)
    session.begin(Job(envelope(1), False, "ada@news.example", "reader1@readers.example", [b"x\r\n"], 3))
    assert (b" SIZE=3\r\n" in relay.recv(1000)) is (said == "10240000")
    relay.close()
    session.close()
