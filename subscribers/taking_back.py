"""Takes an import or a bulk action back: whom it brought goes, what it changed returns, whom it kept out is
free.

Whoever did something since (left, confirmed, chose) stays as they are now, and nobody comes back whom
anything else forbids to mail (invariant 10). A thousand people a step, each in a transaction of its own;
interrupted, it is resumed by doing it again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, delete, func, select, update

from subscribers.errors import Refused, Unknown
from subscribers.model import SubscriberState
from subscribers.rows import left_at, stored_words, words
from subscribers.sql import MANY, chunks
from subscribers.states import displayed
from subscribers.store import Subscribers
from subscribers.suppressions import NONE, Causes
from subscribers.tables import (
    asks,
    batch_changes,
    batches,
    consents,
    happenings,
    requests,
    subscribers,
    suppressions,
)
from subscribers.times import to_ms

_c = subscribers.c
_COLUMNS: Final = (_c.state, _c.name, _c.sought, _c.tags, _c.consent_until)  # what a batch changes


@dataclass(frozen=True, kw_only=True)
class Step:
    """``gone`` are those whom the batch had brought, for whoever else holds something of them; ``returned``,
    how many are as before. ``left``, at the end: how many of those it brought stay."""

    gone: Sequence[int] = ()
    returned: int = 0
    done: bool = False
    left: int = 0


def step(people: Subscribers, batch_id: int, now: datetime) -> Step:
    """Takes the next thousand back. Raises Unknown, and Refused for a batch that was taken back already."""
    batch = people.conn.execute(select(batches).where(batches.c.id == batch_id)).one_or_none()
    if batch is None:
        raise Unknown(f"There is no import or change {batch_id}.")
    if batch.undone_at is not None:
        raise Refused(f"Number {batch_id} was taken back already.")
    if returned := _return(people, batch, now):
        return returned
    if gone := _remove(people, batch):
        return Step(gone=gone)
    conn = people.conn
    conn.execute(delete(suppressions).where(suppressions.c.batch_id == batch_id))
    for table in (asks, batch_changes):
        conn.execute(delete(table).where(table.c.batch_id == batch_id))
    conn.execute(update(batches).where(batches.c.id == batch_id).values(undone_at=to_ms(now)))
    left = conn.execute(select(func.count()).where(_c.batch_id == batch_id)).scalar_one()
    return Step(done=True, left=left)


def undo(people: Subscribers, batch_id: int, now: datetime) -> tuple[int, int]:
    """All of it in the caller's transaction; how many went and how many stayed. Raises as ``step`` does."""
    gone = 0
    while not (taken := step(people, batch_id, now)).done:
        gone += len(taken.gone)
    return gone, taken.left


def _return(people: Subscribers, batch: Any, now: datetime) -> Step | None:
    """Those who were there before, as they were; None where there are no more of them."""
    conn, mine = people.conn, batch_changes.c.batch_id == batch.id
    query = (
        select(_c.id, _c.address_key, *_COLUMNS, batch_changes.c.before, batch_changes.c.after)
        .select_from(batch_changes.join(subscribers, _c.id == batch_changes.c.subscriber_id))
        .where(mine)
        .order_by(batch_changes.c.subscriber_id)
        .limit(MANY)
        .with_for_update(of=subscribers)
    )  # fmt: skip
    rows = conn.execute(query).all()
    if not rows:
        return None
    keys, ids = [row.address_key for row in rows], [row.id for row in rows]
    people.suppressions.free(keys, batch.id)
    causes = people.suppressions.causes_of(keys)
    proofs = select(consents.c.subscriber_id).where(
        consents.c.subscriber_id.in_(ids), consents.c.at > batch.at
    )
    agreed = set(conn.scalars(proofs))
    returned = 0
    for row in rows:
        if values := _before(row, causes.get(row.address_key, NONE), agreed=row.id in agreed):
            changing = _SET[tuple(values), values.get("state", "")]
            conn.execute(changing, {"one": row.id, "now": to_ms(now), **values})
            returned += 1
    conn.execute(delete(batch_changes).where(mine, batch_changes.c.subscriber_id.in_(ids)))
    return Step(returned=returned)


class _Sets(dict[tuple[tuple[str, ...], str], Any]):
    """One statement for each set of columns and state, made once."""

    def __missing__(self, key: tuple[tuple[str, ...], str]) -> Any:
        names, state = key
        values: dict[str, Any] = {name: bindparam(name) for name in names}
        if state:
            values["left_at"] = left_at(SubscriberState(state), bindparam("now"))
        self[key] = made = (
            update(subscribers).where(_c.id == bindparam("one")).values(changed_at=bindparam("now"), **values)
        )
        return made


_SET: Final = _Sets()


def _before(row: Any, causes: Causes, *, agreed: bool) -> dict[str, Any]:
    """The columns to write: those of before, unless somebody changed one of them since."""
    before: dict[str, Any] = json.loads(row.before)
    after: Mapping[str, Any] = json.loads(row.after)
    values: dict[str, Any] = {}
    if "tags" in after:  # the author may have put on others since, which stay
        was, became = set(words(before.pop("tags"))), set(words(after["tags"]))
        values["tags"] = stored_words((set(words(row.tags)) | (was - became)) - (became - was))
    if all(getattr(row, name) == after[name] for name in before):
        if agreed:
            before.pop("state", None)
            before.pop("consent_until", None)
        elif "state" in before:
            before["state"] = displayed(SubscriberState(before["state"]), causes).value
        values |= before
    return {name: value for name, value in values.items() if value != getattr(row, name)}


def _remove(people: Subscribers, batch: Any) -> Sequence[int]:
    """Those whom it brought and who did nothing since, gone."""
    conn = people.conn
    mine = select(_c.id, _c.address_key).where(_c.batch_id == batch.id, _c.changed_at == batch.at)
    rows = conn.execute(mine.order_by(_c.id).limit(MANY).with_for_update()).all()
    ids = [row.id for row in rows]
    for few in chunks(ids):
        for table in (consents, requests, asks, happenings):
            conn.execute(delete(table).where(table.c.subscriber_id.in_(few)))
        conn.execute(delete(subscribers).where(_c.id.in_(few)))
    people.suppressions.free([row.address_key for row in rows], batch.id)
    return ids
