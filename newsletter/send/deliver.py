"""Deliver an issue: claim, hand over, record, until something is used up."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final

import structlog

from newsletter.errors import Conflict, TransportBusy, TransportProblem
from newsletter.model.delivery import DeliveryState
from newsletter.model.issue import IssueState
from newsletter.model.rate import Rate
from newsletter.model.times import ONCE
from newsletter.send.attempt import LEASE, MOST_HELD, Claim, HandOver
from newsletter.send.guards import canary_size, canary_told
from newsletter.send.highwater import HighWater
from newsletter.send.pace import AtOnce, held_back, let_others
from newsletter.send.ports import Clock, Letters, Links, SendUnit, Transport, Work

BATCH: Final = 250  #: deliveries claimed together, about: more would keep the wire waiting
_MANY_SHARES: Final = 4  #: more than several processes hand over together before they look
_MOST_LOOKS: Final = 20  #: batches in one transaction of whom nobody may be mailed just now
_GONE: Final = "They are no longer on the list."
WHY_NOT: Final = {
    "unconfirmed": "They have not confirmed yet.",
    "unsubscribed": "They unsubscribed.",
    "bounced": "Their address bounced before.",
    "complained": "They called our mail spam.",
    "manual": "You chose never to mail them.",
    "erased": "They asked to be forgotten.",
    "paused": "They paused it for a while.",
    "consent_expired": "Their consent has expired.",
}
"""The list's own words for why somebody may not be mailed, as a receipt tells them."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """What one call did. ``wait_s`` says when there is more to do: 0 at once, None when nobody waits."""

    issue_id: int
    accepted: int = 0
    failed: int = 0
    retrying: int = 0
    unknown: int = 0
    skipped: int = 0
    finished: bool = False
    problem: str = ""
    wait_s: float | None = None


def deliver_issue(
    issue_id: int,
    *,
    work: Work,
    transport: Transport,
    letters: Letters,
    links: Links,
    rate: Rate,
    clock: Clock,
    stop: threading.Event,
    budget_s: float,
    batch: int | None = None,
    mark: HighWater | None = None,
    canary: float = 0.0,
    domain_rates: Mapping[str, Rate] = MappingProxyType({}),
    domains_at_once: Mapping[str, int] = MappingProxyType({}),
) -> Delivered:
    """Sends what is pending of an issue that is being sent, for at most about ``budget_s`` seconds.

    Ends early when ``stop`` is set, when the author pauses or cancels, or when nothing is left; then the
    issue is finished. A problem of the transport as a whole pauses the issue with its sentence and burns
    no delivery; a passing one only ends the call. Refusals for policy, one after another, pause it too.
    ``domain_rates`` are those of single recipients' domains, ``domains_at_once`` how many messages to
    them this process has on their way at most. ``canary`` is the share of the recipients (0 to 1) after whom
    the issue pauses once. Never raises for one bad subscriber. Raises Conflict where ``mark``
    shows that the database is older than what was sent from here.
    """
    run = _Run(
        issue_id=issue_id,
        work=work,
        transport=transport,
        letters=letters,
        links=links,
        rate=rate,
        clock=clock,
        stop=stop,
        deadline=time.monotonic() + budget_s,
        batch=_most_claimed(rate, batch or _whole_windows(transport.window)),
        mark=mark,
        canary=canary,
        domain_rates=domain_rates,
        at_once=AtOnce(domains_at_once),
    )
    return run.deliver()


def _whole_windows(window: int) -> int:
    """A window costs a sync of the disk, whether it is full or not; and more is claimed while one leaves, so
    several are claimed together."""
    batch = max(BATCH, min(3 * window, MOST_HELD))
    return max(window, batch - batch % window)


def _most_claimed(rate: Rate, batch: int) -> int:
    """What a minute allows: consent is checked when a delivery is claimed, so not long ahead."""
    return max(1, min(batch, max(16, rate.most_in(60, batch))))


