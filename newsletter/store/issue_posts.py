"""Which posts stand in which issues, and what that means for whoever gets them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, case, delete, exists, select, update

from newsletter.model.issue import Issue, IssueState
from newsletter.model.post import PostState
from newsletter.model.times import from_ms
from newsletter.store.issues import UNSENT, Issues
from newsletter.store.rhythms import Rhythms
from newsletter.store.sql import chunks
from newsletter.store.tables import issue_posts, issues, posts
from subscribers.model import Cadence

_ALWAYS = from_ms(0)
_APPROVED = (IssueState.APPROVED, IssueState.SENDING, IssueState.PAUSED, IssueState.FINISHED)


class IssuePosts:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def carriers(self, post_ids: Sequence[int]) -> dict[int, list[tuple[int, IssueState]]]:
        """The issues that carry each of these posts, oldest first; cancelled ones are none."""
        found: dict[int, list[tuple[int, IssueState]]] = {}
        for part in chunks(post_ids):
            rows = self._conn.execute(
                select(issue_posts.c.post_id, issues.c.id, issues.c.state)
                .join(issues, issues.c.id == issue_posts.c.issue_id)
                .where(
                    issue_posts.c.post_id.in_(part),
                    issue_posts.c.included,
                    issues.c.state != IssueState.CANCELLED.value,
                )
                .order_by(issues.c.id)
            )
            for row in rows:
                found.setdefault(row.post_id, []).append((row.id, IssueState(row.state)))
        return found

    def topics(self, issue_id: int) -> dict[int, frozenset[str]]:
        """The topics of each included block's post."""
        rows = self._conn.execute(
            select(issue_posts.c.block, posts.c.topics)
            .join(posts, posts.c.id == issue_posts.c.post_id)
            .where(issue_posts.c.issue_id == issue_id, issue_posts.c.included)
        )
        return {row.block: frozenset(json.loads(row.topics or "[]")) for row in rows}

    def out_of_reach(self, issue_id: int) -> dict[Cadence, dict[int, datetime]]:
        """For each other cadence, the blocks whose posts it brings nobody who wants it only from a certain
        moment on: its own issue with them was begun then, or they were there before it was taken up."""
        mine = issue_posts.alias()
        placed = self._conn.execute(
            select(mine.c.block, issue_posts.c.cadence, issues.c.started_at)
            .select_from(
                mine.join(issue_posts, issue_posts.c.post_id == mine.c.post_id).join(
                    issues, issues.c.id == issue_posts.c.issue_id
                )
            )
            .where(
                mine.c.issue_id == issue_id,
                mine.c.included.is_(True),
                issue_posts.c.issue_id != issue_id,
                issues.c.started_at.is_not(None),
            )
        ).all()
        found: dict[Cadence, dict[int, datetime]] = {cadence: {} for cadence in Cadence}
        ready = self._conn.execute(
            select(issue_posts.c.block, posts.c.ready_at)
            .join(posts, posts.c.id == issue_posts.c.post_id)
            .where(issue_posts.c.issue_id == issue_id, issue_posts.c.included.is_(True))
        ).all()
        rhythms = Rhythms(self._conn)
        for cadence, blocks in found.items():
            known = rhythms.get(cadence)
            blocks |= {
                row.block: _ALWAYS
                for row in ready
                if known is None or row.ready_at is None or from_ms(row.ready_at) < known[0]
            }
        for row in placed:
            blocks = found[Cadence(row.cadence)]
            blocks[row.block] = min(blocks.get(row.block, from_ms(row.started_at)), from_ms(row.started_at))
        return found

    def approved_before(self, issue_id: int) -> bool:
        """Whether everything in it, as it is composed, stands in other issues that were approved for all.

        What was approved for a segment was not approved for those outside of it.
        """
        other, issue = issue_posts.alias(), issues.alias()
        approved = exists().where(
            other.c.post_id == issue_posts.c.post_id,
            other.c.issue_id != issue_id,
            other.c.included.is_(True),
            other.c.revision == issue_posts.c.revision,
            issue.c.id == other.c.issue_id,
            issue.c.state.in_([state.value for state in _APPROVED]),
            issue.c.segment == "",
        )
        mine = select(case((approved, 1), else_=0)).where(
            issue_posts.c.issue_id == issue_id, issue_posts.c.included.is_(True)
        )
        found = self._conn.scalars(mine).all()
        return bool(found) and all(found)

    def withdraw(self, post_id: int, *, reason: str, now: datetime) -> Sequence[Issue]:
        """Leaves a post out of the unsent issues that carry it; returns those that were approved.

        They are drafts again, for the reason given (one sentence). Issues under way stay as they are.
        """
        carriers = self._conn.execute(
            select(issues.c.id, issues.c.state)
            .join(issue_posts, issue_posts.c.issue_id == issues.c.id)
            .where(issue_posts.c.post_id == post_id, issue_posts.c.included, issues.c.state.in_(UNSENT))
            .with_for_update()
        ).all()
        drafts = Issues(self._conn)
        for row in carriers:
            self._conn.execute(
                update(issue_posts)
                .where(issue_posts.c.post_id == post_id, issue_posts.c.issue_id == row.id)
                .values(included=False, withdrawn=True)
            )
            if row.state == IssueState.APPROVED.value:
                drafts.back_to_draft(row.id, reason=reason, now=now)
            drafts.touch(row.id, now)
        return [drafts.get(row.id) for row in carriers if row.state == IssueState.APPROVED.value]

    def withdrawn_ready(self) -> Sequence[tuple[int, int]]:
        """``(issue id, post id)`` of posts that were withdrawn and are ready to be mailed again."""
        rows = self._conn.execute(
            select(issue_posts.c.issue_id, issue_posts.c.post_id)
            .join(posts, posts.c.id == issue_posts.c.post_id)
            .join(issues, issues.c.id == issue_posts.c.issue_id)
            .where(
                issue_posts.c.withdrawn,
                posts.c.state == PostState.READY.value,
                issues.c.state != IssueState.CANCELLED.value,
            )
        )
        return [(row.issue_id, row.post_id) for row in rows]

    def take_back(self, issue_id: int, post_id: int, now: datetime) -> None:
        """Puts a withdrawn post back into its draft; where that is no draft any more, sets the post free."""
        of_post = (issue_posts.c.issue_id == issue_id, issue_posts.c.post_id == post_id)
        place = (*of_post, issue_posts.c.withdrawn)
        if Issues(self._conn).get(issue_id).state is IssueState.DRAFT:
            self._conn.execute(update(issue_posts).where(*place).values(included=True, withdrawn=False))
            Issues(self._conn).touch(issue_id, now)
        else:
            self._conn.execute(delete(issue_posts).where(*place))
