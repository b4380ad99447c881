"""Transactions and migrations: what the rest of the house relies on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, text

from newsletter.errors import ConfigError, StoreProblem
from newsletter.store import migrate
from newsletter.store.database import Database
from newsletter.store.migrate import require_current, upgrade
from newsletter.store.tables import metadata as tables
from subscribers.tables import metadata as list_tables

WRITER = """
import sys
from sqlalchemy import MetaData, text
from newsletter.store.database import Database
database = Database(sys.argv[1])
for _ in range(100):
    with database.write() as conn:
        value = conn.execute(text("SELECT value FROM settings WHERE name = 'n'")).scalar_one()
        conn.execute(text("UPDATE settings SET value = :v WHERE name = 'n'"), {"v": str(int(value) + 1)})
database.close()
"""


def test_an_upgrade_is_done_once_and_can_be_repeated(migrated: Database) -> None:
    assert upgrade(migrated) is False
    require_current(migrated)


def test_the_newest_migration_is_the_one_that_alembic_knows() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == migrate.HEAD


def test_an_empty_database_says_how_to_begin(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/none.db")
    with pytest.raises(StoreProblem, match="newsletter init"):
        require_current(database)
    database.close()


def test_a_newer_database_is_refused_and_left_alone(migrated: Database) -> None:
    with migrated.write() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for act in (upgrade, require_current):
        with pytest.raises(StoreProblem, match="newer version"):
            act(migrated)


def test_a_transaction_that_raises_leaves_nothing(migrated: Database) -> None:
    with pytest.raises(ZeroDivisionError), migrated.write() as conn:
        conn.execute(text("INSERT INTO settings VALUES ('a', 'b', 0)"))
        raise ZeroDivisionError
    with migrated.read() as conn:
        assert conn.execute(text("SELECT count(*) FROM settings")).scalar_one() == 0


def test_four_processes_that_write_lose_no_update(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/busy.db"
    database = Database(url)
    upgrade(database)
    with database.write() as conn:
        conn.execute(text("INSERT INTO settings VALUES ('n', '0', 0)"))
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, url], env=os.environ) for _ in range(4)]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0, 0, 0]
    with database.read() as conn:
        assert conn.execute(text("SELECT value FROM settings")).scalar_one() == "400"
    database.close()


def test_sqlite_commits_reach_the_disk(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/x.db")
    with database.write() as conn:
        assert conn.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2, "FULL (invariant 7)"
        assert conn.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert conn.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
    database.close()


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "", "sqlite3:///x"])
def test_a_url_that_is_no_database_is_told(url: str) -> None:
    with pytest.raises(ConfigError, match="DATABASE_URL"):
        Database(url)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"this is not a database at all, but long enough to be read" * 20)
    database = Database(f"sqlite:///{tmp_path}/x.db")
    with pytest.raises(StoreProblem, match="damaged"), database.read() as conn:
        conn.execute(text("SELECT 1 FROM settings"))
    database.close()


def test_the_migrations_make_what_the_tables_say(migrated: Database) -> None:
    """A column that was added without a migration fails here."""
    both = MetaData()
    for table in (*tables.sorted_tables, *list_tables.sorted_tables):
        copied = table.to_metadata(both)
        for index in table.indexes:  # those of the other dialect
            if index._ddl_if is not None and index._ddl_if.dialect != migrated.url.get_backend_name():
                copied.indexes -= {one for one in copied.indexes if one.name == index.name}
    with migrated.read() as conn:
        context = MigrationContext.configure(conn, opts={"include_name": _ours})
        assert compare_metadata(context, both) == []


def _ours(name: str | None, kind: str, _parents: object) -> bool:
    """The queue's tables on PostgreSQL are procrastinate's."""
    return kind != "table" or not (name or "").startswith("procrastinate_")


@pytest.mark.postgres
@pytest.mark.parametrize("rested", [True, False])
def test_a_connection_that_lost_its_server_is_replaced(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, rested: bool
) -> None:
    monkeypatch.setattr("newsletter.store.database._RESTED_S", 0.0 if rested else 3600.0)
    database, other = Database(postgres_url), Database(postgres_url)
    with database.read() as conn:
        backend = conn.scalar(text("SELECT pg_backend_pid()"))
    with other.write() as conn:
        conn.execute(text("SELECT pg_terminate_backend(:backend, 10000)"), {"backend": backend})
    if not rested:  # in use a moment ago, it is found out by whoever uses it, once
        with pytest.raises(StoreProblem), database.read() as conn:
            conn.execute(text("SELECT 1"))
    with database.read() as conn:
        assert conn.scalar(text("SELECT pg_backend_pid()")) != backend
    database.close()
    other.close()
