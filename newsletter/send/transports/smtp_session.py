"""One connection to a relay, and the conversation on it, as a machine that never waits.

smtplib knows no pipelining and cannot tell a connection that broke before the final dot from one that
broke after it, and all hangs on that difference (invariant 7). Here MAIL, RCPT and DATA go in one write,
and those of the next message behind the dot of this one (RFC 2920): one round trip per message. Without
PIPELINING every command waits for its reply.
"""

from __future__ import annotations

import re
import smtplib
import ssl
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from socket import SO_SNDBUF, SOL_SOCKET
from typing import Final, Protocol

from newsletter.model.delivery import Envelope
from newsletter.send.retry import Phase, Reply, reply_of

REPLY_S: Final = 600.0  # RFC 5321 section 4.5.3.2.6: the relay may need so long to take responsibility
_TLS_CHUNK: Final = 16 * 1024
_LONGEST_LINE: Final = 4096
_MOST_LINES: Final = 200
_MOST_COMMON: Final = 64
_SHORT: Final = 24
_ENOUGH: Final = 4096  # octets of replies at once
_MOST_PIECES: Final = 256  # of one write; systems take at least 1024
_SEND_BUFFER: Final = 256 * 1024  # room for a whole message, so that most leave in one write
_COMMON: Final[dict[bytes, Reply]] = {}
"""Assenting lines as they were understood: a relay says the same few again and again."""


@dataclass(slots=True)
class Job:
    """A message on its way through this transport. ``breaks`` counts connections lost under it."""

    envelope: Envelope
    utf8: bool  #: its recipient needs SMTPUTF8
    sender: str = ""
    recipient: str = ""
    message: Sequence[bytes] = ()  #: in pieces, CRLF line ends, no dot at the beginning of a line
    size: int = 0
    breaks: int = 0


class Broken(Exception):
    """The connection is lost."""


class Desk(Protocol):
    """Whom a conversation asks and tells."""

    def following(self, session: Session) -> Job | None:
        """The next job for this session, at the moment its commands can go behind the dot."""
        ...

    def answered(self, session: Session, job: Job, phase: Phase, reply: Reply) -> bool:
        """The relay's last word on a job; whether the conversation may go on."""
        ...


