"""The stored settings: field name -> text; secrets as they were encrypted."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, select

from newsletter.model.times import to_ms
from newsletter.store.sql import insert
from newsletter.store.tables import settings


class StoredSettings:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def all(self) -> dict[str, str]:
        return {row.name: row.value for row in self._conn.execute(select(settings))}

    def set(self, name: str, value: str, now: datetime) -> None:
        values = {"value": value, "changed_at": to_ms(now)}
        self._conn.execute(
            insert(self._conn, settings)
            .values(name=name, **values)
            .on_conflict_do_update(index_elements=["name"], set_=values)
        )

    def remove(self, name: str) -> None:
        self._conn.execute(delete(settings).where(settings.c.name == name))
