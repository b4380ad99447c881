"""Brings a file's people onto the list, a thousand rows at a time, or says what would happen."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Final

from subscribers.addresses import key_of
from subscribers.errors import Invalid
from subscribers.imports.dialects import ANY, Understood, understand
from subscribers.imports.plan import NOBODY, Outcome, Planned, plan
from subscribers.imports.reading import Sheet, read
from subscribers.imports.rows import Person, cell_of, moment, reader, storable, undefused
from subscribers.imports.write import Batch, Known, Writer
from subscribers.model import ConsentKind, SubscriberState, SuppressionCause
from subscribers.sql import among_writers
from subscribers.states import Standing
from subscribers.store import Subscribers, plain_name
from subscribers.suppressions import NONE, Causes

Work = Callable[[], AbstractContextManager[Subscribers]]

MOST_TOLD: Final = 1_000
MOST_KEPT: Final = 200  #: of a report that is kept while an import goes on
STEP: Final = 1_000
ASK_PER_DAY: Final = 50
STALE: Final = timedelta(days=365)
"""A list that nobody was mailed from for so long is asked before it is mailed."""


@dataclass(frozen=True, kw_only=True)
class How:
    """What the author says of a file.

    ``kind``: of consents that the file does not prove. ``ask_per_day``: how many of the people without
    proof are asked to confirm before they are mailed; 0 for none, None to decide by the list's age.
    ``never_mail``: everybody in it is to be kept out.
    """

    kind: ConsentKind = ConsentKind.UNKNOWN
    ask_per_day: int | None = None
    never_mail: bool = False


@dataclass(frozen=True, kw_only=True)
class ImportedRow:
    """What happened to one row, and why. ``line`` is the line of the file on which it ends; ``address`` is
    as the file writes it where the row was left out, and empty where it has none or was erased here. ``file``
    is the one of a ZIP."""

    line: int
    outcome: Outcome
    reason: str
    address: str = ""
    file: str = ""


@dataclass(frozen=True, kw_only=True)
class Report:
    """``told`` are the first thousand rows that are not plainly added or there already. ``columns`` says
    which column of the file was taken for what. ``ask_per_day`` is 0 where nobody is asked."""

    dialect: str
    guessed: str
    columns: Sequence[str]
    dry_run: bool
    batch_id: int
    counts: dict[Outcome, int]
    told: Sequence[ImportedRow]
    hidden: int = field(default=0)  #: rows that ``told`` leaves out
    ask_per_day: int = 0
    stale: bool = False  #: nobody joined this list for a year
    finished: bool = True  #: else it was asked to stop, and goes on later

    def keys(self) -> list[str]:
        """Whose rows ``json`` tells, as keys of their addresses."""
        return sorted(set[str]().union(*(_keys_in(row.address) for row in self.told[:MOST_KEPT])))

    def without(self, is_out: Callable[[str], bool]) -> Report:
        """The same, still counting everybody, but not telling of those whose address's key is out."""
        others = tuple(row for row in self.told if not any(map(is_out, _keys_in(row.address))))
        return replace(self, told=others, hidden=self.hidden + len(self.told) - len(others))

    def json(self) -> str:
        """For ``read``; of the rows that are told, only the first ones."""
        kept = self.told[:MOST_KEPT]
        shown = replace(self, told=kept, hidden=self.hidden + len(self.told) - len(kept))
        return json.dumps(asdict(shown), ensure_ascii=False)

    @staticmethod
    def read(text: str) -> Report:
        """What ``json`` wrote."""
        values = json.loads(text)
        counts = {Outcome(name): count for name, count in values.pop("counts").items()}
        told = tuple(ImportedRow(**{**row, "outcome": Outcome(row["outcome"])}) for row in values.pop("told"))
        return Report(counts=counts, told=told, **values)

    @property
    def rows(self) -> int:
        return sum(self.counts.values())

    @property
    def sentence(self) -> str:
        """The whole in one sentence or two."""
        parts = [
            f"{count:,} {texts[self.dry_run]}"
            for outcome, texts in _SUMS
            if (count := self.counts.get(outcome))
        ]
        what = ", ".join(parts) if parts else "no rows"
        if self.dry_run:
            return f"This looks like {self.dialect}: {what}. Nothing was changed."
        return f"{what[:1].upper()}{what[1:]}."

    @property
    def asking(self) -> str:
        """How those without proof are asked, or an empty string."""
        if not self.counts.get(Outcome.ASKED):
            return ""
        why = "Nobody joined this list for a year. " if self.stale else ""
        return (
            f"{why}Those without proof of consent get one message that asks them to confirm, "
            f"{self.ask_per_day:,} a day; it stops by itself where 3 % of them bounce."
        )


