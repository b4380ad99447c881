"""Looking at the list: find, search, count, draw an audience. Changes nothing."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, select

from subscribers import audience, rhythms
from subscribers.addresses import normalise
from subscribers.audience import Claimable
from subscribers.errors import Unknown
from subscribers.model import (
    Cadence,
    Candidate,
    Consent,
    Subscriber,
    SubscriberState,
    Suppression,
    SuppressionCause,
)
from subscribers.rhythms import Former
from subscribers.rows import SHOWN, consent, subscriber
from subscribers.searching import searchable
from subscribers.segments import Filter, condition
from subscribers.sql import glob, like, mapped
from subscribers.suppressions import Suppressions
from subscribers.tables import consents, subscribers

_c = subscribers.c


class Lookup:
    """The reading half of :class:`subscribers.store.Subscribers`."""

    def __init__(self, conn: Connection, *, keys: Sequence[bytes]) -> None:
        """``keys`` seal the suppressions: the first writes, all read. Raises ValueError for none."""
        self.conn = conn
        self.suppressions = Suppressions(conn, keys=keys)

    def get(self, id: int) -> Subscriber:
        """Raises Unknown."""
        found = self.find(id)
        if found is None:
            raise Unknown(f"There is no subscriber {id}.")
        return found

    def find(self, id: int) -> Subscriber | None:
        row = self.conn.execute(SHOWN.where(_c.id == id)).one_or_none()
        return None if row is None else subscriber(row)

    def by_address(self, address: str) -> Subscriber | None:
        """However it is spelt. Raises Invalid for what is no address."""
        row = self.conn.execute(SHOWN.where(_c.address_key == normalise(address).key)).one_or_none()
        return None if row is None else subscriber(row)

    def list(
        self,
        limit: int = 50,
        after: int = 0,
        state: SubscriberState | None = None,
        text: str = "",
        among: ColumnElement[bool] | None = None,
    ) -> builtins.list[Subscriber]:
        """By id, those after ``after``; erased ones only where asked for by state.

        ``text`` is part of an address or of a name; ``@gmail.com`` finds a whole domain.
        """
        ids = self.ids(limit, after, state, text, among)
        found = self.conn.execute(SHOWN.where(_c.id.in_(ids)).order_by(_c.id))
        return [subscriber(row) for row in found]

    def ids(
        self,
        limit: int,
        after: int = 0,
        state: SubscriberState | None = None,
        text: str = "",
        among: ColumnElement[bool] | None = None,
    ) -> builtins.list[int]:
        """Theirs alone; see ``list``."""
        mapped(self.conn)
        found: list[int] = []
        for one in _states(
            state
        ):  # each reads its part of a covering index, in order, and stops at the limit
            query = select(_c.id).where(_c.state == one.value, _c.id > after, *_here(self.conn, text, among))
            found += self.conn.scalars(query.order_by(_c.id).limit(limit))
        return sorted(found)[:limit]

    def count(
        self,
        state: SubscriberState | None = None,
        text: str = "",
        among: ColumnElement[bool] | None = None,
    ) -> int:
        """How many ``list`` would give, page after page."""
        mapped(self.conn)
        states = [one.value for one in _states(state)]
        query = select(func.count()).where(_c.state.in_(states), *_here(self.conn, text, among))
        return self.conn.scalar(query) or 0

    def counts(self) -> dict[SubscriberState, int]:
        """How many are in each state; every state is there."""
        if self.conn.dialect.name != "sqlite":
            rows = self.conn.execute(select(_c.state, func.count()).group_by(_c.state))
            return dict.fromkeys(SubscriberState, 0) | {SubscriberState(state): n for state, n in rows}
        # SQLite counts a whole table by its pages, twenty times as fast as the rows of its largest state.
        rest = [state for state in SubscriberState if state is not SubscriberState.ACTIVE]
        counted = dict.fromkeys(SubscriberState, 0) | {state: self._in(state) for state in rest}
        everybody = self.conn.scalar(select(func.count()).select_from(subscribers)) or 0
        counted[SubscriberState.ACTIVE] = everybody - sum(counted.values())
        return counted

    def _in(self, state: SubscriberState) -> int:
        return self.conn.scalar(select(func.count()).where(_c.state == state.value)) or 0

    def searchable(self) -> bool:
        """Whether a search that finds nobody is quick, however long the list is."""
        return searchable(self.conn)

    def consents(self, id: int) -> builtins.list[Consent]:
        """Every proof on record, newest first."""
        query = select(consents).where(consents.c.subscriber_id == id)
        rows = self.conn.execute(query.order_by(consents.c.at.desc(), consents.c.id.desc()))
        return [consent(row) for row in rows]

    def suppressions_of(self, address: str) -> builtins.list[Suppression]:
        """Why an address is never mailed, oldest first. Raises Invalid for what is no address."""
        return self.suppressions.of(normalise(address).key)

    def may_be_written_to(self, person: Subscriber) -> bool:
        """Whether their address may get a message that they asked for, whether they subscribe or not."""
        causes = {one.cause for one in self.suppressions_of(person.address)} if person.address else set()
        return person.state not in _SILENT and not causes & _SILENCES

    def highest_id(self) -> int:
        return audience.highest_id(self.conn)

    def candidates(
        self,
        cadence: Cadence,
        default_cadence: Cadence,
        after: int,
        bound: int,
        limit: int,
        now: datetime,
        segment: Filter | None = None,
    ) -> builtins.list[Candidate]:
        """See :func:`subscribers.audience.candidates`; only those in the segment, where there is one."""
        among = _among(segment, default_cadence)
        return audience.candidates(self.conn, cadence, default_cadence, after, bound, limit, now, among=among)

    def former(
        self,
        cadence: Cadence,
        default_cadence: Cadence,
        after: int,
        bound: int,
        limit: int,
        now: datetime,
        segment: Filter | None = None,
    ) -> builtins.list[Former]:
        """See :func:`subscribers.rhythms.former`; only those in the segment, where there is one."""
        among = _among(segment, default_cadence)
        return rhythms.former(self.conn, cadence, default_cadence, after, bound, limit, now, among=among)

    def audience_size(
        self, cadence: Cadence, default_cadence: Cadence, now: datetime, segment: Filter | None = None
    ) -> int:
        """See :func:`subscribers.audience.size`."""
        among = _among(segment, default_cadence)
        return audience.size(self.conn, cadence, default_cadence, now, among=among)

    def claimable(self, ids: Sequence[int], now: datetime) -> Claimable:
        """See :func:`subscribers.audience.claimable`."""
        return audience.claimable(self.conn, self.suppressions, ids, now)

    def cadences_in_use(self, default: Cadence) -> set[Cadence]:
        return audience.cadences_in_use(self.conn, default)


def _among(segment: Filter | None, default_cadence: Cadence) -> ColumnElement[bool] | None:
    return None if segment is None else condition(segment, default_cadence=default_cadence)


_SILENCES = frozenset(SuppressionCause) - {SuppressionCause.UNSUBSCRIBED}
_SILENT = frozenset({SubscriberState.BOUNCED, SubscriberState.COMPLAINED, SubscriberState.ERASED})
_NOT_ERASED = tuple(state for state in SubscriberState if state is not SubscriberState.ERASED)


def _states(state: SubscriberState | None) -> tuple[SubscriberState, ...]:
    return _NOT_ERASED if state is None else (state,)


def _here(
    conn: Connection, text: str, among: ColumnElement[bool] | None
) -> builtins.list[ColumnElement[bool]]:
    return [*([] if among is None else [among]), *([matching(conn, text)] if text else [])]


def matching(conn: Connection, text: str) -> ColumnElement[bool]:
    """Part of an address or a name, whatever the case; ``@domain`` is a whole domain."""
    wanted = text.strip().casefold()
    if wanted.startswith("@") and "." in wanted:
        return _c.domain == wanted[1:]
    if conn.dialect.name == "sqlite":  # what is sought is casefolded, and GLOB need not look for the case
        return _c.sought.op("GLOB")(f"*{glob(wanted)}*")
    return _c.sought.like(f"%{like(wanted)}%", escape="\\")
