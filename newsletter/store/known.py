"""How an entry is recognised as a post that we have: by its names and by its bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, Row, and_, exists, func, or_, select

from newsletter.model.changes import Known, Names
from newsletter.model.issue import IssueState
from newsletter.model.post import Alias, AliasKind, Post, PostState
from newsletter.model.times import maybe_from_ms
from newsletter.store.sql import MANY, insert_new
from newsletter.store.tables import aliases, issue_posts, issues, posts

_FIELDS = {field.name for field in fields(Post)}
_TIMES = {name for name in _FIELDS if name.endswith(("_at", "_until"))}
_UNSENT = [state.value for state in (IssueState.DRAFT, IssueState.APPROVED)]
_UNDER_WAY = [state.value for state in (IssueState.SENDING, IssueState.PAUSED, IssueState.FINISHED)]
_PENDING = [state.value for state in (PostState.SETTLING, PostState.READY, PostState.HELD)]
_ONE_AT_A_TIME = 0x706F_7374  # "post": PostgreSQL advisory locks are numbers
_RECENT = 50  #: posts of a feed's last window that are compared by their text


def load_known(conn: Connection, feed_id: int, names: Names) -> Known:
    """Everything that a document with these names has to be compared with.

    Documents are compared one at a time: the same post may arrive in two feeds at once.
    """
    if conn.dialect.name == "postgresql":
        conn.execute(select(func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))
    by_alias = _by_alias(conn, names.aliases)
    by_raw = _by_raw(conn, feed_id, names.raws)
    recent = _recent(conn, feed_id)
    whole = set(by_alias.values()) | set(recent)
    found = {post.id: post for post in load_posts(conn, set(by_raw.values()) - whole, whole=False)}
    found |= {post.id: post for post in load_posts(conn, whole, whole=True)}
    gone = (post.id for post in found.values() if post.state is PostState.GONE)
    return Known(
        aliases=by_alias,
        raws=by_raw,
        posts=found,
        recent=tuple(recent),
        mailed=_mailed(conn, {*recent, *gone}),
        count=conn.scalar(select(func.count()).select_from(posts).where(posts.c.feed_id == feed_id)) or 0,
    )


def give_names(conn: Connection, named: Sequence[tuple[Alias, int]]) -> None:
    """Names belong to the post that had them first, for ever."""
    insert_new(
        conn,
        aliases,
        [
            {"kind": alias.kind.value, "feed_id": alias.feed_id, "value": alias.value, "post_id": post_id}
            for alias, post_id in named
        ],
    )


def _by_alias(conn: Connection, wanted: Iterable[Alias]) -> dict[Alias, int]:
    found: dict[Alias, int] = {}
    groups: dict[tuple[AliasKind, int], list[str]] = {}
    for alias in wanted:
        groups.setdefault((alias.kind, alias.feed_id), []).append(alias.value)
    for (kind, feed_id), values in groups.items():
        for part in chunked(values):
            rows = conn.execute(
                select(aliases.c.value, aliases.c.post_id).where(
                    aliases.c.kind == kind.value, aliases.c.feed_id == feed_id, aliases.c.value.in_(part)
                )
            )
            for row in rows:
                found[Alias(kind=kind, feed_id=feed_id, value=row.value)] = row.post_id
    return found


def _by_raw(conn: Connection, feed_id: int, wanted: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in chunked(wanted):
        rows = conn.execute(
            select(posts.c.raw_sha, posts.c.id).where(posts.c.feed_id == feed_id, posts.c.raw_sha.in_(part))
        )
        found |= {row.raw_sha: row.id for row in rows}
    return found


def _recent(conn: Connection, feed_id: int) -> Sequence[int]:
    """The posts of a feed that may still be mailed to somebody, and those of its last window."""
    last = select(func.max(posts.c.last_seen_at)).where(posts.c.feed_id == feed_id).scalar_subquery()
    query = select(posts.c.id).where(
        posts.c.feed_id == feed_id, or_(posts.c.last_seen_at == last, unmailed(), _waiting())
    )
    return conn.scalars(query.order_by(posts.c.id.desc()).limit(_RECENT)).all()


def _waiting() -> Any:
    """The condition that a post is in an issue that is not being sent yet, mailed before or not."""
    return exists().where(
        issue_posts.c.post_id == posts.c.id,
        issue_posts.c.issue_id == issues.c.id,
        issue_posts.c.included,
        issues.c.state.in_(_UNSENT),
    )


def unmailed() -> Any:
    """The condition that a post may still be mailed or withdrawn."""
    mailed = exists().where(
        issue_posts.c.post_id == posts.c.id,
        issue_posts.c.issue_id == issues.c.id,
        ~issue_posts.c.withdrawn,
        issues.c.state.in_(_UNDER_WAY),
    )
    return and_(posts.c.state.in_(_PENDING), ~mailed)


def _mailed(conn: Connection, ids: Iterable[int]) -> frozenset[int]:
    found: set[int] = set()
    for part in chunked(ids):
        found |= set(
            conn.scalars(
                select(issue_posts.c.post_id)
                .join(issues, issues.c.id == issue_posts.c.issue_id)
                .where(
                    issue_posts.c.post_id.in_(part),
                    ~issue_posts.c.withdrawn,
                    issues.c.state.in_(_UNDER_WAY),
                )
            )
        )
    return frozenset(found)


def load_posts(conn: Connection, ids: Iterable[int], *, whole: bool) -> Iterator[Post]:
    """Those that exist, in no order; without markup unless ``whole``."""
    columns = [column for column in posts.c if whole or column.name not in {"html", "summary"}]
    for part in chunked(ids):
        for row in conn.execute(select(*columns).where(posts.c.id.in_(part))):
            yield post_of(row)


def post_of(row: Row[Any]) -> Post:
    values = {name: value for name, value in row._mapping.items() if name in _FIELDS}
    for name in _TIMES:
        values[name] = maybe_from_ms(values[name])
    values["topics"] = tuple(json.loads(values["topics"] or "[]"))
    values["state"] = PostState(values["state"])
    return Post(**values)


def chunked(values: Iterable[Any]) -> Iterator[Sequence[Any]]:
    found = list(values)
    return (found[start : start + MANY] for start in range(0, len(found), MANY))
