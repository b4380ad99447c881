"""How a connection to a relay begins: smtplib opens, protects and authenticates it."""

from __future__ import annotations

import smtplib
import socket
import ssl
from typing import Final

from newsletter.errors import TransportBusy, TransportProblem
from newsletter.send.retry import Effect, Phase, asked_wait_s, classify, reply_of
from newsletter.send.transports.smtp_url import Protection, Relay

CONNECT_S: Final = 30.0


def connected(relay: Relay, context: ssl.SSLContext) -> smtplib.SMTP:
    """A connection that took us in. Raises TransportProblem (the relay refuses us) or TransportBusy (it may
    pass)."""
    where = f"{relay.host}:{relay.port}"
    smtp: smtplib.SMTP | None = None
    try:
        if relay.protection is Protection.TLS:
            smtp = smtplib.SMTP_SSL(relay.host, relay.port, timeout=CONNECT_S, context=context)
        else:
            smtp = smtplib.SMTP(relay.host, relay.port, timeout=CONNECT_S)
        smtp.ehlo_or_helo_if_needed()
        if relay.protection is Protection.STARTTLS:
            smtp.starttls(context=context)
            smtp.ehlo()
        if relay.user:
            _authenticate(smtp, relay)
        assert smtp.sock is not None
        smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return smtp
    except smtplib.SMTPAuthenticationError as error:
        problem = _refused(
            f"The mail server {where} does not accept our user name and password", Phase.AUTH, error
        )
    except smtplib.SMTPResponseException as error:
        problem = _refused(f"The mail server {where} refuses to talk to us", Phase.CONNECT, error)
    except smtplib.SMTPNotSupportedError:
        missing = "STARTTLS" if relay.protection is Protection.STARTTLS else "a login"
        problem = TransportProblem(
            f"The mail server {where} does not offer what we need ({missing}).",
            hint="Check the port and the scheme of NEWSLETTER_SMTP_URL.",
        )
    except ssl.SSLCertVerificationError as error:
        problem = TransportProblem(
            f"The mail server {where} cannot prove who it is: {error.verify_message}.",
            hint="Check the host name in NEWSLETTER_SMTP_URL.",
        )
    except (smtplib.SMTPException, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "no answer"
        problem = TransportBusy(
            f"The mail server {where} cannot be reached: {reason}.",
            hint="It is tried again; check that it runs and that the network works.",
        )
    if smtp is not None:
        smtp.close()
    raise problem


def _authenticate(smtp: smtplib.SMTP, relay: Relay) -> None:
    if relay.oauth:
        smtp.user, smtp.password = relay.user, relay.password

        def xoauth2(challenge: bytes | None = None) -> str:
            # A challenge here is the reason of a refusal and wants an empty answer.
            return "" if challenge else f"user={relay.user}\x01auth=Bearer {relay.password}\x01\x01"

        smtp.auth("XOAUTH2", xoauth2, initial_response_ok=True)
    else:
        smtp.login(relay.user, relay.password)


def _refused(sentence: str, phase: Phase, error: smtplib.SMTPResponseException) -> TransportProblem:
    raw = error.smtp_error
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    reply = reply_of(error.smtp_code, text.replace("\n", " "))
    if classify(phase, reply) is Effect.BUSY:
        wait_s = float(asked_wait_s(reply) or 60)
        return TransportBusy(
            f"{sentence} just now ({reply.short}).", hint="It is tried again.", wait_s=wait_s
        )
    return TransportProblem(f"{sentence} ({reply.short}).", hint="Check NEWSLETTER_SMTP_URL.")
