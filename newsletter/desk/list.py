"""The subscribers, as the author handles them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from sqlalchemy import and_, true

from newsletter.desk.base import Verbs
from newsletter.desk.held import held
from newsletter.desk.history import Happened, story
from newsletter.desk.shown import Person, Received
from newsletter.errors import Conflict, Invalid, NotFound
from newsletter.model.delivery import Delivery, DeliveryFlag, DeliveryState
from subscribers import batches, exports, growth, happenings, imports, personal, tracking
from subscribers.batches import Imported
from subscribers.growth import Period
from subscribers.imports import How, ImportedRow, Report
from subscribers.model import Subscriber, SubscriberState, SuppressionCause
from subscribers.segments import Filter, condition
from subscribers.states import STRONGEST
from subscribers.store import Added, Subscribers

if TYPE_CHECKING:
    from newsletter.store.unit import Unit

SOURCE = "author"
MOST_SENT: Final = 100  #: issues and reports on a person's page, the newest
MOST_TOLD: Final = 200


class ListVerbs(Verbs):
    def subscribers(
        self,
        state: SubscriberState | None = None,
        text: str = "",
        limit: int = 50,
        after: int = 0,
        among: Sequence[Filter] = (),
    ) -> Sequence[Subscriber]:
        """By id, those after ``after`` to whom every filter of ``among`` applies."""
        default = self.tools.newsletter(self.tools.settings()).cadence
        here = and_(true(), *(condition(one, default_cadence=default) for one in among)) if among else None
        with self.tools.read() as unit:
            return unit.subscribers.list(limit=limit, after=after, state=state, text=text, among=here)

    def subscriber_counts(self) -> Mapping[SubscriberState, int]:
        with self.tools.read() as unit:
            return unit.subscribers.counts()

    def growth(self) -> Sequence[Period]:
        """How the list grew, in the author's time zone; nothing where nobody ever joined."""
        newsletter = self.tools.newsletter(self.tools.settings())
        with self.tools.read() as unit:
            active = unit.subscribers.counts()[SubscriberState.ACTIVE]
            return growth.growth(unit.conn, self._now(), ZoneInfo(newsletter.timezone), active)

    def subscriber(self, who: str | int) -> Person:
        """By address or id. Raises NotFound."""
        with self.tools.read() as unit:
            found = unit.subscribers.find(who) if isinstance(who, int) else unit.subscribers.by_address(who)
            if found is None:
                raise NotFound("There is no such subscriber.", hint="See: newsletter subscribers list")
            people, read = unit.subscribers, unit.links.of_subscriber(found.id)
            consents, agreed = people.consents(found.id), tracking.of(unit.conn, found.id)
            suppressions = people.suppressions_of(found.address) if found.address else []
            sent = [_received(unit, one) for one in unit.deliveries.of_subscriber(found.id, limit=MOST_SENT)]
            return Person(
                subscriber=found,
                consents=consents,
                suppressions=suppressions,
                agreed=agreed,
                read=read,
                received=sent,
                history=story(
                    consents=consents,
                    agreed=agreed,
                    requests=people.requests.of(found.id),
                    suppressions=suppressions,
                    happenings=happenings.of(unit.conn, found.id),
                    sent=[
                        Happened(at=one.at, what=one.subject, because=one.what, issue_id=one.issue_id)
                        for one in sent
                        if one.at is not None
                    ],
                    notices=unit.notices.of_subscriber(found.id, limit=MOST_SENT),
                    told=unit.events.of_subscriber(found.id, limit=MOST_TOLD),
                    read=read,
                ),
            )

    def add_subscriber(self, address: str, name: str = "") -> Added:
        """Adds somebody who asked the author; the author's word is the proof of consent. Raises Conflict
        where they left, bounced or are kept out."""
        with self.tools.begin() as unit:
            added = unit.subscribers.add(address, name=name, source=SOURCE, now=self._now())
            if added.refused:
                raise _kept_out(SuppressionCause(added.refused), address)
            if added.created and added.subscriber:
                self._audit(unit, "add subscriber", f"subscriber {added.subscriber.id}")
        return added

    def unsubscribe(self, address: str) -> bool:
        person = self.subscriber(address).subscriber
        with self.tools.begin() as unit:
            changed = unit.subscribers.unsubscribe(person.id, self._now(), reason="by the author")
            unit.deliveries.unclaim(person.id)
            self._audit(unit, "unsubscribe", f"subscriber {person.id}")
        return changed

    def suppress(self, address: str) -> None:
        """Never mails this address, whoever asks for it; only the author can take it back."""
        with self.tools.begin() as unit:
            unit.subscribers.suppress(address, SuppressionCause.MANUAL, self._now(), reason="by the author")
            if known := unit.subscribers.by_address(address):
                unit.deliveries.unclaim(known.id)
            self._audit(unit, "suppress", "an address")

    def copy_of(self, who: str | int) -> str:
        """One JSON document of everything that is held about somebody. Raises NotFound."""
        person = self.subscriber(who).subscriber
        with self.tools.begin() as unit:
            self._audit(unit, "copy", f"subscriber {person.id}")
            return personal.everything(unit.subscribers, person.id, more=held(unit, person.id))

    def erase(self, who: str | int) -> None:
        """Forgets everything about somebody; a keyed hash keeps them from being imported again.

        Raises NotFound, and subscribers.errors.Unknown for who is erased already.
        """
        person = self.subscriber(who).subscriber
        with self.tools.begin() as unit:
            unit.forget(person.id, personal.erase(unit.subscribers, person.id, self._now()))
            unit.deliveries.unclaim(person.id)
            self._audit(unit, "erase", f"subscriber {person.id}")

    def import_subscribers(
        self,
        content: bytes,
        *,
        source: str,
        dry_run: bool,
        how: How | None = None,
        progress: Callable[[int, int], None] | None = None,
        each: Callable[[ImportedRow], None] | None = None,
    ) -> Report:
        """Brings a CSV or ZIP file's rows onto the list, a transaction for every thousand, so that whoever
        wants to leave meanwhile does not wait; ``dry_run`` only says what would happen. ``progress`` is
        called with the rows done and the rows there are, ``each`` with every row's fate.

        Interrupted, it is resumed by running it again. Raises subscribers.errors.Invalid for a file that
        cannot be read; then the rows before the broken one are on the list.
        """
        open_unit = self.tools.read if dry_run else self.tools.begin

        @contextmanager
        def work() -> Iterator[Subscribers]:
            with open_unit() as unit:
                yield unit.subscribers

        report = imports.run_in_steps(
            work,
            content,
            source=source,
            now=self._now(),
            dry_run=dry_run,
            how=how,
            progress=progress,
            each=each,
        )
        if not dry_run:
            with self.tools.begin() as unit:
                self._audit(unit, "import", f"batch {report.batch_id}", detail=f"{report.rows} rows")
        return report

    def imports(self, limit: int = 50) -> Sequence[Imported]:
        """Newest first."""
        with self.tools.read() as unit:
            return batches.newest(unit.subscribers, limit)

    def unsuppress(self, address: str) -> None:
        """Takes back a complaint or the author's own suppression; nothing else lifts those, and this lifts
        nothing else (invariant 10). Their own opt-in lifts the rest.

        Raises Conflict where there is nothing of that kind to lift, subscribers.errors.Invalid for what is
        no address.
        """
        with self.tools.begin() as unit:
            if not unit.subscribers.lift(address, self._now()):
                causes = {one.cause for one in unit.subscribers.suppressions_of(address)}
                raise Conflict(_why_it_stays(causes))
            self._audit(unit, "unsuppress", "an address")

    def export_subscribers(self, form: str = "own") -> Iterator[bytes]:
        """A CSV file, piece by piece; a ZIP of several for the form ``mailchimp``.

        Raises Invalid for a form that nobody has.
        """
        if form != MAILCHIMP and form not in exports.FORMS:
            raise Invalid(f"There is no form {form}.", hint=f"Choose one of: {', '.join(FORMS)}.")
        return self._exported(form)

    def _exported(self, form: str) -> Iterator[bytes]:
        with self.tools.begin() as unit:
            self._audit(unit, "export", "subscribers", detail=form)
        with self.tools.read() as unit:
            if form == MAILCHIMP:
                yield from exports.archive(unit.subscribers)
            else:
                for text in exports.export(unit.subscribers, form=form):
                    yield text.encode()


