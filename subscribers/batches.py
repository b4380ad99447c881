"""The imports and bulk actions so far, for whoever looks at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from subscribers import asking
from subscribers.asking import Asking
from subscribers.bulk import Doing, What
from subscribers.store import Subscribers
from subscribers.tables import batches
from subscribers.times import from_ms, maybe_from_ms


@dataclass(frozen=True, kw_only=True)
class Imported:
    """``asking`` is None where nobody of it is asked to confirm."""

    id: int
    at: datetime
    dialect: str
    source: str
    created: int
    changed: int
    suppressed: int
    undone_at: datetime | None
    asking: Asking | None


def newest(people: Subscribers, limit: int = 50) -> Sequence[Imported]:
    """Imports, newest first."""
    imports = select(batches).where(batches.c.kind == "import")
    rows = people.conn.execute(imports.order_by(batches.c.id.desc()).limit(limit)).all()
    return [
        Imported(
            id=row.id,
            at=from_ms(row.at),
            dialect=row.dialect,
            source=row.source,
            created=row.created,
            changed=row.changed,
            suppressed=row.suppressed,
            undone_at=maybe_from_ms(row.undone_at),
            asking=asking.progress(people, row.id),
        )
        for row in rows
    ]


@dataclass(frozen=True, kw_only=True)
class Done:
    """What was done to many at once. ``changed`` is how many it changed."""

    id: int
    at: datetime
    doing: Doing
    changed: int
    undone_at: datetime | None


def done(people: Subscribers, limit: int = 20) -> Sequence[Done]:
    """Bulk actions, newest first."""
    bulk = select(batches).where(batches.c.kind.in_([what.value for what in What]))
    rows = people.conn.execute(bulk.order_by(batches.c.id.desc()).limit(limit)).all()
    return [
        Done(
            id=row.id,
            at=from_ms(row.at),
            doing=Doing(what=What(row.kind), tag=row.source),
            changed=row.changed,
            undone_at=maybe_from_ms(row.undone_at),
        )
        for row in rows
    ]
