"""The thread that holds the connections: it never waits for a single one of them, nor for the ledger.

One thread for all of them costs a third of a thread for each, since nothing is handed from one to another;
jobs come in and results go out by the window. Only opening a connection waits, in a thread of its own.
"""

from __future__ import annotations

import selectors
import smtplib
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from newsletter.errors import TransportBusy, TransportProblem
from newsletter.model.delivery import Outcome, Verdict
from newsletter.model.privacy import without_addresses
from newsletter.send.retry import Effect, Phase, Reply, asked_wait_s, classify
from newsletter.send.transports.smtp_session import REPLY_S, Broken, Job, Session

_IDLE_S: Final = 20.0  # an idle connection is asked whether it still lives
_ALIVE_S: Final = 30.0  # how long it may take to say so
_LOOK_S: Final = 1.0
_MOST_BREAKS: Final = 2
_FAR_S: Final = 0.03  # a relay that takes longer to let us in is far away
_SLOW_S: Final = 0.008  # one that takes longer over a message gains from further connections
_FEW: Final = 8  # connections to a quick relay

Result = Outcome | TransportProblem


class Idle:
    """Connections that wait for their next use. Thread-safe."""

    def __init__(self) -> None:
        self._sessions: list[Session] = []
        self._lock = threading.Lock()
        self.gains = _FEW  #: as many connections the relay gains from, as far as is known
        self.far = False  #: it takes long to say anything

    def take(self) -> Session | None:
        with self._lock:
            return self._sessions.pop() if self._sessions else None

    def put(self, session: Session) -> None:
        with self._lock:
            self._sessions.append(session)

    def close(self) -> None:
        with self._lock:
            while self._sessions:
                self._sessions.pop().close()


