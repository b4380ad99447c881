"""Posts, the names by which entries are recognised as them, and their earlier revisions."""

from __future__ import annotations

import builtins
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, exists, func, select, update

from newsletter.errors import NotFound
from newsletter.model.changes import Known, Names, NewPost, Sighting
from newsletter.model.entry import Entry
from newsletter.model.issue import Carrier, IssueState
from newsletter.model.post import AliasKind, Post, PostState, move_post
from newsletter.model.times import maybe_from_ms, maybe_ms, to_ms
from newsletter.store.known import chunked, give_names, load_known, load_posts, post_of, unmailed
from newsletter.store.tables import aliases, issue_posts, issues, posts, revisions
from subscribers.model import Cadence

_AT_ONCE = 200  #: posts inserted in one statement


class Posts:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def get(self, post_id: int) -> Post:
        """Raises NotFound."""
        row = self._conn.execute(select(posts).where(posts.c.id == post_id)).one_or_none()
        if row is None:
            raise NotFound(f"There is no post {post_id}.", hint="See: newsletter posts list")
        return post_of(row)

    def get_many(self, ids: Iterable[int]) -> Sequence[Post]:
        """Those that exist, in the order of ``ids``."""
        wanted = list(dict.fromkeys(ids))
        found = {post.id: post for post in load_posts(self._conn, wanted, whole=True)}
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
        return [post_of(row) for row in self._conn.execute(query)]

    def count(self, *, state: PostState | None = None, feed_id: int | None = None) -> int:
        query = select(func.count()).select_from(posts)
        if state is not None:
            query = query.where(posts.c.state == state.value)
        if feed_id is not None:
            query = query.where(posts.c.feed_id == feed_id)
        return self._conn.scalar(query) or 0

    def move(self, post_id: int, to: PostState, reason: str, now: datetime) -> Post:
        """Raises NotFound, or Conflict for a move that does not exist. ``reason`` is one sentence."""
        row = self._conn.execute(
            select(posts.c.state, posts.c.ready_at).where(posts.c.id == post_id).with_for_update()
        ).one_or_none()
        if row is None:
            raise NotFound(f"There is no post {post_id}.", hint="See: newsletter posts list")
        moved = move_post(PostState(row.state), to)
        becomes_ready = moved is PostState.READY and row.state != moved.value
        # What was away for a while is no news again to those who came to want digests meanwhile.
        ready_at = row.ready_at if row.state == PostState.GONE.value and row.ready_at else to_ms(now)
        self._conn.execute(
            update(posts)
            .where(posts.c.id == post_id)
            .values(
                state=moved.value,
                reason=reason,
                changed_at=to_ms(now),
                **({"ready_at": ready_at} if becomes_ready else {}),
            )
        )
        return self.get(post_id)

    def ready_unplaced(self, cadence: Cadence, since: datetime | None = None) -> Sequence[Post]:
        """Posts that became ready (not before ``since``) and that no issue of this cadence carries yet,
        oldest first."""
        placed = exists().where(issue_posts.c.post_id == posts.c.id, issue_posts.c.cadence == cadence.value)
        query = (
            select(posts)
            .where(
                posts.c.state == PostState.READY.value,
                ~placed,
                posts.c.ready_at >= (0 if since is None else to_ms(since)),
            )
            .order_by(func.coalesce(posts.c.published_at, posts.c.first_seen_at), posts.c.id)
        )
        return [post_of(row) for row in self._conn.execute(query)]

    def carriers(self, ids: Iterable[int]) -> dict[int, builtins.list[Carrier]]:
        """The issues that carry these posts or leave them out, by post id, oldest first."""
        found: dict[int, builtins.list[Carrier]] = {}
        columns = (issues.c.id, issues.c.subject, issues.c.state, issues.c.cadence)
        for part in chunked(ids):
            query = (
                select(issue_posts.c.post_id, issue_posts.c.included, *columns)
                .join(issues, issues.c.id == issue_posts.c.issue_id)
                .where(issue_posts.c.post_id.in_(part))
                .order_by(issues.c.id)
            )
            for row in self._conn.execute(query):
                found.setdefault(row.post_id, []).append(
                    Carrier(
                        issue_id=row.id,
                        subject=row.subject,
                        state=IssueState(row.state),
                        cadence=Cadence(row.cadence),
                        included=row.included,
                    )
                )
        return found

    def of_other_feeds(self, feed_id: int, *, limit: int = 50) -> Sequence[Post]:
        """Posts that this feed carries too but another one brought first, newest first."""
        named_here = select(aliases.c.post_id).where(
            aliases.c.kind == AliasKind.GUID.value, aliases.c.feed_id == feed_id
        )
        query = select(posts).where(posts.c.id.in_(named_here), posts.c.feed_id != feed_id)
        return [post_of(row) for row in self._conn.execute(query.order_by(posts.c.id.desc()).limit(limit))]

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
        return [post_of(row) for row in self._conn.execute(query.order_by(posts.c.id))]

    def next_settled(self, feed_id: int) -> datetime | None:
        """When the feed's first settling post has settled; None where none settles."""
        return maybe_from_ms(
            self._conn.scalar(
                select(func.min(posts.c.settle_until)).where(
                    posts.c.feed_id == feed_id, posts.c.state == PostState.SETTLING.value
                )
            )
        )

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
        """Everything that a document with these names has to be compared with."""
        return load_known(self._conn, feed_id, names)

    def add(self, feed_id: int, new: Sequence[NewPost], now: datetime) -> Sequence[int]:
        """Stores new posts with their names; returns their ids in order."""
        ids: list[int] = []
        for start in range(0, len(new), _AT_ONCE):
            rows = [
                {
                    "feed_id": feed_id,
                    "state": item.state.value,
                    "reason": item.reason,
                    "published_at": maybe_ms(item.published_at),
                    "first_seen_at": to_ms(now),
                    "last_seen_at": to_ms(now),
                    "settle_until": maybe_ms(item.settle_until),
                    "ready_at": to_ms(now) if item.state is PostState.READY else None,
                    "content_sha": item.content_sha,
                    "raw_sha": item.entry.raw_sha,
                    **_words(item.entry),
                }
                for item in new[start : start + _AT_ONCE]
            ]
            inserted = posts.insert().returning(posts.c.id, sort_by_parameter_order=True)
            ids += self._conn.scalars(inserted, rows)
        give_names(
            self._conn,
            [(alias, post_id) for item, post_id in zip(new, ids, strict=True) for alias in item.aliases],
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
        give_names(self._conn, [(alias, sighting.post_id) for sighting in seen for alias in sighting.aliases])
        for part in chunked(by_bytes):
            self._conn.execute(
                update(posts)
                .where(posts.c.feed_id == feed_id, posts.c.raw_sha.in_(part))
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
            posts.c.feed_id == feed_id, posts.c.truncated.is_(True), posts.c.url != "", unmailed()
        )
        return [post_of(row) for row in self._conn.execute(query.order_by(posts.c.id))]

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
