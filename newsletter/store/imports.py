"""Imports of the studio: what is to be done with a file, and how far that is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, or_, select, update

from newsletter.errors import Conflict, NotFound
from newsletter.model.importing import OPEN, Import, ImportState, import_states_before
from newsletter.model.times import from_ms, maybe_from_ms, to_ms
from newsletter.store.tables import imports
from subscribers.addresses import normalise
from subscribers.imports import Report

_c = imports.c


class Imports:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def add(self, *, source: str, file: str, now: datetime) -> int:
        row = {"source": source, "file": file, "state": ImportState.LOOKING.value, "at": to_ms(now)}
        return int(self._conn.execute(imports.insert().values(row).returning(_c.id)).scalar_one())

    def get(self, id: int) -> Import:
        """Raises NotFound."""
        row = self._conn.execute(select(imports).where(_c.id == id)).one_or_none()
        if row is None:
            raise NotFound("There is no such import any more.", hint="Choose the file once more.")
        return _import(row)

    def open(self) -> Sequence[Import]:
        """Those that a process is to work on, oldest first."""
        rows = self._conn.execute(
            select(imports).where(_c.state.in_([state.value for state in OPEN])).order_by(_c.id)
        )
        return [_import(row) for row in rows]

    def waiting(self) -> Sequence[Import]:
        """These and those that wait for the author, newest first."""
        wanted = _c.state.in_([state.value for state in (*OPEN, ImportState.LOOKED)])
        rows = self._conn.execute(select(imports).where(wanted).order_by(_c.id.desc()))
        return [_import(row) for row in rows]

    def running(self, batch_id: int) -> bool:
        """Whether rows of this batch are still being written."""
        mine = select(_c.id).where(_c.batch_id == batch_id, _c.state == ImportState.RUNNING.value)
        return self._conn.scalar(mine) is not None

    def move(self, id: int, to: ImportState, **values: Any) -> None:
        """Raises Conflict where it may not become that, for instance since somebody was faster."""
        before = _c.state.in_([state.value for state in import_states_before(to)])
        moved = update(imports).where(_c.id == id, before).values(state=to.value, **values)
        if not self._conn.execute(moved).rowcount:
            raise Conflict("This import is not in a state for that.", hint="Look at it once more.")

    def hold(self, id: int) -> None:
        """Nobody is forgotten in its report until the transaction ends, and who was is known to it."""
        self._conn.execute(select(_c.id).where(_c.id == id).with_for_update())

    def save(self, id: int, *, done: int, total: int, report: str, batch_id: int) -> bool:
        """How far it is; False where nobody wants it any more."""
        still = _c.state.in_([state.value for state in OPEN])
        values = {"done": done, "total": total, "report": report, "batch_id": batch_id}
        return self._conn.execute(update(imports).where(_c.id == id, still).values(values)).rowcount == 1

    def over(self, before: datetime) -> Sequence[Import]:
        """Those that nobody works on, and that were begun before."""
        query = select(imports).where(_c.state.not_in([state.value for state in OPEN]), _c.at < to_ms(before))
        return [_import(row) for row in self._conn.execute(query)]

    def forget_person(self, address: str) -> None:
        """What reports tell of the rows of somebody who is erased; they count them still. One that is being
        written is waited for."""
        key = normalise(address).key
        wanted = or_(_c.state.in_([state.value for state in OPEN]), _c.report.contains("@"))
        rows = self._conn.execute(select(_c.id, _c.report).where(wanted).order_by(_c.id).with_for_update())
        for row in rows.all():
            if "@" in row.report:
                kept = Report.read(row.report).without(lambda told: told == key)
                self._conn.execute(update(imports).where(_c.id == row.id).values(report=kept.json()))

    def forget(self, id: int) -> None:
        self._conn.execute(delete(imports).where(_c.id == id))


def _import(row: Row[Any]) -> Import:
    return Import(
        id=row.id,
        source=row.source,
        file=row.file,
        state=ImportState(row.state),
        ask_per_day=row.ask_per_day,
        batch_id=row.batch_id,
        at=from_ms(row.at),
        began_at=maybe_from_ms(row.began_at),
        done=row.done,
        total=row.total,
        report=row.report,
        problem=row.problem,
    )
