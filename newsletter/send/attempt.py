"""One hand-over: deliveries are claimed, go through a transport, and what becomes of each is recorded.

Deliveries are held by attempts, at most about a thousand by each: an attempt's id is the fence, its lease
tells others that somebody is at work. A hand-over goes from one attempt to the next without a pause.

The crash windows, and what the ledger says after each:

    before ``mark_submitting`` commits      claimed; nothing left; pending again when the lease ran out
    after it, before the provider acts      submitting, then unknown: a false alarm, never a duplicate
    after the provider acted                submitting, then unknown, until an event or the author settles it
    after the outcome is recorded           accepted, failed or waiting: nothing to do

Outcomes are recorded in the transaction that marks the next window, and by the heartbeat while the transport
waits. Where no row is left for another window, more are claimed before the last message of this one leaves:
the others are on their way meanwhile, so that no connection waits for what a claim takes.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, Protocol

import structlog

from newsletter.errors import NewsletterError
from newsletter.model.alarm import alarm, done_once
from newsletter.model.delivery import (
    Claimed,
    DeliveryState,
    Envelope,
    Marked,
    MessageKey,
    Outcome,
    Settled,
    Verdict,
)
from newsletter.model.issue import IssueState
from newsletter.model.rate import Rate
from newsletter.model.times import ONCE
from newsletter.send.guards import CANCELLED, MOST_REFUSALS, is_about_us, refused_for_us
from newsletter.send.pace import AtOnce
from newsletter.send.ports import Clock, Letters, Links, Recalls, SendUnit, Transport, Work
from newsletter.send.settle import settle
from subscribers.model import Recipient

LEASE: Final = timedelta(seconds=20)
HEARTBEAT_S: Final = 5.0
_FLUSH_S: Final = 1.0
MOST_HELD: Final = 1000  #: deliveries of one attempt
_LONGEST_S: Final = 5.0  #: an attempt claims for so long: who was mailed where is known by when it began

Row = tuple[Claimed, Recipient]
Answer = tuple[Outcome, int, int]
"""An outcome, the attempt that holds its delivery, and how often that was refused before."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Deliveries that an attempt holds from now on, in order of subscriber; ``fresh`` where it was opened
    for them."""

    attempt_id: int
    rows: Sequence[Row]
    fresh: bool


class Claims(Protocol):
    """Where a hand-over gets its deliveries."""

    def more(self, unit: SendUnit, attempt_id: int) -> Claim | None:
        """Claims deliveries, for this attempt or, where it is 0, for a new one. None: there are none, or
        none may be handed over now."""
        ...

    def opened(self, attempt_id: int) -> None:
        """The attempt is committed; nothing of it was handed over yet."""
        ...

    def returned(self, unit: SendUnit, subscriber_ids: Sequence[int]) -> None:
        """These were claimed and did not leave after all."""
        ...


class HandOver:
    """Deliveries of one issue that this process holds by leases."""

    def __init__(
        self,
        issue_id: int,
        claims: Claims,
        *,
        work: Work,
        letters: Letters,
        links: Links,
        rate: Rate,
        clock: Clock,
        stop: threading.Event,
        deadline: float,
        ahead: bool = True,
    ) -> None:
        """``ahead``: rows may be claimed while one that was claimed before is still to leave. Not where a
        claim counts those on their way, or pauses the issue and calls back what has not left."""
        self.tally: Counter[DeliveryState] = Counter()
        self.wait_s: float = 0.0  #: the rate is used up for so long
        self.lost = False  #: a lease was taken over
        self.halted = False  #: the issue is no longer being sent
        self.problem = ""  #: why the issue was paused by what its recipients' servers said
        self._issue_id = issue_id
        self._claims = claims
        self._work = work
        self._letters = letters
        self._links = links
        self._rate = rate
        self._clock = clock
        self._stop = stop
        self._deadline = deadline
        self._ahead = ahead
        self._id = 0  # the attempt that rows are claimed for; 0 before the first
        self._taken = 0  # rows that it ever held
        self._opened_at = 0.0
        self._held: Counter[int] = Counter()  # rows of each open attempt whose end is not recorded yet
        self._became: dict[int, Counter[DeliveryState]] = {}  # of each open attempt, as far as recorded
        self._rows: deque[Row] = deque()  # claimed
        self._ready: deque[Row] = deque()  # submitting, not pulled by the transport yet
        self._ready_id = 0  # the attempt that holds those
        self._flying: dict[int, tuple[int, int]] = {}  # pulled and not answered yet: attempt, tries
        self._answers: list[Answer] = []  # not recorded yet
        self._unsure = False  # a commit may or may not have succeeded
        self._recalled = False  # nothing more is begun, and what waits is given back
        self._refused: int | None = None  # for policy, one after another; None until there is one
        self._recording = threading.Lock()
        self._renewed = time.monotonic()
        self._bad, self._most_bad, self._count_again = 0, 1, 0.0  # addresses that were none, when to count

    def run(self, transport: Transport, at_once: AtOnce) -> None:
        """Hands over until rows, rate, time or the author's patience end. Raises what the transport raises.

        Whatever it raises, every outcome that the transport told was taken down, and what was not begun is
        given back.
        """
        answers, flying = self._answers, self._flying
        with self._heart(transport):
            try:
                for outcome in at_once.handed_over(transport, self._feed(transport)):
                    answers.append((outcome, *flying.pop(outcome.key.number)))
            finally:
                # Marked, but never pulled by the transport: nothing of them left this process.
                for claimed, _ in self._ready:
                    self._answer(claimed.subscriber_id, (self._ready_id, claimed.tries), Verdict.UNSENT)
                self._ready.clear()
                # Pulled and never answered: whatever broke the transport, the provider may have acted.
                why = "The hand-over broke off before it was answered."
                for number, held in sorted(flying.items()):
                    self._answer(number, held, Verdict.UNKNOWN, why)
                flying.clear()
                self._close()

    def _answer(self, number: int, held: tuple[int, int], verdict: Verdict, reason: str = "") -> None:
        outcome = Outcome(key=MessageKey(self._issue_id, number), verdict=verdict, reason=reason)
        self._answers.append((outcome, *held))

    def _goes_on(self) -> bool:
        over = self._recalled or self.lost or self._stop.is_set() or time.monotonic() >= self._deadline
        return not over

    def _feed(self, transport: Transport) -> Iterator[Envelope]:
        while self._goes_on():
            room = min(transport.window, transport.in_hand - len(self._flying))
            if room <= 0:
                raise RuntimeError(f"{transport.name} pulled more than it may have in hand")
            if not self._mark(room):
                return
            while self._ready and not self._recalled:
                if len(self._ready) == 1 and not self._rows and self._ahead and self._goes_on():
                    self._claim_ahead()
                    if self._recalled or self.lost:
                        return
                claimed, recipient = self._ready.popleft()
                self._flying[claimed.subscriber_id] = (self._ready_id, claimed.tries)
                yield self._envelope(claimed, recipient)

    def _mark(self, room: int) -> bool:
        """The next window becomes submitting, durably; False where nothing may leave now."""
        granted, marked = 0, Marked()
        with self._recording:
            answers = self._answers[:]
            accepted = self._accepted(answers)
            with self._written() as unit:
                if accepted:
                    states = {self._id: Counter({DeliveryState.ACCEPTED: len(accepted)})}
                else:
                    states = self._record(unit, answers)
                now = self._clock()
                claim = None if self._rows else self._claim(unit, now)
                attempt_id, rows = (claim.attempt_id, claim.rows) if claim else (self._id, self._rows)
                part = list(islice(rows, room))
                if part:
                    granted = self._granted(unit, len(part), now)
                if granted:
                    ids = [claimed.subscriber_id for claimed, _ in part[:granted]]
                    marked = unit.deliveries.mark_submitting(
                        self._issue_id, attempt_id, ids, now + LEASE, accepted
                    )
                    unit.rates.give_back(self._rate, granted - len(marked.ids))
                closed = self._close_done(unit, answers, states, attempt_id, now)
                self._renew_others(unit, {attempt_id, *closed}, now)
            self._recorded(answers, states, closed)
            if accepted:
                self._refused = 0
            self._renewed = time.monotonic()
            if claim is not None:
                self._take(claim)
        if not marked.held:
            self._lose()
            return False
        if not marked.sending:
            self.halted = True
            return False
        self._ready_id = attempt_id
        for _ in range(granted):
            row = self._rows.popleft()
            if row[0].subscriber_id in marked.ids:
                self._ready.append(row)
            else:
                self._held[attempt_id] -= 1  # it was decided otherwise meanwhile
        if claim is not None and claim.fresh:
            self._claims.opened(claim.attempt_id)
        return bool(granted)

    def _accepted(self, answers: Sequence[Answer]) -> list[int]:
        """All of these, where they are recorded together with the next window, as nearly all ever are: each
        was accepted when it was first tried, and nothing else has to be asked or written before."""
        if not self._rows or not self._rate.unlimited:
            return []
        for outcome, attempt_id, tries in answers:
            if outcome.verdict is not Verdict.ACCEPTED or tries or attempt_id != self._id:
                return []
        return [outcome.key.number for outcome, _, _ in answers]

    @contextmanager
    def _written(self) -> Iterator[SendUnit]:
        """A transaction. Where it fails, nobody knows whether it was committed, and so what is held."""
        try:
            with self._work() as unit:
                yield unit
        except BaseException:
            self._unsure = True
            raise

    def _claim_ahead(self) -> None:
        with self._recording:
            with self._written() as unit:
                claim = self._claim(unit, self._clock())
            if claim is not None:
                self._take(claim)
        if claim is not None and claim.fresh:
            self._claims.opened(claim.attempt_id)

    def _claim(self, unit: SendUnit, now: datetime) -> Claim | None:
        attempt_id = self._id
        if self._taken >= MOST_HELD or time.monotonic() - self._opened_at > _LONGEST_S:
            attempt_id = 0
        if attempt_id and not unit.deliveries.renew(attempt_id, now + LEASE):
            self._lose()
            return None
        return self._claims.more(unit, attempt_id)

    def _take(self, claim: Claim) -> None:
        if claim.fresh:
            self._id = claim.attempt_id
            self._taken = 0
            self._opened_at = time.monotonic()
        self._rows.extend(claim.rows)
        self._taken += len(claim.rows)
        self._held[claim.attempt_id] += len(claim.rows)
        self._became.setdefault(claim.attempt_id, Counter())

    def _granted(self, unit: SendUnit, wanted: int, now: datetime) -> int:
        reserved = 0 if self._rate.unlimited else unit.notices.waiting(now)
        granted = unit.rates.take(self._rate, wanted, now, reserved=reserved)
        if not granted:
            self.wait_s = max(0.05, unit.rates.wait_s(self._rate, now))
        return granted

    def _renew_others(self, unit: SendUnit, but: Set[int], now: datetime) -> None:
        """An earlier attempt lives until the last of its messages is answered."""
        for attempt_id in self._held.keys() - but:
            if not unit.deliveries.renew(attempt_id, now + LEASE):
                self._lose()

    def _close_done(
        self,
        unit: SendUnit,
        answers: Sequence[Answer],
        states: Mapping[int, Counter[DeliveryState]],
        current: int,
        now: datetime,
    ) -> Set[int]:
        """Closes the attempts before the ``current`` one of whose deliveries the last is recorded now."""
        if self._held.keys() <= {current}:
            return frozenset()
        left = self._held - Counter(attempt_id for _, attempt_id, _ in answers)
        done = self._held.keys() - left.keys() - {current}
        for attempt_id in done:
            became = self._became[attempt_id] + states.get(attempt_id, Counter())
            unit.deliveries.close_attempt(attempt_id, now, became)
        return done

    def _lose(self) -> None:
        self.lost = True
        log.warning("lease lost", issue=self._issue_id, attempt=self._id)

    def _envelope(self, claimed: Claimed, recipient: Recipient) -> Envelope:
        return Envelope(
            key=MessageKey(self._issue_id, claimed.subscriber_id),
            to=recipient.address,
            letter=self._letters(claimed.blocks),
            message_id=self._links.message_id(claimed.subscriber_id, self._issue_id),
            values=self._links.values(recipient, self._issue_id),
            headers=self._links.headers(recipient, self._issue_id),
            attempt_id=self._ready_id,
        )

    def _record(self, unit: SendUnit, answers: Sequence[Answer]) -> dict[int, Counter[DeliveryState]]:
        """Writes down what is known. What the deliveries of each attempt became."""
        states: dict[int, Counter[DeliveryState]] = {}
        if not answers:
            return states
        now = self._clock()
        told: dict[int, list[tuple[Outcome, int]]] = {}
        for outcome, attempt_id, tries in answers:
            told.setdefault(attempt_id, []).append((outcome, tries))
        for attempt_id, group in told.items():
            if all(outcome.verdict is Verdict.ACCEPTED and not tries for outcome, tries in group):
                ids = [outcome.key.number for outcome, _ in group]
                unit.deliveries.accept(self._issue_id, attempt_id, ids)
                states[attempt_id] = Counter({DeliveryState.ACCEPTED: len(ids)})
                self._refused = 0
            else:
                settled = [settle(outcome, tries, now) for outcome, tries in group]
                self._settle(unit, attempt_id, settled, now)
                states[attempt_id] = Counter(one.state for one in settled)
        return states

    def _settle(self, unit: SendUnit, attempt_id: int, settled: Sequence[Settled], now: datetime) -> None:
        unit.deliveries.settle(self._issue_id, attempt_id, settled, now)
        for one in settled:
            if one.bad_address:
                mailed_at = unit.deliveries.attempted_at(attempt_id)
                unit.subscribers.mark_bounced(one.subscriber_id, now, reason=one.code, mailed_at=mailed_at)
            if one.slow_domain:
                unit.domains.slow(one.slow_domain, now)
                self._ahead = False  # who is claimed later is looked at with what is known by then
        if unsent := [one.subscriber_id for one in settled if one.state is DeliveryState.PENDING]:
            unit.rates.give_back(self._rate, len(unsent))
            self._claims.returned(unit, unsent)
        self._watch(unit, attempt_id, settled, now)

    def _watch(self, unit: SendUnit, attempt_id: int, settled: Sequence[Settled], now: datetime) -> None:
        """Refusals for policy, one after another, are about us: they pause the issue and give up nobody."""
        for one in settled:
            if one.state is DeliveryState.FAILED and is_about_us(one.code):
                if self._refused is None:
                    self._refused = unit.deliveries.policy_refusals(self._issue_id, before=attempt_id)
                self._refused += 1
                if self._refused >= MOST_REFUSALS and not self.problem:
                    self.problem = refused_for_us(one.code, one.reason)
            elif one.state is DeliveryState.ACCEPTED:
                self._refused = 0
        if self.problem:
            self.tally[DeliveryState.FAILED] -= unit.deliveries.take_back(self._issue_id)
        elif bad := sum(one.bad_address for one in settled):
            self.problem = self._alarm(unit, bad, now)
        if self.problem and unit.issues.state(self._issue_id) is IssueState.SENDING:
            unit.issues.pause(self._issue_id, self.problem, now)

    def _alarm(self, unit: SendUnit, bad: int, now: datetime) -> str:
        """Why the issue has to stop where too many of its addresses are none; once for each issue. The whole
        ledger is counted for it: whenever those met here have doubled, else a twentieth of the time."""
        done, began = done_once(self._issue_id), time.monotonic()
        self._bad += bad
        if (began < self._count_again and self._bad < self._most_bad) or unit.leases.held(done, now):
            return ""
        self._most_bad = 2 * self._bad
        handed, _ = unit.deliveries.begun(self._issue_id)
        problem = alarm(handed, unit.deliveries.hard_bounces(self._issue_id), 0)
        self._count_again = time.monotonic() + 20 * (time.monotonic() - began)
        if problem:
            unit.leases.take(done, "told", now=now, length=ONCE)
        return problem

    def _recorded(
        self,
        answers: Sequence[Answer],
        states: Mapping[int, Counter[DeliveryState]],
        closed: Set[int] = frozenset(),
    ) -> None:
        """After the commit: these need not be recorded again."""
        del self._answers[: len(answers)]
        for attempt_id, became in states.items():
            self.tally += became
            self._became[attempt_id] += became
        for _, attempt_id, _ in answers:
            self._held[attempt_id] -= 1
        for attempt_id in closed:
            del self._held[attempt_id], self._became[attempt_id]

    def _close(self) -> None:
        with self._recording:
            answers = self._answers[:]
            held = list(self._held)
            with self._work() as unit:
                states = self._record(unit, answers)
                unbegun = [claimed.subscriber_id for claimed, _ in self._rows]
                for attempt_id in held if self._unsure else ():
                    unit.deliveries.release(self._issue_id, attempt_id, unbegun)
                if unbegun:
                    unit.deliveries.give_back(self._issue_id, self._id, unbegun)
                    self._claims.returned(unit, unbegun)
                if held and unit.issues.state(self._issue_id) is IssueState.CANCELLED:
                    # What came back, or waits for another try, was in flight while the author cancelled.
                    unit.deliveries.skip_open(self._issue_id, CANCELLED, self._clock())
                # Where a commit may yet come, the lease runs out instead, and recovery looks at what is left.
                for attempt_id in () if self._unsure else held:
                    became = self._became[attempt_id] + states.get(attempt_id, Counter())
                    unit.deliveries.close_attempt(attempt_id, self._clock(), became)
            self._recorded(answers, states)

    @contextmanager
    def _heart(self, transport: Transport) -> Iterator[None]:
        """Keeps the lease, records what is known while the transport waits for its provider, and looks
        whether the author or the system wants it to stop."""
        done = threading.Event()
        thread = threading.Thread(target=self._beat, args=(done, transport), name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _beat(self, done: threading.Event, transport: Transport) -> None:
        while not done.wait(_FLUSH_S):
            try:
                with self._recording:
                    if done.is_set():
                        return
                    due = bool(self._answers) or time.monotonic() - self._renewed >= HEARTBEAT_S
                    answers = self._answers[:]
                    with self._work() as unit:
                        states, now = self._record(unit, answers), self._clock()
                        closed = self._close_done(unit, answers, states, self._id, now)
                        if due:
                            self._renew_others(unit, closed, now)
                        wanted = unit.issues.state(self._issue_id) is IssueState.SENDING
                    self._recorded(answers, states, closed)
                    self._renewed = time.monotonic() if due else self._renewed
                if (self._stop.is_set() or not wanted) and not self._recalled:
                    self._recalled = True
                    self.halted = not wanted
                    if isinstance(transport, Recalls):
                        transport.recall()
            except NewsletterError as problem:
                # The next beat tries again; without any, the lease runs out and others take over.
                log.warning("heartbeat failed", issue=self._issue_id, attempt=self._id, code=problem.code)
