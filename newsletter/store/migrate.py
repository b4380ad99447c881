"""Brings the database to this version's schema: forward only, by one process at a time."""

from __future__ import annotations

import sqlite3
from contextlib import nullcontext
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from newsletter.errors import StoreProblem
from newsletter.store.database import Database
from newsletter.store.filelock import FileLock

_LOCK_KEY = 0x6E65_7773  # "news": PostgreSQL advisory locks are numbers


def upgrade(database: Database) -> bool:
    """Creates or upgrades the schema; returns whether anything was done.

    On SQLite a copy ``<name>.before-<revision>`` is taken before an existing database is changed.
    Raises StoreProblem where the database was made by a newer version.
    """
    if database.path is not None:
        database.path.parent.mkdir(parents=True, exist_ok=True)
    lock = (
        FileLock(database.path.with_name(database.path.name + ".upgrade")).held()
        if database.path
        else nullcontext()
    )
    with lock, database.write() as conn:
        if not database.is_sqlite:
            conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        config = _config()
        head = ScriptDirectory.from_config(config).get_current_head()
        current = _current(conn)
        if current == head:
            return False
        _refuse_newer(config, current)
        if current is not None and database.path is not None:
            _copy(database.path, database.path.with_name(f"{database.path.name}.before-{head}"))
        config.attributes["connection"] = conn
        command.upgrade(config, "head")
        return True


def require_current(database: Database) -> None:
    """Raises StoreProblem where the schema is not this version's. Changes nothing."""
    with database.read() as conn:
        current = _current(conn)
    config = _config()
    if current == ScriptDirectory.from_config(config).get_current_head():
        return
    _refuse_newer(config, current)
    raise StoreProblem(
        "There is no newsletter in this database yet."
        if current is None
        else "The database belongs to an older version.",
        hint="Run: newsletter init",
    )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def _current(conn: Connection) -> str | None:
    return MigrationContext.configure(conn).get_current_revision()


def _refuse_newer(config: Config, current: str | None) -> None:
    if current is None:
        return
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current not in known:
        raise StoreProblem(
            "The database was made by a newer version of this program.",
            hint="Install that version or a later one; nothing was changed.",
        )


def _copy(source: Path, target: Path) -> None:
    with sqlite3.connect(source) as reader, sqlite3.connect(target) as writer:
        reader.backup(writer)
    target.chmod(0o600)
