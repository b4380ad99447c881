"""A database with the real schema, made by the real migrations, on each kind that the product runs on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from newsletter.store.database import Database
from newsletter.store.migrate import upgrade

KINDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


def migrate(url: str) -> None:
    database = Database(url)
    upgrade(database)
    database.close()


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty, migrated database; the test runs once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/newsletter.db"
        migrate(url)
        yield url
        return
    server = request.getfixturevalue("postgres")
    url = server.create(template=server.template("newsletter", migrate))
    yield url
    server.drop(url)


@pytest.fixture
def migrated(database_url: str) -> Iterator[Database]:
    """An open, migrated database of either kind."""
    database = Database(database_url)
    yield database
    database.close()
