"""Posts, the names by which entries are recognised as them, and their earlier revisions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, exists, func, or_, select, update

from newsletter.errors import NotFound
from newsletter.model.changes import Known, Names, NewPost, Sighting
from newsletter.model.entry import Entry
from newsletter.model.issue import IssueState
from newsletter.model.post import Alias, AliasKind, Post, PostState, move_post
from newsletter.model.times import maybe_from_ms, maybe_ms, to_ms
from newsletter.store.sql import MANY, insert_new
from newsletter.store.tables import aliases, issue_posts, issues, posts, revisions
from subscribers.model import Cadence

_TIMES = {field.name for field in fields(Post) if field.name.endswith(("_at", "_until"))}
_UNDER_WAY = [state.value for state in (IssueState.SENDING, IssueState.PAUSED, IssueState.FINISHED)]
_PENDING = [state.value for state in (PostState.SETTLING, PostState.READY, PostState.HELD)]
_ONE_AT_A_TIME = 0x706F_7374  # "post": PostgreSQL advisory locks are numbers
_RECENT = 50  #: posts of a feed's last window that are compared by their text


class Posts:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def get(self, post_id: int) -> Post:
        """Raises NotFound."""
        row = self._conn.execute(select(posts).where(posts.c.id == post_id)).one_or_none()
        if row is None:
            raise NotFound(f"There is no post {post_id}.", hint="See: newsletter posts list")
        return _post(row)

    def get_many(self, ids: Iterable[int]) -> Sequence[Post]:
        """Those that exist, in the order of ``ids``."""
        wanted = list(dict.fromkeys(ids))
        found = {post.id: post for post in self._load(wanted, whole=True)}
        return [found[post_id] for post_id in wanted if post_id in found]

    def list(
        self,
        *,
        state: PostState | None = None,
        feed_id: int | None = None,
        limit: int = 50,
        after: int = 0,
    ) -> Sequence[Post]:
        """Newest first; ``after`` is the last id of the page before."""
        query = select(posts).order_by(posts.c.id.desc()).limit(limit)
        if state is not None:
            query = query.where(posts.c.state == state.value)
        if feed_id is not None:
            query = query.where(posts.c.feed_id == feed_id)
        if after:
            query = query.where(posts.c.id < after)
        return [_post(row) for row in self._conn.execute(query)]

    def count(self, *, state: PostState | None = None, feed_id: int | None = None) -> int:
        query = select(func.count()).select_from(posts)
        if state is not None:
            query = query.where(posts.c.state == state.value)
        if feed_id is not None:
            query = query.where(posts.c.feed_id == feed_id)
        return self._conn.scalar(query) or 0

    def move(self, post_id: int, to: PostState, reason: str, now: datetime) -> Post:
        """Raises NotFound, or Conflict for a move that does not exist. ``reason`` is one sentence."""
        state = self._conn.scalar(select(posts.c.state).where(posts.c.id == post_id).with_for_update())
        if state is None:
            raise NotFound(f"There is no post {post_id}.", hint="See: newsletter posts list")
        moved = move_post(PostState(state), to)
        self._conn.execute(
            update(posts)
            .where(posts.c.id == post_id)
            .values(state=moved.value, reason=reason, changed_at=to_ms(now))
        )
        return self.get(post_id)

    def ready_unplaced(self, cadence: Cadence) -> Sequence[Post]:
        """Ready posts that no issue of this cadence carries yet, oldest first."""
        placed = exists().where(issue_posts.c.post_id == posts.c.id, issue_posts.c.cadence == cadence.value)
        query = (
            select(posts)
            .where(posts.c.state == PostState.READY.value, ~placed)
            .order_by(func.coalesce(posts.c.published_at, posts.c.first_seen_at), posts.c.id)
        )
        return [_post(row) for row in self._conn.execute(query)]

    def topics(self, *, latest: int = 500) -> Sequence[str]:
        """What the latest posts are about, in alphabetical order."""
        rows = self._conn.scalars(
            select(posts.c.topics).where(posts.c.topics != "").order_by(posts.c.id.desc()).limit(latest)
        )
        return sorted({topic for row in rows for topic in json.loads(row)}, key=str.casefold)

    def settled(self, now: datetime) -> Sequence[Post]:
        """Settling posts whose time is over."""
        query = select(posts).where(
            posts.c.state == PostState.SETTLING.value, posts.c.settle_until <= to_ms(now)
        )
        return [_post(row) for row in self._conn.execute(query.order_by(posts.c.id))]

    def next_settled(self, feed_id: int) -> datetime | None:
        """When the feed's first settling post has settled; None where none settles."""
        return maybe_from_ms(
            self._conn.scalar(
                select(func.min(posts.c.settle_until)).where(
                    posts.c.feed_id == feed_id, posts.c.state == PostState.SETTLING.value
                )
            )
        )

    def changed_since(self, moment: datetime) -> Sequence[Post]:
        """Posts edited or moved to another state at or after ``moment``."""
        query = (
            select(posts).where(posts.c.changed_at >= to_ms(moment)).order_by(posts.c.changed_at, posts.c.id)
        )
        return [_post(row) for row in self._conn.execute(query)]

    def publication_times(self, feed_id: int, *, limit: int = 20) -> Sequence[datetime]:
        """When the feed's latest posts were published (else first seen), newest first."""
        when = func.coalesce(posts.c.published_at, posts.c.first_seen_at)
        found = self._conn.scalars(
            select(when).where(posts.c.feed_id == feed_id).order_by(when.desc()).limit(limit)
        )
        return [moment for ms in found if (moment := maybe_from_ms(ms)) is not None]

    def known_raws(self, feed_id: int) -> frozenset[str]:
        """The hashes of the bytes by which the feed's posts were last seen."""
        query = select(posts.c.raw_sha).where(posts.c.feed_id == feed_id, posts.c.raw_sha != "")
        return frozenset(self._conn.scalars(query))

    def known(self, feed_id: int, names: Names) -> Known:
        """Everything that a document with these names has to be compared with.

        Documents are compared one at a time: the same post may arrive in two feeds at once.
        """
        if self._conn.dialect.name == "postgresql":
            self._conn.execute(select(func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))
        by_alias = self._by_alias(names.aliases)
        by_raw = self._by_raw(feed_id, names.raws)
        recent = self._recent(feed_id)
        whole = set(by_alias.values()) | set(recent)
        found = {post.id: post for post in self._load(set(by_raw.values()) - whole, whole=False)}
        found |= {post.id: post for post in self._load(whole, whole=True)}
        return Known(
            aliases=by_alias,
            raws=by_raw,
            posts=found,
            recent=tuple(recent),
            mailed=self._mailed(
                {*recent, *(post.id for post in found.values() if post.state is PostState.GONE)}
            ),
            count=self.count(feed_id=feed_id),
        )

    def add(self, feed_id: int, new: Sequence[NewPost], now: datetime) -> Sequence[int]:
        """Stores new posts with their names; returns their ids in order."""
        ids = []
        for item in new:
            entry = item.entry
            post_id = self._conn.scalar(
                posts.insert()
                .values(
                    feed_id=feed_id,
                    state=item.state.value,
                    reason=item.reason,
                    published_at=maybe_ms(item.published_at),
                    first_seen_at=to_ms(now),
                    last_seen_at=to_ms(now),
                    settle_until=maybe_ms(item.settle_until),
                    content_sha=item.content_sha,
                    raw_sha=entry.raw_sha,
                    **_words(entry),
                )
                .returning(posts.c.id)
            )
            ids.append(int(post_id or 0))
        self._name(
            [(alias, post_id) for item, post_id in zip(new, ids, strict=True) for alias in item.aliases]
        )
        return ids

    def see(self, feed_id: int, seen: Sequence[Sighting], by_bytes: Iterable[str], now: datetime) -> None:
        """Records known posts in a document: new names, edits (the text before becomes a revision), moves.

        ``by_bytes`` are the raw hashes of those that were not even parsed.
        """
        for sighting in seen:
            if sighting.entry is not None:
                self._revise(sighting.post_id, sighting.entry, sighting.content_sha, now)
            if sighting.state is not None:
                self.move(sighting.post_id, sighting.state, sighting.reason, now)
                self._set(sighting.post_id, settle_until=maybe_ms(sighting.settle_until))
            own = and_(posts.c.id == sighting.post_id, posts.c.feed_id == feed_id)
            self._conn.execute(
                update(posts)
                .where(own)
                .values(last_seen_at=to_ms(now), raw_sha=sighting.raw_sha, position=sighting.position)
            )
        self._name([(alias, sighting.post_id) for sighting in seen for alias in sighting.aliases])
        for some in _some(by_bytes):
            self._conn.execute(
                update(posts)
                .where(posts.c.feed_id == feed_id, posts.c.raw_sha.in_(some))
                .values(last_seen_at=to_ms(now))
            )

    def revisions(self, post_id: int) -> Sequence[tuple[int, str, str]]:
        """Earlier versions of a post, oldest first: revision, title, markup."""
        query = (
            select(revisions.c.revision, revisions.c.title, revisions.c.html)
            .where(revisions.c.post_id == post_id)
            .order_by(revisions.c.revision)
        )
        return [(row.revision, row.title, row.html) for row in self._conn.execute(query)]

    def cut_off(self, feed_id: int) -> Sequence[Post]:
        """Unmailed posts of a feed of which only a summary came, oldest first."""
        query = select(posts).where(
            posts.c.feed_id == feed_id, posts.c.truncated.is_(True), posts.c.url != "", self._unmailed()
        )
        return [_post(row) for row in self._conn.execute(query.order_by(posts.c.id))]

    def replace_text(self, post_id: int, html: str, now: datetime) -> None:
        """Puts the page's full text in the place of a feed's summary; the same text only ends the search.

        Never touches what identifies the post or tells an edit of it.
        """
        before = self.get(post_id)
        if html != before.html:
            self._keep_revision(before, now)
            self._set(post_id, html=html, revision=before.revision + 1, changed_at=to_ms(now))
        self._set(post_id, truncated=False)

    def _revise(self, post_id: int, entry: Entry, content_sha: str, now: datetime) -> None:
        before = self.get(post_id)
        self._keep_revision(before, now)
        self._set(
            post_id,
            revision=before.revision + 1,
            changed_at=to_ms(now),
            content_sha=content_sha,
            **_words(entry),
        )

    def _keep_revision(self, before: Post, now: datetime) -> None:
        if before.state is PostState.BASELINE:
            return
        self._conn.execute(
            revisions.insert().values(
                post_id=before.id,
                revision=before.revision,
                at=to_ms(now),
                title=before.title,
                html=before.html,
                content_sha=before.content_sha,
            )
        )

    def _set(self, post_id: int, **values: Any) -> None:
        self._conn.execute(update(posts).where(posts.c.id == post_id).values(**values))

    def _name(self, named: Sequence[tuple[Alias, int]]) -> None:
        insert_new(
            self._conn,
            aliases,
            [
                {"kind": alias.kind.value, "feed_id": alias.feed_id, "value": alias.value, "post_id": post_id}
                for alias, post_id in named
            ],
        )

    def _by_alias(self, wanted: Iterable[Alias]) -> dict[Alias, int]:
        found: dict[Alias, int] = {}
        groups: dict[tuple[AliasKind, int], list[str]] = {}
        for alias in wanted:
            groups.setdefault((alias.kind, alias.feed_id), []).append(alias.value)
        for (kind, feed_id), values in groups.items():
            for some in _some(values):
                rows = self._conn.execute(
                    select(aliases.c.value, aliases.c.post_id).where(
                        aliases.c.kind == kind.value, aliases.c.feed_id == feed_id, aliases.c.value.in_(some)
                    )
                )
                for row in rows:
                    found[Alias(kind=kind, feed_id=feed_id, value=row.value)] = row.post_id
        return found

    def _by_raw(self, feed_id: int, wanted: Iterable[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for some in _some(wanted):
            rows = self._conn.execute(
                select(posts.c.raw_sha, posts.c.id).where(
                    posts.c.feed_id == feed_id, posts.c.raw_sha.in_(some)
                )
            )
            found |= {row.raw_sha: row.id for row in rows}
        return found

    def _recent(self, feed_id: int) -> Sequence[int]:
        """The unmailed posts of a feed, and those of its last window."""
        last = select(func.max(posts.c.last_seen_at)).where(posts.c.feed_id == feed_id).scalar_subquery()
        query = select(posts.c.id).where(
            posts.c.feed_id == feed_id, or_(posts.c.last_seen_at == last, self._unmailed())
        )
        return self._conn.scalars(query.order_by(posts.c.id.desc()).limit(_RECENT)).all()

    def _unmailed(self) -> Any:
        mailed = exists().where(
            issue_posts.c.post_id == posts.c.id,
            issue_posts.c.issue_id == issues.c.id,
            issues.c.state.in_(_UNDER_WAY),
        )
        return and_(posts.c.state.in_(_PENDING), ~mailed)

    def _mailed(self, ids: Iterable[int]) -> frozenset[int]:
        found: set[int] = set()
        for some in _some(ids):
            found |= set(
                self._conn.scalars(
                    select(issue_posts.c.post_id)
                    .join(issues, issues.c.id == issue_posts.c.issue_id)
                    .where(issue_posts.c.post_id.in_(some), issues.c.state.in_(_UNDER_WAY))
                )
            )
        return frozenset(found)

    def _load(self, ids: Iterable[int], *, whole: bool) -> Iterator[Post]:
        columns = [column for column in posts.c if whole or column.name not in {"html", "summary"}]
        for some in _some(ids):
            for row in self._conn.execute(select(*columns).where(posts.c.id.in_(some))):
                yield _post(row)


def _words(entry: Entry) -> dict[str, Any]:
    """The columns that an edit replaces."""
    return {
        "title": entry.title,
        "url": entry.url,
        "author": entry.author,
        "html": entry.html,
        "summary": entry.summary,
        "base_url": entry.base_url,
        "position": entry.position,
        "topics": json.dumps(entry.topics, ensure_ascii=False),
        "comments_url": entry.comments_url,
        "image_url": entry.image_url,
        "language": entry.language,
        "truncated": entry.truncated,
    }


def _post(row: Row[Any]) -> Post:
    values = dict(row._mapping)
    for name in _TIMES:
        values[name] = maybe_from_ms(values[name])
    values["topics"] = tuple(json.loads(values["topics"] or "[]"))
    values["state"] = PostState(values["state"])
    return Post(**values)


def _some(values: Iterable[Any]) -> Iterator[Sequence[Any]]:
    found = list(values)
    return (found[start : start + MANY] for start in range(0, len(found), MANY))