@dataclass(frozen=True)
class Begun:
    """What an import had done when it was interrupted; ``done`` are its rows."""

    report: Report
    done: int


After = Callable[[Subscribers, Report, int, int], bool]


_SUMS: Final = (  # what was done, what would be
    (Outcome.ADDED, ("added", "to add")),
    (Outcome.ASKED, ("to be asked to confirm", "to ask to confirm")),
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
    how: How | None = None,
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
        how=how,
        progress=progress,
        each=each,
    )


def run_in_steps(
    work: Work,
    content: bytes | Path,
    *,
    source: str,
    now: datetime,
    dry_run: bool = False,
    how: How | None = None,
    progress: Callable[[int, int], None] | None = None,
    each: Callable[[ImportedRow], None] | None = None,
    begun: Begun | None = None,
    after: After | None = None,
) -> Report:
    """Imports a file, a transaction for every thousand rows, so that nobody who wants to unsubscribe
    meanwhile has to wait. With ``dry_run`` writes nothing.

    Interrupted, it is resumed by running it again: who is there already stays as they are. ``source`` is
    the file's name, kept in the proof of consent. ``each`` gets every row, ``progress`` (done, about how
    many). ``after`` is called before each of these transactions commits, with what there is to tell and
    (done, about how many); where it says no, the import stops after that commit, to be resumed with what it
    was told as ``begun`` and the same ``now``. Lifts no suppression (invariant 10). Raises Invalid for a file
    that cannot be read; then the rows before it are on the list.
    """
    how = how or How()
    tables = _tables(read(content, source), how)
    stale = how.ask_per_day is None and _is_stale(tables, now)
    per_day = (ASK_PER_DAY if stale else 0) if how.ask_per_day is None else how.ask_per_day
    batch = Batch(
        now=now,
        source=storable(source)[:200],
        kind=how.kind,
        dialect=tables[0].understood.dialect.name,
        ask_per_day=per_day,
    )
    if begun is not None:
        with work() as people:
            batch.reopen(people.conn, begun.report.batch_id)
    counting = _Counting(each, begun.report if begun else None)

    def report(*, finished: bool) -> Report:
        return Report(
            dialect=tables[0].understood.dialect.title,
            guessed=tables[0].sheet.guessed,
            columns=tables[0].understood.shown,
            dry_run=dry_run,
            batch_id=batch.id,
            counts=dict(counting.counts),
            told=tuple(counting.told),
            hidden=counting.hidden,
            ask_per_day=per_day,
            stale=stale,
            finished=finished,
        )

    step = _Step(batch, dry_run=dry_run)
    total = sum(table.sheet.lines for table in tables)
    done, earlier = 0, begun.done if begun else 0
    for table in tables:
        counting.file = table.sheet.name if len(tables) > 1 else ""
        parse, address_in = reader(table.understood), cell_of(table.understood, "address")
        rows = table.sheet.rows()
        for _, cells in islice(rows, max(0, earlier - done)):
            step.passed(address_in(cells))
            done += 1
        while some := list(islice(rows, STEP)):
            going = True
            with work() as people:
                if not dry_run:
                    among_writers(people.conn, alone=True)
                    batch.open(people.conn)
                counting.take(step.take(some, parse, address_in, Writer(people, batch)))
                done += len(some)
                if after is not None:
                    going = after(people, report(finished=False), done, max(total, done))
            if progress is not None:
                progress(done, max(total, done))
            if not going:
                return report(finished=False)
    if not dry_run:
        with work() as people:
            batch.open(people.conn)
    return report(finished=True)


@dataclass(frozen=True, kw_only=True)
class _Table:
    sheet: Sheet
    understood: Understood


def _tables(sheets: Sequence[Sheet], how: How) -> list[_Table]:
    """The tables that hold subscribers, those of people who left first: where an address stands in two,
    the first one counts. Raises Invalid where none does."""
    found: list[_Table] = []
    problem: Invalid | None = None
    for sheet in sheets:
        try:
            understood = understand(sheet.header, sheet.first(), sheet.name)
        except Invalid as error:
            problem = error
            continue
        if how.never_mail:
            understood = replace(understood, everybody=SubscriberState.UNSUBSCRIBED)
        found.append(_Table(sheet=sheet, understood=understood))
    # In an archive of everything there are tables of other things with addresses in them.
    known = [table for table in found if table.understood.dialect is not ANY]
    if len(sheets) > 1 and known:
        found = known
    if not found:
        raise problem or Invalid("The file holds no email addresses.")
    return sorted(found, key=lambda table: table.understood.everybody in (None, SubscriberState.ACTIVE))


