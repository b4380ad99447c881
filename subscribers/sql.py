"""What SQLite and PostgreSQL both can do but SQLAlchemy Core spells per dialect."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

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


def glob(text: str) -> str:
    """The text with what SQLite's GLOB reads as a pattern in brackets, where it means itself."""
    return re.sub(r"([*?\[])", r"[\1]", text)


def insert_many(conn: Connection, table: Table, columns: Sequence[str], rows: Rows) -> None:
    """A plain INSERT of many rows, whose values are numbers, texts and None in the columns' order.

    Straight to the driver: SQLAlchemy's own way takes three times as long to prepare a wide row.
    """
    if not rows:
        return
    names = ", ".join(columns)
    if conn.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        conn.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", list(rows))
        return
    driver: Any = conn.connection.driver_connection
    sql = f"COPY {table.name} ({names}) FROM STDIN"
    with _translated(conn, sql), driver.cursor() as cursor, cursor.copy(sql) as copying:
        for row in rows:
            copying.write_row(row)


def among_writers(conn: Connection, *, alone: bool) -> None:
    """Before somebody new is written: an import (``alone``) and a sign-up of one of its addresses at the same
    moment would stumble over each other on PostgreSQL. Until the transaction ends; SQLite has one writer."""
    if conn.dialect.name != "sqlite":
        lock = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
        conn.exec_driver_sql(f"SELECT {lock}({_NEW_PEOPLE})")


_NEW_PEOPLE: Final = 0x7065_6F70  # "peop": PostgreSQL advisory locks are numbers


@contextmanager
def _translated(conn: Connection, sql: str) -> Iterator[None]:
    """What the driver raises as SQLAlchemy would raise it."""
    dialect = conn.dialect
    try:
        yield
    except dialect.loaded_dbapi.Error as error:
        raise DBAPIError.instance(
            sql, None, error, dialect.loaded_dbapi.Error, hide_parameters=True, dialect=dialect
        ) from error


def select_in(conn: Connection, sql: str, texts: Sequence[str]) -> list[tuple[Any, ...]]:
    """The rows, as plain tuples, of a query whose one ``{in}`` is replaced by "is one of these texts".

    However many there are: they go to the database as one value.
    """
    driver: Any = conn.connection.driver_connection
    with _translated(conn, sql):
        if conn.dialect.name == "sqlite":
            sql = sql.replace("{in}", "IN (SELECT value FROM json_each(?))")
            found: list[tuple[Any, ...]] = driver.execute(sql, (json.dumps(texts),)).fetchall()
        else:
            # Telling the driver's array apart, text by text, costs it more than the query costs the database.
            sql = sql.replace("{in}", "= ANY(ARRAY(SELECT json_array_elements_text(%s::json)))")
            found = driver.execute(sql, (json.dumps(texts),)).fetchall()
    return found


def mapped(conn: Connection) -> None:
    """Before much is read: SQLite takes the file's pages from memory where they lie instead of copying each,
    a third faster over a million rows. PostgreSQL plans for the very words that are sought: one plan for all
    of them would expect many finds, and read on and on where there are none."""
    if conn.dialect.name == "sqlite":
        conn.exec_driver_sql(f"PRAGMA mmap_size={_MAPPED}")
    else:
        conn.exec_driver_sql("SET LOCAL plan_cache_mode = force_custom_plan")


_MAPPED: Final = 1 << 30


def take_ids(conn: Connection, table: Table, count: int) -> Sequence[int]:
    """As many ids that are nobody's, ascending, and from now on never will be another's.

    The transaction must be one that writes; on SQLite the table must be AUTOINCREMENT.
    """
    if conn.dialect.name == "sqlite":
        last = conn.exec_driver_sql("SELECT seq FROM sqlite_sequence WHERE name = ?", (table.name,)).scalar()
        return range((last or 0) + 1, (last or 0) + 1 + count)
    sequence = "(SELECT CAST(pg_get_serial_sequence(:table, 'id') AS regclass) AS ids OFFSET 0) AS found"
    taken = f"SELECT nextval(ids) FROM {sequence}, generate_series(1, :count)"
    return sorted(id for (id,) in straight(conn, taken, {"table": table.name, "count": count}))


def straight(conn: Connection, sql: str, values: Mapping[str, object]) -> Any:
    """Runs SQL straight on the driver and returns its cursor, for what a million deliveries run through.

    ``:name`` stands for a number or a text, ``= ANY(:name)`` for a list of them, the same statement however
    long the list is. What SQLAlchemy does around a statement costs more than such a statement itself.
    Raises what SQLAlchemy raises.
    """
    dialect = conn.dialect
    given: Mapping[str, Any] = values
    if dialect.name == "sqlite":
        given = {
            name: value if isinstance(value, (int, str)) else json.dumps(value)
            for name, value in values.items()
        }
    cursor = conn.connection.cursor()
    with _translated(conn, sql):
        cursor.execute(_spelled(sql, dialect.name), given)
    return cursor


def straight_rows(
    conn: Connection, sql: str, columns: Sequence[str], values: Mapping[str, object]
) -> list[tuple[Any, ...]]:
    """What a query finds, run like :func:`straight`, as tuples of these columns (numbers, texts and None).

    SQLite's driver lets go of the interpreter's lock for every row that it fetches, and while another thread
    is at work each time costs a switch between the two. So there the whole answer is fetched as one value.
    """
    if conn.dialect.name != "sqlite":
        found: list[tuple[Any, ...]] = straight(conn, sql, values).fetchall()
        return found
    one_value = f"SELECT json_group_array(json_array({', '.join(columns)})) FROM ({sql})"
    return list(map(tuple, json.loads(straight(conn, one_value, values).fetchone()[0])))


@lru_cache(maxsize=64)
def _spelled(sql: str, dialect: str) -> str:
    if dialect == "sqlite":
        return re.sub(r"= ANY\(:(\w+)\)", r"IN (SELECT value FROM json_each(:\1))", sql)
    return re.sub(r":(\w+)", r"%(\1)s", sql)
