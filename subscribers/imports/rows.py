"""One row of a file -> who it means, in our words. Pure."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from subscribers.addresses import Address, normalise
from subscribers.errors import Invalid
from subscribers.imports.dialects import Understood, plain
from subscribers.model import Cadence, ConsentKind, SubscriberState, SuppressionCause

_TRUE: Final = frozenset({"true", "1", "yes", "y", "t"})
_COMPLAINED: Final = frozenset({"abuse", "spam"})  # Mailchimp's UNSUB_REASON
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")  # half a character, which JSON can write
_LAST_MS: Final = 221_845_392_000_000  #: 9000-01-01, as far as ``moment`` goes
_FORMATS: Final = ("%Y-%m-%d %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y", "%Y/%m/%d", "%d.%m.%Y", "%b %d, %Y")


Proof = tuple[str, int, str, str, str, int | None]
"""An earlier consent: kind, epoch milliseconds, source, origin, wording, when it ends."""


class Person(NamedTuple):
    """A row that can be used. ``agreed`` is None where the file holds no proof of consent.

    A tuple, since a million of them are made by an import."""

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
    until: datetime | None = None  #: when the last valid consent ends; None: never
    engaged: datetime | None = None
    earlier: tuple[Proof, ...] = ()


def reader(understood: Understood) -> Callable[[Sequence[str]], Person]:
    """A function from a row's cells to a Person, which raises Invalid for a row that cannot be used."""
    at = understood.places["address"]
    state_of = _state_reader(understood)
    plain_fields = [
        (name, place, _FIELDS[name]) for name, place in understood.places.items() if name in _FIELDS
    ]
    first, last = understood.places.get("first", -1), understood.places.get("last", -1)
    halves = "name" not in understood.places and (first >= 0 or last >= 0)

    described, until = (understood.places.get(meaning, -1) for meaning in ("described", "until"))

    def person(row: Sequence[str]) -> Person:
        width = len(row)
        written = row[at] if at < width else ""
        if not written:
            raise Invalid("the row has no address")
        if written[0] == "'":
            written = undefused(written)
        try:
            address = normalise(written)
        except Invalid as error:
            raise Invalid("it is not an email address that mail can reach") from error
        found = {}
        for field, place, convert in plain_fields:
            if place < width and (cell := row[place].strip()):
                found[field] = convert(undefused(cell) if cell[0] == "'" else cell)
        if halves:
            found["name"] = " ".join(undefused(row[i].strip()) for i in (first, last) if 0 <= i < width)
        if 0 <= described < width and len(row[described]) > 2:
            found = _described(row[described]) | found
        # An empty cell is "never": an older consent may last longer than the newest one.
        if found.get("until") is None and not (0 <= until < width and not row[until].strip()):
            found["until"] = found.get("expires")
        return Person(address, state_of(row), **found)

    return person


def _described(cell: str) -> dict[str, Any]:
    """A name and tags from a column of JSON, as listmonk and Buttondown have one."""
    told = _json(cell)
    if not isinstance(told, dict):
        return {}
    found: dict[str, Any] = {}
    if isinstance(told.get("name"), str):
        found["name"] = storable(told["name"][:1000])
    if isinstance(told.get("tags"), list):
        found["tags"] = _tags(told["tags"])
    return found


def _json(cell: str) -> Any:
    """What a cell of JSON says; None for one that is none, or is nested without end."""
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return None


def storable(text: str) -> str:
    """Without what no database keeps."""
    return _UNSTORABLE.sub("", text)


def cell_of(understood: Understood, meaning: str) -> Callable[[Sequence[str]], str]:
    """A function from a row's cells to what stands in the column, at most 320 characters of it."""
    place = understood.places.get(meaning, -1)
    return lambda row: row[place].strip()[:320] if 0 <= place < len(row) else ""


def _state_reader(understood: Understood) -> Callable[[Sequence[str]], SubscriberState]:
    """Where a row says what state it is in. Raises Invalid for a status that nobody knows."""
    places, states = understood.places, understood.dialect.states
    everybody = understood.everybody
    status, off, on = (places.get(meaning, -1) for meaning in ("status", "off", "on"))
    complained = places.get("complained", -1)
    if everybody is None and status < 0 and off < 0 and on < 0:
        everybody = SubscriberState.ACTIVE

    def state_of(row: Sequence[str]) -> SubscriberState:
        if 0 <= complained < len(row) and plain(row[complained]) in _COMPLAINED:
            return SubscriberState.COMPLAINED
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
    if cell.startswith("[") and isinstance(found := _json(cell), list):
        return _tags(found)
    words = (word.strip(" \"'") for word in cell.replace(";", ",").split(","))
    return tuple(sorted({word[:100] for word in words if word}))


def _tags(found: Sequence[Any]) -> tuple[str, ...]:
    tags = {storable(str(one))[:100] for one in found if isinstance(one, str | int | float)}
    return tuple(sorted(tag for tag in tags if tag.strip()))


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


def _proofs(cell: str) -> tuple[Proof, ...]:
    """The consents before the newest one, as our own export writes them; what is none is left out."""
    found = _json(cell)
    return (
        tuple(
            (one[0], one[1], storable(one[2])[:200], network(one[3]), storable(one[4])[:1000], one[5])
            for one in found
            if isinstance(one, list)
            and len(one) == 6
            and one[0] in list(ConsentKind)
            and _is_ms(one[1])
            and all(isinstance(text, str) for text in one[2:5])
            and (one[5] is None or _is_ms(one[5]))
        )[:100]
        if isinstance(found, list)
        else ()
    )


def _is_ms(value: object) -> bool:
    return type(value) is int and 0 <= value < _LAST_MS


def moment(cell: str) -> datetime | None:
    """The time that a cell means, UTC where it names no zone; None where it is none."""
    found = _iso(cell) or _otherwise(cell)
    if found is None or not 1990 <= found.year <= 9000:
        return None
    zone = found.tzinfo
    if zone is UTC:
        return found
    return found.astimezone(UTC) if zone else found.replace(tzinfo=UTC)


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
    "until": moment,
    "engaged": moment,
    "earlier": _proofs,
}
