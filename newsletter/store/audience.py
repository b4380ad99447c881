"""Who is drawn for an issue, and with which of its posts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import select, text

from newsletter.model.delivery import DeliveryState, Settled
from newsletter.store.ledger import NOT_HELD, OPEN, Ledger
from newsletter.store.sql import chunks, insert_new
from newsletter.store.tables import deliveries, issue_posts

_S = DeliveryState
_TAKEN: Final = (*OPEN, _S.ACCEPTED, _S.UNKNOWN)  #: they have, or may yet get, what it carries
_LOCK_KEY: Final = 0x6175_6469  # "audi": PostgreSQL advisory locks are numbers


class Audience(Ledger):
    def lock_audience(self) -> None:
        """Audiences are drawn one at a time, so that no post is promised twice (invariant 2)."""
        if self._conn.dialect.name != "sqlite":
            self._conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})

    def add(self, issue_id: int, masks: Mapping[int, int], skipped: Mapping[int, str], now: datetime) -> None:
        """Draws these subscribers: ``masks`` are to be mailed, ``skipped`` have a reason why not.

        Who is drawn already stays as they are.
        """
        insert_new(
            self._conn,
            deliveries,
            [
                {
                    "issue_id": issue_id,
                    "subscriber_id": subscriber_id,
                    "state": state.value,
                    "attempt_id": 0 if state is _S.PENDING else NOT_HELD,
                    "blocks": blocks,
                }
                for subscriber_id, blocks, state in sorted(
                    [(who, mask, _S.PENDING) for who, mask in masks.items()]
                    + [(who, 0, _S.SKIPPED) for who in skipped]
                )
            ],
        )
        self.remark(
            issue_id, [Settled(subscriber_id=w, state=_S.SKIPPED, reason=r) for w, r in skipped.items()], now
        )

    def already_received(
        self, issue_id: int, subscriber_ids: Sequence[int], post_ids: Sequence[int]
    ) -> dict[int, set[int]]:
        """Which of these posts each subscriber got, or may yet get, by another issue."""
        found: dict[int, set[int]] = {}
        if not post_ids:
            return found
        other = select(issue_posts.c.issue_id, issue_posts.c.post_id, issue_posts.c.block).where(
            issue_posts.c.post_id.in_(post_ids), issue_posts.c.issue_id != issue_id
        )
        places = self._conn.execute(other).all()
        for place in places:
            for part in chunks(subscriber_ids):
                query = select(deliveries.c.subscriber_id).where(
                    deliveries.c.issue_id == place.issue_id,
                    deliveries.c.subscriber_id.in_(part),
                    deliveries.c.state.in_([state.value for state in _TAKEN]),
                    deliveries.c.blocks.op("&")(1 << place.block) != 0,
                )
                for subscriber_id in self._conn.scalars(query):
                    found.setdefault(subscriber_id, set()).add(place.post_id)
        return found
