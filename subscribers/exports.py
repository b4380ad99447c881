"""Export: the list as CSV, in our own form (nothing is lost) or another service's.

Cells that a spreadsheet would run as a formula get an apostrophe before them, which an import takes off
again. A million rows go through here: they come straight from the driver as plain tuples, a few thousand at
a time, and what is the same for many people is written once.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from tempfile import SpooledTemporaryFile
from typing import Any, Final

from subscribers.rows import words
from subscribers.store import Subscribers
from subscribers.suppressions import Causes
from subscribers.times import from_ms

STEP: Final = 2_000
_DANGEROUS: Final = frozenset("=+-@\t\r'")
_PARTS: Final = frozenset(",;\"'[")
_IN_MEMORY: Final = 16 * 1024 * 1024

Cells = tuple[str, ...]
Person = tuple[Any, ...]  #: what _PEOPLE selects: the person and the newest consent
Earlier = Mapping[int, Sequence[Person]]  #: the consents before it, of those who have more than one
Write = Callable[[Sequence[Person], Earlier, Mapping[str, Causes]], list[Cells]]
"""Rows of people, their earlier consents, and what suppresses their addresses -> rows of the file."""


def defused(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    return f"'{cell}" if cell and cell[0] in _DANGEROUS else cell


def export(people: Subscribers, *, form: str = "own") -> Iterator[str]:
    """CSV with CRLF (RFC 4180), the header first, then thousands of rows at a time, by id.

    Erased people are not in it. ``form`` is one of :data:`FORMS`. Raises KeyError for another.
    """
    header, write = FORMS[form]
    yield _written([tuple(header)])
    for some, earlier, causes in _people(people):
        yield _written(write(some, earlier, causes))


def archive(people: Subscribers) -> Iterator[bytes]:
    """A ZIP as Mailchimp exports one: a CSV file for each status.

    People who never confirmed stand among the "nonsubscribed", whom Mailchimp does not mail.
    """
    with SpooledTemporaryFile(max_size=_IN_MEMORY) as packed:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
            for name, (columns, states) in _MAILCHIMP_FILES.items():
                with target.open(f"{name}_members_export.csv", "w", force_zip64=True) as file:
                    file.write(_written([(*_MAILCHIMP, *columns)]).encode())
                    for some, _, causes in _people(people):
                        those = [one for one in some if _told(one, causes) in states]
                        if those:
                            file.write(_written(_mailchimp(those, len(columns))).encode())
        packed.seek(0)
        while chunk := packed.read(65_536):
            yield chunk


_PEOPLE: Final = (
    "SELECT s.id, s.address, s.address_key, s.name, s.state, s.cadence, s.topics_off, s.paused_until, "
    "s.language, s.tags, s.joined_at, s.engaged_at, s.consent_until, "
    "c.kind, c.at, c.source, c.origin, c.wording, c.expires_at "
    "FROM subscribers s LEFT JOIN consents c ON c.subscriber_id = s.id "
    "WHERE s.id > {after} AND s.id <= {last} AND s.state <> 'erased' ORDER BY s.id, c.at, c.id"
)
_PROOF: Final = 13  # where the consent begins


def _people(people: Subscribers) -> Iterator[tuple[list[Person], Earlier, Mapping[str, Causes]]]:
    driver: Any = people.conn.connection.driver_connection
    suppressed = people.suppressions.reader()
    for after in range(0, people.highest_id(), STEP):
        some = driver.execute(_PEOPLE.format(after=after, last=after + STEP)).fetchall()
        earlier: Earlier = {}
        if len({one[0] for one in some}) != len(some):
            some, earlier = _newest(some)
        yield some, earlier, suppressed([one[2] for one in some])


def _newest(rows: Sequence[Person]) -> tuple[list[Person], Earlier]:
    """Each person once, with the newest consent; the ones before it apart."""
    some: list[Person] = []
    earlier: dict[int, list[Person]] = {}
    for row in rows:
        if some and some[-1][0] == row[0]:
            earlier.setdefault(row[0], []).append(some.pop()[_PROOF:])
        some.append(row)
    return some, earlier


def _written(rows: Sequence[Cells]) -> str:
    """As csv.writer writes it, which only rows with something to quote go through."""
    lines = []
    for row in rows:
        line = ",".join(row)
        if line.count(",") >= len(row) or '"' in line or "\n" in line or "\r" in line:
            out = io.StringIO(newline="")
            csv.writer(out, lineterminator="").writerow(row)
            line = out.getvalue()
        lines.append(line)
    lines.append("")
    return "\r\n".join(lines)


def _own(some: Sequence[Person], earlier: Earlier, causes: Mapping[str, Causes]) -> list[Cells]:
    written: list[Cells] = []
    for (
        id, address, key, name, state, cadence, topics_off, paused_until, language, tags, joined_at,
        engaged_at, consent_until, kind, at, source, origin, wording, expires_at,
    ) in some:  # fmt: skip
        joined = _time(joined_at)
        written.append(
            (
                f"'{address}" if address[0] in _DANGEROUS else address,
                f"'{name}" if name and name[0] in _DANGEROUS else name,
                state,
                " ".join(sorted(causes[key])) if key in causes else "",
                cadence or "",
                "" if topics_off == "[]" else topics_off,
                "" if paused_until is None else _time(paused_until),
                _cell(language) if language else "",
                "" if tags == "[]" else tags,
                joined,
                "" if engaged_at is None else _time(engaged_at),
                "" if consent_until is None else _time(consent_until),
                kind or "",
                joined if at == joined_at else "" if at is None else _time(at),
                _cell(source) if source else "",
                origin or "",
                _cell(wording) if wording else "",
                "" if expires_at is None else _time(expires_at),
                _earlier(earlier[id]) if id in earlier else "",
            )
        )
    return written


_cell = lru_cache(maxsize=1024)(defused)  # sources, wordings: the same for whole lists


def _earlier(proofs: Sequence[Person]) -> str:
    """The consents before the newest one, as JSON."""
    return json.dumps(proofs, ensure_ascii=False, separators=(",", ":"))


def _each(cells: Callable[[Person, str], Cells]) -> Write:
    """A form that needs nothing but the person and the state to tell."""

    def write(some: Sequence[Person], earlier: Earlier, causes: Mapping[str, Causes]) -> list[Cells]:
        return [cells(one, _told(one, causes)) for one in some]

    return write


def _told(one: Person, causes: Mapping[str, Causes]) -> str:
    """The state to tell others: whoever is suppressed here is never active there."""
    state: str = one[4]
    return "unsubscribed" if state == "active" and one[2] in causes else state


def _listmonk(one: Person, state: str) -> Cells:
    status = {"active": "enabled", "unconfirmed": "unconfirmed"}.get(state, "blocklisted")
    attributes = f'{{"tags": {one[9]}}}'
    return ("", defused(one[1]), defused(one[3]), attributes, status, _time(one[10]))


def _labels(tags: Sequence[str], quote: str = "") -> str:
    """Tags between commas; as a JSON list where one has what would part it in two or be stripped."""
    if any(_PARTS & set(tag) or tag != tag.strip() for tag in tags):
        return json.dumps(tags, ensure_ascii=False)
    return ",".join(f"{quote}{tag}{quote}" for tag in tags)


def _ghost(one: Person, state: str) -> Cells:
    labels = defused(_labels(words(one[9])))
    on = "true" if state == "active" else "false"
    return (defused(one[1]), defused(one[3]), on, _time(one[10]), labels)


def _buttondown(one: Person, state: str) -> Cells:
    kinds = {
        "active": "regular",
        "unconfirmed": "unactivated",
        "bounced": "undeliverable",
        "complained": "complained",
    }
    metadata = json.dumps({"name": one[3]}, ensure_ascii=False) if one[3] else "{}"
    return (defused(one[1]), metadata, one[9], _time(one[10]), kinds.get(state, "unsubscribed"))


def _kit(one: Person, state: str) -> Cells:
    kinds = {
        "active": "active",
        "unconfirmed": "inactive",
        "bounced": "bounced",
        "complained": "complained",
    }
    tags = defused(_labels(words(one[9])))
    return (defused(one[3]), defused(one[1]), kinds.get(state, "cancelled"), _time(one[10]), tags)


def _substack(one: Person, state: str) -> Cells:
    off = "false" if state == "active" else "true"
    return (defused(one[1]), defused(one[3]), off, _time(one[10]))


def _feedburner(one: Person, state: str) -> Cells:
    kinds = {"active": "Active", "unconfirmed": "Pending Verification"}
    joined = from_ms(one[10]).strftime("%m/%d/%Y %H:%M")
    return (defused(one[1]), joined, kinds.get(state, "Unsubscribed"))


def _mailchimp(some: Sequence[Person], more: int) -> list[Cells]:
    written: list[Cells] = []
    for id, address, _, name, state, _, _, _, _, tags, joined_at, _, _, kind, at, _, origin, _, _ in some:
        first, _, last = name.rpartition(" ")
        express = kind == "express"
        labels = _labels(words(tags), quote='"')
        when = (_plainly(joined_at), "ABUSE" if state == "complained" else "")[:more] if more else ()
        written.append(
            (
                defused(address), defused(first or last), defused(last) if first else "",
                _plainly(joined_at), _plainly(at) if express else "",
                origin.partition("/")[0] if express else "", f"{id:x}", labels, *when,
            )
        )  # fmt: skip
    return written


_MAILCHIMP: Final = (
    "Email Address", "First Name", "Last Name", "OPTIN_TIME", "CONFIRM_TIME", "CONFIRM_IP", "EUID", "TAGS",
)  # fmt: skip
_MAILCHIMP_FILES: Final = {  # which states, and what stands behind the columns that all have
    "subscribed": ((), {"active"}),
    "unsubscribed": (("UNSUB_TIME", "UNSUB_REASON"), {"unsubscribed", "complained"}),
    "cleaned": (("CLEAN_TIME",), {"bounced"}),
    "nonsubscribed": ((), {"unconfirmed"}),
}
FORMS: Final[dict[str, tuple[Sequence[str], Write]]] = {
    "own": (
        "address name state suppressed cadence topics_off paused_until language tags joined_at engaged_at "
        "consent_until consent_kind consent_at consent_source consent_origin consent_wording "
        "consent_expires_at earlier_consents".split(),
        _own,
    ),
    "buttondown": (("email", "metadata", "tags", "creation_date", "subscriber_type"), _each(_buttondown)),
    "feedburner": (("Email", "Subscribed", "Status"), _each(_feedburner)),
    "ghost": (("email", "name", "subscribed_to_emails", "created_at", "labels"), _each(_ghost)),
    "kit": (("first_name", "email", "status", "created_at", "tags"), _each(_kit)),
    "listmonk": (("uuid", "email", "name", "attributes", "status", "created_at"), _each(_listmonk)),
    "substack": (("email", "name", "email_disabled", "created_at"), _each(_substack)),
}
"""What ``export`` can write: the header, and how people become rows. Mailchimp's form is ``archive``."""

_DAY_MS: Final = 86_400_000


def _time(ms: int) -> str:
    """RFC 3339, to the millisecond where there are any."""
    day, rest = divmod(ms, _DAY_MS)
    second, thousandths = divmod(rest, 1000)
    if thousandths:
        return f"{_day(day)}T{_clock(second)}.{thousandths:03d}Z"
    return f"{_day(day)}T{_clock(second)}Z"


def _plainly(ms: int) -> str:
    """``2026-01-31 08:05:00``, UTC, as Mailchimp has it."""
    return from_ms(ms).strftime("%Y-%m-%d %H:%M:%S")


@lru_cache(maxsize=20_000)
def _day(day: int) -> str:
    return from_ms(day * _DAY_MS).date().isoformat()


@lru_cache(maxsize=86_400)
def _clock(second: int) -> str:
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
