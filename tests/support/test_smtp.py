"""The SMTP sink keeps what it was given, and asks for what it was told to ask for."""

from __future__ import annotations

import smtplib
from collections.abc import Callable

import pytest

from tests.support.certificates import Certificate
from tests.support.smtp import SmtpSink

MESSAGE = "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\n.a line with a dot\r\n"


def test_the_sink_keeps_envelope_and_message(smtp_sink: SmtpSink) -> None:
    with smtplib.SMTP("127.0.0.1", smtp_sink.port, timeout=10) as client:
        client.sendmail("blog@example.org", ["ada@example.org", "bo@example.org"], MESSAGE)
    [received] = smtp_sink.messages
    assert received.sender == "blog@example.org"
    assert received.recipients == ("ada@example.org", "bo@example.org")
    assert received.message["Subject"] == "Grüße"
    assert received.data == MESSAGE.encode()
    assert not received.encrypted
    assert smtp_sink.sent_to("bo@example.org") == [received]


def test_the_sink_refuses_the_recipients_it_is_told_to(start_smtp_sink: Callable[..., SmtpSink]) -> None:
    sink = start_smtp_sink(refuse=lambda address: "550 5.1.1 no such user" if "bad" in address else None)
    with smtplib.SMTP("127.0.0.1", sink.port, timeout=10) as client:
        refused = client.sendmail("blog@example.org", ["bad@example.org", "ada@example.org"], MESSAGE)
    assert refused == {"bad@example.org": (550, b"5.1.1 no such user")}
    assert sink.messages[0].recipients == ("ada@example.org",)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_the_sink_takes_mail_over_verified_tls_from_who_knows_the_password(
    start_smtp_sink: Callable[..., SmtpSink], certificate: Certificate, tls: str
) -> None:
    sink = start_smtp_sink(tls=tls, login=("blog", "s3cret"))
    context = certificate.client_context()
    client = (
        smtplib.SMTP_SSL("localhost", sink.port, timeout=10, context=context)
        if tls == "implicit"
        else smtplib.SMTP("localhost", sink.port, timeout=10)
    )
    with client:
        if tls == "starttls":
            client.starttls(context=context)
        with pytest.raises(smtplib.SMTPSenderRefused, match="Authentication required"):
            client.sendmail("blog@example.org", "ada@example.org", MESSAGE)
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("blog", "wrong")
        client.login("blog", "s3cret")
        client.sendmail("blog@example.org", "ada@example.org", MESSAGE)
    [received] = sink.messages
    assert received.encrypted
    assert received.login == "blog"


def test_the_sink_speaks_nothing_but_tls_when_told_to(start_smtp_sink: Callable[..., SmtpSink]) -> None:
    sink = start_smtp_sink(tls="starttls")
    with smtplib.SMTP("localhost", sink.port, timeout=10) as client:
        with pytest.raises(smtplib.SMTPSenderRefused, match="STARTTLS"):
            client.sendmail("blog@example.org", "ada@example.org", MESSAGE)
