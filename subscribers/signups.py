"""How somebody joins by themselves: a form, a message to the address, one button.

Whoever sends the form learns nothing about the address: what happens differs, the answer does not. What
is asked of an address is limited, however often its sign-up is sent (list bombing).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import delete, select

from subscribers import happenings, tracking
from subscribers.addresses import mailbox, normalise
from subscribers.errors import Expired, Refused
from subscribers.model import Consent, ConsentKind, Subscriber, SubscriberState
from subscribers.requests import Form, Request, RequestKind
from subscribers.states import Act, Move, decide
from subscribers.store import Subscribers
from subscribers.tables import consents, requests, subscribers
from subscribers.times import to_ms


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A message to send: will you confirm? Its link signs ``request_id``."""

    request_id: int
    subscriber_id: int
    address: str
    reminder: bool = False


@dataclass(frozen=True, kw_only=True)
class SignedUp:
    """What is to be sent now; both are None where the right thing is silence."""

    ask: Ask | None = None
    welcome: Subscriber | None = None


@dataclass(frozen=True, kw_only=True)
class Confirmed:
    """``fresh`` is false for the second click of somebody who is subscribed already."""

    subscriber: Subscriber
    kind: RequestKind
    fresh: bool


class SignUps:
    """Works on the list's own connection and never commits."""

    def __init__(self, people: Subscribers) -> None:
        self._people = people
        self._requests = people.requests

    def sign_up(
        self, address: str, form: Form, now: datetime, *, double: bool = True, language: str = ""
    ) -> SignedUp:
        """Somebody sent the form. ``double`` asks the address first; without it only those are asked who
        left or bounced before. Raises Invalid for what is no address, and for nothing else."""
        written = normalise(address)
        known, standing = self._people.standing(written)
        move = decide(standing, Act.SIGN_UP)
        if not move.ask:
            return SignedUp()
        if known is None:
            known = self._people.insert(written, SubscriberState.UNCONFIRMED, now, language=language)
        if not double and not standing.causes and move.state is SubscriberState.UNCONFIRMED:
            self._agreed(known, form, now)
            return SignedUp(welcome=self._people.get(known.id))
        box = mailbox(written)
        if not self._requests.may_ask(known.id, now, mailbox=box):
            return SignedUp()
        request_id = self._requests.add(known.id, RequestKind.SIGN_UP, form, now, mailbox=box)
        return SignedUp(ask=Ask(request_id=request_id, subscriber_id=known.id, address=known.address))

    def look(self, request_id: int, now: datetime) -> tuple[Request, Subscriber]:
        """What a link asks, changing nothing. Raises Expired for one that is used up or too old,
        unless what it asked for is so already."""
        request = self._requests.find(request_id)
        person = self._people.find(request.subscriber_id) if request else None
        if request is None or person is None or request.expires_at <= now:
            raise Expired
        if request.used_at is not None and not _already(request, person):
            raise Expired
        return request, person

    def confirm(self, request_id: int, now: datetime, *, origin: str = "") -> Confirmed:
        """The address's owner pressed the button. The second press changes nothing and says the same.

        Raises Expired as ``look`` does, and Refused where the author alone may bring the address back.
        """
        request, person = self.look(request_id, now)
        if request.used_at is not None or not self._requests.use(request_id, now):
            return Confirmed(subscriber=person, kind=request.kind, fresh=False)
        if request.kind is RequestKind.ADDRESS:
            self._people.readdress(person.id, request.address, now)
            return Confirmed(subscriber=self._people.get(person.id), kind=request.kind, fresh=True)
        fresh = person.state is not SubscriberState.ACTIVE
        form = replace(request.form, origin=origin or request.form.origin)
        self._agreed(person, form, now)
        if not form.tracking:
            tracking.withdraw(
                self._people.conn, person.id, now
            )  # whoever joins anew agrees anew, or does not
        else:
            tracking.agree(
                self._people.conn,
                person.id,
                now,
                source=form.source,
                wording=form.tracking,
                origin=form.origin,
            )
        self._people.present(person.id, now)
        return Confirmed(subscriber=self._people.get(person.id), kind=request.kind, fresh=fresh)

    def change_address(self, id: int, address: str, form: Form, now: datetime) -> Ask | None:
        """They want their mail elsewhere: the new address is asked. None where it must not be asked, or
        is somebody's already; the page says the same either way. Raises Invalid, Unknown."""
        written = normalise(address)
        person = self._people.get(id)
        known, standing = self._people.standing(written)
        box = mailbox(written)
        if known is not None or standing.causes or not self._requests.may_ask(id, now, mailbox=box):
            return None
        request_id = self._requests.add(id, RequestKind.ADDRESS, form, now, address=written.text, mailbox=box)
        return Ask(request_id=request_id, subscriber_id=person.id, address=written.text)

    def reminders(self, now: datetime, limit: int = 100) -> list[Ask]:
        """Who did not answer within 48 hours; each is reminded once."""
        found = []
        for request in self._requests.to_remind(now, limit):
            person = self._people.find(request.subscriber_id)
            if person is not None and person.state is not SubscriberState.ACTIVE and person.address:
                _, standing = self._people.standing(normalise(person.address))
                if decide(standing, Act.SIGN_UP).ask:
                    found.append(
                        Ask(
                            request_id=request.id,
                            subscriber_id=person.id,
                            address=person.address,
                            reminder=True,
                        )
                    )
        return found

    def vanish(self, now: datetime) -> list[int]:
        """Forgets requests that ended, and with them those who never answered; returns who they were, for
        whoever else holds something of them."""
        conn, ms = self._people.conn, to_ms(now)
        over = select(requests.c.subscriber_id).where(requests.c.expires_at <= ms)
        open_still = select(requests.c.subscriber_id).where(requests.c.expires_at > ms)
        silent = list(
            conn.execute(
                select(subscribers.c.id).where(
                    subscribers.c.state == SubscriberState.UNCONFIRMED.value,
                    subscribers.c.id.in_(over),
                    subscribers.c.id.not_in(open_still),
                )
            ).scalars()
        )
        conn.execute(delete(requests).where(requests.c.expires_at <= ms))
        conn.execute(delete(consents).where(consents.c.subscriber_id.in_(silent)))
        happenings.forget(conn, silent)
        conn.execute(delete(subscribers).where(subscribers.c.id.in_(silent)))
        return silent

    def _agreed(self, person: Subscriber, form: Form, now: datetime) -> None:
        written = normalise(person.address)
        _, standing = self._people.standing(written)
        move: Move = decide(standing, Act.CONFIRM)
        if move.refused:
            raise Refused(
                "This address cannot be subscribed here.",
                hint="Write to the sender if you would like to receive the newsletter again.",
            )
        self._people.act(person.id, Act.CONFIRM, now)
        self._people.record(
            Consent(
                subscriber_id=person.id,
                kind=ConsentKind.EXPRESS,
                at=now,
                source=form.source,
                origin=form.origin,
                wording=form.wording,
            ),
            fresh=True,
        )


def _already(request: Request, person: Subscriber) -> bool:
    if request.kind is RequestKind.ADDRESS:
        return person.address == request.address
    return person.state is SubscriberState.ACTIVE
