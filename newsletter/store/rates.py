"""How much of a sending rate was used, durably: a restart forgets nothing.

The time of a rate is cut into sixty slices, and a slice counts until all of it is older than the rate's
time. So no interval of that length, wherever it begins, ever sees more messages than the rate allows.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, func, select, text, update

from newsletter.model.rate import Rate
from newsletter.model.times import to_ms
from newsletter.store.sql import insert
from newsletter.store.tables import rates

_SLICES: Final = 60
_KEPT_MS: Final = 2 * 86_400_000  # longer than the longest rate counts
_LOCK_KEY: Final = 0x7261_7465  # "rate": PostgreSQL advisory locks are numbers


class Rates:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def take(self, rate: Rate, wanted: int, now: datetime, *, reserved: int = 0) -> int:
        """How many of ``wanted`` messages may leave now; they count as sent. 0: see :meth:`wait_s`.

        ``reserved`` are left for others (notices, which always go ahead of issues).
        """
        if rate.unlimited:
            return wanted
        if self._conn.dialect.name != "sqlite":
            self._conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        moment = to_ms(now)
        length = _slice_ms(rate)
        self._conn.execute(
            delete(rates).where(rates.c.name.startswith("mail:"), rates.c.started_at < moment - _KEPT_MS)
        )
        granted = max(0, min(wanted, rate.count - self._used(rate, moment) - reserved))
        if granted:
            started = moment - moment % length
            statement = insert(self._conn, rates).values(
                name=f"mail:{rate.seconds}:{started}", started_at=started, used=granted
            )
            self._conn.execute(
                statement.on_conflict_do_update(
                    index_elements=[rates.c.name], set_={"used": rates.c.used + granted}
                )
            )
        return granted

    def give_back(self, rate: Rate, count: int) -> None:
        """Messages that did not leave after all. Taken off the oldest slices first: what is left then counts
        at least as long as what really left."""
        if rate.unlimited or count <= 0:
            return
        ours = rates.c.name.startswith(_prefix(rate))
        newest = select(func.max(rates.c.started_at)).where(ours).scalar_subquery()
        slices = self._conn.execute(
            select(rates.c.name, rates.c.used)
            .where(ours, rates.c.used > 0, rates.c.started_at > newest - rate.seconds * 1000)
            .order_by(rates.c.started_at)
        ).all()
        for row in slices:
            back = min(count, row.used)
            self._conn.execute(update(rates).where(rates.c.name == row.name).values(used=rates.c.used - back))
            count -= back
            if not count:
                return

    def wait_s(self, rate: Rate, now: datetime) -> float:
        """Seconds until at least one more message may leave; 0 where one may leave now."""
        moment = to_ms(now)
        if rate.unlimited or self._used(rate, moment) < rate.count:
            return 0.0
        length = _slice_ms(rate)
        left = rate.count
        for row in self._conn.execute(
            select(rates.c.started_at, rates.c.used)
            .where(rates.c.name.startswith(_prefix(rate)))
            .order_by(rates.c.started_at.desc())
        ):
            left -= row.used
            if left <= 0:
                return max(0.0, float(row.started_at + length + rate.seconds * 1000 - moment) / 1000)
        return 0.0

    def _used(self, rate: Rate, moment: int) -> int:
        oldest = moment - rate.seconds * 1000 - _slice_ms(rate)
        return int(
            self._conn.scalar(
                select(func.coalesce(func.sum(rates.c.used), 0)).where(
                    rates.c.name.startswith(_prefix(rate)), rates.c.started_at > oldest
                )
            )
            or 0
        )


def _slice_ms(rate: Rate) -> int:
    return max(1, rate.seconds * 1000 // _SLICES)


def _prefix(rate: Rate) -> str:
    return f"mail:{rate.seconds}:"
