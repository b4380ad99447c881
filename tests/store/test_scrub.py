"""After an erasure on PostgreSQL: what its data files hold, byte by byte."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from newsletter.model.notice import NewNotice, NoticeKind
from newsletter.store.database import Database
from newsletter.store.unit import Store
from subscribers import personal
from subscribers.imports import ImportedRow, Outcome, Report
from tests.subscribers.people import KEY, NOW

VICTIM = "forgetme.please"

on_postgres = pytest.mark.parametrize(
    "database_url", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


def _files_with(database: Database, wanted: str) -> list[str]:
    """The tables and indexes whose files hold the text, as the server itself reads them."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("CHECKPOINT"))
        found = conn.scalars(
            text(
                "SELECT relname FROM pg_class WHERE relkind IN ('r', 'i', 't') AND position("
                "convert_to(:wanted, 'UTF8') IN"
                " pg_read_binary_file(pg_relation_filepath(oid), 0, 100000000, true)) > 0"
            ),
            {"wanted": wanted},
        )
        return list(found)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store(Database(database_url), subscriber_keys=[KEY])
    with store.begin() as unit:
        for n in range(50):
            unit.subscribers.add(f"before{n}@example.org", source="the author", now=NOW)
        victim = unit.subscribers.add(f"{VICTIM}@example.org", name=VICTIM, source="the author", now=NOW)
        for n in range(50):
            unit.subscribers.add(f"after{n}@example.org", source="the author", now=NOW)
        assert victim.subscriber is not None
        link = NewNotice(
            key="link",
            kind=NoticeKind.SUBSCRIBER_LINK,
            to=f"{VICTIM}@example.org",
            subscriber_id=victim.subscriber.id,
        )
        unit.notices.queue(link, NOW)
        told = ImportedRow(line=2, outcome=Outcome.REFUSED, reason="Twice.", address=f"{VICTIM}@Example.org")
        other = ImportedRow(line=3, outcome=Outcome.REFUSED, reason="Twice.", address="bert@example.org")
        report = Report(
            dialect="a CSV file",
            guessed="",
            columns=(),
            dry_run=True,
            batch_id=0,
            counts={Outcome.REFUSED: 2},
            told=(told, other),
        )
        id = unit.imports.add(source="list.csv", file="x.upload", now=NOW)
        unit.imports.save(id, done=2, total=2, report=report.json(), batch_id=0)
        unit.subscribers.rename(victim.subscriber.id, f"{VICTIM} anew", NOW)
    yield store
    store.close()


def _erase(store: Store) -> None:
    with store.begin() as unit:
        person = unit.subscribers.by_address(f"{VICTIM}@example.org")
        assert person is not None
        unit.forget(person.id, personal.erase(unit.subscribers, person.id, NOW))
        [kept] = unit.imports.open()
        report = Report.read(kept.report)
        assert [row.address for row in report.told] == ["bert@example.org"]
        assert (report.hidden, report.rows) == (1, 2)


@on_postgres
def test_nothing_of_the_erased_is_left_in_any_file_of_postgresql(store: Store) -> None:
    assert {"subscribers", "notices", "imports"} <= set(_files_with(store.database, VICTIM))
    _erase(store)
    # Whatever began before on the same server, other tests' writes too, has to end first.
    give_up = time.monotonic() + 60
    while _files_with(store.database, VICTIM) and time.monotonic() < give_up:
        store.database.scrub()
    assert _files_with(store.database, VICTIM) == []


@on_postgres
def test_an_erasure_waits_a_moment_for_whoever_began_before(store: Store) -> None:
    """Until they have ended, a rewritten table keeps the old rows, also those that they never looked at."""
    began, order = threading.Event(), list[str]()

    def write() -> None:
        with store.begin() as unit:
            unit.audit.add(who="somebody", action="write", subject="nothing", now=NOW)
            began.set()
            time.sleep(0.7)
        order.append("written")

    other = threading.Thread(target=write)
    other.start()
    began.wait(10)
    _erase(store)
    order.append("erased")
    other.join()
    assert order == ["written", "erased"]


@on_postgres
def test_an_erasure_is_done_while_somebody_holds_a_table(store: Store) -> None:
    """Its place is then freed only; but nobody who is sending waits, and the erasure itself is complete."""
    with store.database.read() as reader:
        reader.execute(text("SELECT count(*) FROM subscribers")).scalar()
        _erase(store)
    with store.read() as unit:
        assert unit.subscribers.by_address(f"{VICTIM}@example.org") is None
        assert unit.conn.scalar(text("SHOW lock_timeout")) == "0"
