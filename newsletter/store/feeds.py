"""Feeds and their poll log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, or_, select, update

from newsletter.errors import NotFound
from newsletter.model.feed import Feed, FeedState, Poll, PollResult, Validators
from newsletter.model.times import from_ms, maybe_from_ms, maybe_ms, to_ms
from newsletter.store.tables import feeds, polls

_DUE = (feeds.c.state == FeedState.ACTIVE.value,)
_TIMES = {field.name for field in fields(Feed) if field.name.endswith(("_at", "_since", "_until"))}


class Feeds:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def add(self, url: str, *, now: datetime, title: str = "", site_url: str = "") -> Feed:
        """The feed of this URL, due at once. One that was removed or paused is taken up again."""
        known = self.by_url(url)
        if known is not None:
            if known.state is not FeedState.ACTIVE:
                self.set_state(known.id, FeedState.ACTIVE, now)
            return self.get(known.id)
        feed_id = self._conn.scalar(
            feeds.insert()
            .values(
                url=url,
                title=title,
                site_url=site_url,
                state=FeedState.ACTIVE.value,
                added_at=to_ms(now),
                next_poll_at=to_ms(now),
                next_poll_reason="it was just added",
            )
            .returning(feeds.c.id)
        )
        return self.get(int(feed_id or 0))

    def get(self, feed_id: int) -> Feed:
        """Raises NotFound."""
        row = self._conn.execute(select(feeds).where(feeds.c.id == feed_id)).one_or_none()
        if row is None:
            raise NotFound(f"There is no feed {feed_id}.", hint="See: newsletter feeds list")
        return _feed(row)

    def by_url(self, url: str) -> Feed | None:
        row = self._conn.execute(select(feeds).where(feeds.c.url == url)).one_or_none()
        return None if row is None else _feed(row)

    def list(self, *, states: Iterable[FeedState] = (FeedState.ACTIVE, FeedState.PAUSED)) -> Sequence[Feed]:
        """In the order in which they were added."""
        wanted = [state.value for state in states]
        return [
            _feed(row)
            for row in self._conn.execute(select(feeds).where(feeds.c.state.in_(wanted)).order_by(feeds.c.id))
        ]

    def remove(self, feed_id: int, *, now: datetime) -> Feed:
        """Never polled again; its posts stay known, so that adding it back mails nothing twice."""
        return self.set_state(feed_id, FeedState.REMOVED, now)

    def set_state(self, feed_id: int, state: FeedState, now: datetime) -> Feed:
        """Pauses, removes or takes up a feed; then it is due at once. Raises NotFound.

        What a removed feed posted while nobody looked counts as already there.
        """
        before = self.get(feed_id)
        if state is FeedState.ACTIVE:
            self._update(
                feed_id,
                state=state,
                failures=0,
                problem="",
                baseline_at=None if before.state is FeedState.REMOVED else before.baseline_at,
                body_sha="",
                etag="",
                last_modified="",
                next_poll_at=now,
                next_poll_reason="it was taken up again",
            )
        else:
            self._update(feed_id, state=state, next_poll_at=None, next_poll_reason="")
        return self.get(feed_id)

    def set_full_text(self, feed_id: int, wanted: bool) -> Feed:
        """Whether posts that come as summaries are fetched whole from their pages. Raises NotFound."""
        self.get(feed_id)
        self._update(feed_id, full_text=wanted)
        return self.get(feed_id)

    def claim_due(self, now: datetime, *, lease: timedelta, token: str, limit: int) -> Sequence[Feed]:
        """Up to ``limit`` due feeds, leased under ``token``: nobody else gets them.

        Longest overdue first; those that failed last time come last, since a server that hangs takes up time
        that the others' readers would wait.
        """
        due = (
            select(feeds.c.id)
            .where(*_DUE, feeds.c.next_poll_at <= to_ms(now), _unleased(now))
            .order_by(feeds.c.failures > 0, feeds.c.next_poll_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return self._lease(list(self._conn.scalars(due)), now + lease, token)

    def claim(self, feed_id: int, now: datetime, *, lease: timedelta, token: str) -> Feed | None:
        """This feed, due or not; None while somebody else is polling it. Raises NotFound."""
        self.get(feed_id)
        free = select(feeds.c.id).where(feeds.c.id == feed_id, _unleased(now)).with_for_update()
        return next(iter(self._lease(list(self._conn.scalars(free)), now + lease, token)), None)

    def _lease(self, ids: Sequence[int], until: datetime, token: str) -> Sequence[Feed]:
        if not ids:
            return []
        self._conn.execute(
            update(feeds).where(feeds.c.id.in_(ids)).values(lease_until=to_ms(until), lease_token=token)
        )
        rows = {row.id: _feed(row) for row in self._conn.execute(select(feeds).where(feeds.c.id.in_(ids)))}
        return [rows[feed_id] for feed_id in ids]

    def renew(self, token: str, until: datetime) -> None:
        """Keeps what is leased under ``token`` until then; what was taken over meanwhile stays lost."""
        self._conn.execute(
            update(feeds)
            .where(feeds.c.lease_token == token, feeds.c.lease_until.is_not(None))
            .values(lease_until=to_ms(until))
        )

    def holds(self, feed_id: int, token: str) -> bool:
        """Whether the lease is still this one; locks the feed's row until the transaction ends."""
        return (
            self._conn.scalar(
                select(feeds.c.id)
                .where(feeds.c.id == feed_id, feeds.c.lease_token == token)
                .with_for_update()
            )
            is not None
        )

    def save_poll(self, feed: Feed, poll: Poll) -> None:
        """Stores what a poll taught us of a feed (all of ``feed``'s fields), logs it and ends the lease."""
        values = {
            field.name: getattr(feed, field.name)
            for field in fields(Feed)
            if field.name not in {"id", "validators"}
        }
        self._update(
            feed.id,
            **values,
            etag=feed.validators.etag,
            last_modified=feed.validators.last_modified,
            lease_until=None,
            lease_token="",
        )
        self._conn.execute(
            polls.insert().values(
                feed_id=poll.feed_id,
                at=to_ms(poll.at),
                result=poll.result.value,
                status=poll.status,
                size=poll.size,
                entries=poll.entries,
                new=poll.new,
                edited=poll.edited,
                held=poll.held,
                elapsed_ms=poll.elapsed_ms,
                problem=poll.problem,
                next_poll_at=maybe_ms(poll.next_poll_at),
                next_poll_reason=poll.next_poll_reason,
            )
        )

    def poll_at_once(self, feed_id: int, now: datetime, reason: str) -> None:
        """Makes an active feed due, for the reason given (one clause)."""
        self._conn.execute(
            update(feeds)
            .where(feeds.c.id == feed_id, *_DUE)
            .values(next_poll_at=to_ms(now), next_poll_reason=reason)
        )

    def hubs_due(self, until: datetime, *, limit: int) -> Sequence[Feed]:
        """Active feeds with a hub whose subscription ends by ``until`` or never began.

        Locked until the transaction ends; those that another process has locked are left to it.
        """
        query = (
            select(feeds)
            .where(*_DUE, feeds.c.hub_url != "")
            .where(or_(feeds.c.hub_lease_until.is_(None), feeds.c.hub_lease_until <= to_ms(until)))
            .order_by(feeds.c.hub_lease_until, feeds.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return [_feed(row) for row in self._conn.execute(query)]

    def set_hub(self, feed_id: int, *, secret: str, lease_until: datetime | None) -> None:
        """Remembers a WebSub subscription; an empty secret ends it."""
        self._update(feed_id, hub_secret=secret, hub_lease_until=lease_until)

    def polls(self, feed_id: int, *, limit: int = 20) -> Sequence[Poll]:
        """The feed's latest polls, newest first."""
        rows = self._conn.execute(
            select(polls)
            .where(polls.c.feed_id == feed_id)
            .order_by(polls.c.at.desc(), polls.c.id.desc())
            .limit(limit)
        )
        return [_poll(row) for row in rows]

    def prune_polls(self, before: datetime) -> int:
        """Drops log lines older than ``before``; returns how many."""
        return self._conn.execute(delete(polls).where(polls.c.at < to_ms(before))).rowcount

    def _update(self, feed_id: int, **values: Any) -> None:
        plain = {
            name: to_ms(value) if isinstance(value, datetime) else value for name, value in values.items()
        }
        self._conn.execute(update(feeds).where(feeds.c.id == feed_id).values(**plain))


def _unleased(now: datetime) -> Any:
    return or_(feeds.c.lease_until.is_(None), feeds.c.lease_until <= to_ms(now))


def _feed(row: Row[Any]) -> Feed:
    values = {
        field.name: getattr(row, field.name)
        for field in fields(Feed)
        if field.name not in {"state", "validators"}
    }
    for name in _TIMES:
        values[name] = maybe_from_ms(values[name])
    return Feed(
        **values,
        state=FeedState(row.state),
        validators=Validators(etag=row.etag, last_modified=row.last_modified),
    )


def _poll(row: Row[Any]) -> Poll:
    return Poll(
        feed_id=row.feed_id,
        at=from_ms(row.at),
        result=PollResult(row.result),
        status=row.status,
        size=row.size,
        entries=row.entries,
        new=row.new,
        edited=row.edited,
        held=row.held,
        elapsed_ms=row.elapsed_ms,
        problem=row.problem,
        next_poll_at=maybe_from_ms(row.next_poll_at),
        next_poll_reason=row.next_poll_reason,
    )
