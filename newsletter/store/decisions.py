"""What a person or a provider decides about deliveries."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select, update

from newsletter.model.delivery import Delivery, DeliveryFlag, DeliveryState, Settled
from newsletter.model.event import EventKind
from newsletter.store.audience import Audience
from newsletter.store.tables import deliveries, events, issue_posts, remarks

_S = DeliveryState
Allowed = Callable[[Sequence[int]], Container[int]]


class Decisions(Audience):
    def skip_open(self, issue_id: int, reason: str, now: datetime) -> int:
        """Nobody who was not mailed yet will be. What is being handed over ends as it ends."""
        changed, after = 0, 0
        states = [state.value for state in (_S.PENDING, _S.RETRY_WAIT, _S.CLAIMED)]
        while rows := self._conn.scalars(
            select(deliveries.c.subscriber_id)
            .where(
                deliveries.c.issue_id == issue_id,
                deliveries.c.state.in_(states),
                deliveries.c.subscriber_id > after,
            )
            .order_by(deliveries.c.subscriber_id)
            .limit(5000)
        ).all():
            after = rows[-1]
            self.skip(issue_id, dict.fromkeys(rows, reason), now)
            changed += len(rows)
        return changed

    def unclaim(self, *subscriber_ids: int) -> None:
        """What an attempt holds for somebody and has not begun waits again, so that it is asked once more
        whether they may be mailed. For whoever leaves while an issue is being sent."""
        self._conn.execute(
            update(deliveries)
            .where(deliveries.c.subscriber_id.in_(subscriber_ids), deliveries.c.state == _S.CLAIMED.value)
            .values(state=_S.PENDING.value, attempt_id=0)
        )

    def retry_failed(self, issue_id: int, now: datetime, allowed: Allowed) -> int:
        """Failed deliveries become pending again, without the posts that came to them otherwise since.

        Whose posts all came otherwise stays failed, and so does who may not be mailed any more: only those
        whom ``allowed`` names, asked about a thousand at a time, are tried.
        """
        found = self._conn.execute(
            select(issue_posts.c.post_id, issue_posts.c.block).where(issue_posts.c.issue_id == issue_id)
        )
        places: dict[int, int] = {post_id: block for post_id, block in found}
        changed, after = 0, 0
        while rows := self._conn.execute(
            select(deliveries.c.subscriber_id, deliveries.c.blocks)
            .where(
                deliveries.c.issue_id == issue_id,
                deliveries.c.state == _S.FAILED.value,
                deliveries.c.subscriber_id > after,
            )
            .order_by(deliveries.c.subscriber_id)
            .limit(1000)
        ).all():
            after = rows[-1].subscriber_id
            ids = [row.subscriber_id for row in rows]
            received = self.already_received(issue_id, ids, list(places))
            mailable = allowed(ids)
            again: list[int] = []
            for who, blocks in rows:
                if who not in mailable:
                    continue
                had = sum(1 << places[post_id] for post_id in received.get(who, ()))
                if blocks & ~had == blocks:
                    again.append(who)
                elif blocks & ~had:
                    again.append(who)
                    self._conn.execute(
                        update(deliveries)
                        .where(deliveries.c.issue_id == issue_id, deliveries.c.subscriber_id == who)
                        .values(blocks=blocks & ~had)
                    )
            changed += len(self.move(issue_id, again, _S.PENDING, before=[_S.FAILED]))
            self.forget(issue_id, again)
        return changed

    def policy_refusals(self, issue_id: int, *, before: int) -> int:
        """How many of an issue were refused for policy by attempts since one that had somebody accepted,
        not counting attempt ``before`` and later ones."""
        newest = (
            select(func.coalesce(func.max(deliveries.c.attempt_id), 0))
            .where(deliveries.c.issue_id == issue_id, deliveries.c.state == _S.ACCEPTED.value)
            .scalar_subquery()
        )
        return (
            self._conn.scalar(
                select(func.count())
                .select_from(self.with_remarks())
                .where(
                    *self._policy(issue_id),
                    deliveries.c.attempt_id > newest,
                    deliveries.c.attempt_id < before,
                )
            )
            or 0
        )

    def hard_bounces(self, issue_id: int) -> int:
        """How many addresses of an issue turned out not to be there: refused at once, or told of later."""
        refused = and_(
            deliveries.c.issue_id == issue_id,
            deliveries.c.state == _S.FAILED.value,
            deliveries.c.flags.op("&")(DeliveryFlag.BOUNCED.value) != 0,
        )
        told = select(events.c.subscriber_id).where(
            events.c.issue_id == issue_id, events.c.kind == EventKind.BOUNCED.value
        )
        every = select(deliveries.c.subscriber_id).where(refused).union(told).subquery()
        return self._conn.scalar(select(func.count()).select_from(every)) or 0

    def take_back(self, issue_id: int) -> int:
        """Deliveries that failed for policy become pending again: the refusals were about us. A definite
        refusal may be retried (invariant 7)."""
        ids = self._conn.scalars(
            select(deliveries.c.subscriber_id).select_from(self.with_remarks()).where(*self._policy(issue_id))
        ).all()
        moved = self.move(issue_id, ids, _S.PENDING, before=[_S.FAILED])
        self.forget(issue_id, sorted(moved))
        return len(moved)

    @staticmethod
    def _policy(issue_id: int) -> tuple[ColumnElement[bool], ...]:
        return (
            deliveries.c.issue_id == issue_id,
            deliveries.c.state == _S.FAILED.value,
            or_(remarks.c.code.like("5__ 5.7.%"), remarks.c.code == "invalid"),
        )

    def resend_unknown(self, issue_id: int, now: datetime) -> int:
        """Unknown deliveries become pending: the author chose to risk a duplicate (invariant 8)."""
        changed = self._conn.execute(
            update(deliveries)
            .where(deliveries.c.issue_id == issue_id, deliveries.c.state == _S.UNKNOWN.value)
            .values(state=_S.PENDING.value, attempt_id=0)
        )
        return changed.rowcount

    def learned(
        self,
        before: Delivery,
        now: datetime,
        *,
        state: DeliveryState,
        flags: DeliveryFlag,
        code: str = "",
        reason: str = "",
    ) -> None:
        """What a provider told us of a delivery later, merged into it. ``before`` is from :meth:`find`."""
        who = before.subscriber_id
        here = and_(deliveries.c.issue_id == before.issue_id, deliveries.c.subscriber_id == who)
        if flags is not before.flags:
            self._conn.execute(update(deliveries).where(here).values(flags=flags.value))
        if state is before.state:
            return
        self.move(before.issue_id, [who], state, before=[before.state])
        if state is _S.ACCEPTED:
            self.forget(before.issue_id, [who])
        else:
            news = Settled(subscriber_id=who, state=state, tries=1, code=code, reason=reason)
            self.remark(before.issue_id, [news], now)

    def flag(self, issue_id: int, subscriber_id: int, flag: DeliveryFlag) -> None:
        """Adds a flag, where there is such a delivery (who unsubscribes by an issue's link counts in it)."""
        self._conn.execute(
            update(deliveries)
            .where(deliveries.c.issue_id == issue_id, deliveries.c.subscriber_id == subscriber_id)
            .values(flags=deliveries.c.flags.op("|")(flag.value))
        )

    def skip(self, issue_id: int, refused: Mapping[int, str], now: datetime) -> None:
        """These are not mailed after all, each for its reason."""
        self.move(issue_id, list(refused), _S.SKIPPED)
        self.remark(
            issue_id, [Settled(subscriber_id=w, state=_S.SKIPPED, reason=r) for w, r in refused.items()], now
        )
