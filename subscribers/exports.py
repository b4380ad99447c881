"""Export: the list as CSV, in our own form (nothing is lost) or another service's.

Cells that a spreadsheet would run as a formula get an apostrophe before them, which an import takes off
again.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import bindparam, select

from subscribers.model import SubscriberState
from subscribers.rows import words
from subscribers.store import Subscribers
from subscribers.suppressions import NONE, Causes
from subscribers.tables import consents, subscribers
from subscribers.times import from_ms

STEP: Final = 1_000
_DANGEROUS: Final = ("=", "+", "-", "@", "\t", "\r", "'")

Cells = tuple[str, ...]
Form = Callable[[Any, Any, Causes], Cells]
"""From a row of subscribers, the newest row of consents or None, and what suppresses the address."""


def defused(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    return f"'{cell}" if cell.startswith(_DANGEROUS) else cell


def export(people: Subscribers, *, form: str = "own") -> Iterator[str]:
    """CSV with CRLF (RFC 4180), the header first, then a thousand rows at a time, by id.

    Erased people are not in it. ``form`` is one of :data:`FORMS`. Raises KeyError for another.
    """
    header, cells = FORMS[form]
    yield _written([tuple(header)])
    after = 0
    while True:
        some = people.conn.execute(_PEOPLE, {"after": after, "step": STEP}).all()
        if not some:
            return
        after = some[-1].id
        ids = [one.id for one in some]
        newest = {proof.subscriber_id: proof for proof in people.conn.execute(_PROOFS, {"ids": ids})}
        causes = people.suppressions.causes_of([one.address_key for one in some])
        yield _written([cells(one, newest.get(one.id), causes.get(one.address_key, NONE)) for one in some])


_c = subscribers.c
_PEOPLE: Final = (
    select(
        _c.id, _c.address, _c.address_key, _c.name, _c.state, _c.cadence, _c.topics_off, _c.paused_until,
        _c.language, _c.tags, _c.joined_at,
    )
    .where(_c.id > bindparam("after"), _c.state != SubscriberState.ERASED.value)
    .order_by(_c.id)
    .limit(bindparam("step"))
)  # fmt: skip
_PROOFS: Final = (
    select(
        consents.c.subscriber_id, consents.c.kind, consents.c.at, consents.c.source, consents.c.origin,
        consents.c.wording, consents.c.expires_at,
    )
    .where(consents.c.subscriber_id.in_(bindparam("ids", expanding=True)))
    .order_by(consents.c.at, consents.c.id)
)  # fmt: skip


def _written(rows: Sequence[Cells]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue()


def _own(one: Any, proof: Any, causes: Causes) -> Cells:
    # Unpacked: a million rows feel each attribute that is looked up by name.
    _, address, _, name, state, cadence, topics_off, paused_until, language, tags, joined_at = one
    person = (
        defused(address),
        defused(name),
        state,
        " ".join(sorted(causes)) if causes else "",
        cadence or "",
        _list(topics_off),
        _time(paused_until),
        defused(language),
        _list(tags),
        _time(joined_at),
    )
    if proof is None:
        return (*person, "", "", "", "", "", "")
    _, kind, at, source, origin, wording, expires_at = proof
    return (*person, kind, _time(at), defused(source), origin, defused(wording), _time(expires_at))


def _listmonk(one: Any, proof: Any, causes: Causes) -> Cells:
    status = {"active": "enabled", "unconfirmed": "unconfirmed"}.get(_told(one, causes), "blocklisted")
    attributes = f'{{"tags": {one.tags}}}'
    return ("", defused(one.address), defused(one.name), attributes, status, _time(one.joined_at))


def _ghost(one: Any, proof: Any, causes: Causes) -> Cells:
    on = "true" if _told(one, causes) == "active" else "false"
    labels = defused(",".join(words(one.tags)))
    return (defused(one.address), defused(one.name), on, _time(one.joined_at), labels)


def _buttondown(one: Any, proof: Any, causes: Causes) -> Cells:
    kinds = {
        "active": "regular",
        "unconfirmed": "unactivated",
        "bounced": "undeliverable",
        "complained": "complained",
    }
    kind = kinds.get(_told(one, causes), "unsubscribed")
    return (defused(one.address), kind, _time(one.joined_at), _list(one.tags))


def _kit(one: Any, proof: Any, causes: Causes) -> Cells:
    kinds = {
        "active": "active",
        "unconfirmed": "inactive",
        "bounced": "bounced",
        "complained": "complained",
    }
    kind = kinds.get(_told(one, causes), "cancelled")
    tags = defused(", ".join(words(one.tags)))
    return (defused(one.name), defused(one.address), kind, _time(one.joined_at), tags)


def _substack(one: Any, proof: Any, causes: Causes) -> Cells:
    off = "false" if _told(one, causes) == "active" else "true"
    return (defused(one.address), defused(one.name), off, _time(one.joined_at))


def _feedburner(one: Any, proof: Any, causes: Causes) -> Cells:
    kinds = {"active": "Active", "unconfirmed": "Pending Verification"}
    joined = from_ms(one.joined_at).strftime("%m/%d/%Y %H:%M")
    return (defused(one.address), joined, kinds.get(_told(one, causes), "Unsubscribed"))


def _told(one: Any, causes: Causes) -> str:
    """The state to tell others: whoever is suppressed here is never active there."""
    state: str = one.state
    return "unsubscribed" if causes and state == SubscriberState.ACTIVE else state


FORMS: Final[dict[str, tuple[Sequence[str], Form]]] = {
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


def _list(stored: str) -> str:
    return "" if stored == "[]" else stored


def _time(ms: int | None) -> str:
    return "" if ms is None else from_ms(ms).isoformat()
