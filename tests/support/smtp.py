"""A real SMTP server on loopback that remembers what it was given."""

from __future__ import annotations

import email
import email.policy
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from newsletter.demo.loopback import HOST, SmtpThread
from tests.support.certificates import Certificate, make_certificate


@dataclass(frozen=True, kw_only=True)
class Received:
    """One message as it came in: the envelope, the bytes after dot-unstuffing, and who brought it how."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes = field(repr=False)
    encrypted: bool
    login: str | None

    @property
    def message(self) -> EmailMessage:
        """The bytes, parsed."""
        return email.message_from_bytes(self.data, policy=email.policy.default)


class SmtpSink:
    """Accepts mail and keeps it. Use as a context manager.

    ``login``: the only user and password it lets in; nobody then sends without. ``tls``: ``"starttls"``
    offers and requires STARTTLS, ``"implicit"`` speaks TLS from the first byte; both need ``certificate``.
    ``refuse``: given an address, the reply that RCPT gets instead of 250 (``None``: accept).
    """

    def __init__(
        self,
        *,
        port: int = 0,
        login: tuple[str, str] | None = None,
        tls: str | None = None,
        certificate: Certificate | None = None,
        refuse: Callable[[str], str | None] = lambda address: None,
    ) -> None:
        self._wanted_port = port
        self._login = login
        self._tls = tls
        self._certificate = certificate
        self._refuse = refuse
        self._lock = threading.Lock()
        self._received: list[Received] = []
        self._thread: SmtpThread | None = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._thread is None:
            raise RuntimeError("the sink is not running")
        return self._thread.port

    @property
    def url(self) -> str:
        """The setting that sends through this sink (``smtp+plain``, ``smtp``, ``smtps``), login and all."""
        scheme = {None: "smtp+plain", "starttls": "smtp", "implicit": "smtps"}[self._tls]
        user = f"{self._login[0]}:{self._login[1]}@" if self._login else ""
        return f"{scheme}://{user}{HOST}:{self.port}"

    @property
    def messages(self) -> list[Received]:
        """Everything accepted so far, oldest first."""
        with self._lock:
            return list(self._received)

    def sent_to(self, address: str) -> list[Received]:
        """What was accepted for one address."""
        return [received for received in self.messages if address in received.recipients]

    def __enter__(self) -> SmtpSink:
        context = self._certificate.server_context() if self._certificate else None
        self._thread = SmtpThread(
            self,
            port=self._wanted_port,
            ssl_context=context if self._tls == "implicit" else None,
            tls_context=context if self._tls == "starttls" else None,
            require_starttls=self._tls == "starttls",
            # A login over TLS from the first byte is safe too, but aiosmtpd knows of STARTTLS only.
            auth_require_tls=self._tls == "starttls",
            authenticator=self._authenticate,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self._thread.close()
            self._thread = None

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, credentials: object
    ) -> AuthResult:
        given = (
            (credentials.login.decode(), credentials.password.decode())
            if isinstance(credentials, LoginPassword)
            else None
        )
        right = given is not None and given == self._login
        # Not handled: aiosmtpd still has to answer 235 or 535.
        return AuthResult(success=right, handled=False, auth_data=given[0] if given and right else None)

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._login is not None and not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refusal = self._refuse(address)
        if refusal is None:
            envelope.rcpt_tos.append(address)
        return refusal or "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        with self._lock:
            self._received.append(
                Received(
                    sender=envelope.mail_from or "",
                    recipients=tuple(envelope.rcpt_tos),
                    data=envelope.content,
                    encrypted=session.ssl is not None or self._tls == "implicit",
                    login=str(session.auth_data) if session.auth_data else None,
                )
            )
            return f"250 2.0.0 OK queued as {len(self._received):08X}"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for localhost and 127.0.0.1 that only its own authority vouches for."""
    folder: Path = tmp_path_factory.mktemp("certificate")
    return make_certificate(folder)


@pytest.fixture
def smtp_sink() -> Generator[SmtpSink, None, None]:
    """A running sink without TLS or login."""
    with SmtpSink() as sink:
        yield sink


@pytest.fixture
def start_smtp_sink(certificate: Certificate) -> Generator[Callable[..., SmtpSink], None, None]:
    """Starts sinks with :class:`SmtpSink`'s options; those with ``tls`` show the ``certificate`` fixture."""
    with ExitStack() as running:
        yield lambda **options: running.enter_context(SmtpSink(certificate=certificate, **options))
