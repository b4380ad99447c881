"""The counted links of issues: where each leads, and how often it was followed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, func, select, update

from newsletter.model.delivery import DeliveryState
from newsletter.model.times import from_ms, maybe_from_ms, to_ms
from newsletter.model.tracking import Counted, Link, LinkLine, Readers, Reading, Readings
from newsletter.store.sql import insert
from newsletter.store.tables import attempts, deliveries, issues, links, readings
from subscribers.model import SubscriberState
from subscribers.tables import subscribers


class IssueLinks:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def keep(self, issue_id: int, counted: Sequence[Link]) -> None:
        """Those of a draft as it is composed now; what it no longer has leads nowhere any more."""
        gone = links.c.token.not_in([link.token for link in counted])
        self._conn.execute(delete(links).where(links.c.issue_id == issue_id, gone))
        for position, link in enumerate(counted):
            row = {"token": link.token, "issue_id": issue_id, "position": position, "url": link.url}
            self._conn.execute(
                insert(self._conn, links)
                .values(row)
                .on_conflict_do_update(index_elements=["token"], set_={"position": position})
            )

    def find(self, token: str) -> Counted | None:
        row = self._conn.execute(
            select(links, issues.c.started_at)
            .join(issues, issues.c.id == links.c.issue_id)
            .where(links.c.token == token)
        ).one_or_none()
        if row is None:
            return None
        return Counted(
            link=Link(row.token, row.url), issue_id=row.issue_id, started_at=maybe_from_ms(row.started_at)
        )

    def count(self, token: str, *, people: int, machines: int) -> None:
        """Adds to what was counted; may take back what a moment ago was taken for a person."""
        self._conn.execute(
            update(links)
            .where(links.c.token == token)
            .values(people=links.c.people + people, machines=links.c.machines + machines)
        )

    def read(self, subscriber_id: int, token: str, *, times: int, at: datetime) -> None:
        """What one person did more, or a moment ago seemed to have done; never for one who did not agree."""
        ms = to_ms(at)
        row = insert(self._conn, readings).values(
            subscriber_id=subscriber_id,
            token=token,
            issue_id=select(links.c.issue_id).where(links.c.token == token).scalar_subquery(),
            first_at=ms,
            last_at=ms,
            times=times,
            fresh=True,
        )
        self._conn.execute(
            row.on_conflict_do_update(
                index_elements=["subscriber_id", "token"],
                set_={
                    "times": readings.c.times + row.excluded.times,
                    "last_at": row.excluded.last_at,
                    "fresh": True,
                },
            )
        )
        if times < 1:
            one = (readings.c.subscriber_id == subscriber_id, readings.c.token == token)
            self._conn.execute(delete(readings).where(*one, readings.c.times < 1))

    def handed_at(self, issue_id: int, subscriber_id: int) -> datetime | None:
        """When their message may have been handed over at the earliest; None where it never was."""
        both = deliveries.join(attempts, attempts.c.id == deliveries.c.attempt_id)
        at = self._conn.scalar(
            select(attempts.c.opened_at)
            .select_from(both)
            .where(deliveries.c.issue_id == issue_id, deliveries.c.subscriber_id == subscriber_id)
        )
        return maybe_from_ms(at)

    def fresh(self, before: datetime, limit: int) -> Sequence[Reading]:
        """What the list has not heard of yet and nothing takes back any more, oldest first."""
        found = self._read(readings.c.fresh, readings.c.last_at <= to_ms(before))
        return [_reading(row) for row in self._conn.execute(found.order_by(readings.c.last_at).limit(limit))]

    def heard(self, known: Sequence[Reading]) -> None:
        """The list has heard of these; what they did since stays fresh."""
        for one in known:
            self._conn.execute(
                update(readings)
                .where(
                    readings.c.subscriber_id == one.subscriber_id,
                    readings.c.issue_id == one.issue_id,
                    readings.c.last_at <= to_ms(one.last_at),
                )
                .values(fresh=False)
            )

    def of_subscriber(self, subscriber_id: int) -> Sequence[Reading]:
        """All that is kept of one person, oldest issue first."""
        query = self._read(readings.c.subscriber_id == subscriber_id)
        found = self._conn.execute(query.order_by(readings.c.issue_id, links.c.position))
        return [_reading(row) for row in found]

    def forget(self, subscriber_id: int) -> None:
        """All that is kept of one person. The counts, which are of nobody, stay."""
        self._conn.execute(delete(readings).where(readings.c.subscriber_id == subscriber_id))

    def forget_others(self) -> None:
        """Whatever is kept of whoever does not agree any more, or left."""
        agree = select(subscribers.c.id).where(
            subscribers.c.tracked_at.is_not(None), subscribers.c.state == SubscriberState.ACTIVE.value
        )
        self._conn.execute(delete(readings).where(readings.c.subscriber_id.not_in(agree)))

    def _read(self, *which: ColumnElement[bool]) -> Select[Any]:
        both = readings.join(links, links.c.token == readings.c.token)
        return select(readings, links.c.url).select_from(both).where(*which)

    def _readers(self, issue_id: int, picture: str) -> Readers | None:
        """None where nobody's visits were told apart."""
        people = func.count(readings.c.subscriber_id.distinct())
        of_issue = select(people).where(readings.c.issue_id == issue_id)
        agreed = self._conn.scalar(
            select(func.count())
            .select_from(subscribers.join(deliveries, deliveries.c.subscriber_id == subscribers.c.id))
            .where(
                subscribers.c.tracked_at.is_not(None),
                deliveries.c.issue_id == issue_id,
                deliveries.c.state == DeliveryState.ACCEPTED.value,
            )
        )
        if not agreed:
            return None
        return Readers(
            agreed=agreed,
            opened=self._conn.scalar(of_issue.where(readings.c.token == picture)) or 0,
            clicked=self._conn.scalar(of_issue.where(readings.c.token != picture)) or 0,
        )

    def readings(self, issue_id: int) -> Readings | None:
        """What was counted of an issue, links in its order; None where nothing is counted of it."""
        rows = self._conn.execute(
            select(links).where(links.c.issue_id == issue_id).order_by(links.c.position)
        ).all()
        if not rows:
            return None
        lines = [LinkLine(url=row.url, people=row.people, machines=row.machines) for row in rows]
        return Readings(
            opens=lines[0], links=tuple(lines[1:]), readers=self._readers(issue_id, rows[0].token)
        )


def _reading(row: Row[Any]) -> Reading:
    return Reading(
        subscriber_id=row.subscriber_id,
        issue_id=row.issue_id,
        url=row.url,
        first_at=from_ms(row.first_at),
        last_at=from_ms(row.last_at),
        times=row.times,
    )
