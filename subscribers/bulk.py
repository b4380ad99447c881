"""What the author does to many at once: put a tag on or take it off, unsubscribe.

A thousand people a step, each in a transaction of its own, so that nobody who wants to leave meanwhile waits;
interrupted, it is resumed by doing it again. Every one of them is remembered, so that the whole can be taken
back (taking_back.py) for ``KEPT``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, not_, select, update

from subscribers import happenings
from subscribers.errors import Invalid
from subscribers.model import SubscriberState, SuppressionCause
from subscribers.rows import left_at, stored_words
from subscribers.segments import has_tag
from subscribers.states import Act, Standing, decide
from subscribers.store import Subscribers
from subscribers.suppressions import NONE
from subscribers.tables import batch_changes, batches, subscribers, suppressions
from subscribers.times import to_ms

STEP: Final = 1_000
KEPT: Final = timedelta(days=30)
MOST_TAG: Final = 50  #: characters

_c = subscribers.c
_LEAVABLE: Final = (SubscriberState.ACTIVE.value, SubscriberState.UNCONFIRMED.value)


class What(StrEnum):
    TAG = "tag"
    UNTAG = "untag"
    UNSUBSCRIBE = "unsubscribe"


@dataclass(frozen=True, kw_only=True)
class Doing:
    """``tag`` is empty where they are unsubscribed."""

    what: What
    tag: str = ""


def doing(what: What, tag: str = "") -> Doing:
    """Raises Invalid for no tag, or one that cannot be written in a list of them."""
    plain = "" if what is What.UNSUBSCRIBE else " ".join(tag.split())
    if what is not What.UNSUBSCRIBE and not plain:
        raise Invalid("No tag is given.", hint="Write which one.")
    if "," in plain or len(plain) > MOST_TAG or not plain.isprintable():
        raise Invalid("This is no tag.", hint=f"A tag has at most {MOST_TAG} characters and no comma.")
    return Doing(what=what, tag=plain)


def touched(wanted: Doing) -> ColumnElement[bool]:
    """Whom it would change at all."""
    if wanted.what is What.UNSUBSCRIBE:
        return _c.state.in_(_LEAVABLE)
    there = and_(_c.tags != "[]", has_tag(wanted.tag))
    return there if wanted.what is What.UNTAG else not_(there)


def begin(conn: Connection, wanted: Doing, now: datetime) -> int:
    """The batch under which it is remembered."""
    made = batches.insert().values(at=to_ms(now), kind=wanted.what.value, dialect="", source=wanted.tag)
    return int(conn.execute(made.returning(batches.c.id)).scalar_one())


def step(
    people: Subscribers, batch_id: int, wanted: Doing, ids: Sequence[int], now: datetime
) -> Sequence[int]:
    """Does it to these, at most ``STEP`` of them; returns those whom it changed."""
    if wanted.what is What.UNSUBSCRIBE:
        changed = _unsubscribe(people, batch_id, ids, now)
    else:
        tagging = wanted.what is What.TAG
        changed = [
            (id, {"tags": stored_words(before)}, {"tags": stored_words(after)})
            for id, before, after in people.tag(
                ids, now, add=[wanted.tag] if tagging else [], remove=[] if tagging else [wanted.tag]
            )
        ]
    if changed:
        remembered = [
            {
                "batch_id": batch_id,
                "subscriber_id": id,
                "before": json.dumps(before),
                "after": json.dumps(after),
            }
            for id, before, after in changed
        ]
        people.conn.execute(insert(batch_changes), remembered)
        count = batches.c.changed + len(changed)
        people.conn.execute(update(batches).where(batches.c.id == batch_id).values(changed=count))
    return [id for id, _, _ in changed]


Change = tuple[int, dict[str, Any], dict[str, Any]]  #: who, the columns before and after


def _unsubscribe(people: Subscribers, batch_id: int, ids: Sequence[int], now: datetime) -> list[Change]:
    conn, cause = people.conn, SuppressionCause.UNSUBSCRIBED
    query = select(_c.id, _c.address_key, _c.state).where(_c.id.in_(ids), _c.state.in_(_LEAVABLE))
    rows = conn.execute(query.order_by(_c.id).with_for_update()).all()
    if not rows:
        return []
    keys = [row.address_key for row in rows]
    causes = people.suppressions.causes_of(keys)
    changed: list[Change] = []
    for row in rows:
        state = SubscriberState(row.state)
        standing = Standing(state=state, causes=causes.get(row.address_key, NONE))
        move = decide(standing, Act.UNSUBSCRIBE)
        if move.state is not None and move.state is not state:
            changed.append((row.id, {"state": state.value}, {"state": move.state.value}))
    people.suppressions.keep(keys, [cause], batch_id)
    people.suppressions.add(keys, cause, now, reason="by the author", batch_id=batch_id)
    gone = [id for id, _, _ in changed]
    conn.execute(
        update(subscribers)
        .where(_c.id.in_(gone))
        .values(
            state=SubscriberState.UNSUBSCRIBED.value,
            strikes=0,
            left_at=left_at(SubscriberState.UNSUBSCRIBED, to_ms(now)),
            changed_at=to_ms(now),
        )
    )
    people.requests.close_all(gone, now)
    happenings.acted_on_many(conn, gone, Act.UNSUBSCRIBE, now, "by the author")
    return changed


def clean(conn: Connection, now: datetime) -> None:
    """Forgets how what was done long ago would be taken back; what it did stays."""
    kinds = [what.value for what in What]
    old = select(batches.c.id).where(batches.c.kind.in_(kinds), batches.c.at < to_ms(now - KEPT))
    ids = conn.scalars(old.limit(STEP)).all()
    if ids:
        mine = suppressions.c.batch_id.in_(ids)
        conn.execute(update(suppressions).where(mine).values(batch_id=None))
        conn.execute(delete(batch_changes).where(batch_changes.c.batch_id.in_(ids)))
        conn.execute(delete(batches).where(batches.c.id.in_(ids)))
