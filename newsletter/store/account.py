"""The receipt's details: over time, by recipient domain, by reason, and by name. Only reads.

Whoever failed, was left out or may not have received it has a remark, and most have none: what names
people starts from ``remarks`` and never walks through a million accepted rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, and_, case, func, select

from newsletter.model.delivery import Delivery, DeliveryFlag, DeliveryState
from newsletter.model.receipt import DomainLine, Receipt, Stretch, Trouble
from newsletter.model.times import from_ms
from newsletter.store.ledger import OPEN, delivery_of
from newsletter.store.tables import attempts, deliveries, remarks
from subscribers.tables import subscribers

_S = DeliveryState
_TOLD: Final = (_S.UNKNOWN, _S.FAILED, _S.RETRY_WAIT, _S.SKIPPED)


class Account:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def stretches(self, issue_id: int) -> Sequence[Stretch]:
        """What each ended attempt did, oldest first."""
        rows = self._conn.execute(
            select(attempts)
            .where(attempts.c.issue_id == issue_id, attempts.c.closed_at.is_not(None))
            .order_by(attempts.c.id)
        )
        return [
            Stretch(
                began=from_ms(row.opened_at),
                ended=from_ms(row.closed_at),
                accepted=row.accepted,
                failed=row.failed,
                unknown=row.unknown,
            )
            for row in rows
        ]

    def named(
        self, issue_id: int, states: Iterable[DeliveryState], *, limit: int = 50, after: int = 0
    ) -> Sequence[tuple[Delivery, str]]:
        """Deliveries with what is to be said of them, and the address; empty for an erased subscriber.

        In order of subscriber; ``after`` is the last id of the page before.
        """
        query = (
            select(
                deliveries,
                remarks.c.tries,
                remarks.c.retry_at,
                remarks.c.code,
                remarks.c.reason,
                remarks.c.provider_id,
                remarks.c.at,
                func.coalesce(subscribers.c.address, "").label("address"),
            )
            .select_from(_remarked().outerjoin(subscribers, subscribers.c.id == remarks.c.subscriber_id))
            .where(
                remarks.c.issue_id == issue_id,
                remarks.c.subscriber_id > after,
                deliveries.c.state.in_([state.value for state in states]),
            )
            .order_by(remarks.c.subscriber_id)
            .limit(limit)
        )
        return [(delivery_of(row), row.address) for row in self._conn.execute(query)]

    def troubles(self, issue_id: int, *, limit: int = 8) -> Sequence[Trouble]:
        """Why deliveries failed, wait, were left out or may not have arrived; the most frequent first."""
        same = case((remarks.c.code == "", remarks.c.reason), else_="")
        rows = self._conn.execute(
            select(
                deliveries.c.state,
                remarks.c.code,
                func.min(remarks.c.reason).label("reason"),
                func.count().label("n"),
            )
            .select_from(_remarked())
            .where(
                remarks.c.issue_id == issue_id,
                deliveries.c.state.in_([state.value for state in _TOLD]),
            )
            .group_by(deliveries.c.state, remarks.c.code, same)
            .order_by(func.count().desc(), remarks.c.code)
            .limit(limit)
        )
        return [Trouble(state=_S(row.state), code=row.code, reason=row.reason, count=row.n) for row in rows]

    def by_domain(self, receipt: Receipt, *, limit: int = 8) -> Sequence[DomainLine]:
        """The largest domains, and a last line for all others, so that the lines add up to the receipt."""
        state = deliveries.c.state
        sums = {
            "audience": func.count(),
            "accepted": _count(state == _S.ACCEPTED.value),
            "failed": _count(state == _S.FAILED.value),
            "skipped": _count(state == _S.SKIPPED.value),
            "unknown": _count(state == _S.UNKNOWN.value),
            "remaining": _count(state.in_([one.value for one in OPEN])),
            "bounced": _count(deliveries.c.flags.op("&")(DeliveryFlag.BOUNCED.value) != 0),
        }
        rows = self._conn.execute(
            select(subscribers.c.domain, *(column.label(name) for name, column in sums.items()))
            .select_from(deliveries.join(subscribers, subscribers.c.id == deliveries.c.subscriber_id))
            .where(deliveries.c.issue_id == receipt.issue_id, subscribers.c.domain != "")
            .group_by(subscribers.c.domain)
            .order_by(func.count().desc(), subscribers.c.domain)
            .limit(limit)
        ).mappings()
        lines = [DomainLine(**row) for row in rows]
        rest = {name: getattr(receipt, name) - sum(getattr(line, name) for line in lines) for name in sums}
        return [*lines, DomainLine(domain="", **rest)] if rest["audience"] > 0 else lines


def _remarked() -> Any:
    return remarks.join(
        deliveries,
        and_(
            deliveries.c.issue_id == remarks.c.issue_id,
            deliveries.c.subscriber_id == remarks.c.subscriber_id,
        ),
    )


def _count(condition: Any) -> Any:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
