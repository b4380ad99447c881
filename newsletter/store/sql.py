"""What SQLite and PostgreSQL both can do but SQLAlchemy Core spells per dialect."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, CursorResult, Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.sql.dml import UpdateBase

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


def run_spelled(
    conn: Connection, statement: UpdateBase, values: dict[str, int] | list[dict[str, int]]
) -> CursorResult[Any]:
    """Runs a statement whose parameters are numbers, spelled once per dialect: a send runs a few of them
    for every handful of messages, and preparing them anew costs more than the database does."""
    sql, constants = _spelled(statement, conn.dialect)
    if isinstance(values, dict):
        return conn.exec_driver_sql(sql, {**constants, **values})
    return conn.exec_driver_sql(sql, [{**constants, **row} for row in values])


@lru_cache(maxsize=32)
def _spelled(statement: UpdateBase, dialect: Dialect) -> tuple[str, dict[str, Any]]:
    """The text of a statement and the values that stand in it, in a spelling that the driver reads."""
    spelling = SQLiteDialect(paramstyle="named") if dialect.name == "sqlite" else dialect
    compiled = statement.compile(dialect=spelling)
    return str(compiled), {name: value for name, value in compiled.params.items() if value is not None}
