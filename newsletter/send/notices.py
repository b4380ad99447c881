"""Notices leave through the same transports, always ahead of issues, and count in the same rate."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import structlog

from newsletter.errors import NewsletterError
from newsletter.model.delivery import Envelope, Letter, MessageKey, Outcome, Verdict
from newsletter.model.notice import Notice
from newsletter.model.rate import Rate
from newsletter.send.ports import Clock, Transport, Work
from subscribers.model import SuppressionCause

_LEASE: Final = timedelta(minutes=15)  # longer than any transport waits for its provider
_AGAIN: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 720))

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """A notice as it is to be sent. ``headers`` are the recipient's own."""

    letter: Letter
    message_id: str
    values: Mapping[str, str] = field(default_factory=dict)
    headers: tuple[tuple[str, str], ...] = ()


def send_notices(
    *,
    work: Work,
    transport: Transport,
    render: Callable[[Notice], Rendered],
    rate: Rate,
    clock: Clock,
    stop: threading.Event,
    limit: int = 100,
) -> int:
    """Sends what is due, oldest first; returns how many were accepted.

    ``render`` never touches the network; a notice that it cannot render fails alone. Raises
    TransportProblem where the transport refuses us as a whole: the notices wait, unchanged.
    """
    with work() as unit:
        due = unit.notices.due(clock(), limit)
    ready: deque[tuple[Notice, Rendered]] = deque()
    for notice in due:
        try:
            ready.append((notice, render(notice)))
        except NewsletterError as problem:
            with work() as unit:
                unit.notices.failed(notice.id, clock(), problem.code, str(problem))
            log.error("notice failed", notice=notice.id, kind=notice.kind.value, code=problem.code)
        except Exception:  # one that is broken never keeps the others waiting (invariant 12)
            with work() as unit:
                unit.notices.failed(notice.id, clock(), "broken", "It cannot be written; the log says why.")
            log.exception("notice failed", notice=notice.id, kind=notice.kind.value)
    if not ready:
        return 0
    notices = {notice.id: notice for notice, _ in ready}
    accepted = 0
    for outcome in transport.hand_over(_feed(ready, work, rate, clock, stop)):
        _record(outcome, notices[outcome.key.number], work, rate, clock)
        accepted += outcome.verdict is Verdict.ACCEPTED
    return accepted


def _feed(
    ready: deque[tuple[Notice, Rendered]],
    work: Work,
    rate: Rate,
    clock: Clock,
    stop: threading.Event,
) -> Iterator[Envelope]:
    while ready and not stop.is_set():
        notice, rendered = ready.popleft()
        with work() as unit:
            now = clock()
            if not unit.rates.take(rate, 1, now):
                return
            if not unit.notices.mark_submitting(notice.id, now, now + _LEASE):
                unit.rates.give_back(rate, 1)
                continue
        yield Envelope(
            key=MessageKey(0, notice.id),
            to=notice.to,
            letter=rendered.letter,
            message_id=rendered.message_id,
            values=rendered.values,
            headers=rendered.headers,
        )


def _record(outcome: Outcome, notice: Notice, work: Work, rate: Rate, clock: Clock) -> None:
    with work() as unit:
        now = clock()
        if outcome.verdict is Verdict.ACCEPTED:
            unit.notices.accepted(notice.id, now, outcome.code)
        elif outcome.verdict is Verdict.UNKNOWN:
            unit.notices.unknown(notice.id, now, outcome.reason)
        elif outcome.verdict is Verdict.UNSENT:
            unit.rates.give_back(rate, 1)
            unit.notices.again(notice.id, now, code=outcome.code, reason=outcome.reason, tried=False)
        elif outcome.verdict is Verdict.RETRY and notice.tries < len(_AGAIN):
            due_at = now + _AGAIN[notice.tries]
            unit.notices.again(notice.id, due_at, code=outcome.code, reason=outcome.reason, tried=True)
        else:
            unit.notices.failed(notice.id, now, outcome.code, outcome.reason)
            if outcome.bad_address and notice.subscriber_id is not None:
                unit.subscribers.suppress(notice.to, SuppressionCause.BOUNCED, now, outcome.code)
    log.info("notice", notice=notice.id, kind=notice.kind.value, outcome=outcome.verdict.value)
