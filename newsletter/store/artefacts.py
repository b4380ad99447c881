"""What was compiled of each issue, and what was found of it."""

from __future__ import annotations

import json
import zlib
from datetime import datetime

from sqlalchemy import Connection, select, update

from newsletter.errors import NotFound
from newsletter.model.artefact import Artefact
from newsletter.model.checklist import CheckLine, Checklist, Level
from newsletter.model.issue import IssueState
from newsletter.model.links import mailed
from newsletter.model.times import to_ms
from newsletter.store.issues import Issues
from newsletter.store.links import IssueLinks
from newsletter.store.sql import insert
from newsletter.store.tables import artefacts, issue_posts, issues


class Artefacts:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def save(
        self,
        issue_id: int,
        artefact: Artefact,
        checklist: Checklist,
        revisions: dict[int, int],
        now: datetime,
        *,
        edition: int,
        fingerprint: str = "",
    ) -> bool:
        """Stores what was compiled of a draft's ``edition`` from these revisions (post id -> revision).

        ``fingerprint`` names what else went into it. False, and nothing stored, where the issue is no draft
        any more or has another edition by now: what was approved is never overwritten (invariant 5).
        """
        current = self._conn.execute(
            update(issues)
            .where(
                issues.c.id == issue_id,
                issues.c.state == IssueState.DRAFT.value,
                issues.c.edition == edition,
            )
            .values(content_hash=artefact.content_hash)
        )
        if current.rowcount != 1:
            return False
        body = zlib.compress(artefact.to_json().encode(), 6)
        values = {
            "edition": edition,
            "fingerprint": fingerprint,
            "size": sum(len(segment.text.encode()) for segment in mailed(artefact)),
            "content_hash": artefact.content_hash,
            "body": body,
            "checklist": _checklist_json(checklist),
            "composed_at": to_ms(now),
        }
        self._conn.execute(
            insert(self._conn, artefacts)
            .values(issue_id=issue_id, **values)
            .on_conflict_do_update(index_elements=["issue_id"], set_=values)
        )
        IssueLinks(self._conn).keep(issue_id, artefact.links)
        for post_id, revision in revisions.items():
            self._conn.execute(
                update(issue_posts)
                .where(issue_posts.c.issue_id == issue_id, issue_posts.c.post_id == post_id)
                .values(revision=revision)
            )
        return True

    def size(self, issue_id: int) -> int:
        """Of the HTML part, in bytes; 0 where nothing was composed yet."""
        return self._conn.scalar(select(artefacts.c.size).where(artefacts.c.issue_id == issue_id)) or 0

    def get(self, issue_id: int) -> Artefact:
        """Raises NotFound where nothing was composed yet."""
        body = self._conn.scalar(select(artefacts.c.body).where(artefacts.c.issue_id == issue_id))
        if not body:
            Issues(self._conn).get(issue_id)  # one that does not exist is told as that
            raise NotFound(f"Issue {issue_id} is not composed yet.", hint="Run: newsletter tick")
        return Artefact.from_json(zlib.decompress(body).decode())

    def checklist(self, issue_id: int) -> Checklist:
        """An empty one where nothing was composed yet."""
        stored = self._conn.scalar(select(artefacts.c.checklist).where(artefacts.c.issue_id == issue_id))
        return Checklist(
            lines=tuple(
                CheckLine(level=Level(level), code=code, text=text, mend=mend)
                for level, code, text, mend in json.loads(stored or "[]")
            )
        )

    def save_problem(self, issue_id: int, checklist: Checklist, now: datetime) -> None:
        """Stores why a draft could not be composed; what was composed before stays beside it."""
        values = {"checklist": _checklist_json(checklist)}
        self._conn.execute(
            insert(self._conn, artefacts)
            .values(issue_id=issue_id, content_hash="", body=b"", composed_at=to_ms(now), **values)
            .on_conflict_do_update(index_elements=["issue_id"], set_=values)
        )

    def save_checklist(self, issue_id: int, checklist: Checklist, *, content_hash: str) -> None:
        """Stores what was found of this artefact; of another one it says nothing and is dropped."""
        self._conn.execute(
            update(artefacts)
            .where(artefacts.c.issue_id == issue_id, artefacts.c.content_hash == content_hash)
            .values(checklist=_checklist_json(checklist))
        )


def _checklist_json(checklist: Checklist) -> str:
    return json.dumps(
        [[line.level.value, line.code, line.text, line.mend] for line in checklist.lines],
        ensure_ascii=False,
    )
