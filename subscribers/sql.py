"""What SQLite and PostgreSQL both can do but SQLAlchemy Core spells per dialect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")
Rows = Sequence[tuple[int | str | None, ...]]

MANY: Final = 1_000
"""Values in one IN list: SQLite has taken 32,766 parameters since 3.32 (2020), PostgreSQL 65,535."""


def insert(conn: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT of the connection's dialect, which has ``on_conflict_do_nothing`` and ``_do_update``."""
    if conn.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def chunks(items: Sequence[T], size: int = MANY) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def like(text: str) -> str:
    """The text with what LIKE reads as a pattern escaped by a backslash."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def insert_many(conn: Connection, table: Table, columns: Sequence[str], rows: Rows) -> None:
    """A plain INSERT of many rows, whose values are numbers, texts and None in the columns' order.

    Straight to the driver: SQLAlchemy's own way takes three times as long to prepare a wide row.
    """
    if rows:
        mark = "?" if conn.dialect.paramstyle == "qmark" else "%s"
        marks = ", ".join([mark] * len(columns))
        sql = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({marks})"
        conn.exec_driver_sql(sql, list(rows))
