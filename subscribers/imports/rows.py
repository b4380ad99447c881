"""One row of a file -> who it means, in our words. Pure."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from subscribers.addresses import Address, normalise
from subscribers.errors import Invalid
from subscribers.imports.dialects import Understood, plain
from subscribers.model import Cadence, ConsentKind, SubscriberState, SuppressionCause

_TRUE: Final = frozenset({"true", "1", "yes", "y", "t"})
_FORMATS: Final = ("%Y-%m-%d %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y", "%Y/%m/%d", "%d.%m.%Y", "%b %d, %Y")


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """A row that can be used. ``agreed`` is None where the file holds no proof of consent."""

    address: Address
    state: SubscriberState
    name: str = ""
    joined: datetime | None = None
    tags: tuple[str, ...] = ()
    cadence: Cadence | None = None
    topics_off: tuple[str, ...] = ()
    paused_until: datetime | None = None
    language: str = ""
    suppressed: frozenset[SuppressionCause] = frozenset()
    agreed: datetime | None = None
    kind: ConsentKind | None = None
    source: str = ""
    origin: str = ""
    wording: str = ""
    expires: datetime | None = None


def reader(understood: Understood) -> Callable[[Sequence[str]], Person]:
    """A function from a row's cells to a Person, which raises Invalid for a row that cannot be used."""
    at = understood.places["address"]
    state_of = _state_reader(understood)
    plain_fields = [
        (name, place, _FIELDS[name]) for name, place in understood.places.items() if name in _FIELDS
    ]
    first, last = understood.places.get("first", -1), understood.places.get("last", -1)
    halves = "name" not in understood.places and (first >= 0 or last >= 0)

    def person(row: Sequence[str]) -> Person:
        width = len(row)
        if at >= width or not row[at]:
            raise Invalid("the row has no address")
        try:
            address = normalise(undefused(row[at]))
        except Invalid as error:
            raise Invalid("it is not an email address that mail can reach") from error
        found = {
            field: convert(undefused(row[place].strip()))
            for field, place, convert in plain_fields
            if place < width and row[place]
        }
        if halves:
            found["name"] = " ".join(row[i].strip() for i in (first, last) if 0 <= i < width)
        return Person(address=address, state=state_of(row), **found)

    return person


def cell_of(understood: Understood, meaning: str) -> Callable[[Sequence[str]], str]:
    """A function from a row's cells to what stands in the column, at most 320 characters of it."""
    place = understood.places.get(meaning, -1)
    return lambda row: row[place].strip()[:320] if 0 <= place < len(row) else ""


def _state_reader(understood: Understood) -> Callable[[Sequence[str]], SubscriberState]:
    """Where a row says what state it is in. Raises Invalid for a status that nobody knows."""
    places, states = understood.places, understood.dialect.states
    everybody = understood.everybody
    status, off, on = (places.get(meaning, -1) for meaning in ("status", "off", "on"))
    if everybody is None and status < 0 and off < 0 and on < 0:
        everybody = SubscriberState.ACTIVE

    def state_of(row: Sequence[str]) -> SubscriberState:
        if everybody is not None:
            return everybody
        if 0 <= off < len(row) and plain(row[off]) in _TRUE:
            return SubscriberState.UNSUBSCRIBED
        if on >= 0 and not (on < len(row) and plain(row[on]) in _TRUE):
            return SubscriberState.UNSUBSCRIBED
        if status < 0:
            return SubscriberState.ACTIVE
        said = row[status].strip() if status < len(row) else ""
        if not said and understood.unsaid is not None:
            return understood.unsaid
        found = states.get(plain(said))
        if found is None:
            raise Invalid(f"its status “{said[:40]}” is not known here")
        return found

    return state_of


def undefused(cell: str) -> str:
    """Takes off the apostrophe that an export put before a formula, and only there."""
    return cell[1:] if len(cell) > 1 and cell[0] == "'" and cell[1] in "=+-@\t\r'" else cell


def listed(cell: str) -> tuple[str, ...]:
    """``a, b``, ``a;b``, ``"a","b"`` or a JSON list: the words in it, sorted."""
    if cell.startswith("["):
        try:
            found = json.loads(cell)
        except ValueError:
            found = None
        if isinstance(found, list):
            return tuple(sorted({str(one)[:100] for one in found if str(one).strip()}))
    words = (word.strip(" \"'") for word in cell.replace(";", ",").split(","))
    return tuple(sorted({word[:100] for word in words if word}))


def _cadence(cell: str) -> Cadence | None:
    return Cadence(cell) if cell in set(Cadence) else None


def _kind(cell: str) -> ConsentKind | None:
    return ConsentKind(cell) if cell in set(ConsentKind) else None


def _causes(cell: str) -> frozenset[SuppressionCause]:
    return frozenset(
        SuppressionCause(cause)
        for cause in cell.split()
        if cause in set(SuppressionCause) - {SuppressionCause.ERASED}
    )


def moment(cell: str) -> datetime | None:
    """The time that a cell means, UTC where it names no zone; None where it is none."""
    found = _iso(cell) or _otherwise(cell)
    if found is None:
        return None
    if not 1990 <= found.year <= 9000:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


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


_FIELDS: Final[dict[str, Callable[[str], Any]]] = {  # what a column fills, and how
    "name": lambda cell: cell[:1000],
    "joined": moment,
    "tags": listed,
    "cadence": _cadence,
    "topics_off": listed,
    "paused_until": moment,
    "language": lambda cell: cell[:35],
    "suppressed": _causes,
    "agreed": moment,
    "kind": _kind,
    "source": lambda cell: cell[:200],
    "origin": network,
    "wording": lambda cell: cell[:1000],
    "expires": moment,
}
