"""The ledger: one row per (issue, subscriber), its state changed in place; attempts; remarks.

Every change of state names the states it may come from (:func:`newsletter.model.delivery.states_before`)
and, where an attempt holds the row, that attempt's id as a fence. A million rows hold small numbers only;
reasons, waits and provider ids are kept for the exceptions, in ``remarks``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, exists, func, select, text, update

from newsletter.errors import NotFound
from newsletter.model.delivery import (
    Claimed,
    Delivery,
    DeliveryFlag,
    DeliveryState,
    Settled,
    move_delivery,
    states_before,
)
from newsletter.model.issue import IssueState
from newsletter.model.receipt import Receipt
from newsletter.model.times import maybe_from_ms, maybe_ms, to_ms
from newsletter.store.sql import chunks, insert, insert_new
from newsletter.store.tables import attempts, deliveries, issue_posts, issues, remarks

_S = DeliveryState
_OPEN: Final = (_S.PENDING, _S.CLAIMED, _S.SUBMITTING, _S.RETRY_WAIT)
_TAKEN: Final = (*_OPEN, _S.ACCEPTED, _S.UNKNOWN)  #: they have, or may yet get, what it carries
_LOCK_KEY: Final = 0x6175_6469  # "audi": PostgreSQL advisory locks are numbers
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
        _d.subscriber_id.in_(bindparam("ids", expanding=True)),
        _d.attempt_id == bindparam("attempt"),
        _d.state == _S.CLAIMED.value,
        exists().where(issues.c.id == bindparam("issue"), issues.c.state == IssueState.SENDING.value),
    )
    .values(state=_S.SUBMITTING.value)
    .returning(_d.subscriber_id)
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


class Deliveries:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    # The audience

    def lock_audience(self) -> None:
        """Audiences are drawn one at a time, so that no post is promised twice (invariant 2)."""
        if self._conn.dialect.name != "sqlite":
            self._conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})

    def add(self, issue_id: int, masks: Mapping[int, int], skipped: Mapping[int, str], now: datetime) -> None:
        """Draws these subscribers: ``masks`` are to be mailed, ``skipped`` have a reason why not.

        Who is drawn already stays as they are.
        """
        insert_new(
            self._conn,
            deliveries,
            [
                {
                    "issue_id": issue_id,
                    "subscriber_id": subscriber_id,
                    "state": state.value,
                    "blocks": blocks,
                }
                for subscriber_id, blocks, state in sorted(
                    [(who, mask, _S.PENDING) for who, mask in masks.items()]
                    + [(who, 0, _S.SKIPPED) for who in skipped]
                )
            ],
        )
        self._remark(
            issue_id, [Settled(subscriber_id=w, state=_S.SKIPPED, reason=r) for w, r in skipped.items()], now
        )

    def already_received(
        self, issue_id: int, subscriber_ids: Sequence[int], post_ids: Sequence[int]
    ) -> dict[int, set[int]]:
        """Which of these posts each subscriber got, or may yet get, by another issue."""
        found: dict[int, set[int]] = {}
        if not post_ids:
            return found
        other = select(issue_posts.c.issue_id, issue_posts.c.post_id, issue_posts.c.block).where(
            issue_posts.c.post_id.in_(post_ids), issue_posts.c.issue_id != issue_id
        )
        places = self._conn.execute(other).all()
        for place in places:
            for part in chunks(subscriber_ids):
                query = select(deliveries.c.subscriber_id).where(
                    deliveries.c.issue_id == place.issue_id,
                    deliveries.c.subscriber_id.in_(part),
                    deliveries.c.state.in_([state.value for state in _TAKEN]),
                    deliveries.c.blocks.op("&")(1 << place.block) != 0,
                )
                for subscriber_id in self._conn.scalars(query):
                    found.setdefault(subscriber_id, set()).add(place.post_id)
        return found

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

    def renew(self, attempt_id: int, lease_until: datetime) -> bool:
        """Prolongs a lease; False where the attempt was taken over or closed."""
        changed = self._conn.execute(_RENEW, {"attempt": attempt_id, "until": to_ms(lease_until)})
        return changed.rowcount == 1

    def close_attempt(self, attempt_id: int, now: datetime) -> None:
        self._conn.execute(
            update(attempts)
            .where(attempts.c.id == attempt_id, attempts.c.closed_at.is_(None))
            .values(closed_at=to_ms(now))
        )

    # Claiming

    def claimable(self, issue_id: int, limit: int, now: datetime) -> Sequence[Claimed]:
        """Deliveries to be made, in order of subscriber: pending ones and those whose wait is over.

        Locks the rows on PostgreSQL (passing over those that somebody else holds); on SQLite the
        transaction already is the only writer.
        """
        pending = (
            select(deliveries.c.subscriber_id, deliveries.c.blocks, func.coalesce(remarks.c.tries, 0))
            .select_from(self._with_remarks())
            .where(deliveries.c.issue_id == issue_id, deliveries.c.state == _S.PENDING.value)
            .order_by(deliveries.c.subscriber_id)
            .limit(limit)
            .with_for_update(skip_locked=True, of=deliveries)
        )
        waiting = (
            select(deliveries.c.subscriber_id, deliveries.c.blocks, remarks.c.tries)
            .select_from(self._with_remarks())
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
            rows = [*rows, *self._conn.execute(waiting.limit(limit - len(rows))).all()]
        return sorted(
            (Claimed(subscriber_id=who, blocks=blocks, tries=tries) for who, blocks, tries in rows),
            key=lambda claimed: claimed.subscriber_id,
        )

    def claim(self, issue_id: int, attempt_id: int, subscriber_ids: Sequence[int]) -> None:
        """The attempt now holds these rows, which :meth:`claimable` gave in this transaction."""
        self._move(issue_id, subscriber_ids, _S.CLAIMED, attempt_id=attempt_id)

    def skip(self, issue_id: int, refused: Mapping[int, str], now: datetime) -> None:
        """These are not mailed after all, each for its reason."""
        self._move(issue_id, list(refused), _S.SKIPPED, attempt_id=0)
        self._remark(
            issue_id, [Settled(subscriber_id=w, state=_S.SKIPPED, reason=r) for w, r in refused.items()], now
        )

    # Handing over

    def mark_submitting(
        self, issue_id: int, attempt_id: int, subscriber_ids: Sequence[int], lease_until: datetime
    ) -> set[int] | None:
        """Makes these rows submitting and prolongs the lease; returns those that may be handed over now.

        None: the lease was taken over, and nothing may be handed over by this attempt any more. Empty
        where the issue is not being sent (paused, cancelled).
        """
        if not self.renew(attempt_id, lease_until):
            return None
        marked: set[int] = set()
        for part in chunks(subscriber_ids):
            given = {"issue": issue_id, "attempt": attempt_id, "ids": part}
            marked.update(self._conn.scalars(_MARK, given))
        return marked

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
            moved = self._settle(issue_id, attempt_id, ids, _S.SUBMITTING, state)
            if state is _S.ACCEPTED:
                late = [who for who in ids if who not in moved]
                if late:
                    late = sorted(self._settle(issue_id, attempt_id, late, _S.UNKNOWN, state))
                self._forget(issue_id, late + [one.subscriber_id for one in group if one.tries])
            elif state is not _S.PENDING:
                self._remark(issue_id, [one for one in group if one.subscriber_id in moved], now)

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
        self._remark(
            taken.issue_id,
            [Settled(subscriber_id=w, state=_S.UNKNOWN, tries=1, reason=_ON_RECOVERY) for w in lost],
            now,
        )
        return released, len(lost)

    # What a person or a provider decides

    def skip_open(self, issue_id: int, reason: str, now: datetime) -> int:
        """Nobody who was not mailed yet will be. What is being handed over ends as it ends."""
        changed = 0
        while rows := self._conn.scalars(
            select(deliveries.c.subscriber_id)
            .where(
                deliveries.c.issue_id == issue_id,
                deliveries.c.state.in_([s.value for s in (_S.PENDING, _S.CLAIMED, _S.RETRY_WAIT)]),
            )
            .limit(5000)
        ).all():
            self.skip(issue_id, dict.fromkeys(rows, reason), now)
            changed += len(rows)
        return changed

    def retry_failed(self, issue_id: int, now: datetime) -> int:
        """Failed deliveries become pending again, without the posts that came to them otherwise since.

        Whose posts all came otherwise stays failed. Never touches one that was accepted and then refused
        for the address itself (its subscriber is suppressed and would be skipped).
        """
        found = self._conn.execute(
            select(issue_posts.c.post_id, issue_posts.c.block).where(issue_posts.c.issue_id == issue_id)
        )
        places: dict[int, int] = {post_id: block for post_id, block in found}
        changed, after = 0, 0
        while rows := self._conn.execute(
            select(deliveries.c.subscriber_id, deliveries.c.blocks)
            .where(
                deliveries.c.issue_id == issue_id,
                deliveries.c.state == _S.FAILED.value,
                deliveries.c.subscriber_id > after,
            )
            .order_by(deliveries.c.subscriber_id)
            .limit(1000)
        ).all():
            after = rows[-1].subscriber_id
            ids = [row.subscriber_id for row in rows]
            received = self.already_received(issue_id, ids, list(places))
            again: list[int] = []
            for who, blocks in rows:
                had = sum(1 << places[post_id] for post_id in received.get(who, ()))
                if blocks & ~had == blocks:
                    again.append(who)
                elif blocks & ~had:
                    again.append(who)
                    self._conn.execute(
                        update(deliveries)
                        .where(deliveries.c.issue_id == issue_id, deliveries.c.subscriber_id == who)
                        .values(blocks=blocks & ~had)
                    )
            changed += len(self._move(issue_id, again, _S.PENDING, attempt_id=0, before=[_S.FAILED]))
            self._forget(issue_id, again)
        return changed

    def resend_unknown(self, issue_id: int, now: datetime) -> int:
        """Unknown deliveries become pending: the author chose to risk a duplicate (invariant 8)."""
        changed = self._conn.execute(
            update(deliveries)
            .where(deliveries.c.issue_id == issue_id, deliveries.c.state == _S.UNKNOWN.value)
            .values(state=_S.PENDING.value, attempt_id=0)
        )
        return changed.rowcount

    def learned(
        self,
        before: Delivery,
        now: datetime,
        *,
        state: DeliveryState,
        flags: DeliveryFlag,
        code: str = "",
        reason: str = "",
    ) -> None:
        """What a provider told us of a delivery later, merged into it. ``before`` is from :meth:`find`."""
        who = before.subscriber_id
        here = and_(deliveries.c.issue_id == before.issue_id, deliveries.c.subscriber_id == who)
        if flags is not before.flags:
            self._conn.execute(update(deliveries).where(here).values(flags=flags.value))
        if state is before.state:
            return
        self._move(before.issue_id, [who], state, before=[before.state])
        if state is _S.ACCEPTED:
            self._forget(before.issue_id, [who])
        else:
            news = Settled(subscriber_id=who, state=state, tries=1, code=code, reason=reason)
            self._remark(before.issue_id, [news], now)

    def flag(self, issue_id: int, subscriber_id: int, flag: DeliveryFlag) -> None:
        """Adds a flag, where there is such a delivery (who unsubscribes by an issue's link counts in it)."""
        self._conn.execute(
            update(deliveries)
            .where(deliveries.c.issue_id == issue_id, deliveries.c.subscriber_id == subscriber_id)
            .values(flags=deliveries.c.flags.op("|")(flag.value))
        )

    # Reading

    def find(self, issue_id: int, subscriber_id: int) -> Delivery | None:
        """One row, locked on PostgreSQL until the transaction ends."""
        row = self._conn.execute(
            self._deliveries()
            .where(deliveries.c.issue_id == issue_id, deliveries.c.subscriber_id == subscriber_id)
            .with_for_update(of=deliveries)
        ).one_or_none()
        return None if row is None else _delivery(row)

    def get(self, issue_id: int, subscriber_id: int) -> Delivery:
        """Raises NotFound."""
        row = self._conn.execute(
            self._deliveries().where(
                deliveries.c.issue_id == issue_id, deliveries.c.subscriber_id == subscriber_id
            )
        ).one_or_none()
        if row is None:
            raise NotFound(f"Issue {issue_id} was not drawn for subscriber {subscriber_id}.")
        return _delivery(row)

    def list(
        self, issue_id: int, *, states: Iterable[DeliveryState] = (), limit: int = 50, after: int = 0
    ) -> Sequence[Delivery]:
        """In order of subscriber id; ``after`` is the last id of the page before."""
        query = (
            self._deliveries()
            .where(deliveries.c.issue_id == issue_id, deliveries.c.subscriber_id > after)
            .order_by(deliveries.c.subscriber_id)
            .limit(limit)
        )
        if wanted := [state.value for state in states]:
            query = query.where(deliveries.c.state.in_(wanted))
        return [_delivery(row) for row in self._conn.execute(query)]

    def of_subscriber(self, subscriber_id: int, *, limit: int = 50) -> Sequence[Delivery]:
        """What was sent to one subscriber, newest issue first."""
        query = (
            self._deliveries()
            .where(deliveries.c.subscriber_id == subscriber_id)
            .order_by(deliveries.c.issue_id.desc())
            .limit(limit)
        )
        return [_delivery(row) for row in self._conn.execute(query)]

    def remaining(self, issue_id: int) -> int:
        """How many of those drawn are not settled yet."""
        return (
            self._conn.scalar(
                select(func.count())
                .select_from(deliveries)
                .where(deliveries.c.issue_id == issue_id, deliveries.c.state.in_([s.value for s in _OPEN]))
            )
            or 0
        )

    def next_retry_at(self, issue_id: int) -> datetime | None:
        """When the first of those that wait may be tried again."""
        return maybe_from_ms(
            self._conn.scalar(
                select(func.min(remarks.c.retry_at)).where(
                    remarks.c.issue_id == issue_id, remarks.c.retry_at.is_not(None)
                )
            )
        )

    def receipt(self, issue_id: int) -> Receipt:
        """The account of an issue as it stands, counted from the ledger."""
        counts: dict[DeliveryState, int] = dict.fromkeys(DeliveryState, 0)
        flags: dict[DeliveryFlag, int] = dict.fromkeys(DeliveryFlag, 0)
        for row in self._conn.execute(
            select(deliveries.c.state, deliveries.c.flags, func.count().label("n"))
            .where(deliveries.c.issue_id == issue_id)
            .group_by(deliveries.c.state, deliveries.c.flags)
        ):
            counts[DeliveryState(row.state)] += row.n
            for flag in DeliveryFlag(row.flags):
                flags[flag] += row.n
        return Receipt(
            issue_id=issue_id,
            audience=sum(counts.values()),
            accepted=counts[_S.ACCEPTED],
            failed=counts[_S.FAILED],
            skipped=counts[_S.SKIPPED],
            unknown=counts[_S.UNKNOWN],
            remaining=sum(counts[state] for state in _OPEN),
            delivered=flags[DeliveryFlag.DELIVERED],
            bounced=flags[DeliveryFlag.BOUNCED],
            complained=flags[DeliveryFlag.COMPLAINED],
            unsubscribed=flags[DeliveryFlag.UNSUBSCRIBED],
        )

    # Shared

    def _move(
        self,
        issue_id: int,
        subscriber_ids: Sequence[int],
        to: DeliveryState,
        *,
        attempt_id: int | None = None,
        before: Sequence[DeliveryState] = (),
    ) -> set[int]:
        """Moves these rows, where they are in a state that allows it; returns those that moved."""
        allowed = [state.value for state in states_before(to) if not before or state in before]
        values: dict[str, Any] = {"state": to.value}
        if attempt_id is not None:
            values["attempt_id"] = attempt_id
        moved: set[int] = set()
        for part in chunks(subscriber_ids):
            where: list[ColumnElement[bool]] = [
                deliveries.c.issue_id == issue_id,
                deliveries.c.subscriber_id.in_(part),
                deliveries.c.state.in_(allowed),
            ]
            moved.update(
                self._conn.scalars(
                    update(deliveries).where(*where).values(**values).returning(deliveries.c.subscriber_id)
                )
            )
        return moved

    def _remark(self, issue_id: int, settled: Sequence[Settled], now: datetime) -> None:
        if not settled:
            return
        statement = insert(self._conn, remarks)
        columns = ("tries", "retry_at", "code", "reason", "provider_id", "at")
        self._conn.execute(
            statement.on_conflict_do_update(
                index_elements=[remarks.c.issue_id, remarks.c.subscriber_id],
                set_={name: statement.excluded[name] for name in columns},
            ),
            [
                {
                    "issue_id": issue_id,
                    "subscriber_id": one.subscriber_id,
                    "tries": one.tries,
                    "retry_at": maybe_ms(one.retry_at),
                    "code": one.code,
                    "reason": one.reason,
                    "provider_id": one.provider_id,
                    "at": to_ms(now),
                }
                for one in sorted(settled, key=lambda one: one.subscriber_id)
            ],
        )

    def _forget(self, issue_id: int, subscriber_ids: Sequence[int]) -> None:
        for part in chunks(subscriber_ids):
            self._conn.execute(
                delete(remarks).where(remarks.c.issue_id == issue_id, remarks.c.subscriber_id.in_(part))
            )

    def _issue_of(self, attempt_id: int) -> int:
        return self._conn.scalar(select(attempts.c.issue_id).where(attempts.c.id == attempt_id)) or 0

    def _with_remarks(self) -> Any:
        return deliveries.outerjoin(
            remarks,
            and_(
                remarks.c.issue_id == deliveries.c.issue_id,
                remarks.c.subscriber_id == deliveries.c.subscriber_id,
            ),
        )

    def _deliveries(self) -> Any:
        return select(
            deliveries,
            remarks.c.tries,
            remarks.c.retry_at,
            remarks.c.code,
            remarks.c.reason,
            remarks.c.provider_id,
            remarks.c.at,
        ).select_from(self._with_remarks())


def _delivery(row: Any) -> Delivery:
    return Delivery(
        issue_id=row.issue_id,
        subscriber_id=row.subscriber_id,
        state=DeliveryState(row.state),
        blocks=row.blocks,
        flags=DeliveryFlag(row.flags),
        attempt_id=row.attempt_id,
        tries=row.tries or 0,
        retry_at=maybe_from_ms(row.retry_at),
        code=row.code or "",
        reason=row.reason or "",
        provider_id=row.provider_id or "",
        changed_at=maybe_from_ms(row.at),
    )
