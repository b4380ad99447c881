"""The writing half of an import, and how it is taken back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from subscribers.errors import Refused, Unknown
from subscribers.imports.plan import Outcome, Planned
from subscribers.imports.rows import Person
from subscribers.model import ConsentKind, SubscriberState, SuppressionCause
from subscribers.rows import stored_words, words
from subscribers.sql import chunks, insert_many
from subscribers.store import Subscribers, plain_name
from subscribers.suppressions import Causes
from subscribers.tables import batch_changes, batches, consents, subscribers, suppressions
from subscribers.times import maybe_ms, to_ms

_c = subscribers.c
_KNOWN: Final = select(
    _c.id, _c.address_key, _c.state, _c.name, _c.tags, _c.consent_until, _c.changed_at
).where(_c.address_key.in_(bindparam("keys", expanding=True)))

_IDS: Final = select(_c.id, _c.address_key).where(_c.address_key.in_(bindparam("keys", expanding=True)))
_PERSON: Final = (
    "address address_key domain name state cadence topics_off tags paused_until language consent_until "
    "batch_id joined_at changed_at"
).split()
_PROOF: Final = "subscriber_id kind at source origin wording expires_at".split()


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """Somebody who is on the list already, as far as an import cares."""

    id: int
    state: SubscriberState
    name: str
    tags: tuple[str, ...]
    consent_until: int | None
    changed_at: int


@dataclass(frozen=True, kw_only=True)
class AllKnown:
    people: Mapping[str, Known]
    causes: Mapping[str, Causes]


@dataclass(kw_only=True)
class Batch:
    """One import while it runs: what is the same for all of its rows, and what was done so far."""

    now: datetime
    source: str
    kind: ConsentKind  #: of consents that the file does not prove
    dialect: str
    id: int = 0
    created: int = 0
    changed: int = 0
    suppressed: int = 0

    def open(self, conn: Connection) -> None:
        made = batches.insert().values(at=to_ms(self.now), dialect=self.dialect, source=self.source)
        self.id = int(conn.execute(made.returning(batches.c.id)).scalar_one())

    def save(self, conn: Connection) -> None:
        conn.execute(
            update(batches)
            .where(batches.c.id == self.id)
            .values(created=self.created, changed=self.changed, suppressed=self.suppressed)
        )


class Writer:
    """Writes what was planned for some rows of a batch, in one transaction."""

    def __init__(self, people: Subscribers, batch: Batch) -> None:
        self._people = people
        self._conn = people.conn
        self._batch = batch
        self._ms = to_ms(batch.now)

    def known(self, keys: Sequence[str]) -> AllKnown:
        people = {}
        for few in chunks(keys):
            for row in self._conn.execute(_KNOWN, {"keys": list(few)}):
                people[row.address_key] = Known(
                    id=row.id,
                    state=SubscriberState(row.state),
                    name=row.name,
                    tags=words(row.tags),
                    consent_until=row.consent_until,
                    changed_at=row.changed_at,
                )
        return AllKnown(people=people, causes=self._people.suppressions.causes_of(keys))

    def write(
        self, planned: Sequence[tuple[Person, Known | None, Planned]], before: Mapping[str, Causes]
    ) -> None:
        fresh = [(person, what) for person, one, what in planned if one is None and what.state is not None]
        self._insert(fresh)
        for person, one, what in planned:
            if one is not None and what.outcome in (Outcome.CHANGED, Outcome.KEPT_OUT):
                self._change(person, one, what)
        added: dict[SuppressionCause, list[str]] = {}
        for person, _, what in planned:
            for cause in what.causes - before.get(person.address.key, frozenset()):
                added.setdefault(cause, []).append(person.address.key)
        for cause, keys in added.items():
            self._batch.suppressed += self._people.suppressions.add(
                keys, cause, self._batch.now, reason=f"import: {self._batch.source}", batch_id=self._batch.id
            )
        self._batch.save(self._conn)

    def _insert(self, fresh: Sequence[tuple[Person, Planned]]) -> None:
        if not fresh:
            return
        ms, batch = self._ms, self._batch.id
        insert_many(
            self._conn,
            subscribers,
            _PERSON,
            [
                (
                    person.address.text,
                    person.address.key,
                    person.address.domain,
                    plain_name(person.name) if person.name else "",
                    what.state.value if what.state else "",
                    person.cadence.value if person.cadence else None,
                    stored_words(person.topics_off) if person.topics_off else "[]",
                    stored_words(person.tags) if person.tags else "[]",
                    maybe_ms(person.paused_until),
                    person.language,
                    maybe_ms(person.expires),
                    batch,
                    to_ms(person.joined) if person.joined else ms,
                    ms,
                )
                for person, what in fresh
            ],
        )
        self._batch.created += len(fresh)
        agreed = {p.address.key: p for p, _ in fresh if p.state is not SubscriberState.UNCONFIRMED}
        ids = self._conn.execute(_IDS, {"keys": list(agreed)})
        insert_many(self._conn, consents, _PROOF, [self._proof(id, agreed[key]) for id, key in ids])

    def _proof(self, id: int, person: Person) -> tuple[int | str | None, ...]:
        kind = person.kind or (ConsentKind.EXPRESS if person.agreed else self._batch.kind)
        return (
            id,
            kind.value,
            to_ms(person.agreed or person.joined or self._batch.now),
            person.source or f"import: {self._batch.source}",
            person.origin,
            person.wording,
            maybe_ms(person.expires),
        )

    def _change(self, person: Person, one: Known, what: Planned) -> None:
        after: dict[str, Any] = {}
        if what.state is not None and what.state is not one.state:
            after["state"] = what.state.value
        if what.outcome is Outcome.CHANGED:
            if person.name and not one.name:
                after["name"] = plain_name(person.name)
            tags = stored_words({*one.tags, *person.tags})
            if tags != stored_words(one.tags):
                after["tags"] = tags
            if one.state is SubscriberState.UNCONFIRMED:
                after["consent_until"] = maybe_ms(person.expires)
                insert_many(self._conn, consents, _PROOF, [self._proof(one.id, person)])
        if not after:
            return
        before = {
            "state": one.state.value,
            "name": one.name,
            "tags": stored_words(one.tags),
            "consent_until": one.consent_until,
        }
        self._conn.execute(
            insert(batch_changes).values(
                batch_id=self._batch.id,
                subscriber_id=one.id,
                before=json.dumps({column: before[column] for column in after}),
                after=json.dumps(after),
            )
        )
        self._conn.execute(update(subscribers).where(_c.id == one.id).values(changed_at=self._ms, **after))
        self._batch.changed += 1


def undo(people: Subscribers, batch_id: int, now: datetime) -> tuple[int, int]:
    """Takes an import back: whom it brought goes, what it changed returns, whom it suppressed is free.

    Whoever did something since (left, confirmed, chose) stays as they are now. Returns how many went and
    how many stayed. Raises Unknown, and Refused for a batch that was taken back already.
    """
    conn = people.conn
    batch = conn.execute(select(batches).where(batches.c.id == batch_id)).one_or_none()
    if batch is None:
        raise Unknown(f"There is no import {batch_id}.")
    if batch.undone_at is not None:
        raise Refused(f"Import {batch_id} was taken back already.")
    conn.execute(delete(suppressions).where(suppressions.c.batch_id == batch_id))
    for change in conn.execute(select(batch_changes).where(batch_changes.c.batch_id == batch_id)).all():
        before, after = json.loads(change.before), json.loads(change.after)
        same = [_c[column].is_not_distinct_from(value) for column, value in after.items()]
        conn.execute(
            update(subscribers)
            .where(_c.id == change.subscriber_id, *same)
            .values(changed_at=to_ms(now), **before)
        )
    mine = (_c.batch_id == batch_id, _c.changed_at == batch.at)
    going = select(_c.id).where(*mine)
    conn.execute(delete(consents).where(consents.c.subscriber_id.in_(going)))
    gone = conn.execute(delete(subscribers).where(*mine)).rowcount
    left = conn.execute(select(func.count()).where(_c.batch_id == batch_id)).scalar_one()
    conn.execute(update(batches).where(batches.c.id == batch_id).values(undone_at=to_ms(now)))
    return gone, left
