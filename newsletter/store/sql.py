"""What SQLite and PostgreSQL both can do but SQLAlchemy Core spells per dialect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from subscribers.sql import straight as straight
from subscribers.sql import straight_rows as straight_rows

Rows = Sequence[dict[str, Any]]

MANY = 500  #: parameters in one IN list; SQLite allowed 999 of them for years


def insert(conn: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT of the connection's dialect, which has ``on_conflict_do_nothing`` and ``_do_update``."""
    if conn.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def insert_new(conn: Connection, table: Table, rows: Rows) -> None:
    """Inserts the rows that conflict with nothing; the others stay as they are."""
    if rows:
        conn.execute(insert(conn, table).on_conflict_do_nothing(), list(rows))


def chunks(items: Sequence[int], size: int = MANY) -> list[Sequence[int]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
