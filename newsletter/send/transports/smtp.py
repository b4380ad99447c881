"""SMTP: a few connections, each in a thread of its own, all database work in the thread that iterates."""

from __future__ import annotations

import ssl
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import Final

from newsletter.errors import Invalid, TransportBusy, TransportProblem
from newsletter.guard.headers import vet_address
from newsletter.model.delivery import Envelope, Outcome, Verdict
from newsletter.model.privacy import without_addresses
from newsletter.send.dkim import Signer
from newsletter.send.message import Press
from newsletter.send.retry import Effect, Phase, Reply, classify
from newsletter.send.transports.smtp_session import Broken, Job, Session
from newsletter.send.transports.smtp_url import Relay

_STEP: Final = 16  # envelopes are pulled by so many, since each pull is a commit
_IDLE_S: Final = 20.0  # an idle connection is asked whether it still lives
_PER_CONNECTION: Final = 100
_MOST_BREAKS: Final = 2
_SLOW_S: Final = 0.008  # a relay that takes longer over a message gains from a further connection

_Jobs = SimpleQueue[Job | None]
_Results = SimpleQueue[Outcome | TransportProblem | float]
"""Outcomes, a connection's last words, and how many seconds a slow relay took over a message."""


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
        self.window = max(_STEP, connections)
        self.in_hand = max(2 * _STEP, 2 * connections)
        self._relay = relay
        self._connections = connections
        self._return_path = return_path
        self._context = context or ssl.create_default_context()
        self._clock = clock
        self._per_connection = per_connection
        self._press = Press(signer)
        self._idle: list[Session] = []
        self._idle_lock = threading.Lock()
        weakref.finalize(self, _close_all, self._idle)

    def hand_over(self, envelopes: Iterable[Envelope]) -> Iterator[Outcome]:
        """See :class:`newsletter.send.ports.Transport`."""
        source = iter(envelopes)
        jobs: _Jobs = SimpleQueue()
        results: _Results = SimpleQueue()
        threads: list[threading.Thread] = []
        flying = working = 0
        most = self._connections
        pulling = True
        problem: BaseException | None = None
        try:
            while True:
                if pulling and (not flying or flying <= self.in_hand - _STEP):
                    while flying < self.in_hand:
                        try:
                            envelope = next(source)
                        except StopIteration:
                            pulling = False
                            break
                        except Exception as error:
                            pulling, problem = False, error
                            break
                        flying += 1
                        job = self._job(envelope)
                        if isinstance(job, Outcome):
                            results.put(job)
                            continue
                        jobs.put(job)
                        if not working:
                            threads.append(self._start(jobs, results))
                            working += 1
                if not flying:
                    break
                result = results.get()
                if isinstance(result, Outcome):
                    flying -= 1
                    yield result
                    continue
                if isinstance(result, float):
                    # Threads that wait for nothing but each other only slow a quick relay down.
                    if working < most and not jobs.empty():
                        threads.append(self._start(jobs, results))
                        working += 1
                    continue
                working -= 1
                most = max(1, working)  # a relay that is busy gets no further connection
                if not isinstance(result, TransportBusy) or not working:
                    pulling, problem = False, problem or result
                    for job in _drained(jobs):
                        results.put(_unsent(job))
        finally:
            for _ in threads:
                jobs.put(None)
            for thread in threads:
                thread.join()
        if problem is not None:
            raise problem

    def close(self) -> None:
        """Closes idle connections."""
        with self._idle_lock:
            _close_all(self._idle)

    def _start(self, jobs: _Jobs, results: _Results) -> threading.Thread:
        thread = threading.Thread(target=self._work, args=(jobs, results), name="smtp", daemon=True)
        thread.start()
        return thread

    def _job(self, envelope: Envelope) -> Job | Outcome:
        """The message, or the outcome of one that cannot be made."""
        try:
            sender = self._return_path(envelope) if self._return_path else envelope.letter.sender.address
            recipient = vet_address(envelope.to)
            message = self._press.pieces(envelope, date=self._clock())
            size = sum(map(len, message))
            return Job(envelope, vet_address(sender), recipient, message, size, utf8=not recipient.isascii())
        except Invalid as invalid:
            return Outcome(key=envelope.key, verdict=Verdict.FAILED, code="invalid", reason=invalid.message)

    def _work(self, jobs: _Jobs, results: _Results) -> None:
        """One connection's life. Ends with ``None`` from the jobs, or with a problem put into the results."""
        session: Session | None = None
        job: Job | None = None
        try:
            while job is not None or (job := jobs.get()) is not None:
                if session is None:
                    session = self._session()
                job, session = self._step(session, job, jobs, results)
        except TransportProblem as problem:
            # Nothing of it left us: another connection may take it, or else it is told as unsent.
            if job is not None:
                jobs.put(job)
            results.put(problem)
        except Exception as error:  # a bug must not leave the iterating thread waiting for ever
            if job is not None:
                results.put(_unknown(job, "An error of this program."))
            if session is not None and session.announced not in (None, job):
                results.put(_unsent(session.announced))
            results.put(TransportProblem(f"Sending failed by an error of this program: {error!r}."))
        if session is not None:
            self._rest(session)

    def _step(
        self, session: Session, job: Job, jobs: _Jobs, results: _Results
    ) -> tuple[Job | None, Session | None]:
        """One message through a session; the job that follows, and the session if it lives on."""
        if job.utf8 and not session.utf8:
            reason = "The mail server cannot take addresses with letters beyond ASCII (SMTPUTF8)."
            results.put(Outcome(key=job.envelope.key, verdict=Verdict.FAILED, code="smtputf8", reason=reason))
            return None, session
        last = session.count + 1 >= self._per_connection

        def following() -> Job | None:
            if last:
                return None
            try:
                nxt = jobs.get_nowait()
            except Empty:
                return None
            if nxt is None or (nxt.utf8 and not session.utf8):
                jobs.put(nxt)
                return None
            return nxt

        began = time.monotonic()
        try:
            phase, reply, announced = session.transact(job, following)
        except Broken as broken:
            return self._broke(session, job, broken, results), None
        took = time.monotonic() - began
        if took > _SLOW_S:
            results.put(took)
        problem = self._judge(job, phase, reply, results)
        if problem is not None:
            session.close()
            if announced is not None:
                jobs.put(announced)
            raise problem
        if session.dead or last:
            session.close()
            return announced, None
        return announced, session

    def _broke(self, session: Session, job: Job, broken: Broken, results: _Results) -> Job | None:
        """The connection is lost: what a relay could have acted upon is unknown, all else goes again."""
        session.close()
        behind = session.announced if session.announced is not job else None
        if broken.acted:
            results.put(_unknown(job, "The connection broke before the mail server had answered."))
            return behind
        job.breaks += 1
        if job.breaks < _MOST_BREAKS:
            return job
        reason = f"The connection broke ({broken.phase}) before the message was handed over."
        results.put(Outcome(key=job.envelope.key, verdict=Verdict.RETRY, code="broken", reason=reason))
        return behind

    def _judge(self, job: Job, phase: Phase, reply: Reply, results: _Results) -> TransportProblem | None:
        """Tells the outcome of an answered message; a problem where the answer is about us."""
        key = job.envelope.key
        words = without_addresses(reply.text)
        if phase is Phase.DOT and reply.ok:
            results.put(Outcome(key=key, verdict=Verdict.ACCEPTED, code=reply.short, provider_id=words))
            return None
        effect = classify(phase, reply)
        if effect in (Effect.PAUSE, Effect.BUSY):
            sentence = f"The mail server refuses to send: {reply.short} {words}".strip()
            if effect is Effect.BUSY:
                return TransportBusy(sentence, hint="It is tried again later.")
            return TransportProblem(sentence, hint="Nothing was lost. Mend this, then resume the issue.")
        verdict = Verdict.RETRY if effect is Effect.RETRY else Verdict.FAILED
        results.put(
            Outcome(
                key=key,
                verdict=verdict,
                code=reply.short,
                reason=words,
                bad_address=effect is Effect.BAD_ADDRESS,
            )
        )
        return None

    def _session(self) -> Session:
        """An idle connection that still lives, or a new one."""
        while True:
            with self._idle_lock:
                session = self._idle.pop() if self._idle else None
            if session is None:
                return Session(self._relay, self._context)
            if session.rested_s < _IDLE_S or session.fresh():
                return session
            session.close()

    def _rest(self, session: Session) -> None:
        if session.dead:
            session.close()
            return
        with self._idle_lock:
            self._idle.append(session)


def _close_all(sessions: list[Session]) -> None:
    while sessions:
        sessions.pop().close()


def _drained(jobs: _Jobs) -> list[Job]:
    found: list[Job] = []
    while True:
        try:
            job = jobs.get_nowait()
        except Empty:
            return found
        if job is not None:
            found.append(job)


def _unsent(job: Job) -> Outcome:
    return Outcome(key=job.envelope.key, verdict=Verdict.UNSENT)


def _unknown(job: Job, reason: str) -> Outcome:
    return Outcome(key=job.envelope.key, verdict=Verdict.UNKNOWN, reason=reason)
