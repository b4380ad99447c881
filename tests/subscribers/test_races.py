"""Two connections at once: an import and a sign-up of one of its addresses, on a real PostgreSQL."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from newsletter.errors import StoreProblem
from newsletter.store.database import Database
from subscribers import imports
from subscribers.model import SubscriberState
from subscribers.requests import Form
from subscribers.signups import SignUps
from subscribers.sql import insert_many
from subscribers.store import Subscribers
from subscribers.tables import subscribers
from tests.subscribers.people import KEY, NOW

WAITING = """
    SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
    WHERE NOT granted AND datname = current_database()
"""
ROW = ("ann@example.com", "ann@example.com", "active", 0, 0)
COLUMNS = ("address", "address_key", "state", "joined_at", "changed_at")
FILE = b"email,name\nann@example.com,Ann\nbob@example.com,Bob\n"


def _until(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not so():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)


def _somebody_waits(database: Database) -> bool:
    with database.read() as conn:
        return bool(conn.scalar(text(WAITING)))


@contextmanager
def _people(database: Database) -> Iterator[Subscribers]:
    with database.write() as conn:
        yield Subscribers(conn, keys=[KEY])


def _import(database: Database) -> imports.Report:
    return imports.run_in_steps(lambda: _people(database), FILE, source="list.csv", now=NOW)


on_postgres = pytest.mark.parametrize(  # SQLite has one writer at a time
    "database", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


@on_postgres
def test_an_import_waits_for_a_sign_up_of_the_same_address(database: Database) -> None:
    with ThreadPoolExecutor() as pool:
        with _people(database) as people:
            ask = SignUps(people).sign_up("ann@example.com", Form(source="page", wording="yes"), NOW).ask
            running = pool.submit(_import, database)
            _until(lambda: _somebody_waits(database))
        report = running.result(timeout=60)
    assert report.rows == 2 and ask is not None
    with _people(database) as people:
        ann, bob = people.list()
        assert (ann.id, ann.state) == (ask.subscriber_id, SubscriberState.ACTIVE)
        assert bob.state is SubscriberState.ACTIVE


@on_postgres
def test_a_sign_up_waits_for_an_import_of_the_same_address(database: Database) -> None:
    imported, go_on = threading.Event(), threading.Event()

    @contextmanager
    def slowly() -> Iterator[Subscribers]:
        with _people(database) as people:
            yield people
            if people.list():
                imported.set()
                assert go_on.wait(30)

    def sign_up() -> None:
        with _people(database) as people:
            SignUps(people).sign_up("ann@example.com", Form(source="page", wording="yes"), NOW)

    with ThreadPoolExecutor() as pool:
        running = pool.submit(imports.run_in_steps, slowly, FILE, source="list.csv", now=NOW)
        assert imported.wait(30)
        signing = pool.submit(sign_up)
        _until(lambda: _somebody_waits(database))
        go_on.set()
        assert running.result(timeout=60).rows == 2
        signing.result(timeout=60)
    with _people(database) as people:
        assert [one.state for one in people.list()] == [SubscriberState.ACTIVE] * 2


def test_what_stumbles_all_the_same_never_names_an_address(database: Database) -> None:
    """The driver's own text has the whole row in it."""
    with pytest.raises(StoreProblem) as problem:
        with database.write() as conn:
            insert_many(conn, subscribers, COLUMNS, [ROW])
            insert_many(conn, subscribers, COLUMNS, [ROW])
    told = problem.value
    assert "ann@" not in str(told) and told.__cause__ is None and told.__suppress_context__
