"""One door to the database: SQLite by default, PostgreSQL when it grows.

SQLite transactions that write begin with ``BEGIN IMMEDIATE`` (a deferred one that turns into a writer
fails at once with SQLITE_BUSY_SNAPSHOT, whatever the busy timeout), in WAL mode with
``synchronous=FULL``: a committed ``submitting`` must survive the power cord (invariant 7).
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    DisconnectionError,
    IntegrityError,
    NoSuchModuleError,
    OperationalError,
)
from sqlalchemy.pool import QueuePool

from newsletter.errors import ConfigError, ExtraMissing, StoreProblem
from newsletter.store.filelock import FileLock

BUSY_TIMEOUT_MS: Final = 30_000
_WITH_PEOPLE: Final = ("subscribers", "consents", "requests", "batch_changes", "notices", "imports")
_RESTED_S: Final = 1.0
_AT_ONCE_BYTES: Final = 64 << 20  # rewritten in about a second
WAL_RESET_FIXED: Final = (3, 51, 3)
"""SQLite before this can corrupt a WAL database when two processes write and checkpoint at once
(https://sqlite.org/wal.html, "WAL-reset bug"): there, writers also take a file lock."""


class Database:
    """A connection pool that knows how each dialect begins a transaction. Thread-safe."""

    def __init__(self, url: str) -> None:
        """Raises ConfigError for a URL that is not one of ours; never connects."""
        self.url: URL = _checked(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.path: Path | None = None
        self._lock: FileLock | None = None
        if self.is_sqlite:
            self.path = Path(self.url.database or "newsletter.db")
            self._engine = _sqlite_engine(self.url)
            if sqlite3.sqlite_version_info < WAL_RESET_FIXED:
                self._lock = FileLock(self.path.with_name(self.path.name + ".lock"))
        else:
            self._engine = _postgres_engine(self.url)
        # What a page adds up must be of one moment, statement after statement (invariant 6).
        self._reading = (
            self._engine
            if self.is_sqlite
            else self._engine.execution_options(isolation_level="REPEATABLE READ")
        )
        self._writer = threading.Lock() if self.is_sqlite else nullcontext()

    @property
    def libpq_url(self) -> str:
        """The address of a PostgreSQL database as its own programs write it, password included."""
        return self.url.set(drivername="postgresql").render_as_string(hide_password=False)

    @property
    def engine(self) -> Engine:
        return self._engine

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One read-write transaction: committed when the block ends, rolled back when it raises."""
        with self._writer, self._lock.held() if self._lock else nullcontext(), _told():
            with self._engine.connect() as conn:
                conn = conn.execution_options(writes=True)
                with conn.begin():
                    yield conn

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One read transaction: a snapshot that never waits for a writer. Never commits anything."""
        with _told(), self._reading.connect() as conn:
            yield conn
            conn.rollback()

    def scrub(self) -> None:
        """After an erasure: nothing of the old rows stays in the log (SQLite) or in dead rows (PostgreSQL).

        A plain VACUUM frees the place of a dead row without emptying it. So a table that is rewritten within
        a moment is; of a large one, or one in use, the place is emptied when other rows come to stand there.

        SQLite overwrites what is deleted (secure_delete); its log is emptied here. A reader that is still
        at an older state leaves that to the next checkpoint.
        """
        with self._writer, self._lock.held() if self._lock else nullcontext(), _told():
            if self.is_sqlite:
                raw = self._engine.raw_connection()
                try:
                    cursor = raw.cursor()
                    cursor.execute("PRAGMA busy_timeout=3000")
                    cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
                    cursor.close()
                finally:
                    raw.close()
                return
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
                _wait_for_older(conn)
                for table in _WITH_PEOPLE:
                    _rewrite(conn, table)

    def close(self) -> None:
        # The last SQLite connection to close checkpoints, which is a write.
        with self._writer, self._lock.held() if self._lock else nullcontext():
            self._engine.dispose()


def _checked(text: str) -> URL:
    try:
        url = make_url(text)
        backend = url.get_backend_name()
    except (ArgumentError, NoSuchModuleError):
        backend = ""
    if backend not in {"sqlite", "postgresql"}:
        raise ConfigError(
            "NEWSLETTER_DATABASE_URL is not a database address.",
            hint="Use sqlite:///newsletter.db or postgresql://user:password@host/name.",
        )
    if backend == "postgresql":
        if not all(map(find_spec, ("psycopg", "procrastinate"))):
            raise ExtraMissing(feature="PostgreSQL", extra="cluster")
        return url.set(drivername="postgresql+psycopg")
    return url


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=10,
        max_overflow=30,
        hide_parameters=True,  # an error's text is logged, and parameters are addresses (invariant 13)
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver's own BEGIN would be a deferred one
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA secure_delete=ON")
        cursor.execute("PRAGMA cache_size=-12000")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(conn: Connection) -> None:
        writes = conn.get_execution_options().get("writes", False)
        conn.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgres_engine(url: URL) -> Engine:
    engine = create_engine(url, pool_size=10, max_overflow=40, hide_parameters=True)

    @event.listens_for(engine, "checkin")
    def _rests(_connection: Any, record: Any) -> None:
        record.info["since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _ask(connection: Any, record: Any, _proxy: Any) -> None:
        """One that has rested may have lost its server; one in use all the time is not asked each time."""
        if time.monotonic() - record.info.get("since", 0.0) < _RESTED_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError("It lost its server.") from error  # the pool connects anew

    return engine


def _wait_for_older(conn: Connection) -> None:
    """Until nobody is left for whom the old rows have to be kept, in whichever database of the server, but
    not for long."""
    now = conn.scalar(text("SELECT CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text)"))
    give_up = time.monotonic() + _OLDER_S
    while conn.scalar(text(_OLDER), {"now": now}) and time.monotonic() < give_up:
        time.sleep(0.02)


def _rewrite(conn: Connection, table: str) -> None:
    size = conn.exec_driver_sql(f"SELECT pg_total_relation_size('{table}')").scalar() or 0
    if size > _AT_ONCE_BYTES:
        conn.exec_driver_sql(f"VACUUM {table}")
        return
    conn.exec_driver_sql("SET lock_timeout = '2s'")  # who is sending waits no longer for it than that
    try:
        conn.exec_driver_sql(f"VACUUM FULL {table}")
    except OperationalError:
        conn.exec_driver_sql(f"VACUUM {table}")
    finally:
        conn.exec_driver_sql("RESET lock_timeout")


_OLDER_S: Final = 2.0
_OLDER: Final = """
    SELECT pg_snapshot_xmin(pg_current_snapshot()) < CAST(CAST(:now AS text) AS xid8) OR EXISTS (
        SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND age(backend_xmin) > age(CAST(CAST(CAST(:now AS text) AS xid8) AS xid))
    )
"""


@contextmanager
def _told() -> Iterator[None]:
    """Translates what a person can mend; bugs in our SQL pass through.

    Never says whose row it was: PostgreSQL writes values, addresses among them, into the lines after its
    first one (invariant 13).
    """
    try:
        yield
    except OperationalError as error:
        raise StoreProblem(
            f"The database cannot be used: {_first_line(error)}.",
            hint="Check that it is reachable, that the disk has room and that nothing else locks it.",
        ) from _without_values(error)
    except IntegrityError as error:
        raise StoreProblem(
            f"Two programs wrote the same thing into the database at once: {_first_line(error)}.",
            hint="Do it once more.",
        ) from None
    except DBAPIError as error:
        _without_values(error)
        if "malformed" in str(error.orig) or "not a database" in str(error.orig):
            raise StoreProblem(
                f"The database file is damaged: {_first_line(error)}.",
                hint="Restore a backup; keep the damaged file.",
            ) from error
        raise


def _without_values(error: DBAPIError) -> DBAPIError:
    for one in (error, error.orig):
        if one is not None:
            one.args = tuple(_line(part) if isinstance(part, str) else part for part in one.args)
    return error


def _line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else ""


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0].rstrip(".")
