"""Imported people without proof of consent are asked to confirm, so many a day, until too many bounce.

Old lists are full of addresses that are nobody's any more; a provider judges the sender by them. So they are
tried slowly, and the list is given up where it is worse than providers bear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import and_, func, select, update

from subscribers.addresses import normalise
from subscribers.errors import Unknown
from subscribers.model import SubscriberState
from subscribers.requests import Form, RequestKind
from subscribers.signups import Ask
from subscribers.states import Act, decide
from subscribers.store import Subscribers
from subscribers.tables import asks, batches, subscribers
from subscribers.times import to_ms

MOST_BOUNCES: Final = 0.03
SURE: Final = 2  #: a single bounce says nothing about a list
AT_ONCE: Final = 100
_A_DAY: Final = timedelta(days=1)
_FORM: Final = Form(source="asked after an import", wording="")


@dataclass(frozen=True, kw_only=True)
class Asking:
    """How far an import's people have been asked. ``stopped`` says why no more are; empty while it goes
    on."""

    batch_id: int
    per_day: int
    waiting: int
    asked: int
    bounced: int
    confirmed: int
    stopped: str = ""


def too_many_bounce(asked: int, bounced: int) -> bool:
    return bounced >= SURE and bounced >= asked * MOST_BOUNCES


def progress(people: Subscribers, batch_id: int) -> Asking | None:
    """None where nobody of this import is asked. Raises Unknown."""
    row = people.conn.execute(select(batches).where(batches.c.id == batch_id)).one_or_none()
    if row is None:
        raise Unknown(f"There is no import {batch_id}.")
    return _progress(people, row) if row.ask_per_day else None


def _progress(people: Subscribers, batch: Any) -> Asking:
    state = subscribers.c.state

    def of(what: SubscriberState) -> Any:
        return func.count().filter(and_(asks.c.asked_at.is_not(None), state == what.value))

    told = people.conn.execute(
        select(
            func.count().filter(asks.c.asked_at.is_(None)),
            func.count().filter(asks.c.asked_at.is_not(None)),
            of(SubscriberState.BOUNCED),
            of(SubscriberState.ACTIVE),
        )
        .select_from(asks.outerjoin(subscribers, subscribers.c.id == asks.c.subscriber_id))
        .where(asks.c.batch_id == batch.id)
    ).one()
    return Asking(
        batch_id=batch.id,
        per_day=batch.ask_per_day,
        waiting=told[0],
        asked=told[1],
        bounced=told[2],
        confirmed=told[3],
        stopped=batch.ask_stopped,
    )


def due(people: Subscribers, now: datetime, *, limit: int = AT_ONCE) -> tuple[list[Ask], list[Asking]]:
    """Whom to ask now, and the imports whose asking was just stopped because too many bounced.

    Each is asked once. Whoever left, bounced or confirmed in the meantime is not asked.
    """
    found: list[Ask] = []
    stopped: list[Asking] = []
    going_on = select(batches).where(
        batches.c.ask_per_day > 0, batches.c.ask_stopped == "", batches.c.undone_at.is_(None)
    )
    for batch in people.conn.execute(going_on.order_by(batches.c.id)).all():
        if not _anybody_waits(people, batch.id):
            continue
        stand = _progress(people, batch)
        if too_many_bounce(stand.asked, stand.bounced):
            why = f"{stand.bounced} of the {stand.asked} who were asked bounced"
            stop(people, batch.id, why)
            stopped.append(stand)
            continue
        today = people.conn.scalar(
            select(func.count()).where(asks.c.batch_id == batch.id, asks.c.asked_at > to_ms(now - _A_DAY))
        )
        found += _ask(people, batch.id, min(batch.ask_per_day - (today or 0), limit - len(found)), now)
    return found, stopped


def stop(people: Subscribers, batch_id: int, why: str) -> None:
    """No more of this import are asked."""
    people.conn.execute(update(batches).where(batches.c.id == batch_id).values(ask_stopped=why))


def _anybody_waits(people: Subscribers, batch_id: int) -> bool:
    waiting = select(asks.c.subscriber_id).where(asks.c.batch_id == batch_id, asks.c.asked_at.is_(None))
    return people.conn.execute(waiting.limit(1)).first() is not None


def _ask(people: Subscribers, batch_id: int, count: int, now: datetime) -> Sequence[Ask]:
    found: list[Ask] = []
    while len(found) < count:
        waiting = select(asks.c.subscriber_id).where(asks.c.batch_id == batch_id, asks.c.asked_at.is_(None))
        ids = people.conn.scalars(waiting.order_by(asks.c.subscriber_id).limit(count - len(found))).all()
        if not ids:
            break
        for id in ids:
            person = people.find(id)
            may = person is not None and bool(person.address)
            if person is not None and may:
                _, standing = people.standing(normalise(person.address))
                may = not standing.causes and decide(standing, Act.SIGN_UP).ask
            if person is None or not may:
                people.conn.execute(
                    asks.delete().where(asks.c.batch_id == batch_id, asks.c.subscriber_id == id)
                )
                continue
            request = people.requests.add(id, RequestKind.SIGN_UP, _FORM, now)
            found.append(Ask(request_id=request, subscriber_id=id, address=person.address))
            people.conn.execute(
                update(asks)
                .where(asks.c.batch_id == batch_id, asks.c.subscriber_id == id)
                .values(asked_at=to_ms(now))
            )
    return found
