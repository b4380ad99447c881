"""One row of a file -> who it means, in our words. Pure."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from subscribers.addresses import Address, normalise
from subscribers.errors import Invalid
from subscribers.imports.dialects import Understood, plain
from subscribers.model import Cadence, ConsentKind, SubscriberState, SuppressionCause

_TRUE: Final = frozenset({"true", "1", "yes", "y", "t"})
_FORMATS: Final = ("%Y-%m-%d %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y", "%Y/%m/%d", "%d.%m.%Y", "%b %d, %Y")


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """A row that can be used. ``agreed_at`` is None where the file holds no proof of consent."""

    address: Address
    state: SubscriberState
    name: str = ""
    joined_at: datetime | None = None
    tags: tuple[str, ...] = ()
    cadence: Cadence | None = None
    topics_off: tuple[str, ...] = ()
    paused_until: datetime | None = None
    language: str = ""
    suppressed: frozenset[SuppressionCause] = frozenset()
    agreed_at: datetime | None = None
    kind: ConsentKind | None = None
    source: str = ""
    origin: str = ""
    wording: str = ""
    expires_at: datetime | None = None


def reader(understood: Understood) -> Callable[[Sequence[str]], Person]:
    """A function from a row's cells to a Person, which raises Invalid for a row that cannot be used."""
    places = understood.places
    everybody = understood.everybody
    states = understood.dialect.states
    at = places["address"]
    plain_table = everybody is None and not places.keys() - {"address"}

    def cell(row: Sequence[str], meaning: str) -> str:
        place = places.get(meaning, -1)
        return undefused(row[place].strip()) if 0 <= place < len(row) else ""

    def state_of(row: Sequence[str]) -> SubscriberState:
        if everybody is not None:
            return everybody
        if "off" in places and plain(cell(row, "off")) in _TRUE:
            return SubscriberState.UNSUBSCRIBED
        if "on" in places and plain(cell(row, "on")) not in _TRUE:
            return SubscriberState.UNSUBSCRIBED
        status = cell(row, "status")
        if "status" not in places:
            return SubscriberState.ACTIVE
        found = states.get(plain(status))
        if found is None:
            raise Invalid(f"its status “{status[:40]}” is not known here")
        return found

    def person(row: Sequence[str]) -> Person:
        try:
            address = normalise(undefused(row[at])) if at < len(row) else None
        except Invalid as error:
            raise Invalid("it is not an email address that mail can reach") from error
        if address is None:
            raise Invalid("the row has no address")
        if plain_table:
            return Person(address=address, state=SubscriberState.ACTIVE)
        name = cell(row, "name") or f"{cell(row, 'first')} {cell(row, 'last')}".strip()
        kind, cadence = cell(row, "kind"), cell(row, "cadence")
        return Person(
            address=address,
            state=state_of(row),
            name=name,
            joined_at=moment(cell(row, "joined")),
            tags=listed(cell(row, "tags")),
            cadence=Cadence(cadence) if cadence in set(Cadence) else None,
            topics_off=listed(cell(row, "topics_off")),
            paused_until=moment(cell(row, "paused_until")),
            language=cell(row, "language")[:35],
            suppressed=frozenset(
                SuppressionCause(cause)
                for cause in cell(row, "suppressed").split()
                if cause in set(SuppressionCause) - {SuppressionCause.ERASED}
            ),
            agreed_at=moment(cell(row, "agreed")),
            kind=ConsentKind(kind) if kind in set(ConsentKind) else None,
            source=cell(row, "source")[:200],
            origin=network(cell(row, "origin")),
            wording=cell(row, "wording")[:1000],
            expires_at=moment(cell(row, "expires")),
        )

    return person


def undefused(cell: str) -> str:
    """Takes off the apostrophe that an export put before a formula, and only there."""
    return cell[1:] if len(cell) > 1 and cell[0] == "'" and cell[1] in "=+-@\t\r'" else cell


def listed(cell: str) -> tuple[str, ...]:
    """``a, b``, ``a;b``, ``"a","b"`` or a JSON list: the words in it, sorted."""
    if not cell:
        return ()
    if cell.startswith("["):
        try:
            found = json.loads(cell)
        except ValueError:
            found = None
        if isinstance(found, list):
            return tuple(sorted({str(one)[:100] for one in found if str(one).strip()}))
    words = (word.strip(" \"'") for word in cell.replace(";", ",").split(","))
    return tuple(sorted({word[:100] for word in words if word}))


def moment(cell: str) -> datetime | None:
    """The time that a cell means, UTC where it names no zone; None where it is none."""
    if not cell:
        return None
    found = _iso(cell) or _otherwise(cell)
    if found is None:
        return None
    aware = found if found.tzinfo else found.replace(tzinfo=UTC)
    return aware.astimezone(UTC) if 1990 <= aware.year <= 9000 else None


def _iso(cell: str) -> datetime | None:
    try:
        return datetime.fromisoformat(cell.removesuffix(" UTC"))
    except ValueError:
        return None


def _otherwise(cell: str) -> datetime | None:
    if cell.isdecimal() and len(cell) == 10:  # epoch seconds: SendGrid
        return datetime.fromtimestamp(int(cell), UTC)
    for form in _FORMATS:
        try:
            return datetime.strptime(cell, form)
        except ValueError:
            continue
    return None


def network(cell: str) -> str:
    """A network address without what names a single machine: /24 of IPv4, /48 of IPv6; else empty."""
    try:
        address = ipaddress.ip_network(cell, strict=False).network_address
    except ValueError:
        return ""
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 48), strict=False))
