"""The ledger as it is read, and the one way in which its rows change state.

A million rows hold small numbers only; reasons, waits and provider ids are kept for the exceptions, in
``remarks``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, and_, case, delete, func, select, update

from newsletter.errors import NotFound
from newsletter.model.delivery import Delivery, DeliveryFlag, DeliveryState, Settled, states_before
from newsletter.model.receipt import Receipt
from newsletter.model.times import maybe_from_ms, maybe_ms, to_ms
from newsletter.store.sql import chunks, insert
from newsletter.store.tables import deliveries, issue_posts, posts, remarks

_S = DeliveryState
OPEN: Final = (_S.PENDING, _S.CLAIMED, _S.SUBMITTING, _S.RETRY_WAIT)
NOT_HELD: Final = -1
"""The attempt of a row that is not pending and was never held: 0 is that of pending rows alone, so that a
small index finds who may be claimed."""


@dataclass(frozen=True, kw_only=True)
class Carried:
    """A post as somebody was sent it."""

    title: str
    url: str


class Ledger:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def find(self, issue_id: int, subscriber_id: int) -> Delivery | None:
        """One row, locked on PostgreSQL until the transaction ends."""
        row = self._conn.execute(
            self._deliveries()
            .where(deliveries.c.issue_id == issue_id, deliveries.c.subscriber_id == subscriber_id)
            .with_for_update(of=deliveries)
        ).one_or_none()
        return None if row is None else delivery_of(row)

    def get(self, issue_id: int, subscriber_id: int) -> Delivery:
        """Raises NotFound."""
        row = self._conn.execute(
            self._deliveries().where(
                deliveries.c.issue_id == issue_id, deliveries.c.subscriber_id == subscriber_id
            )
        ).one_or_none()
        if row is None:
            raise NotFound(f"Issue {issue_id} was not drawn for subscriber {subscriber_id}.")
        return delivery_of(row)

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
        return [delivery_of(row) for row in self._conn.execute(query)]

    def begun(self, issue_id: int) -> tuple[int, int]:
        """``(those that were handed over or are about to be, those that are to be mailed at all)``."""
        waiting = [_S.PENDING.value, _S.RETRY_WAIT.value]
        row = self._conn.execute(
            select(func.count(case((deliveries.c.state.not_in(waiting), 1))), func.count()).where(
                deliveries.c.issue_id == issue_id, deliveries.c.state != _S.SKIPPED.value
            )
        ).one()
        return int(row[0]), int(row[1])

    def of_subscriber(self, subscriber_id: int, *, limit: int = 50) -> Sequence[Delivery]:
        """What was sent to one subscriber, newest issue first."""
        query = (
            self._deliveries()
            .where(deliveries.c.subscriber_id == subscriber_id)
            .order_by(deliveries.c.issue_id.desc())
            .limit(limit)
        )
        return [delivery_of(row) for row in self._conn.execute(query)]

    def carried(self, subscriber_id: int) -> Mapping[int, Sequence[Carried]]:
        """By issue, the posts that each of their deliveries carries, in the order of the issue."""
        rows = self._conn.execute(
            select(
                deliveries.c.issue_id, deliveries.c.blocks, issue_posts.c.block, posts.c.title, posts.c.url
            )
            .join(issue_posts, issue_posts.c.issue_id == deliveries.c.issue_id)
            .join(posts, posts.c.id == issue_posts.c.post_id)
            .where(deliveries.c.subscriber_id == subscriber_id, issue_posts.c.included)
            .order_by(deliveries.c.issue_id, issue_posts.c.block)
        )
        found: defaultdict[int, list[Carried]] = defaultdict(list)
        for row in rows:
            if row.blocks >> row.block & 1:
                found[row.issue_id].append(Carried(title=row.title, url=row.url))
        return found

    def remaining(self, issue_id: int) -> int:
        """How many of those drawn are not settled yet."""
        return (
            self._conn.scalar(
                select(func.count())
                .select_from(deliveries)
                .where(deliveries.c.issue_id == issue_id, deliveries.c.state.in_([s.value for s in OPEN]))
            )
            or 0
        )

    def next_retry_at(self, issue_id: int) -> datetime | None:
        """When the first of those that wait may be tried again."""
        return maybe_from_ms(
            self._conn.scalar(
                select(func.min(remarks.c.retry_at))
                .select_from(self.with_remarks())
                .where(deliveries.c.issue_id == issue_id, deliveries.c.state == _S.RETRY_WAIT.value)
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
                # Refused at once is no bounce of what was handed over, whatever became of it since.
                if flag is not DeliveryFlag.BOUNCED or row.state in (_S.ACCEPTED.value, _S.UNKNOWN.value):
                    flags[flag] += row.n
        return Receipt(
            issue_id=issue_id,
            audience=sum(counts.values()),
            accepted=counts[_S.ACCEPTED],
            failed=counts[_S.FAILED],
            skipped=counts[_S.SKIPPED],
            unknown=counts[_S.UNKNOWN],
            remaining=sum(counts[state] for state in OPEN),
            waiting=counts[_S.RETRY_WAIT],
            delivered=flags[DeliveryFlag.DELIVERED],
            bounced=flags[DeliveryFlag.BOUNCED],
            complained=flags[DeliveryFlag.COMPLAINED],
            unsubscribed=flags[DeliveryFlag.UNSUBSCRIBED],
        )

    def move(
        self,
        issue_id: int,
        subscriber_ids: Sequence[int],
        to: DeliveryState,
        *,
        before: Sequence[DeliveryState] = (),
    ) -> set[int]:
        """Moves these rows, where they are in a state that allows it; returns those that moved."""
        allowed = [state.value for state in states_before(to) if not before or state in before]
        values: dict[str, Any] = {"state": to.value}
        if to is _S.PENDING:
            values["attempt_id"] = 0
        elif to is _S.SKIPPED:
            values["attempt_id"] = NOT_HELD
        else:
            values["attempt_id"] = case(
                (deliveries.c.attempt_id == 0, NOT_HELD), else_=deliveries.c.attempt_id
            )
        moved: set[int] = set()
        for part in chunks(subscriber_ids):
            moved.update(
                self._conn.scalars(
                    update(deliveries)
                    .where(
                        deliveries.c.issue_id == issue_id,
                        deliveries.c.subscriber_id.in_(part),
                        deliveries.c.state.in_(allowed),
                    )
                    .values(**values)
                    .returning(deliveries.c.subscriber_id)
                )
            )
        return moved

    def remark(self, issue_id: int, settled: Sequence[Settled], now: datetime) -> None:
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

    def tries(self, issue_id: int, subscriber_ids: Sequence[int]) -> dict[int, int]:
        """How often each of these was refused so far; who is not named never was."""
        found: dict[int, int] = {}
        for part in chunks(subscriber_ids):
            query = select(remarks.c.subscriber_id, remarks.c.tries)
            query = query.where(remarks.c.issue_id == issue_id, remarks.c.subscriber_id.in_(part))
            found |= {row.subscriber_id: row.tries for row in self._conn.execute(query)}
        return found

    def forget(self, issue_id: int, subscriber_ids: Sequence[int]) -> None:
        for part in chunks(subscriber_ids):
            self._conn.execute(
                delete(remarks).where(remarks.c.issue_id == issue_id, remarks.c.subscriber_id.in_(part))
            )

    def with_remarks(self) -> Any:
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
        ).select_from(self.with_remarks())


def delivery_of(row: Any) -> Delivery:
    return Delivery(
        issue_id=row.issue_id,
        subscriber_id=row.subscriber_id,
        state=DeliveryState(row.state),
        blocks=row.blocks,
        flags=DeliveryFlag(row.flags),
        attempt_id=max(0, row.attempt_id),
        tries=row.tries or 0,
        retry_at=maybe_from_ms(row.retry_at),
        code=row.code or "",
        reason=row.reason or "",
        provider_id=row.provider_id or "",
        changed_at=maybe_from_ms(row.at),
    )