def _is_stale(tables: Sequence[_Table], now: datetime) -> bool:
    """Whether the newest date of joining in the file is a year old; a file without dates is not judged."""
    if any(table.understood.dialect.ended for table in tables):
        return True
    newest: datetime | None = None
    for table in tables:
        for meaning in ("agreed", "joined"):
            if meaning in table.understood.places:
                cell = cell_of(table.understood, meaning)
                for _, row in table.sheet.rows():
                    at = moment(cell(row))
                    if at is None or at > now:  # a slip of the pen makes no list fresh
                        continue
                    if now - at < STALE:
                        return False
                    newest = at if newest is None else max(newest, at)
    return newest is not None


def _keys_in(cell: str) -> set[str]:
    """Of the addresses that stand in a cell: one that was left out may hold several."""
    return {key for part in _BETWEEN.split(cell) if "@" in part and (key := key_of(part))}


_BETWEEN: Final = re.compile(r"[\s,;|/<>()\[\]\"']+")


class _Counting:
    """Keeps what is to be told of the rows."""

    def __init__(self, each: Callable[[ImportedRow], None] | None, before: Report | None) -> None:
        self.file = ""
        self.counts: Counter[Outcome] = Counter(before.counts if before else {})
        self.told: list[ImportedRow] = list(before.told) if before else []
        self.hidden = before.hidden if before else 0
        self._each = each

    def take(self, happened: Sequence[Happened]) -> None:
        for line, outcome, reason, address in happened:
            self.counts[outcome] += 1
            tell = bool(reason) or outcome not in _PLAIN
            if not tell and self._each is None:
                continue
            row = ImportedRow(line=line, outcome=outcome, reason=reason, address=address, file=self.file)
            if self._each is not None:
                self._each(row)
            if tell and len(self.told) < MOST_TOLD:
                self.told.append(row)
            elif tell:
                self.hidden += 1


_PLAIN: Final = frozenset({Outcome.ADDED, Outcome.UNCHANGED})
Happened = tuple[int, Outcome, str, str]  #: line, what, why, address
Found = tuple[int, "Person | None", str, str]  #: line, who, or why they are left out and their address


class _Step:
    """A thousand rows: who they are, what happens to them, and that."""

    def __init__(self, batch: Batch, *, dry_run: bool) -> None:
        self._batch = batch
        self._dry_run = dry_run
        self._ask = batch.ask_per_day > 0
        self._seen: set[str] = set()

    def passed(self, written: str) -> None:
        """A row with this address was taken before the import was interrupted."""
        self._seen.add(key_of(undefused(written)))

    def take(
        self,
        rows: Sequence[tuple[int, list[str]]],
        parse: Callable[[Sequence[str]], Person],
        address_in: Callable[[Sequence[str]], str],
        writer: Writer,
    ) -> list[Happened]:
        found: list[Found] = []
        for line, cells in rows:
            try:
                found.append((line, parse(cells), "", ""))
            except Invalid as error:
                found.append((line, None, error.message, address_in(cells)))
        known = writer.known([person.address.key for _, person, _, _ in found if person])
        people, causes_of = known.people, known.causes
        seen, ask = self._seen, self._ask
        planned: list[tuple[Person, Known | None, Planned]] = []
        happened: list[Happened] = []
        for line, person, why, written in found:
            if person is None:
                happened.append((line, Outcome.INVALID, why, written))
                continue
            address, key, _ = person.address
            causes = causes_of.get(key, NONE)
            if SuppressionCause.ERASED in causes:  # known by a hash alone, and reports are kept
                address = ""
            if key in seen:
                happened.append((line, Outcome.TWICE, _TWICE, address))
                continue
            seen.add(key)
            one = people.get(key)
            if one is not None:
                standing = Standing(state=one.state, causes=causes)
                what = plan(person, standing, changes=brings_something(person, one), ask=ask)
            else:
                standing = _standing_of_nobody(causes) if causes else NOBODY
                what = plan(person, standing, changes=False, ask=ask)
            planned.append((person, one, what))
            happened.append((line, what.outcome, what.reason, address))
        if not self._dry_run:
            writer.write(planned, causes_of)
        return happened


_TWICE: Final = "the address stands in an earlier line"


@cache
def _standing_of_nobody(causes: Causes) -> Standing:
    return Standing(state=None, causes=causes)


def brings_something(person: Person, known: Known) -> bool:
    """A name where there was none, or a tag that is new. What somebody chose here stays."""
    return bool(plain_name(person.name) and not known.name) or not set(person.tags) <= set(known.tags)