class Wire:
    """Hands jobs over on at most ``connections`` connections, each for ``per_connection`` messages."""

    def __init__(
        self,
        open_connection: Callable[[], smtplib.SMTP],
        make: Callable[[Job], Outcome | None],
        *,
        connections: int,
        per_connection: int,
        idle: Idle,
    ) -> None:
        self._open_connection = open_connection
        self._make = make
        self._most = connections
        self._per_connection = per_connection
        self._rested = idle
        self._jobs: deque[Job] = deque()
        self._results: deque[Result] = deque()
        self._told = threading.Condition()
        self._wanted = 0  # how many results somebody waits for; 0 while nobody does
        self._sessions: set[Session] = set()
        self._free: list[Session] = []
        self._unfollowed: set[Session] = set()  # which wait for the reply to a dot, and announced nothing yet
        self._opening = 0
        self._opened: deque[smtplib.SMTP | Exception] = deque()
        self._proven = False  # a connection was opened: others may be opened at once
        self._ending = False
        self._stopped = False  # by a problem, or recalled: nothing more is begun
        self._asleep = False
        self._over = False
        self._selector = selectors.DefaultSelector()
        self._bell, self._ringer = socket.socketpair()
        self._bell.setblocking(False)
        self._ringer.setblocking(False)
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="smtp", daemon=True)
        self._thread.start()

    # From the thread that iterates

    def put(self, job: Job) -> None:
        self._jobs.append(job)
        if self._asleep and self._wants():
            self._ring()

    def results(self, enough: int, patience_s: float) -> list[Result]:
        """What is known: waits for ``enough`` results, or for as many as there are after a while."""
        found = self._results
        if len(found) < enough:
            with self._told:
                self._wanted = enough
                self._told.wait_for(lambda: len(found) >= enough, patience_s)
                self._wanted = 0
        return [found.popleft() for _ in range(len(found))]

    def recall(self) -> None:
        """Begins nothing more: what waits is told as unsent. From any thread."""
        self._stopped = True
        self._ring()

    def end(self) -> None:
        """Ends when everything put in is answered; the connections that live are kept."""
        self._ending = True
        self._ring()
        self._thread.join()

    # In the wire's own thread

    def following(self, session: Session) -> Job | None:
        if session.count >= self._per_connection or self._stopped:
            return None
        job = self._next(session)
        if job is None:
            self._unfollowed.add(session)
        return job

    def answered(self, session: Session, job: Job, phase: Phase, reply: Reply) -> bool:
        key = job.envelope.key
        words = without_addresses(reply.text) if "@" in reply.text else reply.text
        if phase is Phase.DOT:
            self._unfollowed.discard(session)
        if phase is Phase.DOT and reply.ok:
            if session.used_at - session.began_at > _SLOW_S and self._jobs:
                self._grow()
            self._results.append(
                Outcome(key=key, verdict=Verdict.ACCEPTED, code=reply.short, provider_id=words)
            )
            return True
        effect = classify(phase, reply)
        if effect in (Effect.PAUSE, Effect.BUSY):
            sentence = f"The mail server refuses to send: {reply.short} {words}".strip()
            self._jobs.appendleft(job)
            others = len(self._sessions) + self._opening - 1
            if effect is Effect.BUSY:
                wait_s = float(asked_wait_s(reply) or 60)
                hint = "It is tried again later."
                self._trouble(TransportBusy(sentence, hint=hint, wait_s=wait_s), others)
            else:
                hint = "Nothing was lost. Mend this, then resume the issue."
                self._trouble(TransportProblem(sentence, hint=hint), others)
            return False
        self._results.append(
            Outcome(
                key=key,
                verdict=Verdict.RETRY if effect in (Effect.RETRY, Effect.SLOW_DOMAIN) else Verdict.FAILED,
                code=reply.short,
                reason=words,
                bad_address=effect is Effect.BAD_ADDRESS,
                retry_after_s=asked_wait_s(reply),
                slow_domain=job.recipient.rpartition("@")[2] if effect is Effect.SLOW_DOMAIN else "",
            )
        )
        return True

    def _run(self) -> None:
        try:
            self._loop()
        except Exception as error:  # a bug must not leave the iterating thread waiting for ever
            for session in self._sessions:
                acted = session.acted
                for job in session.left():
                    why = "An error of this program."
                    self._results.append(_unknown(job, why) if acted else _unsent(job))
                    acted = False
                session.close()
            self._sessions.clear()
            self._stop(TransportProblem(f"Sending failed by an error of this program: {error!r}."))
            while not self._ending:
                self._drop()
                self._tell()
                time.sleep(0.01)
            self._drop()
            self._tell()
        with self._told:
            self._over = True
        self._take_opened()
        for session in self._sessions:
            self._rested.put(session)
        self._selector.close()
        self._bell.close()
        self._ringer.close()

    def _loop(self) -> None:
        looked_at = time.monotonic()
        while True:
            self._assign()
            self._tell()
            if self._ending and not self._jobs and all(session.idle for session in self._sessions):
                return
            self._asleep = True
            # What came between the look above and this flag rang no bell.
            events = self._selector.select(0 if self._wants() else _LOOK_S)
            self._asleep = False
            for key, mask in events:
                session = key.data
                if session is None:
                    self._answer_bell()
                elif session in self._sessions:
                    self._serve(session, mask)
            now = time.monotonic()
            if now - looked_at >= _LOOK_S:
                looked_at = now
                self._expire(now)

    def _serve(self, session: Session, mask: int) -> None:
        writing = session.writing
        try:
            if mask & selectors.EVENT_WRITE:
                session.writable()
            if mask & selectors.EVENT_READ:
                session.readable()
        except Broken:
            self._lost(session, broke=True)
            return
        self._look_at(session, writing)

    def _look_at(self, session: Session, writing: bool) -> None:
        """After something happened on it: does it live, is it free, does it wait for room?"""
        if session.dead:
            self._lost(session)
        elif session.idle:
            if session.count >= self._per_connection:
                self._lost(session)
            elif session not in self._free:
                self._free.append(session)
        elif session.writing != writing:
            self._watch(session)

    def _watch(self, session: Session) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if session.writing else 0)
        self._selector.modify(session, events, session)

    def _assign(self) -> None:
        """Jobs go to free connections; where there are more jobs, more connections are opened."""
        while self._jobs and not self._stopped:
            if not self._free:
                if self._unfollowed:
                    self._follow(self._unfollowed.pop())
                    continue
                if not self._wants():
                    return
                rested = self._rested.take()
                if rested is not None:
                    if rested.quiet:
                        self._welcome(rested)
                    else:
                        rested.close()
                else:
                    self._open_one()
                continue
            session = self._free.pop()
            if time.monotonic() - session.used_at > _IDLE_S:
                self._begin(session, None)
                continue
            job = self._next(session)
            if job is None:
                self._free.append(session)
            else:
                self._begin(session, job)
        if self._stopped:
            self._drop()

    def _next(self, session: Session) -> Job | None:
        """The next job that this session can take; tells the end of those before it that nobody can."""
        while self._jobs:
            job = self._jobs.popleft()
            outcome = None if job.message else self._make(job)
            if outcome is None and job.utf8 and not session.utf8:
                reason = "The mail server cannot take addresses with letters beyond ASCII (SMTPUTF8)."
                key = job.envelope.key
                outcome = Outcome(key=key, verdict=Verdict.FAILED, code="smtputf8", reason=reason)
            if outcome is None:
                return job
            self._results.append(outcome)
        return None

    def _wants(self) -> bool:
        """Whether there is something to do with what waits."""
        if not self._jobs or self._free or self._unfollowed or self._stopped:
            return bool(self._jobs)
        # A quick relay is only slowed down by more connections than it needs, and a wrong password is told
        # once, not by every connection.
        most = min(self._most, self._rested.gains) if self._proven or not self._opening else 0
        return len(self._sessions) + self._opening < most and len(self._jobs) > self._opening

    def _grow(self) -> None:
        """The relay takes its time: twice as many connections, once those there are have all been open."""
        if len(self._sessions) >= self._rested.gains:
            self._rested.gains *= 2

    def _begin(self, session: Session, job: Job | None) -> None:
        try:
            if job is None:
                session.ask()
            else:
                session.begin(job)
        except Broken:
            self._lost(session, broke=True)
            return
        if session.writing:
            self._watch(session)

    def _follow(self, session: Session) -> None:
        """A job that came too late to be announced behind the dot, in the same write, follows it all the
        same: a distant relay then need not say the first word of it."""
        job = self._next(session)
        if job is None:
            self._unfollowed.add(session)
            return
        try:
            session.follow(job)
        except Broken:
            self._lost(session, broke=True)
            return
        if session.writing:
            self._watch(session)

    def _open_one(self) -> None:
        self._opening += 1
        threading.Thread(target=self._open, name="smtp-connect", daemon=True).start()

    def _open(self) -> None:
        opened: smtplib.SMTP | Exception
        began = time.monotonic()
        try:
            opened = self._open_connection()
            if time.monotonic() - began > _FAR_S:
                self._rested.far = True
                self._rested.gains = max(self._rested.gains, self._most)
        except Exception as error:
            opened = error
        with self._told:
            if not self._over:
                self._opened.append(opened)
                self._ring()
                return
        if isinstance(opened, smtplib.SMTP):  # nobody waited for it, but the next one may
            self._rested.put(Session(opened))

    def _answer_bell(self) -> None:
        try:
            self._bell.recv(4096)
        except BlockingIOError:
            pass
        self._take_opened()

    def _take_opened(self) -> None:
        while self._opened:
            opened = self._opened.popleft()
            self._opening -= 1
            if isinstance(opened, smtplib.SMTP):
                self._proven = True
                self._welcome(Session(opened))
            elif isinstance(opened, TransportProblem):
                self._trouble(opened, len(self._sessions) + self._opening)
            else:
                raise opened

    def _welcome(self, session: Session) -> None:
        session.desk = self
        self._sessions.add(session)
        self._free.append(session)
        self._selector.register(session, selectors.EVENT_READ, session)

    def _lost(self, session: Session, *, broke: bool = False) -> None:
        """A connection ends: what the relay could have acted upon is unknown, all else goes again."""
        broke = broke and session.job is not None
        acted = session.acted
        jobs = session.left()
        self._selector.unregister(session)
        self._sessions.discard(session)
        self._unfollowed.discard(session)
        if session in self._free:
            self._free.remove(session)
        session.close()
        if broke:
            job = jobs.pop(0)
            job.breaks += 1
            if acted:
                why = "The connection broke before the mail server had answered."
                self._results.append(_unknown(job, why))
            elif job.breaks < _MOST_BREAKS:
                jobs.insert(0, job)
            else:
                reason = "The connection broke before the message was handed over."
                self._results.append(
                    Outcome(key=job.envelope.key, verdict=Verdict.RETRY, code="broken", reason=reason)
                )
        self._jobs.extendleft(reversed(jobs))

    def _trouble(self, problem: TransportProblem, others: int) -> None:
        """A connection's last words. A relay that is busy gets no further one; the ``others`` may go on."""
        self._most = max(1, others)
        if not isinstance(problem, TransportBusy) or not others:
            self._stop(problem)

    def _stop(self, problem: TransportProblem) -> None:
        if not self._stopped:
            self._stopped = True
            self._results.append(problem)
        self._drop()

    def _drop(self) -> None:
        while self._jobs:
            self._results.append(_unsent(self._jobs.popleft()))

    def _expire(self, now: float) -> None:
        for session in list(self._sessions):
            patience = REPLY_S if session.job is not None else _ALIVE_S
            if not session.idle and now - session.used_at > patience:
                session.dead = True
                self._lost(session, broke=True)

    def _tell(self) -> None:
        if self._wanted and len(self._results) >= self._wanted:
            with self._told:
                self._told.notify_all()

    def _ring(self) -> None:
        try:
            self._ringer.send(b"!")
        except OSError:
            pass  # it rings already, or nobody is there any more


def _unsent(job: Job) -> Outcome:
    return Outcome(key=job.envelope.key, verdict=Verdict.UNSENT)


def _unknown(job: Job, reason: str) -> Outcome:
    return Outcome(key=job.envelope.key, verdict=Verdict.UNKNOWN, reason=reason)
