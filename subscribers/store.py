"""The list itself: join, choose, leave; looking at it is in lookup.py.

Every change of a state goes through :func:`subscribers.states.decide`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, or_, select, update

from subscribers import former, happenings, rhythms, tracking
from subscribers.addresses import Address, normalise
from subscribers.errors import Invalid, Refused, Unknown
from subscribers.happenings import What
from subscribers.lookup import Lookup
from subscribers.model import (
    Cadence,
    Consent,
    ConsentKind,
    Subscriber,
    SubscriberState,
    SuppressionCause,
)
from subscribers.requests import Requests
from subscribers.rows import SHOWN, left_at, sought, stored_words, subscriber, words
from subscribers.sql import among_writers, insert
from subscribers.states import Act, Move, Standing, cause_of, decide
from subscribers.tables import consents, subscribers
from subscribers.times import maybe_ms, rfc3339, to_ms

MOST_NAME = 100  #: characters; what is longer is cut
STRIKES = 5  #: soft bounces in a row that count as a hard one
UNDO_WITHIN = timedelta(hours=1)

_c = subscribers.c


@dataclass(frozen=True, kw_only=True)
class Added:
    """``refused`` names the cause that forbids the address; then nothing changed, and ``subscriber`` is
    who has it, None where only its suppression is known."""

    subscriber: Subscriber | None
    created: bool
    refused: str = ""


class Subscribers(Lookup):
    """Takes an open connection and never commits. One is as short-lived as its connection."""

    def __init__(self, conn: Connection, *, keys: Sequence[bytes]) -> None:
        super().__init__(conn, keys=keys)
        self.requests = Requests(conn)

    # --- join -----------------------------------------------------------------------------------

    def add(
        self,
        address: str,
        *,
        name: str = "",
        source: str,
        now: datetime,
        kind: ConsentKind = ConsentKind.EXPRESS,
        expires_at: datetime | None = None,
        cadence: Cadence | None = None,
        language: str = "",
        tags: Iterable[str] = (),
    ) -> Added:
        """The author adds somebody who agreed: active at once, with that consent on record.

        Lifts no suppression (invariant 10): such an address comes back as refused. Raises Invalid.
        """
        written = normalise(address)
        known, move = self._decided(written, Act.AUTHOR)
        if move.refused:
            return Added(subscriber=known, created=False, refused=move.refused)
        if known is None:
            known = self.insert(
                written, SubscriberState.ACTIVE, now, name=name, cadence=cadence, language=language, tags=tags
            )
            created = True
        else:
            created = False
            if known.state is SubscriberState.ACTIVE:
                return Added(subscriber=known, created=False)
            self.write(known, move, now)
        self.record(
            Consent(subscriber_id=known.id, kind=kind, at=now, source=source, expires_at=expires_at),
            fresh=True,
        )
        return Added(subscriber=self.get(known.id), created=created)

    def insert(
        self,
        address: Address,
        state: SubscriberState,
        now: datetime,
        *,
        name: str = "",
        cadence: Cadence | None = None,
        language: str = "",
        tags: Iterable[str] = (),
    ) -> Subscriber:
        """A new row, or the one that somebody else wrote a moment ago. Decides nothing: see ``add``."""
        values = {
            "address": address.text,
            "address_key": address.key,
            "domain": address.domain,
            "name": plain_name(name),
            "sought": sought(address.key, plain_name(name)),
            "state": state.value,
            "cadence": cadence.value if cadence else None,
            "language": language,
            "tags": stored_words(tags),
            "joined_at": to_ms(now),
            "changed_at": to_ms(now),
        }
        among_writers(self.conn, alone=False)
        self.conn.execute(insert(self.conn, subscribers).values(values).on_conflict_do_nothing())
        return subscriber(self.conn.execute(SHOWN.where(_c.address_key == address.key)).one())

    def record(self, proof: Consent, *, fresh: bool) -> None:
        """Keeps a proof of consent. ``fresh`` starts anew; else the longest-lasting one counts."""
        self.conn.execute(
            consents.insert().values(
                subscriber_id=proof.subscriber_id,
                kind=proof.kind.value,
                at=to_ms(proof.at),
                source=proof.source,
                origin=proof.origin,
                wording=proof.wording,
                expires_at=maybe_ms(proof.expires_at),
            )
        )
        until = maybe_ms(proof.expires_at)
        changing = update(subscribers).where(_c.id == proof.subscriber_id).values(consent_until=until)
        if not fresh and until is not None:
            changing = changing.where(_c.consent_until < until)
        self.conn.execute(changing)

    # --- choose ---------------------------------------------------------------------------------

    def choose(
        self,
        id: int,
        now: datetime,
        *,
        cadence: Cadence | None,
        topics_off: Iterable[str],
        paused_until: datetime | None,
    ) -> None:
        """What a subscriber chose on their preferences page, all of it at once."""
        person, off = self.get(id), sorted(set(topics_off))
        if cadence is not person.cadence:
            rhythms.remember(self.conn, id, person.cadence, now)
            happenings.add(self.conn, id, What.HOW_OFTEN, now, cadence.value if cadence else "")
        if set(off) != set(person.topics_off):
            happenings.add(self.conn, id, What.TOPICS, now, ", ".join(off))
        if paused_until is not None and paused_until != person.paused_until:
            happenings.add(self.conn, id, What.PAUSED, now, rfc3339(paused_until))
        elif paused_until is None and person.paused_until is not None and person.paused_until > now:
            happenings.add(self.conn, id, What.RESUMED, now)
        self._set(
            id,
            now,
            cadence=cadence.value if cadence else None,
            topics_off=stored_words(off),
            paused_until=maybe_ms(paused_until),
            engaged_at=to_ms(now),
        )

    def rename(self, id: int, name: str, now: datetime) -> None:
        plain = plain_name(name)
        happenings.add(self.conn, id, What.NAMED, now)
        self._set(id, now, name=plain, sought=sought(normalise(self.get(id).address).key, plain))

    def readdress(self, id: int, address: str, now: datetime) -> None:
        """Their mail goes elsewhere from now on. Raises Invalid, Unknown, and Refused where the new
        address is somebody's already or must not be mailed: that decides again at this moment."""
        written = normalise(address)
        among_writers(self.conn, alone=False)
        known, standing = self.standing(written)
        if (known is not None and known.id != id) or standing.causes:
            raise Refused("This address cannot be used here.", hint="Choose another one.")
        before = self.get(id)
        if before.address and (old := normalise(before.address).key) != written.key:
            former.remember(self.conn, id, self.suppressions.hash_of(old), now)
            happenings.add(self.conn, id, What.MOVED, now)
        self._set(
            id,
            now,
            address=written.text,
            address_key=written.key,
            domain=written.domain,
            sought=sought(written.key, before.name),
            strikes=0,
            engaged_at=to_ms(now),
        )

    def tag(
        self, ids: Sequence[int], now: datetime, *, add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> list[tuple[int, tuple[str, ...], tuple[str, ...]]]:
        """Puts the author's labels on subscribers, or takes them off; returns whom that changed, with their
        labels before and after."""
        add, remove = set(add), set(remove)
        query = select(_c.id, _c.tags).where(_c.id.in_(ids)).order_by(_c.id).with_for_update()
        changed = []
        for id, stored in self.conn.execute(query).all():
            before = words(stored)
            after = tuple(sorted((set(before) | add) - remove))
            if after != before:
                changed.append((id, before, after))
        if changed:
            write = update(subscribers).where(_c.id == bindparam("one"))
            self.conn.execute(
                write.values(tags=bindparam("now_has"), changed_at=to_ms(now)),
                [{"one": id, "now_has": stored_words(after)} for id, _, after in changed],
            )
        return changed

    def present(self, id: int, now: datetime) -> None:
        """They did something here themselves: a button that mail to them led to."""
        self.conn.execute(update(subscribers).where(_c.id == id).values(engaged_at=to_ms(now)))

    def engaged(self, id: int, at: datetime) -> None:
        """Remembers when they last opened or clicked, of those who agree to that. Never goes back in time."""
        ms = to_ms(at)
        self.conn.execute(
            update(subscribers)
            .where(
                _c.id == id,
                _c.tracked_at.is_not(None),
                or_(_c.engaged_at.is_(None), _c.engaged_at < ms),
            )
            .values(engaged_at=ms)
        )

    # --- leave ----------------------------------------------------------------------------------

    def unsubscribe(self, id: int, now: datetime, reason: str = "") -> bool:
        """They leave; effective when the transaction commits. Returns whether that was new."""
        return self.act(id, Act.UNSUBSCRIBE, now, reason=reason)

    def undo_unsubscribe(self, id: int, left_at: datetime, now: datetime) -> bool:
        """Takes back the unsubscription of that very moment, within the hour; False for any other.

        For whoever just made it: the page that tells of it carries the moment in a signed link.
        """
        found = self.find(id)
        if found is None or now - left_at > UNDO_WITHIN:
            return False
        when = [s.at for s in self.suppressions_of(found.address) if s.cause is SuppressionCause.UNSUBSCRIBED]
        return when == [left_at] and self.act(id, Act.UNDO, now)

    def explain(self, id: int, reason: str, now: datetime) -> None:
        """Why they left, where they cared to say. Kept with the unsubscription, cut to 300 characters."""
        found = self.find(id)
        if found is not None and found.address:
            key = normalise(found.address).key
            self.suppressions.explain(key, SuppressionCause.UNSUBSCRIBED, reason[:300])
            happenings.add(self.conn, id, What.EXPLAINED, now, reason[:300])

    # ``mailed_at`` is when the message left that an event is about. Where their mail has gone to another
    # address since, the event is about the former one and leaves them as they are.

    def mark_bounced(
        self,
        id: int,
        now: datetime,
        *,
        hard: bool = True,
        reason: str = "",
        mailed_at: datetime | None = None,
    ) -> bool:
        """The address is bad, or (``hard=False``) took one strike of five. Returns whether an address is
        now suppressed that was not before."""
        if (then := self._former(id, mailed_at)) is not None:
            return hard and self.suppressions.add_hash(then, SuppressionCause.BOUNCED, now, reason=reason)
        if not hard:
            counted = update(subscribers).where(_c.id == id).values(strikes=_c.strikes + 1)
            strikes = self.conn.execute(counted.returning(_c.strikes)).scalar_one_or_none()
            if strikes is None or strikes < STRIKES:
                return False
        return self.act(id, Act.BOUNCE, now, reason=reason)

    def mark_delivered(self, id: int, *, mailed_at: datetime | None = None) -> None:
        """Something arrived: their strikes are forgotten."""
        if self._former(id, mailed_at) is None:
            self.conn.execute(update(subscribers).where(_c.id == id, _c.strikes > 0).values(strikes=0))

    def mark_complained(
        self, id: int, now: datetime, *, reason: str = "", mailed_at: datetime | None = None
    ) -> bool:
        """They called our mail spam. Returns whether that was new. Only the author can lift it."""
        if (then := self._former(id, mailed_at)) is not None:
            return self.suppressions.add_hash(then, SuppressionCause.COMPLAINED, now, reason=reason)
        return self.act(id, Act.COMPLAIN, now, reason=reason)

    def suppress(self, address: str, cause: SuppressionCause, now: datetime, reason: str = "") -> bool:
        """Never mail this address, whether it is on the list or not. Returns whether that was new.

        Raises Invalid for what is no address, and for ``erased``, which has a function of its own.
        """
        if cause not in _ACTS:
            raise Invalid("An address is erased by erasing its subscriber.")
        return self._acted(normalise(address), _ACTS[cause], now, reason)

    def lift(self, address: str, now: datetime) -> bool:
        """The author takes back a complaint or their own suppression; nothing else (invariant 10)."""
        return self._acted(normalise(address), Act.LIFT, now, "")

    def act(self, id: int, act: Act, now: datetime, *, reason: str = "") -> bool:
        """Any act on somebody who is on the list; False where nothing changed or nobody has the id."""
        key = self.conn.execute(
            select(_c.address, _c.address_key, _c.domain).where(_c.id == id, _c.state != "erased")
        ).one_or_none()
        if key is None:
            return False
        address = Address(text=key.address, key=key.address_key, domain=key.domain)
        return self._acted(address, act, now, reason)

    def _former(self, id: int, mailed_at: datetime | None) -> str | None:
        return None if mailed_at is None else former.address_at(self.conn, id, mailed_at)

    # --- how ------------------------------------------------------------------------------------

    def standing(self, address: Address) -> tuple[Subscriber | None, Standing]:
        """Who has the address and how it stands. On PostgreSQL the row stays locked until the commit."""
        row = self.conn.execute(SHOWN.where(_c.address_key == address.key).with_for_update()).one_or_none()
        known = None if row is None else subscriber(row)
        return known, Standing(
            state=known.state if known else None,
            causes=self.suppressions.causes(address.key),
            consented=known is not None and bool(self.consents(known.id)),
        )

    def _decided(self, address: Address, act: Act) -> tuple[Subscriber | None, Move]:
        known, standing = self.standing(address)
        return known, decide(standing, act)

    def _acted(self, address: Address, act: Act, now: datetime, reason: str) -> bool:
        known, standing = self.standing(address)
        move = decide(standing, act)
        for cause in move.causes - standing.causes:
            self.suppressions.add([address.key], cause, now, reason=reason)
        self.suppressions.remove(address.key, standing.causes - move.causes)
        # What a batch said of them they now said themselves: it stands, whatever becomes of the batch.
        kept = self.suppressions.keep([address.key], [c for c in standing.causes if c is cause_of(act)])
        if known is not None:
            self.write(known, move, now)
            if move.causes != standing.causes:
                happenings.acted(self.conn, known.id, act, now, reason)
            if kept and known.state is not SubscriberState.ERASED:
                self._set(known.id, now)
            if act in _ENDS_REQUESTS:
                self.requests.close(known.id, now)
            if act in _ENDS_TRACKING:
                tracking.withdraw(self.conn, known.id, now)
        return move.causes != standing.causes or move.state != standing.state

    def write(self, known: Subscriber, move: Move, now: datetime) -> None:
        if move.state is not None and move.state is not known.state:
            gone = left_at(move.state, to_ms(now))
            self._set(known.id, now, state=move.state.value, strikes=0, left_at=gone)

    def _set(self, id: int, now: datetime, **values: Any) -> None:
        changed = update(subscribers).where(_c.id == id).values(changed_at=to_ms(now), **values)
        if not self.conn.execute(changed).rowcount:
            raise Unknown(f"There is no subscriber {id}.")


# A link that asked for a confirmation before must not bring them back afterwards.
_ENDS_REQUESTS = frozenset({Act.CONFIRM, Act.UNSUBSCRIBE, Act.COMPLAIN, Act.SUPPRESS, Act.ERASE})

_ENDS_TRACKING = frozenset({Act.UNSUBSCRIBE, Act.COMPLAIN, Act.SUPPRESS})

_ACTS = {
    SuppressionCause.UNSUBSCRIBED: Act.UNSUBSCRIBE,
    SuppressionCause.BOUNCED: Act.BOUNCE,
    SuppressionCause.COMPLAINED: Act.COMPLAIN,
    SuppressionCause.MANUAL: Act.SUPPRESS,
}


def plain_name(name: str) -> str:
    """A name fit for a mail header and a page: one line, no control characters, at most 100."""
    if name.isascii() and name.isprintable() and "  " not in name:
        return name[:MOST_NAME].strip()
    shown = "".join(c if c.isprintable() else " " for c in name)
    return " ".join(shown.split())[:MOST_NAME].strip()