def _received(unit: Unit, one: Delivery) -> Received:
    """``at`` is when they were told of it last, else when it was handed over."""
    return Received(
        issue_id=one.issue_id,
        subject=unit.issues.get(one.issue_id).subject,
        what=_fate(one),
        at=one.changed_at or (unit.deliveries.attempted_at(one.attempt_id) if one.attempt_id else None),
    )


MAILCHIMP: Final = "mailchimp"
FORMS: Final = (*exports.FORMS, MAILCHIMP)
_FATES: Final = {
    DeliveryState.ACCEPTED: "handed over",
    DeliveryState.FAILED: "not accepted",
    DeliveryState.UNKNOWN: "may or may not have arrived",
    DeliveryState.SKIPPED: "left out",
}
_LATER: Final = (
    (DeliveryFlag.COMPLAINED, "reported as spam"),
    (DeliveryFlag.UNSUBSCRIBED, "unsubscribed"),
    (DeliveryFlag.BOUNCED, "came back"),
    (DeliveryFlag.DELIVERED, "delivered"),
)


def _fate(delivery: Delivery) -> str:
    """What became of it, in the words of the pages: the last thing that is known."""
    known = next((word for flag, word in _LATER if delivery.flags & flag), "")
    return known or _FATES.get(delivery.state, "on its way")


_STAYS: Final = {
    SuppressionCause.UNSUBSCRIBED: "They unsubscribed themselves: only they can come back, by signing up.",
    SuppressionCause.BOUNCED: "Mail to this address bounced: signing up and confirming lifts that.",
    SuppressionCause.ERASED: "They asked to be forgotten: only they can come back, by signing up.",
}


_LIFTED: Final = {
    SuppressionCause.MANUAL: "You keep mail from this address.",
    SuppressionCause.COMPLAINED: "They complained that this was spam.",
}


def _kept_out(cause: SuppressionCause, address: str) -> Conflict:
    if cause in _STAYS:
        return Conflict(_STAYS[cause], hint="Send them the address of your sign-up page.")
    return Conflict(_LIFTED[cause], hint=f"Lift it with: newsletter subscribers unsuppress {address}")


def _why_it_stays(causes: Iterable[SuppressionCause]) -> str:
    """Why the author has nothing to lift, the strongest cause first."""
    strongest = next((cause for cause in STRONGEST if cause in set(causes) and cause in _STAYS), None)
    return _STAYS[strongest] if strongest else "Nothing forbids mail to this address."