@dataclass(kw_only=True)
class _Run:
    issue_id: int
    work: Work
    transport: Transport
    letters: Letters
    links: Links
    rate: Rate
    clock: Clock
    stop: threading.Event
    deadline: float
    batch: int
    mark: HighWater | None
    canary: float
    domain_rates: Mapping[str, Rate]
    at_once: AtOnce
    waits: str = ""  #: the first share went out, and the author is to look
    after: int = 0  #: the last subscriber who was claimed
    ended: str = ""  #: why nothing more was claimed: nothing is pending (empty), or none may go (halted)
    tally: Counter[DeliveryState] = field(default_factory=Counter)

    def deliver(self) -> Delivered:
        while not self._over():
            self.ended = ""
            hand_over = HandOver(
                self.issue_id,
                self,
                work=self.work,
                letters=self.letters,
                links=self.links,
                rate=self.rate,
                clock=self.clock,
                stop=self.stop,
                deadline=self.deadline,
                # A window that takes all that is claimed is claimed as it is marked, not long before.
                ahead=self.batch > self.transport.window
                and not (self.canary or self.domain_rates or self.at_once.limited),
            )
            try:
                hand_over.run(self.transport, self.at_once)
            except TransportBusy as problem:
                self.tally += hand_over.tally
                log.warning("transport busy", issue=self.issue_id, code=problem.code)
                return self._told(problem=str(problem), wait_s=problem.wait_s)
            except TransportProblem as problem:
                self.tally += hand_over.tally
                self._pause(str(problem))
                return self._told(problem=str(problem))
            self.tally += hand_over.tally
            if hand_over.problem:
                log.error("issue paused", issue=self.issue_id)
                return self._told(problem=hand_over.problem)
            if hand_over.halted or self.ended == "halted":
                return self._told(problem=self.waits)
            if hand_over.wait_s:
                if time.monotonic() + hand_over.wait_s >= self.deadline:
                    return self._told(wait_s=hand_over.wait_s)
                self.stop.wait(hand_over.wait_s)
            elif self.ended == "empty":
                return self._end()
        return self._told(wait_s=0.0)

    def _over(self) -> bool:
        return self.stop.is_set() or time.monotonic() >= self.deadline

    def more(self, unit: SendUnit, attempt_id: int) -> Claim | None:
        """See :class:`Claims`. Suppression and consent are checked here (invariant 9)."""
        self.ended = ""
        for _ in range(_MOST_LOOKS):
            if unit.issues.state(self.issue_id) is not IssueState.SENDING:
                self.ended = "halted"
                return None
            now = self.clock()
            most = self._most(unit, now)
            if most == 0:
                self.ended = "halted"
                return None
            found = unit.deliveries.claimable(self.issue_id, most, now, self.after)
            if not found:
                self.ended = "empty"
                return None
            self.after = found[-1].subscriber_id
            if self.mark is not None and not attempt_id:
                self.mark.check(unit.deliveries.newest_attempt())
            permission = unit.subscribers.claimable([claimed.subscriber_id for claimed in found], now)
            recipients = permission.recipients
            rows = [(one, recipients[one.subscriber_id]) for one in found if one.subscriber_id in recipients]
            refused = {
                one.subscriber_id: WHY_NOT.get(permission.refused.get(one.subscriber_id, ""), _GONE)
                for one in found
                if one.subscriber_id not in recipients
            }
            if refused:
                unit.deliveries.skip(self.issue_id, refused, now)
                self.tally[DeliveryState.SKIPPED] += len(refused)
            if waits := held_back(unit, rows, self.domain_rates, self.at_once, now):
                unit.deliveries.hold_back(self.issue_id, waits, now)
                rows = [row for row in rows if row[0].subscriber_id not in waits]
            if not rows:
                continue  # everybody in this batch was skipped or waits
            held_by = attempt_id or unit.deliveries.open_attempt(
                self.issue_id, self.transport.name, now, now + LEASE
            )
            unit.deliveries.claim(self.issue_id, held_by, [claimed.subscriber_id for claimed, _ in rows])
            return Claim(attempt_id=held_by, rows=rows, fresh=not attempt_id)
        return None  # what was skipped and held back is committed now, and others are looked at

    def opened(self, attempt_id: int) -> None:
        """See :class:`Claims`."""
        if self.mark is not None:
            self.mark.rise(attempt_id)

    def returned(self, unit: SendUnit, subscriber_ids: Sequence[int]) -> None:
        """See :class:`Claims`. Their domains' rates have room for others again."""
        if self.domain_rates:
            recipients = unit.subscribers.claimable(subscriber_ids, self.clock()).recipients
            let_others(unit, recipients.values(), self.domain_rates)

    def _most(self, unit: SendUnit, now: datetime) -> int:
        """How many may be claimed now; 0 where the issue was paused because its first share went out."""
        shown = f"canary:{self.issue_id}"
        if not self.canary or unit.leases.held(shown, now):
            return self.batch
        begun, audience = unit.deliveries.begun(self.issue_id)
        size = canary_size(self.canary, audience)
        if begun < size or begun == audience:
            return max(1, min(self.batch, size - begun))
        unit.leases.take(shown, "shown", now=now, length=ONCE)
        if begun > _MANY_SHARES * size:
            return self.batch  # the share was set when most had their turn: nothing is left to look at first
        self.waits = canary_told(begun)
        unit.issues.pause(self.issue_id, self.waits, now)
        return 0

    def _end(self) -> Delivered:
        """Nothing is pending: finished, unless the audience is still being drawn or somebody waits."""
        with self.work() as unit:
            issue = unit.issues.get(self.issue_id)
            if issue.state is not IssueState.SENDING:
                return self._told()
            if issue.audience_drawn and not unit.deliveries.remaining(self.issue_id):
                try:
                    unit.issues.finish(self.issue_id, self.clock())
                except Conflict:  # another process was at the same point, or the author stopped it
                    return self._told()
                log.info("issue finished", issue=self.issue_id)
                return self._told(finished=True)
            retry_at = unit.deliveries.next_retry_at(self.issue_id)
        wait_s = max(0.0, (retry_at - self.clock()).total_seconds()) if retry_at else 1.0
        return self._told(wait_s=wait_s)

    def _pause(self, problem: str) -> None:
        with self.work() as unit:
            if unit.issues.state(self.issue_id) is IssueState.SENDING:
                unit.issues.pause(self.issue_id, problem, self.clock())
        log.error("issue paused", issue=self.issue_id)

    def _told(
        self,
        *,
        finished: bool = False,
        problem: str = "",
        wait_s: float | None = None,
    ) -> Delivered:
        return Delivered(
            issue_id=self.issue_id,
            accepted=self.tally[DeliveryState.ACCEPTED],
            failed=self.tally[DeliveryState.FAILED],
            retrying=self.tally[DeliveryState.RETRY_WAIT],
            unknown=self.tally[DeliveryState.UNKNOWN],
            skipped=self.tally[DeliveryState.SKIPPED],
            finished=finished,
            problem=problem,
            wait_s=wait_s,
        )
