"""What the law gives every subscriber: all that is held about them, and to be forgotten (GDPR 15, 17, 20)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update

from subscribers import former, happenings, rhythms, tracking
from subscribers.addresses import normalise
from subscribers.errors import Unknown
from subscribers.model import SubscriberState, SuppressionCause
from subscribers.store import Subscribers
from subscribers.tables import asks, batch_changes, consents, requests, subscribers
from subscribers.times import from_ms, rfc3339, to_ms


def everything(people: Subscribers, id: int, *, more: Mapping[str, object] | None = None) -> str:
    """One JSON document of all that is held about somebody; ``more`` is what others hold (deliveries).

    Raises Unknown. Never shows what is held about anybody else.
    """
    person = people.get(id)
    document: dict[str, object] = {
        "id": person.id,
        "address": person.address,
        "name": person.name,
        "state": person.state.value,
        "how_often": person.cadence.value if person.cadence else None,
        "how_often_before": [
            {"how_often": cadence or None, "until": rfc3339(left_at)}
            for cadence, left_at in rhythms.of(people.conn, id)
        ],
        "topics_off": list(person.topics_off),
        "paused_until": _time(person.paused_until),
        "language": person.language,
        "tags": list(person.tags),
        "joined_at": rfc3339(person.joined_at),
        "left_at": _time(_left(people, id)),
        "changed_at": rfc3339(person.changed_at),
        "engaged_at": _time(person.engaged_at),
        "opens_and_clicks_agreed": [
            {
                "at": rfc3339(agreed.at),
                "source": agreed.source,
                "origin": agreed.origin,
                "wording": agreed.wording,
                "withdrawn_at": _time(agreed.withdrawn_at),
            }
            for agreed in tracking.of(people.conn, id)
        ],
        "soft_bounces": person.strikes,
        "consents": [
            {
                "kind": proof.kind.value,
                "at": rfc3339(proof.at),
                "source": proof.source,
                "origin": proof.origin,
                "wording": proof.wording,
                "expires_at": _time(proof.expires_at),
            }
            for proof in people.consents(id)
        ],
        "requests": _requests(people, id),
        "history": [
            {"at": rfc3339(one.at), "what": one.what.value, "detail": one.detail}
            for one in happenings.of(people.conn, id)
        ],
        "suppressions": [
            {"cause": one.cause.value, "at": rfc3339(one.at), "reason": one.reason}
            for one in (people.suppressions_of(person.address) if person.address else [])
        ],
        **(more or {}),
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _requests(people: Subscribers, id: int) -> list[dict[str, Any]]:
    query = select(requests).where(requests.c.subscriber_id == id).order_by(requests.c.id)
    return [
        {
            "kind": row.kind,
            "at": rfc3339(from_ms(row.at)),
            "source": row.source,
            "origin": row.origin,
            "wording": row.wording,
            "opens_and_clicks": row.tracking,
            "new_address": row.address,
            "used_at": _time(None if row.used_at is None else from_ms(row.used_at)),
        }
        for row in people.conn.execute(query)
    ]


def erase(people: Subscribers, id: int, now: datetime) -> str:
    """Forgets somebody: their row keeps its id, its state and the days they joined and left, and nothing
    else.

    A keyed hash of the address stays, so that no import brings them back. Returns the address, for
    whoever else holds it. Raises Unknown, also for who is erased already.
    """
    person = people.find(id)
    if person is None or person.state is SubscriberState.ERASED:
        raise Unknown(f"There is no subscriber {id}.")
    address = normalise(person.address)
    people.suppressions.add([address.key], SuppressionCause.ERASED, now)
    people.suppressions.forget_reasons(address.key)
    for table in (consents, requests, batch_changes, asks):
        people.conn.execute(delete(table).where(table.c.subscriber_id == id))
    former.forget(people.conn, id)
    happenings.forget(people.conn, [id])
    rhythms.forget(people.conn, id)
    tracking.forget(people.conn, id)
    day = _day(person.joined_at)
    people.conn.execute(
        update(subscribers)
        .where(subscribers.c.id == id)
        .values(
            address="",
            address_key=f"erased {id}",  # no address has a space
            domain="",
            name="",
            sought="",
            state=SubscriberState.ERASED.value,
            cadence=None,
            topics_off="[]",
            tags="[]",
            paused_until=None,
            language="",
            strikes=0,
            consent_until=None,
            engaged_at=None,
            tracked_at=None,
            batch_id=None,
            joined_at=to_ms(day),
            left_at=to_ms(_day(_left(people, id) or now)),
            changed_at=to_ms(day),
        )
    )
    return person.address


def erased_again(
    people: Subscribers,
    now: datetime,
    *,
    limit: int = 1_000,
    after: int = 0,
    forget: Callable[[int, str], None] = lambda id, address: None,
) -> tuple[int, int]:
    """After a backup was restored: erases once more whoever's hash says that they were erased.

    The erasures must have been carried over from the newer database first. Looks at ``limit``
    subscribers; returns how many were erased and the last id looked at (0: the end). ``forget`` is told who,
    for whoever else holds something of them.
    """
    query = (
        select(subscribers.c.id, subscribers.c.address_key)
        .where(subscribers.c.id > after, subscribers.c.state != SubscriberState.ERASED.value)
        .order_by(subscribers.c.id)
        .limit(limit)
    )
    rows = people.conn.execute(query).all()
    causes = people.suppressions.causes_of([row.address_key for row in rows])
    gone = [row.id for row in rows if SuppressionCause.ERASED in causes.get(row.address_key, ())]
    for id in gone:
        forget(id, erase(people, id, now))
    return len(gone), rows[-1].id if len(rows) == limit else 0


def _left(people: Subscribers, id: int) -> datetime | None:
    left = people.conn.scalar(select(subscribers.c.left_at).where(subscribers.c.id == id))
    return None if left is None else from_ms(left)


def _day(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
