"""Brings the database to this version's schema: forward only, by one process at a time."""

from __future__ import annotations

import sqlite3
from contextlib import nullcontext
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from newsletter.errors import StoreProblem
from newsletter.store.database import Database
from newsletter.store.filelock import FileLock
from subscribers.searching import make_searchable

_LOCK_KEY = 0x6E65_7773  # "news": PostgreSQL advisory locks are numbers
_MIGRATIONS = Path(__file__).parent / "migrations"
_REVISIONS = sorted(file.name.split("_")[0] for file in (_MIGRATIONS / "versions").glob("[0-9]*.py"))
HEAD = _REVISIONS[-1]
"""This version's schema. Revisions are numbered in order, and their files begin with the number."""


def upgrade(database: Database) -> bool:
    """Creates or upgrades the schema; returns whether anything was done.

    On SQLite a copy ``<name>.before-<revision>`` is taken before an existing database is changed.
    Raises StoreProblem where the database was made by a newer version or its folder cannot be made.
    """
    if database.path is not None:
        _make_folder(database.path.parent)
        if not database.path.exists():  # it holds addresses: nobody else's to read, nor the files beside it
            database.path.touch(mode=0o600)
    lock = (
        FileLock(database.path.with_name(database.path.name + ".upgrade")).held()
        if database.path
        else nullcontext()
    )
    with lock, database.write() as conn:
        if not database.is_sqlite:
            conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        current = _current(conn)
        if current == HEAD:
            make_searchable(conn)
            return False
        _refuse_newer(current)
        if current is not None and database.path is not None:
            _copy(database.path, database.path.with_name(f"{database.path.name}.before-{HEAD}"))
        _migrate(conn)
        make_searchable(conn)
        return True


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreProblem(
            f"The database's folder {folder} cannot be made: {error.strerror}.",
            hint="Check NEWSLETTER_DATABASE_URL, and that you may write there.",
        ) from error


def require_current(database: Database) -> None:
    """Raises StoreProblem where the schema is not this version's. Changes nothing."""
    with database.read() as conn:
        current = _current(conn)
    if current == HEAD:
        return
    _refuse_newer(current)
    raise StoreProblem(
        "There is no newsletter in this database yet."
        if current is None
        else "The database belongs to an older version.",
        hint="Run: newsletter init",
    )


def _migrate(conn: Connection) -> None:
    from alembic import command  # half a second that only upgrades should pay
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = conn
    command.upgrade(config, "head")


def _current(conn: Connection) -> str | None:
    """The revision that Alembic noted in the database; None where there is none."""
    if not inspect(conn).has_table("alembic_version"):
        return None
    revision: str | None = conn.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return revision


def _refuse_newer(current: str | None) -> None:
    if current is not None and current not in _REVISIONS:
        raise StoreProblem(
            "The database was made by a newer version of this program.",
            hint="Install that version or a later one; nothing was changed.",
        )


def _copy(source: Path, target: Path) -> None:
    with sqlite3.connect(source) as reader, sqlite3.connect(target) as writer:
        reader.backup(writer)
    target.chmod(0o600)
