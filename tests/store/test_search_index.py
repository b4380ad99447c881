"""The index that lets PostgreSQL search: made where it may be, done without where it may not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from newsletter import wiring
from newsletter.desk import health
from newsletter.model.checklist import Level
from newsletter.store.database import Database
from subscribers.searching import searchable
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.postgres
ROLE = f"may_add_no_extension_{os.getpid()}"  # a server has its roles for all of its databases


@pytest.fixture
def lesser_url(postgres: PostgresServer) -> Iterator[str]:
    """A database in which we may make tables but add no extension."""
    url = postgres.create()
    _as_owner(url, f"CREATE ROLE {ROLE} LOGIN PASSWORD 'x'", f"GRANT ALL ON SCHEMA public TO {ROLE}")
    lesser = make_url(url).set(username=ROLE, password="x")
    yield lesser.render_as_string(hide_password=False)
    postgres.drop(url)
    _as_owner(postgres.admin_url, f"DROP ROLE {ROLE}")


def _as_owner(url: str, *statements: str) -> None:
    database = Database(url)
    with database.write() as conn:
        for statement in statements:
            conn.execute(text(statement))
    database.close()


def test_without_its_extension_it_works_and_says_what_would_help(lesser_url: str, tmp_path: Path) -> None:
    fixed = {
        "secret_key": "a secret key of the tests that is long enough",
        "database_url": lesser_url,
        "data_dir": str(tmp_path),
    }
    wiring.prepare(fixed)
    with wiring.build(fixed) as house:
        (line,) = [one for one in health.database(house.tools) if one.code == "search"]
        assert line.level is Level.ADVICE and "pg_trgm" in line.mend
        with house.store.begin() as unit:
            assert unit.subscribers.list(text="nobody") == []
        owner = make_url(lesser_url).set(username="postgres", password=None)
        _as_owner(owner.render_as_string(), "CREATE EXTENSION pg_trgm")
        wiring.prepare(fixed)
        assert [one for one in health.database(house.tools) if one.code == "search"] == []


def test_an_extension_in_a_schema_that_is_not_looked_through_is_none(lesser_url: str, tmp_path: Path) -> None:
    owner = make_url(lesser_url).set(username="postgres", password=None).render_as_string()
    _as_owner(owner, "CREATE SCHEMA extensions", "CREATE EXTENSION pg_trgm SCHEMA extensions")
    fixed = {
        "secret_key": "a secret key of the tests that is long enough",
        "database_url": lesser_url,
        "data_dir": str(tmp_path),
    }
    wiring.prepare(fixed)
    with wiring.build(fixed) as house:
        assert [one.level for one in health.database(house.tools) if one.code == "search"] == [Level.ADVICE]


def test_the_owner_of_a_database_has_it_at_once(postgres_url: str, tmp_path: Path) -> None:
    wiring.prepare(
        {
            "secret_key": "a secret key of the tests that is long enough",
            "database_url": postgres_url,
            "data_dir": str(tmp_path),
        }
    )
    database = Database(postgres_url)
    with database.read() as conn:
        assert searchable(conn)
    database.close()
