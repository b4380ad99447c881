"""Brings a file's people onto the list, a thousand rows at a time, or says what would happen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Final

from subscribers.errors import Invalid
from subscribers.imports.dialects import understand
from subscribers.imports.plan import Outcome, Planned, plan
from subscribers.imports.reading import Sheet, read
from subscribers.imports.rows import Person, cell_of, reader
from subscribers.imports.write import Batch, Known, Writer
from subscribers.model import ConsentKind
from subscribers.states import Standing
from subscribers.store import Subscribers, plain_name
from subscribers.suppressions import NONE, Causes

Work = Callable[[], AbstractContextManager[Subscribers]]

MOST_TOLD: Final = 1_000
STEP: Final = 1_000


@dataclass(frozen=True, kw_only=True)
class ImportedRow:
    """What happened to one row, and why. ``line`` is the line of the file on which it ends; ``address`` is
    as the file writes it where the row was left out, and empty where it has none."""

    line: int
    outcome: Outcome
    reason: str
    address: str = ""


@dataclass(frozen=True, kw_only=True)
class Report:
    """``told`` are the first thousand rows that are not plainly added or there already."""

    dialect: str
    guessed: str
    dry_run: bool
    batch_id: int
    counts: dict[Outcome, int]
    told: Sequence[ImportedRow]
    hidden: int = field(default=0)  #: rows that ``told`` leaves out

    @property
    def rows(self) -> int:
        return sum(self.counts.values())

    @property
    def sentence(self) -> str:
        """The whole in one sentence or two."""
        parts = [
            f"{count} {texts[self.dry_run]}"
            for outcome, texts in _SUMS
            if (count := self.counts.get(outcome))
        ]
        what = ", ".join(parts) if parts else "no rows"
        if self.dry_run:
            return f"This looks like {self.dialect}: {what}. Nothing was changed."
        return f"{what[:1].upper()}{what[1:]}."


_SUMS: Final = (  # what was done, what would be
    (Outcome.ADDED, ("added", "to add")),
    (Outcome.UNCONFIRMED, ("added as not confirmed", "to add as not confirmed")),
    (Outcome.CHANGED, ("changed", "to change")),
    (Outcome.UNCHANGED, ("there already", "there already")),
    (Outcome.KEPT_OUT, ("kept out, since they left or bounced there",) * 2),
    (Outcome.REFUSED, ("refused, since they left or bounced here",) * 2),
    (Outcome.TWICE, ("twice in the file", "twice in the file")),
    (Outcome.INVALID, ("left out, since they cannot be used",) * 2),
)


def run(
    people: Subscribers,
    content: bytes,
    *,
    source: str,
    now: datetime,
    dry_run: bool = False,
    kind: ConsentKind = ConsentKind.UNKNOWN,
    progress: Callable[[int, int], None] | None = None,
    each: Callable[[ImportedRow], None] | None = None,
) -> Report:
    """Imports a file, all of it in the caller's transaction; see :func:`run_in_steps`."""
    return run_in_steps(
        lambda: nullcontext(people),
        content,
        source=source,
        now=now,
        dry_run=dry_run,
        kind=kind,
        progress=progress,
        each=each,
    )


def run_in_steps(
    work: Work,
    content: bytes,
    *,
    source: str,
    now: datetime,
    dry_run: bool = False,
    kind: ConsentKind = ConsentKind.UNKNOWN,
    progress: Callable[[int, int], None] | None = None,
    each: Callable[[ImportedRow], None] | None = None,
) -> Report:
    """Imports a file, a transaction for every thousand rows, so that nobody who wants to unsubscribe
    meanwhile has to wait. With ``dry_run`` writes nothing.

    Interrupted, it is resumed by running it again: who is there already stays as they are. ``source`` is
    the file's name, kept in the proof of consent; ``kind`` is what the author says of consents that the
    file does not prove. ``each`` gets every row, ``progress`` (done, about how many). Lifts no suppression
    (invariant 10). Raises Invalid for a file that cannot be read; then the rows before it are on the list.
    """
    sheet = read(content)
    first = next(sheet.rows(), (0, []))[1]
    understood = understand(sheet.header, first, source)
    parse = reader(understood)
    address_in = cell_of(understood, "address")
    batch = Batch(now=now, source=source[:200], kind=kind, dialect=understood.dialect.name)
    if not dry_run:
        with work() as people:
            batch.open(people.conn)
    counts: Counter[Outcome] = Counter()
    told: list[ImportedRow] = []
    seen: set[str] = set()
    hidden = done = 0
    for rows in _steps(sheet):
        with work() as people:
            happened = _step(rows, parse, address_in, Writer(people, batch), seen, dry_run)
        for row in happened:
            counts[row.outcome] += 1
            if each is not None:
                each(row)
            if row.reason or row.outcome not in _PLAIN:
                if len(told) < MOST_TOLD:
                    told.append(row)
                else:
                    hidden += 1
        done += len(rows)
        if progress is not None:
            progress(done, max(sheet.lines, done))
    return Report(
        dialect=understood.dialect.title,
        guessed=sheet.guessed,
        dry_run=dry_run,
        batch_id=batch.id,
        counts=dict(counts),
        told=tuple(told),
        hidden=hidden,
    )


_PLAIN: Final = frozenset({Outcome.ADDED, Outcome.UNCHANGED})
Rows = list[tuple[int, list[str]]]


def _steps(sheet: Sheet) -> Iterator[Rows]:
    rows = sheet.rows()
    while step := list(islice(rows, STEP)):
        yield step


def _step(
    rows: Rows,
    parse: Callable[[Sequence[str]], Person],
    address_in: Callable[[Sequence[str]], str],
    writer: Writer,
    seen: set[str],
    dry_run: bool,
) -> list[ImportedRow]:
    found: list[tuple[int, Person | ImportedRow]] = []
    for line, cells in rows:
        try:
            found.append((line, parse(cells)))
        except Invalid as error:
            left_out = ImportedRow(
                line=line, outcome=Outcome.INVALID, reason=error.message, address=address_in(cells)
            )
            found.append((line, left_out))
    known = writer.known([person.address.key for _, person in found if isinstance(person, Person)])
    planned: list[tuple[Person, Known | None, Planned]] = []
    told: list[ImportedRow] = []
    for line, person in found:
        if isinstance(person, ImportedRow):
            told.append(person)
            continue
        key = person.address.key
        if key in seen:
            reason = "the address stands in an earlier line"
            told.append(
                ImportedRow(line=line, outcome=Outcome.TWICE, reason=reason, address=person.address.text)
            )
            continue
        seen.add(key)
        one = known.people.get(key)
        causes = known.causes.get(key, NONE)
        standing = Standing(state=one.state, causes=causes) if one else _standing_of_nobody(causes)
        what = plan(person, standing, changes=one is not None and brings_something(person, one))
        planned.append((person, one, what))
        told.append(
            ImportedRow(line=line, outcome=what.outcome, reason=what.reason, address=person.address.text)
        )
    if not dry_run:
        writer.write(planned, known.causes)
    return told


@cache
def _standing_of_nobody(causes: Causes) -> Standing:
    return Standing(state=None, causes=causes)


def brings_something(person: Person, known: Known) -> bool:
    """A name where there was none, or a tag that is new. What somebody chose here stays."""
    return bool(plain_name(person.name) and not known.name) or not set(person.tags) <= set(known.tags)
