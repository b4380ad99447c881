"""What relays really say.

Texts: Google's list of SMTP errors, Amazon SES's pages on response codes and sending quotas, SendGrid's page
on SMTP errors, help pages of Mailgun, Brevo, Postmark and Microsoft 365, replies of Postfix and Exim.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.model.delivery import DeliveryState, MessageKey, Outcome, Verdict
from newsletter.model.privacy import without_addresses
from newsletter.send.retry import Effect, Phase, Reply, asked_wait_s, classify, reply_of
from newsletter.send.settle import RETRY_AFTER, next_retry, settle
from tests.send.world import NOW

R, F, A, B, P = Effect.RETRY, Effect.FAIL, Effect.BAD_ADDRESS, Effect.BUSY, Effect.PAUSE
S = Effect.SLOW_DOMAIN

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
    (Phase.RCPT, 421, "4.4.5 Server busy, try again later.", B),
    (Phase.AUTH, 454, "4.7.0 Too many login attempts, please try again later.", B),
    (Phase.AUTH, 534, "5.7.14 Please log in via your web browser and then try again.", P),
    (Phase.RCPT, 550, "5.7.1 Daily SMTP relay limit exceeded for customer.", P),
    (Phase.RCPT, 550, "5.7.1 The IP you're using to send mail is not authorized to send directly.", P),
    (Phase.RCPT, 450, "4.2.1 The user is receiving mail at a rate that prevents additional messages.", R),
    (Phase.DOT, 421, "4.7.28 Gmail has detected an unusual rate of unsolicited mail.", S),
    (Phase.DOT, 421, "4.7.0 Our system has detected an unusual rate of unsolicited mail from your IP.", S),
    (Phase.CONNECT, 421, "4.7.0 Our system has detected an unusual rate of unsolicited mail.", B),
    (Phase.RCPT, 421, "4.7.0 TLS required for RCPT domain, closing connection.", R),
    (Phase.DOT, 552, "5.7.0 This message was blocked because its content presents a security issue.", F),
    (Phase.DOT, 552, "5.3.4 Your message exceeded Google's message size limits.", P),
    # Microsoft 365
    (Phase.RCPT, 451, "4.7.650 The mail server has been temporarily rate limited due to IP reputation.", S),
    (Phase.DOT, 432, "4.3.2 STOREDRV; sender thread limit exceeded", B),
    (Phase.DOT, 554, "5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException", P),
    (Phase.DOT, 554, "5.2.252 SendAsDenied; not allowed to send as news.example", P),
    # Amazon SES
    (Phase.CONNECT, 421, "Too many concurrent SMTP connections", B),
    (Phase.DOT, 451, "Temporary service failure", R),
    (Phase.DATA, 451, "Timeout waiting for data from client", R),
    (Phase.MAIL, 530, "Authentication required", P),
    (Phase.AUTH, 535, "Authentication Credentials Invalid", P),
    (Phase.DOT, 554, "Sending suspended for this account. Look into the inbox of its owner.", P),
    (Phase.DOT, 554, "Access denied: Sending paused for this account.", P),
    (Phase.DOT, 554, "Transaction failed: Address contains illegal characters in user name", F),
    (Phase.DOT, 552, "5.3.4 Message is too long.", P),
    (Phase.DOT, 454, "Throttling failure: Maximum sending rate exceeded", B),
    (Phase.DOT, 454, "Throttling failure: Daily message quota exceeded", P),
    (Phase.DOT, 554, "Message rejected: Email address is not verified.", P),
    # SendGrid by SMTP
    (Phase.AUTH, 451, "Authentication failed: Maximum credits exceeded", P),
    (Phase.AUTH, 535, "Authentication failed: Bad username / password", P),
    (Phase.MAIL, 550, "Unauthenticated senders not allowed", P),
    (Phase.DOT, 550, "The from address does not match a verified Sender Identity.", P),
    (Phase.DOT, 403, "You are not authorized to send from that email address", P),
    (Phase.RCPT, 452, "Too many recipients received this hour", B),
    (Phase.RCPT, 450, "too frequent connects from 198.51.100.7, please try again later.", S),
    (Phase.DOT, 421, "Message from (198.51.100.7) temporarily deferred", S),
    # Mailgun
    (Phase.DOT, 550, "5.7.1 Domain news.example is not allowed to send: Account Terminated", P),
    (Phase.DOT, 550, "The domain is unverified and requires DNS configuration.", P),
    (Phase.DOT, 554, "Free accounts are for test purposes only. Please upgrade.", P),
    (Phase.AUTH, 535, "5.7.0 Mailgun is not loving your login or password", P),
    (Phase.DOT, 421, "4.7.0 Domain exceeded the hourly sending limit of its account", P),
    # Brevo
    (Phase.AUTH, 525, "5.7.1 Unauthorized IP address", P),
    (Phase.AUTH, 502, "5.7.0 Your SMTP account is not yet activated.", P),
    (Phase.MAIL, 502, "5.7.0 Please authenticate first", P),
    (Phase.DOT, 451, "4.7.1 You have no credits left: all credits exhausted", P),
    # Postmark
    (Phase.DOT, 550, "5.7.1 The From address has no confirmed Sender Signature on this account.", P),
    (Phase.DOT, 550, "5.7.1 Your account is not approved for other domains yet.", P),
    # Anybody who says how long
    (Phase.AUTH, 550, "Too many messages. Try again in 92 seconds.", B),
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
    (Phase.RCPT, 550, "5.2.1 This account has been disabled or discontinued", F),
    (Phase.RCPT, 550, "5.1.1 This account has been suspended", A),
    # Anything else
    (Phase.RCPT, 550, "", F),
    (Phase.DATA, 503, "5.5.1 Error: need RCPT command", R),
    (Phase.CONNECT, 554, "5.7.1 No SMTP service here", P),
    (Phase.DOT, 550, "5.1.8 Bad sender's system address", P),
]


@pytest.mark.parametrize(("phase", "code", "text", "effect"), SAID)
def test_what_a_relay_says_means(phase: Phase, code: int, text: str, effect: Effect) -> None:
    assert classify(phase, reply_of(code, text)) is effect


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [
        ("Too many messages. Try again in 92 seconds.", 92),
        ("Please retry after 5 minutes", 300),
        ("wait 2 hours", 7200),
        ("try again in 999999 hours", 24 * 3600),
        ("Try again later.", None),
        ("5.7.1 refused", None),
    ],
)
def test_a_wait_that_a_reply_asks_for_is_read(text: str, wait_s: int | None) -> None:
    assert asked_wait_s(Reply(code=450, text=text)) == wait_s


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
