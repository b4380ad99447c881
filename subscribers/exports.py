"""Export: the list as CSV, in our own form (nothing is lost) or another service's.

Cells that a spreadsheet would run as a formula get an apostrophe before them, which an import takes off
again.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import select

from subscribers.model import Consent, Subscriber, SubscriberState
from subscribers.rows import SHOWN, consent, subscriber
from subscribers.store import Subscribers
from subscribers.suppressions import Causes
from subscribers.tables import consents, subscribers
from subscribers.times import rfc3339

STEP: Final = 1_000
_DANGEROUS: Final = ("=", "+", "-", "@", "\t", "\r", "'")

Cells = list[str]
Row = Callable[[Subscriber, Consent | None, Causes], Cells]


def defused(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    return f"'{cell}" if cell.startswith(_DANGEROUS) else cell


def export(people: Subscribers, *, form: str = "own") -> Iterator[str]:
    """Lines of CSV with CRLF (RFC 4180), the header first, by id; erased people are not in it.

    ``form`` is one of :data:`FORMS`. Raises KeyError for another.
    """
    header, cells = FORMS[form]
    yield _line(header)
    after = 0
    while True:
        some = [
            subscriber(row)
            for row in people.conn.execute(
                SHOWN.where(subscribers.c.id > after, subscribers.c.state != SubscriberState.ERASED.value)
                .order_by(subscribers.c.id)
                .limit(STEP)
            )
        ]
        if not some:
            return
        after = some[-1].id
        proofs = _newest(people, [one.id for one in some])
        causes = people.suppressions.causes_of([one.address.casefold() for one in some])
        for one in some:
            yield _line(cells(one, proofs.get(one.id), causes.get(one.address.casefold(), frozenset())))


def _newest(people: Subscribers, ids: Sequence[int]) -> dict[int, Consent]:
    rows = people.conn.execute(
        select(consents).where(consents.c.subscriber_id.in_(ids)).order_by(consents.c.at, consents.c.id)
    )
    return {row.subscriber_id: consent(row) for row in rows}


def _line(cells: Sequence[str]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out).writerow([defused(cell) for cell in cells])
    return out.getvalue()


def _own(one: Subscriber, proof: Consent | None, causes: Causes) -> Cells:
    return [
        one.address,
        one.name,
        one.state.value,
        " ".join(sorted(causes)),
        one.cadence.value if one.cadence else "",
        _json(one.topics_off),
        _time(one.paused_until),
        one.language,
        _json(one.tags),
        one.joined_at.isoformat(),
        proof.kind.value if proof else "",
        proof.at.isoformat() if proof else "",
        proof.source if proof else "",
        proof.origin if proof else "",
        proof.wording if proof else "",
        _time(proof.expires_at if proof else None),
    ]


def _listmonk(one: Subscriber, proof: Consent | None, causes: Causes) -> Cells:
    state = _of(one, causes)
    status = {"active": "enabled", "unconfirmed": "unconfirmed"}.get(state, "blocklisted")
    return ["", one.address, one.name, json.dumps({"tags": list(one.tags)}), status, rfc3339(one.joined_at)]


def _ghost(one: Subscriber, proof: Consent | None, causes: Causes) -> Cells:
    on = "true" if _of(one, causes) == "active" else "false"
    return [one.address, one.name, on, rfc3339(one.joined_at), ",".join(one.tags)]


def _buttondown(one: Subscriber, proof: Consent | None, causes: Causes) -> Cells:
    kinds = {
        "active": "regular",
        "unconfirmed": "unactivated",
        "bounced": "undeliverable",
        "complained": "complained",
    }
    kind = kinds.get(_of(one, causes), "unsubscribed")
    return [one.address, kind, rfc3339(one.joined_at), _json(one.tags)]


def _kit(one: Subscriber, proof: Consent | None, causes: Causes) -> Cells:
    kinds = {
        "active": "active",
        "unconfirmed": "inactive",
        "bounced": "bounced",
        "complained": "complained",
    }
    kind = kinds.get(_of(one, causes), "cancelled")
    return [one.name, one.address, kind, rfc3339(one.joined_at), ", ".join(one.tags)]


def _substack(one: Subscriber, proof: Consent | None, causes: Causes) -> Cells:
    off = "false" if _of(one, causes) == "active" else "true"
    return [one.address, one.name, off, rfc3339(one.joined_at)]


def _feedburner(one: Subscriber, proof: Consent | None, causes: Causes) -> Cells:
    kinds = {"active": "Active", "unconfirmed": "Pending Verification"}
    return [
        one.address,
        one.joined_at.strftime("%m/%d/%Y %H:%M"),
        kinds.get(_of(one, causes), "Unsubscribed"),
    ]


def _of(one: Subscriber, causes: Causes) -> str:
    """The state to tell others: whoever is suppressed here is never active there."""
    return "unsubscribed" if causes and one.state is SubscriberState.ACTIVE else one.state.value


FORMS: Final[dict[str, tuple[Sequence[str], Row]]] = {
    "own": (
        "address name state suppressed cadence topics_off paused_until language tags joined_at consent_kind "
        "consent_at consent_source consent_origin consent_wording consent_expires_at".split(),
        _own,
    ),
    "buttondown": (("email", "subscriber_type", "creation_date", "tags"), _buttondown),
    "feedburner": (("Email", "Subscribed", "Status"), _feedburner),
    "ghost": (("email", "name", "subscribed_to_emails", "created_at", "labels"), _ghost),
    "kit": (("first_name", "email", "status", "created_at", "tags"), _kit),
    "listmonk": (("uuid", "email", "name", "attributes", "status", "created_at"), _listmonk),
    "substack": (("email", "name", "email_disabled", "created_at"), _substack),
}
"""What ``export`` can write: the header and how a person becomes a row. Mailchimp takes "own"."""


def _json(words: Sequence[str]) -> str:
    return json.dumps(list(words), ensure_ascii=False) if words else ""


def _time(moment: Any) -> str:
    return moment.isoformat() if moment else ""