class Session:
    """Not thread-safe; one thread has it at a time. Every call may raise Broken; then :attr:`acted` and
    :meth:`left` say what became of the jobs."""

    def __init__(self, smtp: smtplib.SMTP) -> None:
        assert smtp.sock is not None
        self._smtp = smtp
        self._sock = smtp.sock
        self._tls = isinstance(self._sock, ssl.SSLSocket)
        self._sock.setblocking(False)
        self._sock.setsockopt(SOL_SOCKET, SO_SNDBUF, _SEND_BUFFER)
        features = smtp.esmtp_features
        self.pipelining = "pipelining" in features
        self.eightbit = "8bitmime" in features
        self.utf8 = "smtputf8" in features
        # RFC 1870 section 3: at most 20 digits; what else a relay writes there is no size.
        self.sized = re.fullmatch("0*[1-9][0-9]{0,19}", features.get("size", "")) is not None
        self.desk: Desk | None = None
        self.job: Job | None = None  #: whose replies are awaited
        self.behind: Job | None = None  #: announced behind the dot of ``job``
        self.count = 0
        self.dead = False
        self.used_at = time.monotonic()
        self.began_at = self.used_at  #: when ``job`` was handed over
        self._heard = b""
        self._lines: list[bytes] = []  # of a reply that is not whole yet
        self._expected: deque[Callable[[Reply], None]] = deque()
        self._commands: deque[bytes] = deque()  # that wait for the reply to the one before
        self._refusal: tuple[Phase, Reply] | None = None
        self._recipient_taken = False
        self._unsent = memoryview(b"")
        self._dot_in = 0  # bytes that are still to leave before the dot has; 0 where none is on its way
        self._dot_left = False

    def fileno(self) -> int:
        return self._sock.fileno()

    @property
    def idle(self) -> bool:
        return self.job is None and not self._expected and not self._unsent

    @property
    def writing(self) -> bool:
        """Something waits for room on the way."""
        return bool(self._unsent)

    @property
    def acted(self) -> bool:
        """Whether the relay may have taken ``job``: its dot could have reached it."""
        return self._dot_left

    def left(self) -> list[Job]:
        """The jobs that this session has not told the end of; it has none of them any more."""
        jobs = [job for job in (self.job, self.behind) if job is not None]
        self.job = self.behind = None
        return jobs

    def begin(self, job: Job) -> None:
        """Offers a job on an idle session."""
        self.job = job
        self.count += 1
        commands = self._offer(job)
        if self.pipelining:
            self._expected.extend((self._mail, self._rcpt, self._data))
            self._write([commands], len(commands))
        else:
            self._commands.extend(commands.splitlines(keepends=True))
            self._say_next(self._mail)

    def follow(self, job: Job) -> None:
        """Announces a job behind a dot that is on its way already, on a session that pipelines."""
        self.behind = job
        self.count += 1
        self._expected.extend((self._mail, self._rcpt, self._data))
        commands = self._offer(job)
        self._write([commands], len(commands))

    def ask(self) -> None:
        """Asks an idle connection whether it still lives."""
        self._expected.append(self._ignore)
        self._write([b"NOOP\r\n"], 6)

    @property
    def quiet(self) -> bool:
        """Whether an idle connection looks alive: nothing came on it, not even its end."""
        try:
            self._sock.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            pass
        return False

    def readable(self) -> None:
        """Takes in what the relay says, and goes on accordingly."""
        self.used_at = time.monotonic()
        while True:
            try:
                data = self._sock.recv(_ENOUGH)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError as error:
                raise self._broken() from error
            if not data:
                raise self._broken()
            self._hear(data)
            if not self._tls or self.dead:
                return  # what else came is told by the next look; TLS may have it already

    def writable(self) -> None:
        """Goes on with what waited for room."""
        self.used_at = time.monotonic()
        self._push()

    def close(self) -> None:
        """Says goodbye where that is possible, and never waits for it."""
        if not self.dead and not self._unsent:
            try:
                self._sock.send(b"QUIT\r\n")
            except OSError:
                pass
        self.dead = True
        self._smtp.close()

    # What the relay says

    def _hear(self, data: bytes) -> None:
        lines = (self._heard + data).split(b"\n")
        self._heard = lines.pop()
        if len(self._heard) > _LONGEST_LINE:
            raise self._broken()
        expected = self._expected
        for line in lines:
            reply = _COMMON.get(line)
            if reply is None or self._lines:
                reply = self._understood(line)
                if reply is None:
                    continue
            if not expected:
                raise self._broken()  # a word that nobody asked for: most likely that it closes
            expected.popleft()(reply)
            if self.dead:
                return

    def _understood(self, raw: bytes) -> Reply | None:
        """The reply that this line completes."""
        line = raw.rstrip(b"\r")
        more = line[3:4]
        if len(line) < 3 or not line[:3].isdigit() or more not in (b"", b" ", b"-"):
            raise self._broken()
        if len(line) > _LONGEST_LINE or len(self._lines) > _MOST_LINES:
            raise self._broken()
        if more == b"-":
            self._lines.append(line[4:])
            return None
        text = line[4:].decode("utf-8", "replace").strip()
        if self._lines:
            text = " ".join([*(part.decode("utf-8", "replace").strip() for part in self._lines), text])
            self._lines.clear()
            return reply_of(int(line[:3]), text)
        reply = reply_of(int(line[:3]), text)
        # Longer words after a dot mostly hold a queue id, and nobody says those again.
        if reply.code < 400 and len(raw) <= _SHORT and len(_COMMON) < _MOST_COMMON:
            _COMMON[raw] = reply
        return reply

    def _mail(self, reply: Reply) -> None:
        self._refusal = None if reply.ok else (Phase.MAIL, reply)
        if self._commands:
            self._go_on(self._rcpt)

    def _rcpt(self, reply: Reply) -> None:
        self._recipient_taken = reply.ok
        if not reply.ok and self._refusal is None:
            self._refusal = (Phase.RCPT, reply)
        if self._commands:
            self._go_on(self._data)

    def _data(self, reply: Reply) -> None:
        if reply.code == 354 and self._refusal is None:
            self._hand_over()
            return
        if reply.code == 354:
            # The relay wants a message although it refused its sender or recipient: it gets a lone dot.
            # Where it did take the recipient, that could deliver an empty message: the connection goes.
            if self._recipient_taken:
                self.dead = True
            else:
                self._expected.append(self._ignore)
                self._write([b".\r\n"], 3)
        self._refused(*(self._refusal or (Phase.DATA, reply)))

    def _hand_over(self) -> None:
        assert self.desk is not None and self.job is not None
        job = self.job
        self.began_at = time.monotonic()
        self._expected.append(self._dot)
        tail = b".\r\n"
        if self.pipelining:
            self.behind = behind = self.desk.following(self)
            if behind is not None:
                self.count += 1
                self._expected.extend((self._mail, self._rcpt, self._data))
                tail += self._offer(behind)
        self._dot_in = job.size + 3
        self._write([*job.message, tail], job.size + len(tail))

    def _dot(self, reply: Reply) -> None:
        if self._dot_in:
            # An answer to half a message: the rest would be read as commands, so the connection goes.
            self.dead = True
            if reply.ok:
                self._dot_left = True
                raise Broken
        job = self.job
        if self.dead:
            self._dot_in = 0
            self.job = None
        else:
            self.job, self.behind = self.behind, None
        self._dot_left = False
        self._end(job, Phase.DOT, reply)

    def _refused(self, phase: Phase, reply: Reply) -> None:
        """The session is made clean again; the neighbours are spared."""
        job, self.job = self.job, None
        self._commands.clear()
        self._end(job, phase, reply)
        if not self.dead:
            self._expected.append(self._reset)
            self._write([b"RSET\r\n"], 6)

    def _end(self, job: Job | None, phase: Phase, reply: Reply) -> None:
        assert self.desk is not None and job is not None
        if reply.code == 421:
            self.dead = True
        if not self.desk.answered(self, job, phase, reply):
            self.dead = True

    def _reset(self, reply: Reply) -> None:
        if not reply.ok:
            self.dead = True

    def _ignore(self, reply: Reply) -> None:
        if reply.code == 421:
            self.dead = True

    def _go_on(self, following: Callable[[Reply], None]) -> None:
        """The next command of those that are said one by one; a refusal ends them."""
        if self._refusal is not None:
            self._refused(*self._refusal)
        else:
            self._say_next(following)

    def _say_next(self, following: Callable[[Reply], None]) -> None:
        self._expected.append(following)
        command = self._commands.popleft()
        self._write([command], len(command))

    def _offer(self, job: Job) -> bytes:
        options = ""
        if job.utf8:
            options = " BODY=8BITMIME SMTPUTF8" if self.eightbit else " SMTPUTF8"
        if self.sized:
            options += f" SIZE={job.size}"
        return f"MAIL FROM:<{job.sender}>{options}\r\nRCPT TO:<{job.recipient}>\r\nDATA\r\n".encode()

    # What leaves

    def _write(self, pieces: Sequence[bytes], size: int) -> None:
        """Sends what there is room for of these ``size`` octets; the rest waits."""
        if self._unsent:
            self._unsent = memoryview(b"".join([self._unsent, *pieces]))
            return
        if self._tls or len(pieces) > _MOST_PIECES:
            self._unsent = memoryview(b"".join(pieces))
            self._push()
            return
        try:
            gone = self._sock.sendmsg(pieces)
        except BlockingIOError:
            gone = 0
        except OSError as error:
            raise self._broken() from error
        if self._dot_in:
            self._gone(gone)
        if gone != size:
            self._unsent = memoryview(b"".join(pieces))[gone:]

    def _push(self) -> None:
        while self._unsent:
            # A TLS record that failed half-way may have left; what a plain socket refused has not.
            part = self._unsent[:_TLS_CHUNK] if self._tls else self._unsent
            try:
                gone = self._sock.send(part)
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return
            except OSError as error:
                if self._tls:
                    self._gone(len(part))
                raise self._broken() from error
            self._gone(gone)
            self._unsent = self._unsent[gone:]

    def _gone(self, count: int) -> None:
        if self._dot_in:
            self._dot_in = max(0, self._dot_in - count)
            self._dot_left = not self._dot_in

    def _broken(self) -> Broken:
        self.dead = True
        return Broken()
