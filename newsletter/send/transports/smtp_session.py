"""One connection to a relay: smtplib opens, protects and authenticates it; the transactions are ours.

smtplib knows no pipelining and cannot tell a connection that broke before the final dot from one that
broke after it, and all hangs on that difference (invariant 7). Here MAIL, RCPT and DATA go in one write,
and those of the next message behind the dot of this one (RFC 2920): one round trip per message.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from newsletter.errors import TransportBusy, TransportProblem
from newsletter.model.delivery import Envelope
from newsletter.send.retry import Effect, Phase, Reply, classify, reply_of
from newsletter.send.transports.smtp_url import Protection, Relay

CONNECT_S: Final = 30.0
REPLY_S: Final = 600.0  # RFC 5321 section 4.5.3.2.6: the relay may need so long to take responsibility
_TLS_CHUNK: Final = 16 * 1024
_LONGEST_LINE: Final = 4096
_MOST_LINES: Final = 200
_MOST_COMMON: Final = 64
_COMMON: Final[dict[bytes, Reply]] = {}
"""Assenting lines as they were understood: a relay says the same few again and again."""

_MOST_PIECES: Final = 256  # of one write; systems take at least 1024


@dataclass(slots=True)
class Job:
    """A message on its way through this transport. ``breaks`` counts connections lost under it."""

    envelope: Envelope
    sender: str
    recipient: str
    message: Sequence[bytes]  #: in pieces, CRLF line ends, no dot at the beginning of a line
    size: int
    utf8: bool = False
    breaks: int = 0


class Broken(Exception):
    """The connection is lost. ``acted``: the relay may have taken the message."""

    def __init__(self, phase: Phase, *, acted: bool) -> None:
        super().__init__(phase)
        self.phase = phase
        self.acted = acted


class Session:
    """Not thread-safe; one thread has it at a time."""

    def __init__(self, relay: Relay, context: ssl.SSLContext) -> None:
        """Connects. Raises TransportProblem (the relay refuses us) or TransportBusy (it may pass)."""
        self._smtp = _connected(relay, context)
        assert self._smtp.sock is not None
        self._sock: socket.socket = self._smtp.sock
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._tls = isinstance(self._sock, ssl.SSLSocket)
        if self._tls:
            self._sock.settimeout(REPLY_S)
        else:
            # Python's own time-out asks poll() before every call; the kernel's costs nothing.
            self._sock.settimeout(None)
            span = struct.pack("ll", int(REPLY_S), 0)
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, span)
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, span)
        features = self._smtp.esmtp_features
        self.pipelining = "pipelining" in features
        self.eightbit = "8bitmime" in features
        self.utf8 = "smtputf8" in features
        self.max_size = int(features["size"]) if features.get("size", "").isdigit() else 0
        self._buffer = b""
        self._announced: Job | None = None
        self.count = 0
        self.used_at = time.monotonic()
        self.dead = False

    def transact(self, job: Job, following: Callable[[], Job | None]) -> tuple[Phase, Reply, Job | None]:
        """Hands over one message; ``(phase of the last word, that word, the next job already announced)``.

        ``following`` is asked for the next job at the moment its commands can go behind the dot. Raises
        Broken; then the caller still owns ``job`` and whatever ``following`` gave (see :attr:`announced`).
        """
        self.used_at = time.monotonic()
        self.count += 1
        phase, reply = self._offer(job)
        if reply.code != 354:
            return phase, reply, None
        self._announced = None
        behind = following() if self.pipelining else None
        tail = self._commands(behind) if behind else b""
        self._announced = behind
        self._send([*job.message, b".\r\n" + tail], dot_end=job.size + 3)
        reply = self._reply(Phase.DOT)
        if reply.code == 421:
            self.dead = True
        return Phase.DOT, reply, behind

    @property
    def announced(self) -> Job | None:
        """The job whose commands were written and whose dot was not."""
        return self._announced

    @property
    def rested_s(self) -> float:
        return time.monotonic() - self.used_at

    def fresh(self) -> bool:
        """Whether an idle connection still answers."""
        try:
            self._send([b"NOOP\r\n"])
            return self._reply(Phase.MAIL).ok
        except Broken:
            return False

    def close(self) -> None:
        """Says goodbye where that is possible, and never waits for it."""
        if not self.dead:
            try:
                self._sock.settimeout(1.0)
                self._sock.sendall(b"QUIT\r\n")
            except OSError:
                pass
        self.dead = True
        self._smtp.close()

    def _offer(self, job: Job) -> tuple[Phase, Reply]:
        """MAIL, RCPT and DATA: 354 in the end, or the refusal, after which the session is clean again."""
        if not self.pipelining:
            return self._offer_in_turn(job)
        if self._announced is not job:
            self._send([self._commands(job)])
            self._announced = job
        mail = self._reply(Phase.MAIL)
        rcpt = self._reply(Phase.RCPT)
        data = self._reply(Phase.DATA)
        for phase, reply in ((Phase.MAIL, mail), (Phase.RCPT, rcpt)):
            if not reply.ok:
                self._announced = None
                if data.code == 354:
                    self._end_empty(rcpt)
                self._reset(reply)
                return phase, reply
        if data.code != 354:
            self._announced = None
            self._reset(data)
        return Phase.DATA, data

    def _offer_in_turn(self, job: Job) -> tuple[Phase, Reply]:
        for phase, command in zip(
            (Phase.MAIL, Phase.RCPT, Phase.DATA), self._commands(job).splitlines(keepends=True), strict=True
        ):
            self._send([command])
            reply = self._reply(phase)
            if not (reply.code == 354 if phase is Phase.DATA else reply.ok):
                self._reset(reply)
                break
        return phase, reply

    def _end_empty(self, rcpt: Reply) -> None:
        """The relay wants a message although it refused its sender or recipient: it gets a lone dot.

        Where it did accept the recipient, that could deliver an empty message: the connection goes instead.
        """
        if rcpt.ok:
            self.dead = True
            return
        self._send([b".\r\n"])
        self._reply(Phase.DATA)

    def _reset(self, refusal: Reply) -> None:
        if refusal.code == 421:
            self.dead = True
        if self.dead:
            return
        self._send([b"RSET\r\n"])
        if not self._reply(Phase.MAIL).ok:
            self.dead = True

    def _commands(self, job: Job) -> bytes:
        options = ""
        if job.utf8:
            options = " BODY=8BITMIME SMTPUTF8" if self.eightbit else " SMTPUTF8"
        if self.max_size:
            options += f" SIZE={job.size}"
        return f"MAIL FROM:<{job.sender}>{options}\r\nRCPT TO:<{job.recipient}>\r\nDATA\r\n".encode()

    def _send(self, pieces: Sequence[bytes], *, dot_end: int = 0) -> None:
        """Writes all of it. Raises Broken, which knows whether what ends at ``dot_end`` could have reached
        the relay whole."""
        if not self._tls and len(pieces) <= _MOST_PIECES:
            gone = self._put(partial(self._sock.sendmsg, pieces), 0, 0, dot_end)
            if gone == sum(map(len, pieces)):
                return
        else:
            gone = 0
        data = memoryview(b"".join(pieces))
        while gone < len(data):
            # A TLS record that failed half-way may have left; what a plain socket refused has not.
            part = data[gone : gone + _TLS_CHUNK] if self._tls else data[gone:]
            gone += self._put(partial(self._sock.send, part), gone, len(part), dot_end)

    def _put(self, write: Callable[[], int], gone: int, part: int, dot_end: int) -> int:
        try:
            return write()
        except OSError as error:
            self.dead = True
            reached = gone + (part if self._tls else 0)
            acted = 0 < dot_end <= reached
            raise Broken(Phase.DOT if acted else Phase.DATA, acted=acted) from error

    def _reply(self, phase: Phase) -> Reply:
        """One reply, all its lines. Raises Broken where none comes, or no reply that SMTP knows."""
        line = self._line(phase)
        if (known := _COMMON.get(line)) is not None:
            return known
        lines: list[bytes] = []
        while True:
            lines.append(line[4:])
            if len(line) < 3 or not line[:3].isdigit() or line[3:4] not in (b"", b" ", b"-"):
                raise self._broken(phase)
            if line[3:4] != b"-":
                break
            if len(lines) > _MOST_LINES:
                raise self._broken(phase)
            line = self._line(phase)
        reply = reply_of(int(line[:3]), " ".join(part.decode("utf-8", "replace").strip() for part in lines))
        if phase is not Phase.DOT and len(lines) == 1 and reply.code < 400 and len(_COMMON) < _MOST_COMMON:
            _COMMON[line] = reply
        return reply

    def _line(self, phase: Phase) -> bytes:
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > _LONGEST_LINE:
                raise self._broken(phase)
            try:
                data = self._sock.recv(4096)
            except OSError as error:
                raise self._broken(phase) from error
            if not data:
                raise self._broken(phase)
            self._buffer += data
        line, self._buffer = self._buffer[:end], self._buffer[end + 1 :]
        return line.rstrip(b"\r")

    def _broken(self, phase: Phase) -> Broken:
        self.dead = True
        return Broken(phase, acted=phase is Phase.DOT)


def _connected(relay: Relay, context: ssl.SSLContext) -> smtplib.SMTP:
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
        return TransportBusy(f"{sentence} just now ({reply.short}).", hint="It is tried again.")
    return TransportProblem(f"{sentence} ({reply.short}).", hint="Check NEWSLETTER_SMTP_URL.")
