"""How much of a sending rate was used, durably: a restart forgets nothing.

The time of a rate is cut into sixty slices, and a slice counts until all of it is older than the rate's
time. So no interval of that length, wherever it begins, ever sees more messages than the rate allows. A plan
that warms a sender up counts by days, and its days are kept for good; one on which nothing was sent is none.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, delete, func, select, text, update

from newsletter.model.rate import Rate
from newsletter.model.times import to_ms
from newsletter.store.sql import insert
from newsletter.store.tables import rates

_SLICES: Final = 60
_DAY_MS: Final = 86_400_000
_KEPT_MS: Final = 2 * _DAY_MS  # longer than the longest rate counts
_LOCK_KEY: Final = 0x7261_7465  # "rate": PostgreSQL advisory locks are numbers


class Rates:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def take(self, rate: Rate, wanted: int, now: datetime, *, reserved: int = 0) -> int:
        """How many of ``wanted`` messages may leave now; they count as sent. 0: see :meth:`wait_s`.

        ``reserved`` are left for others (notices, which always go ahead of issues).
        """
        limits = rate.limits
        if not limits:
            return wanted
        if self._conn.dialect.name != "sqlite":
            self._conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        moment = to_ms(now)
        old = rates.c.started_at < moment - _KEPT_MS
        self._conn.execute(delete(rates).where(old, ~rates.c.name.startswith("warm:")))
        left = [self._left(limit, moment) for limit in limits]
        granted = max(0, min([wanted, *(one - reserved for one in left if one is not None)]))
        if granted:
            for limit in limits:
                self._count(limit, granted, moment)
        return granted

    def give_back(self, rate: Rate, count: int) -> None:
        """Messages that did not leave after all. Taken off the oldest slices first: what is left then counts
        at least as long as what really left."""
        if count <= 0:
            return
        for limit in rate.limits:
            self._give_back(limit, count)

    def wait_s(self, rate: Rate, now: datetime) -> float:
        """Seconds until at least one more message may leave; 0 where one may leave now."""
        moment = to_ms(now)
        return max((self._wait_s(limit, moment) for limit in rate.limits), default=0.0)

    def lasts_s(self, rate: Rate, count: int, now: datetime) -> float | None:
        """After how many seconds, at the least, so many messages may have left; None: nothing limits them."""
        moment = to_ms(now)
        return max((self._lasts_s(limit, count, moment) for limit in rate.limits), default=None)

    def _lasts_s(self, limit: Rate, count: int, moment: int) -> float:
        left = self._left(limit, moment)
        if left is None or count <= left:
            return 0.0
        beyond = count - max(0, left)
        if not limit.plan:
            first = self._wait_s(limit, moment) or float(limit.seconds)
            return first + (beyond - 1) // limit.count * limit.seconds
        seconds = (_DAY_MS - moment % _DAY_MS) / 1000
        for day in limit.plan[self._day(limit, moment)[0] + 1 :]:
            if beyond <= day:
                break
            beyond -= day
            seconds += _DAY_MS / 1000
        return seconds

    def _left(self, limit: Rate, moment: int) -> int | None:
        """How many more a limit lets leave now; None: any number."""
        if not limit.plan:
            return limit.count - self._used(limit, moment)
        day, used = self._day(limit, moment)
        return None if day >= len(limit.plan) else limit.plan[day] - used

    def _day(self, limit: Rate, moment: int) -> tuple[int, int]:
        """Which day of its plan today is, from 0 on, and how many left today."""
        today = moment - moment % _DAY_MS
        sent = select(rates.c.started_at, rates.c.used).where(_counted(limit), rates.c.used > 0)
        days: dict[int, int] = {row.started_at: row.used for row in self._conn.execute(sent)}
        return sum(day < today for day in days), days.get(today, 0)

    def _count(self, limit: Rate, granted: int, moment: int) -> None:
        started = moment - moment % _length_ms(limit)
        statement = insert(self._conn, rates).values(
            name=f"{_prefix(limit)}{started}", started_at=started, used=granted
        )
        self._conn.execute(
            statement.on_conflict_do_update(
                index_elements=[rates.c.name], set_={"used": rates.c.used + granted}
            )
        )

    def _give_back(self, limit: Rate, count: int) -> None:
        ours = _counted(limit)
        newest = select(func.max(rates.c.started_at)).where(ours).scalar_subquery()
        since = newest if limit.plan else newest - limit.seconds * 1000 + 1
        slices = self._conn.execute(
            select(rates.c.name, rates.c.used)
            .where(ours, rates.c.used > 0, rates.c.started_at >= since)
            .order_by(rates.c.started_at)
        ).all()
        for row in slices:
            back = min(count, row.used)
            self._conn.execute(update(rates).where(rates.c.name == row.name).values(used=rates.c.used - back))
            count -= back
            if not count:
                return

    def _wait_s(self, limit: Rate, moment: int) -> float:
        left = self._left(limit, moment)
        if left is None or left > 0:
            return 0.0
        if limit.plan:
            return (_DAY_MS - moment % _DAY_MS) / 1000
        length = _length_ms(limit)
        left = limit.count
        for row in self._conn.execute(
            select(rates.c.started_at, rates.c.used)
            .where(_counted(limit))
            .order_by(rates.c.started_at.desc())
        ):
            left -= row.used
            if left <= 0:
                return max(0.0, float(row.started_at + length + limit.seconds * 1000 - moment) / 1000)
        return 0.0

    def _used(self, limit: Rate, moment: int) -> int:
        oldest = moment - limit.seconds * 1000 - _length_ms(limit)
        return int(
            self._conn.scalar(
                select(func.coalesce(func.sum(rates.c.used), 0)).where(
                    _counted(limit), rates.c.started_at > oldest
                )
            )
            or 0
        )


def _length_ms(limit: Rate) -> int:
    return _DAY_MS if limit.plan else max(1, limit.seconds * 1000 // _SLICES)


def _prefix(limit: Rate) -> str:
    return f"{limit.scope}:{limit.seconds}:"


def _counted(limit: Rate) -> ColumnElement[bool]:
    return rates.c.name.startswith(_prefix(limit), autoescape=True)
