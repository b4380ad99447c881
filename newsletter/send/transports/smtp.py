"""SMTP: envelopes go by the window from the thread that iterates, where all database work is done, to the
thread that holds the connections and makes the messages as it needs them."""

from __future__ import annotations

import ssl
import weakref
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Final

from newsletter.errors import Invalid
from newsletter.guard.headers import vet_address
from newsletter.model.delivery import Envelope, Outcome, Verdict
from newsletter.send.dkim import Signer
from newsletter.send.message import Press
from newsletter.send.transports.smtp_connect import connected
from newsletter.send.transports.smtp_session import Job
from newsletter.send.transports.smtp_url import Relay
from newsletter.send.transports.smtp_wire import Idle, Result, Wire

_IN_HAND: Final = 32
_PER_CONNECTION: Final = 100
_PATIENCE_S: Final = 0.05  # outcomes are taken down at least so often


class Smtp:
    """Hands messages to a relay over at most ``connections`` connections, as many as it gains from.

    ``return_path`` gives the envelope sender of each message (VERP); without it, it is the letter's From.
    ``per_connection`` messages go over one connection before it is closed, since relays close longer ones.
    """

    name = "smtp"

    def __init__(
        self,
        relay: Relay,
        *,
        connections: int = 2,
        return_path: Callable[[Envelope], str] | None = None,
        context: ssl.SSLContext | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        signer: Signer | None = None,
        per_connection: int = _PER_CONNECTION,
    ) -> None:
        self.in_hand = max(_IN_HAND, 2 * connections)
        self._relay = relay
        self._connections = connections
        self._return_path = return_path
        self._context = context or ssl.create_default_context()
        self._clock = clock
        self._per_connection = per_connection
        self._press = Press(signer)
        self._signs = signer is not None  # which takes long, and goes on while the wire's thread is at work
        self._idle = Idle()
        self._wires: set[Wire] = set()
        self._sender = ""  # the last one, which is vetted
        weakref.finalize(self, self._idle.close)

    @property
    def window(self) -> int:
        """The rest flies while a window is made durable. To a distant relay a message flies for two round
        trips, and the connections are only busy while nearly all that may be in hand does."""
        return self.in_hand // 4 if self._idle.far else self.in_hand * 5 // 8

    def hand_over(self, envelopes: Iterable[Envelope]) -> Iterator[Outcome]:
        """See :class:`newsletter.send.ports.Transport`."""
        source = iter(envelopes)
        wire: Wire | None = None
        told: list[Result] = []
        flying = 0
        pulling = True
        problem: BaseException | None = None
        try:
            while True:
                window = self.window
                while pulling and flying <= self.in_hand - window:
                    for _ in range(window):  # no further one is begun for the few that have room yet
                        try:
                            envelope = next(source)
                        except StopIteration:
                            pulling = False
                            break
                        except Exception as error:
                            pulling, problem = False, error
                            break
                        flying += 1
                        job = Job(envelope, not envelope.to.isascii())
                        if self._signs and (outcome := self._make(job)):
                            told.append(outcome)
                            continue
                        if wire is None:
                            wire = self._wire()
                            self._wires.add(wire)
                        wire.put(job)
                if not flying:
                    break
                if wire is not None and not told:
                    enough = flying - (self.in_hand - window) if pulling else flying
                    told = wire.results(enough, _PATIENCE_S)
                for result in told:
                    if isinstance(result, Outcome):
                        flying -= 1
                        yield result
                    else:
                        pulling, problem = False, problem or result
                told = []
        finally:
            if wire is not None:
                self._wires.discard(wire)
                wire.end()
        if problem is not None:
            raise problem

    def recall(self) -> None:
        """See :class:`newsletter.send.ports.Recalls`."""
        for wire in list(self._wires):
            wire.recall()

    def prove(self) -> None:
        """See :class:`newsletter.send.ports.Proves`: connects, protects the connection and logs in."""
        connected(self._relay, self._context).close()

    def close(self) -> None:
        """Closes idle connections."""
        self._idle.close()

    def _wire(self) -> Wire:
        return Wire(
            partial(connected, self._relay, self._context),
            self._make,
            connections=self._connections,
            per_connection=self._per_connection,
            idle=self._idle,
        )

    def _make(self, job: Job) -> Outcome | None:
        """Fills in the message; the outcome of one that cannot be made."""
        envelope = job.envelope
        try:
            sender = self._return_path(envelope) if self._return_path else envelope.letter.sender.address
            if sender != self._sender:
                self._sender = vet_address(sender)
            job.sender, job.recipient = sender, envelope.to
            job.message = self._press.pieces(envelope, date=self._clock())  # refuses what is no address
            job.size = sum(map(len, job.message))
        except Invalid as invalid:
            return Outcome(key=envelope.key, verdict=Verdict.FAILED, code="invalid", reason=invalid.message)
        return None
