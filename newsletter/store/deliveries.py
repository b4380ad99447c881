"""The ledger: one row per (issue, subscriber), its state changed in place; attempts; remarks.

Every change of state names the states it may come from (:func:`newsletter.model.delivery.states_before`)
and, where an attempt holds the row, that attempt's id as a fence. What is read of it is in ``ledger``, who is
drawn in ``audience``, what people and providers decide in ``decisions``; here is what sending does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import starmap
from typing import Final

from sqlalchemy import ColumnElement, func, or_, select, update

from newsletter.model.delivery import Claimed, DeliveryFlag, DeliveryState, Marked, Settled, move_delivery
from newsletter.model.times import maybe_from_ms, to_ms
from newsletter.store.decisions import Decisions
from newsletter.store.sql import straight, straight_rows
from newsletter.store.tables import attempts, deliveries

_S = DeliveryState
_ON_HOLDING_BACK: Final = "Its domain gets a little mail at a time."
_NOBODYS: Final = timedelta(minutes=10)
_ON_RECOVERY: Final = "The program stopped while this message was being handed over."

# What every window of a send runs, as SQL: preparing it anew costs more than the database does. The states
# that stand in it are checked against the model where this module is read (see _checked below).
# Who is pending, and so nobody's, is looked for from the first of them on: from the issue's first delivery on
# each claim would read all that are done, too (and on PostgreSQL the index remembers them until a VACUUM).
_RENEW: Final = "UPDATE attempts SET lease_until = :until WHERE id = :attempt AND closed_at IS NULL"
_PENDING: Final = """
    SELECT d.subscriber_id, d.blocks, coalesce(r.tries, 0) AS tries
    FROM deliveries d LEFT JOIN remarks r ON r.issue_id = d.issue_id AND r.subscriber_id = d.subscriber_id
    WHERE d.issue_id = :issue AND d.attempt_id = 0 AND d.state = 0 AND d.subscriber_id >= (
        SELECT min(subscriber_id) FROM deliveries
        WHERE issue_id = :issue AND attempt_id = 0 AND subscriber_id > :after
    )
    ORDER BY d.subscriber_id LIMIT :most
"""
_DUE: Final = """
    SELECT d.subscriber_id, d.blocks, r.tries
    FROM remarks r JOIN deliveries d ON d.issue_id = r.issue_id AND d.subscriber_id = r.subscriber_id
    WHERE r.issue_id = :issue AND r.retry_at <= :now AND d.state = 6
    ORDER BY d.subscriber_id LIMIT :most
"""
_CLAIMED: Final = ("subscriber_id", "blocks", "tries")
_LOCK: Final = " FOR UPDATE OF d SKIP LOCKED"  # on PostgreSQL; on SQLite a transaction is the only writer
_CLAIM: Final = """
    UPDATE deliveries SET state = 1, attempt_id = :attempt
    WHERE issue_id = :issue AND subscriber_id = ANY(:ids) AND state IN (0, 6)
"""
_MARK: Final = """
    UPDATE deliveries SET state = 2
    WHERE issue_id = :issue AND subscriber_id BETWEEN :first AND :last AND attempt_id = :attempt AND state = 1
      AND EXISTS (SELECT 1 FROM issues WHERE id = :issue AND issues.state = 'sending')
"""
_MARKED: Final = """
    SELECT subscriber_id FROM deliveries
    WHERE issue_id = :issue AND subscriber_id BETWEEN :first AND :last AND attempt_id = :attempt AND state = 2
"""
_ACCEPT: Final = """
    UPDATE deliveries SET state = 3
    WHERE issue_id = :issue AND subscriber_id = ANY(:ids) AND attempt_id = :attempt AND state = 2
"""
# All three at once, where each journey to the server counts.
_ADVANCE: Final = f"""
    WITH held AS ({_RENEW} RETURNING 1),
         accepted AS ({_ACCEPT} RETURNING 1),
         marked AS ({_MARK} AND EXISTS (SELECT 1 FROM held) RETURNING 1)
    SELECT (SELECT count(*) FROM held), (SELECT count(*) FROM accepted), (SELECT count(*) FROM marked),
           EXISTS (SELECT 1 FROM issues WHERE id = :issue AND issues.state = 'sending')
"""
_SENDING: Final = "SELECT 1 FROM issues WHERE id = :issue AND state = 'sending'"
_RELEASE: Final = """
    UPDATE deliveries SET state = 0, attempt_id = 0
    WHERE issue_id = :issue AND attempt_id = :attempt
      AND (state = 1 OR (state = 2 AND subscriber_id = ANY(:ids)))
