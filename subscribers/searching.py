"""What lets PostgreSQL find part of an address among a million: trigrams, by its extension pg_trgm.

SQLite reads a covering index from end to end instead, which is quick enough.
"""

from __future__ import annotations

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from subscribers.tables import TRIGRAMS, subscribers


def make_searchable(conn: Connection) -> None:
    """Makes the index where it is not there and the database lets us: whoever owns it may add the extension
    (PostgreSQL's documentation, F.35 pg_trgm: "trusted"), where the server's contributed modules are."""
    if searchable(conn):
        return
    try:
        with conn.begin_nested():
            conn.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            # It may be there already, but in a schema that is not looked through.
            next(one for one in subscribers.indexes if one.name == TRIGRAMS).create(conn, checkfirst=True)
    except DBAPIError:
        return


def searchable(conn: Connection) -> bool:
    """Whether a search that finds nobody is quick, however long the list is."""
    if conn.dialect.name == "sqlite":
        return True
    return conn.scalar(text("SELECT to_regclass(:name)"), {"name": TRIGRAMS}) is not None
