"""The ledger: one row per (issue, subscriber), its state changed in place; attempts; remarks.

Every change of state names the states it may come from (:func:`newsletter.model.delivery.states_before`)
and, where an attempt holds the row, that attempt's id as a fence. What is read of it is in ``ledger``, who is
drawn in ``audience``, what people and providers decide in ``decisions``; here is what sending does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, exists, func, select, update

from newsletter.model.delivery import Claimed, DeliveryState, Settled, move_delivery
from newsletter.model.issue import IssueState
from newsletter.model.times import maybe_from_ms, to_ms
from newsletter.store.decisions import Decisions
from newsletter.store.sql import chunks, run_spelled
from newsletter.store.tables import attempts, deliveries, issues, remarks

_S = DeliveryState
_ON_HOLDING_BACK: Final = "Its domain gets a little mail at a time."
_ON_RECOVERY: Final = "The program stopped while this message was being handed over."

_d = deliveries.c

# The statements of every window of a send, built once: building one costs more than running it.
_RENEW: Final = (
    update(attempts)
    .where(attempts.c.id == bindparam("attempt"), attempts.c.closed_at.is_(None))
    .values(lease_until=bindparam("until"))
)
_MARK: Final = (
    update(deliveries)
    .where(
        _d.issue_id == bindparam("issue"),
        _d.subscriber_id.between(bindparam("first"), bindparam("last")),
        _d.attempt_id == bindparam("attempt"),
        _d.state == _S.CLAIMED.value,
        exists().where(issues.c.id == bindparam("issue"), issues.c.state == IssueState.SENDING.value),
    )
    .values(state=_S.SUBMITTING.value)
    .returning(_d.subscriber_id)
)
_SETTLE_ONE: Final = (
    update(deliveries)
    .where(
        _d.issue_id == bindparam("issue"),
        _d.subscriber_id == bindparam("who"),
        _d.attempt_id == bindparam("attempt"),
        _d.state == _S.SUBMITTING.value,
    )
    .values(state=_S.ACCEPTED.value)
)
_SETTLE: Final = (
    update(deliveries)
    .where(
        _d.issue_id == bindparam("issue"),
        _d.subscriber_id.in_(bindparam("ids", expanding=True)),
        _d.attempt_id == bindparam("attempt"),
        _d.state == bindparam("before"),
    )
    .values(state=bindparam("to"), attempt_id=bindparam("holder"))
    .returning(_d.subscriber_id)
)


class Deliveries(Decisions):
    # Attempts

    def open_attempt(self, issue_id: int, transport: str, now: datetime, lease_until: datetime) -> int:
        """The new attempt's id: a fencing token, never given out twice."""
        row = self._conn.execute(
            attempts.insert()
            .values(
                issue_id=issue_id,
                transport=transport,
                opened_at=to_ms(now),
                lease_until=to_ms(lease_until),
            )
            .returning(attempts.c.id)
        ).one()
        return int(row.id)

    def newest_attempt(self) -> int:
        """The highest attempt id ever given out here; 0 where nothing was ever sent."""
        return self._conn.scalar(select(func.max(attempts.c.id))) or 0

    def attempted_at(self, attempt_id: int) -> datetime | None:
        """When it claimed its deliveries, and with them the addresses they went to."""
        return maybe_from_ms(
            self._conn.scalar(select(attempts.c.opened_at).where(attempts.c.id == attempt_id))
        )

    def renew(self, attempt_id: int, lease_until: datetime) -> bool:
        """Prolongs a lease; False where the attempt was taken over or closed."""
        values = {"attempt": attempt_id, "until": to_ms(lease_until)}
        return run_spelled(self._conn, _RENEW, values).rowcount == 1

    def close_attempt(self, attempt_id: int, now: datetime, became: Mapping[DeliveryState, int]) -> None:
        """``became``: how many of its deliveries became what; kept for the receipt's timeline."""
        self._conn.execute(
            update(attempts)
            .where(attempts.c.id == attempt_id, attempts.c.closed_at.is_(None))
            .values(closed_at=to_ms(now), **_told(became))
        )

    # Claiming

    def claimable(self, issue_id: int, limit: int, now: datetime) -> Sequence[Claimed]:
        """Deliveries to be made, in order of subscriber: pending ones and those whose wait is over.

        Locks the rows on PostgreSQL (passing over those that somebody else holds); on SQLite the
        transaction already is the only writer.
        """
        pending = (
            select(deliveries.c.subscriber_id, deliveries.c.blocks, func.coalesce(remarks.c.tries, 0))
            .select_from(self.with_remarks())
            .where(deliveries.c.issue_id == issue_id, deliveries.c.state == _S.PENDING.value)
            .order_by(deliveries.c.subscriber_id)
            .limit(limit)
            .with_for_update(skip_locked=True, of=deliveries)
        )
        waiting = (
            select(deliveries.c.subscriber_id, deliveries.c.blocks, remarks.c.tries)
            .select_from(self.with_remarks())
            .where(
                deliveries.c.issue_id == issue_id,
                deliveries.c.state == _S.RETRY_WAIT.value,
                remarks.c.retry_at <= to_ms(now),
            )
            .order_by(deliveries.c.subscriber_id)
            .with_for_update(skip_locked=True, of=deliveries)
        )
        rows = self._conn.execute(pending).all()
        if len(rows) < limit:
            due = self._conn.execute(waiting.limit(limit - len(rows))).all()
            # Nobody refused these: they waited for their domain, and that is over.
            self.forget(issue_id, [who for who, _, tries in due if not tries])
            rows = [*rows, *due]
        return sorted(
            (Claimed(subscriber_id=who, blocks=blocks, tries=tries) for who, blocks, tries in rows),
            key=lambda claimed: claimed.subscriber_id,
        )

    def claim(self, issue_id: int, attempt_id: int, subscriber_ids: Sequence[int]) -> None:
        """The attempt now holds these rows, which :meth:`claimable` gave in this transaction."""
        self.move(issue_id, subscriber_ids, _S.CLAIMED, attempt_id=attempt_id)

    def hold_back(self, issue_id: int, waits: Mapping[int, datetime], now: datetime) -> None:
        """These rows, which :meth:`claimable` gave in this transaction, wait for their domain until then."""
        self.move(issue_id, list(waits), _S.RETRY_WAIT)
        tries = self.tries(issue_id, list(waits))
        self.remark(
            issue_id,
            [
                Settled(
                    subscriber_id=who,
                    state=_S.RETRY_WAIT,
                    tries=tries.get(who, 0),
                    retry_at=retry_at,
                    reason=_ON_HOLDING_BACK,
                )
                for who, retry_at in waits.items()
            ],
            now,
        )

    # Handing over

    def mark_submitting(
        self, issue_id: int, attempt_id: int, subscriber_ids: Sequence[int], lease_until: datetime
    ) -> set[int] | None:
        """Makes these rows submitting and prolongs the lease; returns those that may be handed over now.

        ``subscriber_ids`` are in order, and the attempt has claimed nobody between them that is not among
        them. None: the lease was taken over, and nothing may be handed over by this attempt any more.
        Empty where the issue is not being sent (paused, cancelled).
        """
        if not self.renew(attempt_id, lease_until):
            return None
        if not subscriber_ids:
            return set()
        span = {"first": subscriber_ids[0], "last": subscriber_ids[-1]}
        return {
            row[0]
            for row in run_spelled(self._conn, _MARK, {"issue": issue_id, "attempt": attempt_id, **span})
        }

    def settle(self, issue_id: int, attempt_id: int, settled: Sequence[Settled], now: datetime) -> None:
        """Records what became of rows that this attempt made submitting.

        A row that was given up as unknown meanwhile accepts only the news that it was accepted: that is
        evidence, and nothing else is.
        """
        by_state: dict[DeliveryState, list[Settled]] = {}
        for one in settled:
            by_state.setdefault(one.state, []).append(one)
        for state, group in by_state.items():
            ids = [one.subscriber_id for one in group]
            if state is _S.ACCEPTED:
                late = sorted(self._accept(issue_id, attempt_id, ids))
                self.forget(issue_id, late + [one.subscriber_id for one in group if one.tries])
                continue
            moved = self._settle(issue_id, attempt_id, ids, _S.SUBMITTING, state)
            if state is not _S.PENDING:
                self.remark(issue_id, [one for one in group if one.subscriber_id in moved], now)

    def _accept(self, issue_id: int, attempt_id: int, subscriber_ids: Sequence[int]) -> set[int]:
        """Most of what is ever recorded: rows that were accepted. Returns those that had been given up."""
        move_delivery(_S.SUBMITTING, _S.ACCEPTED)
        values = [{"issue": issue_id, "attempt": attempt_id, "who": who} for who in subscriber_ids]
        if run_spelled(self._conn, _SETTLE_ONE, values).rowcount == len(values):
            return set()
        return self._settle(issue_id, attempt_id, subscriber_ids, _S.UNKNOWN, _S.ACCEPTED)

    def _settle(
        self,
        issue_id: int,
        attempt_id: int,
        subscriber_ids: Sequence[int],
        before: DeliveryState,
        to: DeliveryState,
    ) -> set[int]:
        """Moves rows that this attempt holds; returns those that were in ``before``."""
        move_delivery(before, to)
        moved: set[int] = set()
        given = {
            "issue": issue_id,
            "attempt": attempt_id,
            "before": before.value,
            "to": to.value,
            "holder": 0 if to is _S.PENDING else attempt_id,
        }
        for part in chunks(subscriber_ids):
            moved.update(self._conn.scalars(_SETTLE, {**given, "ids": part}))
        return moved

    def release(self, attempt_id: int) -> int:
        """Gives back what the attempt claimed and never began."""
        changed = self._conn.execute(
            update(deliveries)
            .where(
                deliveries.c.issue_id == self._issue_of(attempt_id),
                deliveries.c.attempt_id == attempt_id,
                deliveries.c.state == _S.CLAIMED.value,
            )
            .values(state=_S.PENDING.value, attempt_id=0)
        )
        return changed.rowcount

    # Recovery

    def expired_attempts(self, now: datetime) -> Sequence[int]:
        return self._conn.scalars(
            select(attempts.c.id)
            .where(attempts.c.closed_at.is_(None), attempts.c.lease_until < to_ms(now))
            .order_by(attempts.c.id)
        ).all()

    def recover(self, attempt_id: int, now: datetime) -> tuple[int, int]:
        """Takes over an attempt whose lease ran out: how many rows went back to pending, and how many
        may or may not have been handed over and are unknown now (invariants 7 and 8)."""
        taken = self._conn.execute(
            update(attempts)
            .where(
                attempts.c.id == attempt_id,
                attempts.c.closed_at.is_(None),
                attempts.c.lease_until < to_ms(now),
            )
            .values(closed_at=to_ms(now))
            .returning(attempts.c.issue_id)
        ).one_or_none()
        if taken is None:
            return 0, 0
        released = self.release(attempt_id)
        lost = self._conn.scalars(
            update(deliveries)
            .where(
                deliveries.c.issue_id == taken.issue_id,
                deliveries.c.attempt_id == attempt_id,
                deliveries.c.state == _S.SUBMITTING.value,
            )
            .values(state=_S.UNKNOWN.value)
            .returning(deliveries.c.subscriber_id)
        ).all()
        self.remark(
            taken.issue_id,
            [Settled(subscriber_id=w, state=_S.UNKNOWN, tries=1, reason=_ON_RECOVERY) for w in lost],
            now,
        )
        became = Counter({_S.UNKNOWN: len(lost)})
        for state, count in self._conn.execute(
            select(deliveries.c.state, func.count())
            .where(
                deliveries.c.issue_id == taken.issue_id,
                deliveries.c.attempt_id == attempt_id,
                deliveries.c.state.in_([_S.ACCEPTED.value, _S.FAILED.value]),
            )
            .group_by(deliveries.c.state)
        ):
            became[_S(state)] = count
        self._conn.execute(update(attempts).where(attempts.c.id == attempt_id).values(**_told(became)))
        return released, len(lost)

    def _issue_of(self, attempt_id: int) -> int:
        return self._conn.scalar(select(attempts.c.issue_id).where(attempts.c.id == attempt_id)) or 0


def _told(became: Mapping[DeliveryState, int]) -> dict[str, int]:
    return {state.word: became.get(state, 0) for state in (_S.ACCEPTED, _S.FAILED, _S.UNKNOWN)}