"""
_SETTLE: Final = """
    UPDATE deliveries SET state = :to, attempt_id = :holder
    WHERE issue_id = :issue AND subscriber_id = ANY(:ids) AND attempt_id = :attempt AND state = :before
    RETURNING subscriber_id
"""


def _checked() -> None:
    numbers = {_S.PENDING: 0, _S.CLAIMED: 1, _S.SUBMITTING: 2, _S.ACCEPTED: 3, _S.RETRY_WAIT: 6}
    assert all(state.value == number for state, number in numbers.items())
    for before in (_S.PENDING, _S.RETRY_WAIT):
        move_delivery(before, _S.CLAIMED)
    move_delivery(_S.CLAIMED, _S.SUBMITTING)
    move_delivery(_S.SUBMITTING, _S.ACCEPTED)
    for before in (_S.CLAIMED, _S.SUBMITTING):
        move_delivery(before, _S.PENDING)


_checked()


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
        return bool(straight(self._conn, _RENEW, values).rowcount == 1)

    def close_attempt(self, attempt_id: int, now: datetime, became: Mapping[DeliveryState, int]) -> None:
        """``became``: how many of its deliveries became what; kept for the receipt's timeline."""
        self._conn.execute(
            update(attempts)
            .where(attempts.c.id == attempt_id, attempts.c.closed_at.is_(None))
            .values(closed_at=to_ms(now), **_told(became))
        )

    # Claiming

    def claimable(self, issue_id: int, limit: int, now: datetime, after: int = 0) -> Sequence[Claimed]:
        """Deliveries to be made, in order of subscriber: pending ones and those whose wait is over. Beginning
        behind subscriber ``after`` and, where those do not suffice, with the first once more.

        Locks the rows on PostgreSQL (passing over those that somebody else holds); on SQLite the
        transaction already is the only writer.
        """
        lock = "" if self._conn.dialect.name == "sqlite" else _LOCK
        given = {"issue": issue_id, "most": limit, "after": after}
        rows = straight_rows(self._conn, _PENDING + lock, _CLAIMED, given)
        if len(rows) < limit and after:
            rows = straight_rows(self._conn, _PENDING + lock, _CLAIMED, {**given, "after": 0})
        if len(rows) < limit:
            given = {"issue": issue_id, "most": limit - len(rows), "now": to_ms(now)}
            due = straight_rows(self._conn, _DUE + lock, _CLAIMED, given)
            # Nobody refused these: they waited for their domain, and that is over.
            self.forget(issue_id, [who for who, _, tries in due if not tries])
            rows = sorted(rows + due)
        return list(starmap(Claimed, rows))

    def claim(self, issue_id: int, attempt_id: int, subscriber_ids: Sequence[int]) -> None:
        """The attempt now holds these rows, which :meth:`claimable` gave in this transaction."""
        if subscriber_ids:
            given = {"issue": issue_id, "attempt": attempt_id, "ids": subscriber_ids}
            straight(self._conn, _CLAIM, given)

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
        self,
        issue_id: int,
        attempt_id: int,
        subscriber_ids: Sequence[int],
        lease_until: datetime,
        accepted: Sequence[int] = (),
    ) -> Marked:
        """Makes these rows submitting and prolongs the lease; tells those that may be handed over now.

        ``subscriber_ids`` are in order, and the attempt has claimed nobody between them that is not among
        them. ``accepted`` are rows of this attempt to be recorded before, see :meth:`accept`.
        """
        if not subscriber_ids:
            self.accept(issue_id, attempt_id, accepted)
            return Marked(held=self.renew(attempt_id, lease_until))
        span = {"first": subscriber_ids[0], "last": subscriber_ids[-1]}
        given = {"issue": issue_id, "attempt": attempt_id, **span}
        if self._conn.dialect.name == "sqlite":
            self.accept(issue_id, attempt_id, accepted)
            if not self.renew(attempt_id, lease_until):
                return Marked(held=False)
            marked = straight(self._conn, _MARK, given).rowcount
            sending = bool(marked) or straight(self._conn, _SENDING, given).fetchone() is not None
        else:
            # Whether it is being sent is told by the same look: a later one would see what came meanwhile.
            more = {"until": to_ms(lease_until), "ids": list(accepted)}
            held, taken, marked, sending = straight(self._conn, _ADVANCE, {**given, **more}).fetchone()
            if taken != len(accepted):
                self._accept_late(issue_id, attempt_id, accepted)
            if not held:
                return Marked(held=False)
        if marked == len(subscriber_ids):
            return Marked(frozenset(subscriber_ids))
        found = straight(self._conn, _MARKED, given).fetchall() if marked else ()
        return Marked(frozenset(who for (who,) in found), sending=sending)

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
                self.accept(issue_id, attempt_id, ids)
                self.forget(issue_id, [one.subscriber_id for one in group if one.tries])
                continue
            moved = self._settle(issue_id, attempt_id, ids, _S.SUBMITTING, state)
            for one in group:
                if one.bad_address and one.subscriber_id in moved:
                    self.flag(issue_id, one.subscriber_id, DeliveryFlag.BOUNCED)
            if state is not _S.PENDING:
                self.remark(issue_id, [one for one in group if one.subscriber_id in moved], now)

    def accept(self, issue_id: int, attempt_id: int, subscriber_ids: Sequence[int]) -> None:
        """Most of what is ever recorded: rows that were accepted, as :meth:`settle` does it."""
        if not subscriber_ids:
            return
        given = {"issue": issue_id, "attempt": attempt_id, "ids": subscriber_ids}
        if straight(self._conn, _ACCEPT, given).rowcount != len(subscriber_ids):
            self._accept_late(issue_id, attempt_id, subscriber_ids)

    def _accept_late(self, issue_id: int, attempt_id: int, subscriber_ids: Sequence[int]) -> None:
        late = self._settle(issue_id, attempt_id, subscriber_ids, _S.UNKNOWN, _S.ACCEPTED)
        self.forget(issue_id, sorted(late))

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
        given = {
            "issue": issue_id,
            "attempt": attempt_id,
            "before": before.value,
            "to": to.value,
            "holder": 0 if to is _S.PENDING else attempt_id,
            "ids": subscriber_ids,
        }
        return {who for (who,) in straight(self._conn, _SETTLE, given).fetchall()}

    def give_back(self, issue_id: int, attempt_id: int, subscriber_ids: Sequence[int]) -> None:
        """What the attempt claimed and never began is pending again."""
        self._settle(issue_id, attempt_id, subscriber_ids, _S.CLAIMED, _S.PENDING)

    def release(self, issue_id: int, attempt_id: int, unbegun: Sequence[int]) -> None:
        """Whatever the attempt claimed is pending again, and so are these, should they be submitting: they
        were never handed over. Reads every row of the issue, for whoever does not know which of their commits
        succeeded."""
        straight(self._conn, _RELEASE, {"issue": issue_id, "attempt": attempt_id, "ids": list(unbegun)})

    # Recovery

    def expired_attempts(self, now: datetime) -> Sequence[int]:
        return self._conn.scalars(
            select(attempts.c.id).where(attempts.c.closed_at.is_(None), _run_out(now)).order_by(attempts.c.id)
        ).all()

    def recover(self, attempt_id: int, now: datetime) -> tuple[int, int]:
        """Takes over an attempt whose lease ran out: how many rows went back to pending, and how many
        may or may not have been handed over and are unknown now (invariants 7 and 8)."""
        taken = self._conn.execute(
            update(attempts)
            .where(
                attempts.c.id == attempt_id,
                attempts.c.closed_at.is_(None),
                _run_out(now),
            )
            .values(closed_at=to_ms(now))
            .returning(attempts.c.issue_id)
        ).one_or_none()
        if taken is None:
            return 0, 0
        released = self._conn.execute(
            update(deliveries)
            .where(
                deliveries.c.issue_id == taken.issue_id,
                deliveries.c.attempt_id == attempt_id,
                deliveries.c.state == _S.CLAIMED.value,
            )
            .values(state=_S.PENDING.value, attempt_id=0)
        ).rowcount
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


def _told(became: Mapping[DeliveryState, int]) -> dict[str, int]:
    return {state.word: became.get(state, 0) for state in (_S.ACCEPTED, _S.FAILED, _S.UNKNOWN)}


def _run_out(now: datetime) -> ColumnElement[bool]:
    """A lease that lies further ahead than anybody sets one was set by a clock that had jumped."""
    return or_(attempts.c.lease_until < to_ms(now), attempts.c.lease_until > to_ms(now + _NOBODYS))
