"""The writing half of an import; how it is taken back is in taking_back.py."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from subscribers.imports.plan import Outcome, Planned
from subscribers.imports.rows import Person
from subscribers.model import ConsentKind, SubscriberState, SuppressionCause
from subscribers.rows import left_at, sought, stored_words, words
from subscribers.sql import insert_many, select_in, take_ids
from subscribers.store import Subscribers, plain_name
from subscribers.suppressions import NONE, Causes
from subscribers.tables import asks, batch_changes, batches, consents, subscribers
from subscribers.times import maybe_ms, to_ms

_c = subscribers.c
_KNOWN: Final = (
    "SELECT id, address_key, state, name, tags, consent_until, changed_at FROM subscribers "
    "WHERE address_key {in}"
)
_PERSON: Final = (
    "id address address_key domain name state cadence topics_off tags paused_until language consent_until "
    "engaged_at batch_id joined_at left_at changed_at sought"
).split()
_PROOF: Final = "subscriber_id kind at source origin wording expires_at".split()
_PRESENT: Final = (SubscriberState.ACTIVE, SubscriberState.UNCONFIRMED)
_ASK: Final = ("batch_id", "subscriber_id")
Row = tuple[int | str | None, ...]


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
    ask_per_day: int = 0
    id: int = 0
    created: int = 0
    changed: int = 0
    suppressed: int = 0

    def open(self, conn: Connection) -> None:
        """With its first rows: a batch is never there without who is to know of it."""
        if self.id:
            return
        made = batches.insert().values(
            at=to_ms(self.now),
            dialect=self.dialect,
            source=self.source,
            ask_per_day=self.ask_per_day or None,
        )
        self.id = int(conn.execute(made.returning(batches.c.id)).scalar_one())

    def reopen(self, conn: Connection, id: int) -> None:
        """It was interrupted, and goes on."""
        row = conn.execute(select(batches).where(batches.c.id == id)).one()
        self.id, self.created, self.changed, self.suppressed = id, row.created, row.changed, row.suppressed

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
        self._source = f"import: {batch.source}"

    def known(self, keys: Sequence[str]) -> AllKnown:
        people = {
            key: Known(
                id=id,
                state=SubscriberState(state),
                name=name,
                tags=words(tags),
                consent_until=consent_until,
                changed_at=changed_at,
            )
            for id, key, state, name, tags, consent_until, changed_at in select_in(self._conn, _KNOWN, keys)
        }
        return AllKnown(people=people, causes=self._people.suppressions.causes_of(keys))

    def write(
        self, planned: Sequence[tuple[Person, Known | None, Planned]], before: Mapping[str, Causes]
    ) -> None:
        fresh = [(person, what) for person, one, what in planned if one is None and what.state is not None]
        self._insert(fresh)
        added: dict[SuppressionCause, list[str]] = {}
        again: dict[SuppressionCause, list[str]] = {}
        for person, one, what in planned:
            if one is not None and what.outcome in (Outcome.CHANGED, Outcome.KEPT_OUT):
                self._change(person, one, what)
            if what.causes:
                key = person.address.key
                stood = before.get(key, NONE)
                for cause in what.causes - stood:
                    added.setdefault(cause, []).append(key)
                for cause in what.causes & stood:
                    again.setdefault(cause, []).append(key)
        for cause, keys in added.items():
            self._batch.suppressed += self._people.suppressions.add(
                keys, cause, self._batch.now, reason=f"import: {self._batch.source}", batch_id=self._batch.id
            )
        for cause, keys in again.items():  # an older import said so too, and may be taken back
            self._people.suppressions.keep(keys, [cause], self._batch.id)
        self._batch.save(self._conn)

    def _insert(self, fresh: Sequence[tuple[Person, Planned]]) -> None:
        """Straight to the driver with ids taken beforehand, so that nothing has to be read back."""
        if not fresh:
            return
        ms, batch = self._ms, self._batch.id
        people: list[Row] = []
        proofs: list[Row] = []
        asked: list[Row] = []
        for id, (person, what) in zip(take_ids(self._conn, subscribers, len(fresh)), fresh, strict=True):
            address, key, domain = person.address
            name = plain_name(person.name) if person.name else ""
            joined = to_ms(person.joined) if person.joined else ms
            state = what.state.value if what.state else ""
            people.append(
                (
                    id,
                    address,
                    key,
                    domain,
                    name,
                    state,
                    person.cadence.value if person.cadence else None,
                    stored_words(person.topics_off) if person.topics_off else "[]",
                    stored_words(person.tags) if person.tags else "[]",
                    maybe_ms(person.paused_until),
                    person.language,
                    maybe_ms(person.until),
                    maybe_ms(person.engaged),
                    batch,
                    joined,
                    None if what.state in _PRESENT else joined,  # they left where they come from
                    ms,
                    f"{key} {name.casefold()}" if name else key,  # as rows.sought has it
                )
            )
            if person.state is not SubscriberState.UNCONFIRMED:
                proofs += self._proofs(id, person, joined)
            if what.outcome is Outcome.ASKED:
                asked.append((batch, id))
        insert_many(self._conn, subscribers, _PERSON, people)
        insert_many(self._conn, consents, _PROOF, proofs)
        insert_many(self._conn, asks, _ASK, asked)
        self._batch.created += len(fresh)

    def _proofs(self, id: int, person: Person, joined: int) -> list[Row]:
        return [self._proof(id, person, joined), *((id, *proof) for proof in person.earlier)]

    def _proof(self, id: int, person: Person, joined: int) -> Row:
        agreed = person.agreed
        kind = person.kind or (ConsentKind.EXPRESS if agreed else self._batch.kind)
        return (
            id,
            kind.value,
            to_ms(agreed) if agreed else joined,
            person.source or self._source,
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
                after["sought"] = sought(person.address.key, after["name"])
            tags = stored_words({*one.tags, *person.tags})
            if tags != stored_words(one.tags):
                after["tags"] = tags
            if one.state is SubscriberState.UNCONFIRMED:
                after["consent_until"] = maybe_ms(person.until)
                joined = to_ms(person.joined) if person.joined else self._ms
                insert_many(self._conn, consents, _PROOF, self._proofs(one.id, person, joined))
        if not after:
            return
        before = {
            "state": one.state.value,
            "name": one.name,
            "sought": sought(person.address.key, one.name),
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
        gone = {"left_at": left_at(what.state, self._ms)} if what.state and "state" in after else {}
        changed = update(subscribers).where(_c.id == one.id)
        self._conn.execute(changed.values(changed_at=self._ms, **gone, **after))
        self._batch.changed += 1
