"""The counted links of issues: where each leads, and how often it was followed."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select, update

from newsletter.model.times import maybe_from_ms
from newsletter.model.tracking import Counted, Link, LinkLine, Readings
from newsletter.store.sql import insert
from newsletter.store.tables import issues, links


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

    def readings(self, issue_id: int) -> Readings | None:
        """What was counted of an issue, links in its order; None where nothing is counted of it."""
        rows = self._conn.execute(
            select(links).where(links.c.issue_id == issue_id).order_by(links.c.position)
        ).all()
        lines = [LinkLine(url=row.url, people=row.people, machines=row.machines) for row in rows]
        return Readings(opens=lines[0], links=tuple(lines[1:])) if lines else None
