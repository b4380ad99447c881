"""One attempt: claimed deliveries go through a transport, and what becomes of each is recorded.

The crash windows, and what the ledger says after each:

    before ``mark_submitting`` commits      claimed; nothing left; pending again when the lease ran out
    after it, before the provider acts      submitting, then unknown: a false alarm, never a duplicate
    after the provider acted                submitting, then unknown, until an event or the author settles it
    after the outcome is recorded           accepted, failed or waiting: nothing to do

Outcomes are recorded in the transaction that marks the next window, and by the heartbeat while the
transport waits.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

import structlog

from newsletter.errors import NewsletterError
from newsletter.model.delivery import Claimed, DeliveryState, Envelope, MessageKey, Outcome, Settled, Verdict
from newsletter.model.issue import IssueState
from newsletter.model.rate import Rate
from newsletter.send.guards import CANCELLED, MOST_POLICY_REFUSALS, is_policy, refused_for_us
from newsletter.send.ports import Clock, Letters, Links, Recalls, SendUnit, Transport, Work
from newsletter.send.settle import settle
from subscribers.model import Recipient

LEASE: Final = timedelta(seconds=20)
HEARTBEAT_S: Final = 5.0
_FLUSH_S: Final = 1.0

log = structlog.get_logger(__name__)


class Attempt:
    """Deliveries of one issue that this process holds by a lease."""

    def __init__(
        self,
        attempt_id: int,
        issue_id: int,
        rows: Sequence[tuple[Claimed, Recipient]],
        *,
        work: Work,
        letters: Letters,
        links: Links,
        rate: Rate,
        clock: Clock,
        stop: threading.Event,
        deadline: float,
    ) -> None:
        self.id = attempt_id
        self.tally: Counter[DeliveryState] = Counter()
        self.wait_s: float = 0.0  #: the rate is used up for so long
        self.lost = False  #: the lease was taken over
        self.halted = False  #: the issue is no longer being sent
        self.problem = ""  #: why the issue was paused by what its recipients' servers said
        self._issue_id = issue_id
        self._rows = deque(rows)
        self._tries = {claimed.subscriber_id: claimed.tries for claimed, _ in rows}
        self._work = work
        self._letters = letters
        self._links = links
        self._rate = rate
        self._clock = clock
        self._stop = stop
        self._deadline = deadline
        self._ready: deque[tuple[Claimed, Recipient]] = deque()
        self._flying: set[int] = set()  # pulled by the transport and not answered yet
        self._refused: int | None = None  # for policy, one after another; None until there is one
        self._outcomes: list[Outcome] = []
        self._recalled = False  # nothing more is begun, and what waits is given back
        self._recording = threading.Lock()
        self._renewed = time.monotonic()

    def run(self, transport: Transport) -> None:
        """Hands over until rows, rate, time or the author's patience end. Raises what the transport raises.

        Whatever it raises, every outcome that the transport told was taken down, and what was not begun is
        given back.
        """
        with self._heart(transport):
            try:
                for outcome in transport.hand_over(self._feed(transport)):
                    self._flying.discard(outcome.key.number)
                    self._outcomes.append(outcome)
            finally:
                # Marked, but never pulled by the transport: nothing of them left this process.
                self._outcomes += [
                    Outcome(key=MessageKey(self._issue_id, claimed.subscriber_id), verdict=Verdict.UNSENT)
                    for claimed, _ in self._ready
                ]
                self._ready.clear()
                # Pulled and never answered: whatever broke the transport, the provider may have acted.
                self._outcomes += [
                    Outcome(
                        key=MessageKey(self._issue_id, number),
                        verdict=Verdict.UNKNOWN,
                        reason="The hand-over broke off before it was answered.",
                    )
                    for number in sorted(self._flying)
                ]
                self._flying.clear()
                self._close()

    def _feed(self, transport: Transport) -> Iterator[Envelope]:
        while (
            self._rows
            and not self._recalled
            and not self._stop.is_set()
            and time.monotonic() < self._deadline
        ):
            room = min(transport.window, transport.in_hand - len(self._flying))
            if room <= 0:
                raise RuntimeError(f"{transport.name} pulled more than it may have in hand")
            if not self._mark(room):
                return
            while self._ready and not self._recalled:
                claimed, recipient = self._ready.popleft()
                self._flying.add(claimed.subscriber_id)
                yield self._envelope(claimed, recipient)

    def _mark(self, room: int) -> bool:
        """The next window becomes submitting, durably; False where nothing may leave now."""
        part = [self._rows[index] for index in range(min(room, len(self._rows)))]
        with self._recording:
            outcomes = self._outcomes[:]
            with self._work() as unit:
                settled = self._record(unit, outcomes)
                now = self._clock()
                reserved = 0 if self._rate.unlimited else unit.notices.waiting(now)
                granted = unit.rates.take(self._rate, len(part), now, reserved=reserved)
                marked: set[int] | None = set()
                sending = True
                if granted:
                    ids = [claimed.subscriber_id for claimed, _ in part[:granted]]
                    marked = unit.deliveries.mark_submitting(self._issue_id, self.id, ids, now + LEASE)
                    unit.rates.give_back(self._rate, granted - len(marked or ()))
                    # Nobody is left of these where all of them left the list meanwhile, too.
                    sending = bool(marked) or unit.issues.get(self._issue_id).state is IssueState.SENDING
                else:
                    self.wait_s = max(0.05, unit.rates.wait_s(self._rate, now))
            self._recorded(settled)
            self._renewed = time.monotonic()
        if marked is None:
            self.lost = True
            log.warning("lease lost", issue=self._issue_id, attempt=self.id)
            return False
        if not sending:
            self.halted = True
            return False
        for _ in range(granted):
            row = self._rows.popleft()
            if row[0].subscriber_id in marked:
                self._ready.append(row)
        return bool(granted)

    def _envelope(self, claimed: Claimed, recipient: Recipient) -> Envelope:
        return Envelope(
            key=MessageKey(self._issue_id, claimed.subscriber_id),
            to=recipient.address,
            letter=self._letters(claimed.blocks),
            message_id=self._links.message_id(claimed.subscriber_id, self._issue_id),
            values=self._links.values(recipient, self._issue_id),
            headers=self._links.headers(recipient, self._issue_id),
            attempt_id=self.id,
        )

    def _record(self, unit: SendUnit, outcomes: Sequence[Outcome]) -> list[Settled]:
        if not outcomes:
            return []
        now = self._clock()
        settled = [settle(outcome, self._tries.get(outcome.key.number, 0), now) for outcome in outcomes]
        unit.deliveries.settle(self._issue_id, self.id, settled, now)
        for one in settled:
            if one.bad_address:
                mailed_at = unit.deliveries.attempted_at(self.id)
                unit.subscribers.mark_bounced(one.subscriber_id, now, reason=one.code, mailed_at=mailed_at)
            if one.slow_domain:
                unit.domains.slow(one.slow_domain, now)
        unit.rates.give_back(self._rate, sum(one.state is DeliveryState.PENDING for one in settled))
        self._watch(unit, settled, now)
        return settled

    def _watch(self, unit: SendUnit, settled: Sequence[Settled], now: datetime) -> None:
        """Refusals for policy, one after another, are about us: they pause the issue and give up nobody."""
        for one in settled:
            if one.state is DeliveryState.FAILED and is_policy(one.code):
                if self._refused is None:
                    self._refused = unit.deliveries.policy_refusals(self._issue_id, before=self.id)
                self._refused += 1
                if self._refused >= MOST_POLICY_REFUSALS and not self.problem:
                    self.problem = refused_for_us(one.code, one.reason)
            elif one.state is DeliveryState.ACCEPTED:
                self._refused = 0
        if self.problem:
            self.tally[DeliveryState.FAILED] -= unit.deliveries.take_back(self._issue_id)
            if unit.issues.get(self._issue_id).state is IssueState.SENDING:
                unit.issues.pause(self._issue_id, self.problem, now)

    def _recorded(self, settled: Sequence[Settled]) -> None:
        """After the commit: these need not be recorded again."""
        del self._outcomes[: len(settled)]
        self.tally.update(one.state for one in settled)

    def _close(self) -> None:
        with self._recording:
            outcomes = self._outcomes[:]
            with self._work() as unit:
                settled = self._record(unit, outcomes)
                unit.deliveries.release(self.id)
                if unit.issues.get(self._issue_id).state is IssueState.CANCELLED:
                    # What came back, or waits for another try, was in flight while the author cancelled.
                    unit.deliveries.skip_open(self._issue_id, CANCELLED, self._clock())
                became = self.tally + Counter(one.state for one in settled)
                unit.deliveries.close_attempt(self.id, self._clock(), became)
            self._recorded(settled)

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
                    due = bool(self._outcomes) or time.monotonic() - self._renewed >= HEARTBEAT_S
                    outcomes = self._outcomes[:]
                    with self._work() as unit:
                        settled = self._record(unit, outcomes)
                        if due and not unit.deliveries.renew(self.id, self._clock() + LEASE):
                            self.lost = True
                        wanted = unit.issues.get(self._issue_id).state is IssueState.SENDING
                    self._recorded(settled)
                    self._renewed = time.monotonic() if due else self._renewed
                if (self._stop.is_set() or not wanted) and not self._recalled:
                    self._recalled = True
                    self.halted = not wanted
                    if isinstance(transport, Recalls):
                        transport.recall()
            except NewsletterError as problem:
                # The next beat tries again; without any, the lease runs out and others take over.
                log.warning("heartbeat failed", issue=self._issue_id, attempt=self.id, code=problem.code)
