"""The list on both databases: every test that asks for ``people`` runs twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from newsletter.store.database import Database
from subscribers.store import Subscribers
from subscribers.tables import metadata
from tests.subscribers.people import KEY


def _fill(url: str) -> None:
    database = Database(url)
    with database.write() as conn:
        metadata.create_all(conn)
    database.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/list.db"
        _fill(url)
        opened = Database(url)
        yield opened
        opened.close()
        return
    server = request.getfixturevalue("postgres")
    url = server.create(template=server.template("subscribers", _fill))
    opened = Database(url)
    yield opened
    opened.close()
    server.drop(url)


@pytest.fixture
def conn(database: Database) -> Iterator[Connection]:
    with database.write() as connection:
        yield connection


@pytest.fixture
def people(conn: Connection) -> Subscribers:
    return Subscribers(conn, keys=[KEY])
