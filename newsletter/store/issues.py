"""Issues: how they are made, found, edited, and moved from state to state."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, or_, select, update

from newsletter.errors import Conflict, NotFound
from newsletter.model.issue import MAX_BLOCKS, Issue, IssuePost, IssueState, move_issue
from newsletter.model.times import from_ms, maybe_from_ms, to_ms
from newsletter.store.sql import chunks, straight
from newsletter.store.tables import artefacts, issue_posts, issues, posts
from subscribers.model import Cadence

_NONE: Mapping[str, str | None] = {}
UNSENT = [IssueState.DRAFT.value, IssueState.APPROVED.value]


_STATE: Final = "SELECT state FROM issues WHERE id = :issue"


class Issues:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def create(
        self,
        *,
        cadence: Cadence,
        period: str = "",
        subject: str,
        preheader: str = "",
        posts: Sequence[tuple[int, int]],
        now: datetime,
    ) -> Issue:
        """A draft of these ``(post id, revision)`` pairs, in this order, at most 62.

        Raises Conflict where the period already has its issue or a post already has one in this cadence.
        """
        if not 0 < len(posts) <= MAX_BLOCKS:
            raise Conflict(f"An issue carries between 1 and {MAX_BLOCKS} posts, not {len(posts)}.")
        if period and self._conn.scalar(
            select(issues.c.id).where(issues.c.cadence == cadence.value, issues.c.period == period)
        ):
            raise Conflict(f"There is already a {cadence.value} issue for {period}.")
        row = self._conn.execute(
            issues.insert()
            .values(
                state=IssueState.DRAFT.value,
                cadence=cadence.value,
                period=period,
                subject=subject,
                preheader=preheader,
                created_at=to_ms(now),
                changed_at=to_ms(now),
            )
            .returning(issues.c.id)
        ).one()
        self._place(row.id, cadence, posts, first_block=0)
        return self.get(row.id)

    def _place(
        self, issue_id: int, cadence: Cadence, posts: Sequence[tuple[int, int]], *, first_block: int
    ) -> None:
        taken = set(
            self._conn.scalars(
                select(issue_posts.c.post_id).where(
                    issue_posts.c.cadence == cadence.value,
                    issue_posts.c.post_id.in_([post_id for post_id, _ in posts]),
                )
            )
        )
        if taken:
            raise Conflict(f"Post {min(taken)} is already in an issue of this rhythm.")
        if posts:
            self._conn.execute(
                issue_posts.insert(),
                [
                    {
                        "issue_id": issue_id,
                        "post_id": post_id,
                        "cadence": cadence.value,
                        "block": first_block + offset,
                        "revision": revision,
                    }
                    for offset, (post_id, revision) in enumerate(posts)
                ],
            )

    def locked(self, issue_id: int) -> Issue:
        """The issue, which nobody else changes until this transaction ends. Raises NotFound."""
        self._conn.execute(select(issues.c.id).where(issues.c.id == issue_id).with_for_update())
        return self.get(issue_id)

    def get(self, issue_id: int) -> Issue:
        """Raises NotFound."""
        row = self._conn.execute(select(issues).where(issues.c.id == issue_id)).one_or_none()
        if row is None:
            raise _no_issue(issue_id)
        return self._with_posts([row])[0]

    def state(self, issue_id: int) -> IssueState:
        """For whoever asks again and again. Raises NotFound."""
        row = straight(self._conn, _STATE, {"issue": issue_id}).fetchone()
        if row is None:
            raise _no_issue(issue_id)
        return IssueState(row[0])

    def list(self, *, states: Iterable[IssueState] = (), limit: int = 50, after: int = 0) -> Sequence[Issue]:
        """Newest first; ``after`` is the last id of the page before."""
        query = select(issues).order_by(issues.c.id.desc()).limit(limit)
        if wanted := [state.value for state in states]:
            query = query.where(issues.c.state.in_(wanted))
        if after:
            query = query.where(issues.c.id < after)
        return self._with_posts(self._conn.execute(query).all())

    def due(self, now: datetime) -> Sequence[Issue]:
        """Approved issues whose time has come, oldest first."""
        return self._with_posts(
            self._conn.execute(
                select(issues)
                .where(issues.c.state == IssueState.APPROVED.value, issues.c.send_at <= to_ms(now))
                .order_by(issues.c.send_at, issues.c.id)
            ).all()
        )

    def unsent_for(self, segment: str) -> Sequence[Issue]:
        """Drafts and approved issues for this segment, by id; nobody else changes them meanwhile."""
        query = select(issues).where(issues.c.segment == segment, issues.c.state.in_(UNSENT))
        return self._with_posts(self._conn.execute(query.order_by(issues.c.id).with_for_update()).all())

    def sending(self) -> Sequence[Issue]:
        return self._with_posts(
            self._conn.execute(
                select(issues)
                .where(issues.c.state == IssueState.SENDING.value)
                .order_by(issues.c.started_at, issues.c.id)
            ).all()
        )

    def last_of(self, cadence: Cadence) -> Issue | None:
        """The newest issue of this cadence, in whatever state."""
        row = self._conn.execute(
            select(issues).where(issues.c.cadence == cadence.value).order_by(issues.c.id.desc()).limit(1)
        ).one_or_none()
        return self._with_posts([row])[0] if row is not None else None

    def edit(
        self,
        issue_id: int,
        *,
        now: datetime,
        subject: str | None = None,
        preheader: str | None = None,
        note: str | None = None,
        excerpts: bool | None = None,
        alts: Mapping[str, str | None] = _NONE,
        segment: str | None = None,
        include: Iterable[int] = (),
        exclude: Iterable[int] = (),
    ) -> Issue:
        """Changes a draft. ``alts`` are descriptions of pictures by address: empty for decoration, None to
        take an own one back. Raises Conflict in any other state, NotFound for a post that is not in it."""
        issue = self.get(issue_id)
        if issue.state is not IssueState.DRAFT:
            raise Conflict(
                f"Issue {issue_id} is {issue.state} and cannot be edited.",
                hint="An approved issue goes back to draft with: newsletter issues edit"
                if issue.state is IssueState.APPROVED
                else "",
            )
        values: dict[str, Any] = {}
        if subject is not None:  # an empty one brings the default back
            values |= {"subject": subject or issue.subject, "subject_edited": bool(subject)}
        if preheader is not None:
            values |= {"preheader": preheader, "preheader_edited": bool(preheader)}
        if note is not None:
            values["note"] = note
        if excerpts is not None:
            values["excerpts"] = excerpts
        if alts:
            own = {source: alt for source, alt in {**dict(issue.alts), **alts}.items() if alt is not None}
            values["alts"] = json.dumps(sorted(own.items()), ensure_ascii=False)
        if segment is not None:
            values["segment"] = segment
        carried = {place.post_id for place in issue.posts}
        for post_ids, included in ((set(include), True), (set(exclude), False)):
            if missing := post_ids - carried:
                raise NotFound(f"Post {min(missing)} is not in issue {issue_id}.")
            if post_ids:
                self._conn.execute(
                    update(issue_posts)
                    .where(issue_posts.c.issue_id == issue_id, issue_posts.c.post_id.in_(post_ids))
                    .values(included=included, **({"withdrawn": False} if included else {}))
                )
        self.touch(issue_id, now)
        if values:
            self._set(issue_id, **values)
        return self.get(issue_id)

    def defaults(self, issue_id: int, *, subject: str, preheader: str) -> None:
        """Sets what the author did not write themselves."""
        issue = self.get(issue_id)
        self._set(
            issue_id,
            subject=issue.subject if issue.subject_edited else subject,
            preheader=issue.preheader if issue.preheader_edited else preheader,
        )

    def stale_drafts(self, *, fingerprint: str = "") -> Sequence[int]:
        """Drafts never composed, or composed before they or what ``fingerprint`` names changed; and drafts
        and approved issues whose included posts have a newer revision than was composed."""
        never = select(issues.c.id).where(
            issues.c.state == IssueState.DRAFT.value, issues.c.content_hash == ""
        )
        older = (
            select(issues.c.id)
            .join(issue_posts, issue_posts.c.issue_id == issues.c.id)
            .join(posts, posts.c.id == issue_posts.c.post_id)
            .where(
                issues.c.state.in_([IssueState.DRAFT.value, IssueState.APPROVED.value]),
                issue_posts.c.included,
                posts.c.revision > issue_posts.c.revision,
            )
        )
        before = (
            select(issues.c.id)
            .join(artefacts, artefacts.c.issue_id == issues.c.id)
            .where(
                issues.c.state == IssueState.DRAFT.value,
                or_(artefacts.c.edition != issues.c.edition, artefacts.c.fingerprint != fingerprint),
            )
        )
        return sorted({*self._conn.scalars(never), *self._conn.scalars(older), *self._conn.scalars(before)})

    def approve(self, issue_id: int, *, send_at: datetime, now: datetime, segment_filter: str = "") -> Issue:
        """Freezes the content and, where it is for a segment, whom that holds (a filter as JSON)."""
        issue = self._move(issue_id, IssueState.APPROVED)
        self._set(
            issue_id,
            segment_filter=segment_filter,
            approved_hash=issue.content_hash,
            approved_at=to_ms(now),
            send_at=to_ms(send_at),
            changed_at=to_ms(now),
            problem="",
        )
        return self.get(issue_id)

    def plan(self, issue_id: int, send_at: datetime | None) -> None:
        """When a draft approves itself; None: it waits for the author. Changes nothing but a draft."""
        self._conn.execute(
            update(issues)
            .where(issues.c.id == issue_id, issues.c.state == IssueState.DRAFT.value)
            .values(send_at=None if send_at is None else to_ms(send_at))
        )

    def due_by_itself(self, now: datetime) -> Sequence[Issue]:
        """Drafts whose planned time has come."""
        return self._with_posts(
            self._conn.execute(
                select(issues).where(issues.c.state == IssueState.DRAFT.value, issues.c.send_at <= to_ms(now))
            ).all()
        )

    def back_to_draft(self, issue_id: int, *, reason: str, now: datetime) -> Issue:
        self._move(issue_id, IssueState.DRAFT)
        self._set(
            issue_id,
            approved_hash="",
            approved_at=None,
            segment_filter="",
            send_at=None,
            changed_at=to_ms(now),
            problem=reason,
        )
        return self.get(issue_id)

    def start(self, issue_id: int, bound: int, now: datetime) -> Issue:
        """Sending begins: the audience is whoever is there now, up to subscriber ``bound``."""
        issue = self._move(issue_id, IssueState.SENDING)
        first = issue.started_at is None
        self._set(
            issue_id,
            changed_at=to_ms(now),
            problem="",
            **({"audience_bound": bound, "started_at": to_ms(now)} if first else {}),
        )
        return self.get(issue_id)

    def advance_audience(self, issue_id: int, cursor: int, drawn: bool) -> None:
        self._set(issue_id, audience_cursor=cursor, audience_drawn=drawn)

    def pause(self, issue_id: int, problem: str, now: datetime) -> Issue:
        self._move(issue_id, IssueState.PAUSED)
        self._set(issue_id, changed_at=to_ms(now), problem=problem)
        return self.get(issue_id)

    def resume(self, issue_id: int, now: datetime) -> Issue:
        """Sends on: a paused issue, or a finished one with something to retry."""
        self._move(issue_id, IssueState.SENDING)
        self._set(issue_id, changed_at=to_ms(now), finished_at=None, problem="")
        return self.get(issue_id)

    def finish(self, issue_id: int, now: datetime) -> Issue:
        self._move(issue_id, IssueState.FINISHED)
        self._set(issue_id, changed_at=to_ms(now), finished_at=to_ms(now), problem="")
        return self.get(issue_id)

    def cancel(self, issue_id: int, now: datetime) -> Issue:
        self._move(issue_id, IssueState.CANCELLED)
        self._set(issue_id, changed_at=to_ms(now), send_at=None)
        return self.get(issue_id)

    def touch(self, issue_id: int, now: datetime) -> None:
        """What is in it has changed: whatever is being compiled from it is out of date."""
        self._set(issue_id, changed_at=to_ms(now), edition=issues.c.edition + 1)

    def _move(self, issue_id: int, to: IssueState) -> Issue:
        # Locks the row on PostgreSQL; on SQLite the transaction already is the only writer.
        state = self._conn.scalar(select(issues.c.state).where(issues.c.id == issue_id).with_for_update())
        if state is None:
            raise NotFound(f"There is no issue {issue_id}.", hint="See: newsletter issues list")
        self._set(issue_id, state=move_issue(IssueState(state), to).value)
        return self.get(issue_id)

    def _set(self, issue_id: int, **values: Any) -> None:
        self._conn.execute(update(issues).where(issues.c.id == issue_id).values(**values))

    def _with_posts(self, rows: Sequence[Row[Any]]) -> Sequence[Issue]:
        found = [_issue(row) for row in rows]
        places: dict[int, list[IssuePost]] = {issue.id: [] for issue in found}
        for part in chunks(list(places)):
            for row in self._conn.execute(
                select(issue_posts).where(issue_posts.c.issue_id.in_(part)).order_by(issue_posts.c.block)
            ):
                places[row.issue_id].append(
                    IssuePost(
                        post_id=row.post_id,
                        block=row.block,
                        included=row.included,
                        withdrawn=row.withdrawn,
                        revision=row.revision,
                    )
                )
        return [replace(issue, posts=tuple(places[issue.id])) for issue in found]


def _issue(row: Row[Any]) -> Issue:
    return Issue(
        id=row.id,
        state=IssueState(row.state),
        cadence=Cadence(row.cadence),
        period=row.period,
        subject=row.subject,
        subject_edited=row.subject_edited,
        preheader=row.preheader,
        preheader_edited=row.preheader_edited,
        note=row.note,
        excerpts=row.excerpts,
        alts=tuple((source, alt) for source, alt in json.loads(row.alts or "[]")),
        segment=row.segment,
        segment_filter=row.segment_filter,
        edition=row.edition,
        content_hash=row.content_hash,
        approved_hash=row.approved_hash,
        created_at=from_ms(row.created_at),
        changed_at=from_ms(row.changed_at),
        send_at=maybe_from_ms(row.send_at),
        approved_at=maybe_from_ms(row.approved_at),
        started_at=maybe_from_ms(row.started_at),
        finished_at=maybe_from_ms(row.finished_at),
        audience_bound=row.audience_bound,
        audience_cursor=row.audience_cursor,
        audience_drawn=row.audience_drawn,
        problem=row.problem,
    )


def _no_issue(issue_id: int) -> NotFound:
    return NotFound(f"There is no issue {issue_id}.", hint="See: newsletter issues list")
