"""What relays really say. Texts: Google's list of SMTP errors, Amazon SES's page on sending quotas, and the
replies of Postfix and Exim."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.model.delivery import DeliveryState, MessageKey, Outcome, Verdict
from newsletter.model.privacy import without_addresses
from newsletter.send.retry import Effect, Phase, Reply, classify, reply_of
from newsletter.send.settle import RETRY_AFTER, next_retry, settle
from tests.send.world import NOW

R, F, A, B, P = Effect.RETRY, Effect.FAIL, Effect.BAD_ADDRESS, Effect.BUSY, Effect.PAUSE

SAID = [
    # Gmail and Google Workspace
    (Phase.CONNECT, 421, "4.7.0 Try again later, closing connection.", B),
    (Phase.CONNECT, 421, "4.4.5 Server busy, try again later.", B),
    (Phase.AUTH, 454, "4.7.0 Cannot authenticate due to temporary system problem. Try again later.", B),
    (Phase.AUTH, 535, "5.7.8 Username and Password not accepted.", P),
    (Phase.AUTH, 534, "5.7.9 Application-specific password required.", P),
    (Phase.MAIL, 530, "5.7.0 Authentication Required.", P),
    (Phase.RCPT, 450, "4.2.1 Peak SMTP relay limit exceeded for customer.", B),
    (Phase.RCPT, 450, "4.2.1 The user you are trying to contact is receiving mail too quickly.", R),
    (Phase.RCPT, 452, "4.2.2 The email account that you tried to reach is over quota.", R),
    (Phase.RCPT, 552, "5.2.2 The email account that you tried to reach is over quota.", F),
    (Phase.RCPT, 550, "5.1.1 The email account that you tried to reach does not exist.", A),
    (Phase.DATA, 550, "5.4.5 Daily user sending limit exceeded.", P),
    (Phase.DOT, 550, "5.4.5 Daily sending quota exceeded.", P),
    (Phase.DOT, 550, "5.7.26 Unauthenticated email from news.example is not accepted.", P),
    (Phase.DOT, 421, "4.7.30 Your email has been rate limited because DKIM authentication did not pass.", P),
    (Phase.DOT, 550, "5.7.1 This message violates readers.example email policy.", F),
    (Phase.DOT, 552, "5.2.3 Your message exceeded Google's message size limits.", F),
    # Amazon SES
    (Phase.DOT, 454, "Throttling failure: Maximum sending rate exceeded", B),
    (Phase.DOT, 454, "Throttling failure: Daily message quota exceeded", P),
    (Phase.DOT, 554, "Message rejected: Email address is not verified.", P),
    # Postfix and Exim
    (Phase.RCPT, 554, "5.7.1 <a@b.example>: Relay access denied", P),
    (Phase.RCPT, 550, "5.1.1 <a@b.example>: Recipient address rejected: User unknown in local table", A),
    (Phase.RCPT, 450, "4.7.1 <a@b.example>: Recipient address rejected: Greylisted", R),
    (Phase.RCPT, 550, "relay not permitted", P),
    (Phase.RCPT, 550, "No such user here", A),
    (Phase.RCPT, 550, "5.1.10 Recipient not found", A),
    (Phase.MAIL, 553, "5.7.1 <ada@news.example>: Sender address rejected: not owned by user ada", P),
    (Phase.MAIL, 452, "4.3.1 Insufficient system storage", B),
    (Phase.MAIL, 552, "5.3.4 Message size exceeds fixed limit", P),
    (Phase.MAIL, 553, "5.6.7 Mailbox name not allowed", F),
    (Phase.DOT, 451, "4.3.0 queue file write error", R),
    (Phase.DOT, 421, "4.3.2 Service shutting down", R),
    (Phase.DOT, 550, "5.7.1 Message contains spam or virus", F),
    # Anything else
    (Phase.RCPT, 550, "", F),
    (Phase.DATA, 503, "5.5.1 Error: need RCPT command", R),
    (Phase.CONNECT, 554, "5.7.1 No SMTP service here", P),
    (Phase.DOT, 550, "5.1.8 Bad sender's system address", P),
]


@pytest.mark.parametrize(("phase", "code", "text", "effect"), SAID)
def test_what_a_relay_says_means(phase: Phase, code: int, text: str, effect: Effect) -> None:
    assert classify(phase, reply_of(code, text)) is effect


phases = st.sampled_from(list(Phase))
replies = st.builds(reply_of, st.integers(400, 599), st.text(max_size=60))


@given(phase=phases, reply=replies)
def test_only_a_lasting_refusal_of_the_recipient_condemns_an_address(phase: Phase, reply: Reply) -> None:
    if classify(phase, reply) is Effect.BAD_ADDRESS:
        assert reply.code >= 500
        assert phase in (Phase.RCPT, Phase.DATA, Phase.DOT)


@given(phase=phases, code=st.integers(400, 499), text=st.text(max_size=60))
def test_a_passing_refusal_never_fails_a_delivery_for_good(phase: Phase, code: int, text: str) -> None:
    assert classify(phase, reply_of(code, text)) not in (Effect.FAIL, Effect.BAD_ADDRESS)


def test_a_status_of_another_class_than_the_code_is_not_believed() -> None:
    assert reply_of(550, "2.0.0 ok").enhanced == ""
    assert reply_of(550, "5.1.1 no").enhanced == "5.1.1"
    assert reply_of(550, "5.1.1no").enhanced == ""


def test_the_ledger_keeps_no_address_of_a_providers_words() -> None:
    assert without_addresses("<a.b@c.example>: no, ask d@e.example") == "(address): no, ask (address)"
    assert len(without_addresses("x" * 500)) == 200


def test_waits_grow_begin_past_greylisting_and_end() -> None:
    waits = [(next_retry(tries, NOW) or NOW) - NOW for tries in range(1, len(RETRY_AFTER) + 1)]
    assert waits == sorted(waits)
    assert waits[0] >= timedelta(minutes=5)
    assert timedelta(days=2) <= sum(waits, timedelta()) <= timedelta(days=5)
    assert next_retry(len(RETRY_AFTER) + 1, NOW) is None


def test_a_provider_may_ask_for_longer_but_not_for_sooner() -> None:
    assert next_retry(1, NOW, 3600) == NOW + timedelta(hours=1)
    assert next_retry(1, NOW, 1) == NOW + RETRY_AFTER[0]


@pytest.mark.parametrize(
    ("verdict", "state", "tries"),
    [
        (Verdict.ACCEPTED, DeliveryState.ACCEPTED, 3),
        (Verdict.UNSENT, DeliveryState.PENDING, 3),
        (Verdict.UNKNOWN, DeliveryState.UNKNOWN, 4),
        (Verdict.FAILED, DeliveryState.FAILED, 4),
        (Verdict.RETRY, DeliveryState.RETRY_WAIT, 4),
    ],
)
def test_what_the_ledger_records(verdict: Verdict, state: DeliveryState, tries: int) -> None:
    settled = settle(Outcome(key=MessageKey(1, 2), verdict=verdict), 3, NOW)
    assert (settled.state, settled.tries) == (state, tries)
    assert (settled.retry_at is not None) == (state is DeliveryState.RETRY_WAIT)


def test_after_the_last_wait_a_passing_refusal_is_a_failure() -> None:
    settled = settle(Outcome(key=MessageKey(1, 2), verdict=Verdict.RETRY), len(RETRY_AFTER), NOW)
    assert settled.state is DeliveryState.FAILED
