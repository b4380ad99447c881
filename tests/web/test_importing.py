"""An import in the studio: looked at, decided on, brought in; in the background where it takes long."""

from __future__ import annotations

import errno
import io
import tracemalloc
import zipfile
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from sqlalchemy import update

from newsletter import wiring
from newsletter.errors import Conflict, StoreProblem
from newsletter.model.importing import ImportState
from newsletter.model.times import to_ms
from newsletter.pipeline import Step
from newsletter.steps import importing
from newsletter.store.tables import imports as imports_table
from newsletter.wiring import House
from subscribers import imports
from subscribers.imports import Outcome, Report
from subscribers.imports.reading import read
from subscribers.model import SubscriberState
from subscribers.store import Subscribers
from tests.web.conftest import Studio

HERE = "/studio/subscribers/import"
FILE = b"email,name\nann@example.org,Ann\nnobody at all,X\nbert@example.org,Bert\n"
MANY = 5_000


def many(count: int = MANY) -> bytes:
    return b"email\n" + b"".join(b"reader%d@example.org\n" % number for number in range(count))


class AfterOne(Event):
    """Asks to stop after the first thousand rows."""

    def is_set(self) -> bool:
        return True


def files(house: House) -> list[Path]:
    return list(importing.folder(house.tools).glob("*"))


def test_an_import_first_says_what_would_happen_and_then_does_it(studio: Studio) -> None:
    desk = studio.house.desk
    with studio.visitor() as visitor:
        page = visitor.post(HERE, files={"file": ("list.csv", FILE)}).headers["location"]
        looked = visitor.get(page).text
        assert "2 to add" in looked and "Nothing was changed." in looked and "nobody at all" in looked
        assert not desk.subscribers() and len(files(studio.house)) == 1
        assert "waits for your decision" in visitor.get(HERE).text
        assert visitor.post(f"{page}/run").headers["location"] == page
        assert "2 added" in visitor.get(page).text
        assert visitor.post(f"{page}/run").status_code == 409, "not twice"
    assert [one.address for one in desk.subscribers()] == ["ann@example.org", "bert@example.org"]
    assert files(studio.house) == [], "nothing of it stays"


def test_an_import_can_ask_first_and_be_taken_back(studio: Studio) -> None:
    with studio.visitor() as visitor:
        page = visitor.post(HERE, files={"file": ("list.csv", FILE)}).headers["location"]
        visitor.post(f"{page}/run", data={"ask": "10"})
        done = visitor.get(page).text
        assert "2 to be asked to confirm" in done and "10 a day" in done
        assert {one.state for one in studio.house.desk.subscribers()} == {SubscriberState.UNCONFIRMED}
        assert "0 of 2 asked to confirm" in visitor.get(HERE).text
        visitor.post(f"{HERE}/batch/1/undo")
        assert "taken back" in visitor.get(HERE).text
    assert not studio.house.desk.subscribers()


def test_a_file_that_is_none_is_told_in_words(studio: Studio) -> None:
    with studio.visitor() as visitor:
        for content in (b"", b"\x00\x01\x02", b"colour,size\nred,4\n", b"PK\x03\x04broken"):
            answer = visitor.post(HERE, files={"file": ("list.csv", content)})
            assert answer.status_code == 400
            assert 'role="alert"' in answer.text
    assert files(studio.house) == []


def test_a_long_look_goes_on_in_the_background_and_its_page_follows_it(studio: Studio) -> None:
    desk = studio.house.desk
    one = desk.look_at_import(io.BytesIO(many()), "long.csv", 0)
    assert one.state is ImportState.LOOKING
    with studio.visitor() as visitor:
        page = f"{HERE}/{one.id}"
        text = visitor.get(page).text
        assert "<progress" in text and f'data-events="{page}/live"' in text and 'http-equiv="refresh"' in text
        studio.house.turn([Step.IMPORT])
        text = visitor.get(page).text
        assert f"{MANY:,} to add" in text and "<progress" not in text and "refresh" not in text
        with visitor.stream("GET", f"{page}/live") as stream:
            told = "".join(stream.iter_text())
    assert "event: state\ndata: looked\n" in told
    assert not desk.subscribers()


def test_an_import_survives_the_end_of_its_process_with_every_row_once(tmp_path: Path) -> None:
    fixed = {
        "secret_key": "a secret key of the tests that is long enough",
        "database_url": f"sqlite:///{tmp_path}/newsletter.db",
        "data_dir": str(tmp_path),
    }
    wiring.prepare(fixed)
    with wiring.build(fixed) as house:
        one = house.desk.look_at_import(io.BytesIO(many()), "long.csv", 60)
        importing.begin(house.tools, one.id, 0)
        importing.work_on(house.tools, one.id, 60, AfterOne())
        halfway = house.desk.import_of(one.id)
        assert (halfway.state, halfway.done) == (ImportState.RUNNING, 1000)
    with wiring.build(fixed) as house:
        with pytest.raises(Conflict, match="still going on"):
            house.desk.undo(halfway.batch_id)
        house.turn([Step.IMPORT])
        done = house.desk.import_of(one.id)
        assert (done.state, done.done, done.batch_id) == (ImportState.DONE, MANY, halfway.batch_id)
        (batch,) = house.desk.imports()
        assert batch.created == MANY and house.desk.subscriber_counts()[SubscriberState.ACTIVE] == MANY
        assert house.desk.undo(batch.id).gone == MANY


def test_only_one_process_works_on_an_import_and_a_dead_one_lets_go(studio: Studio) -> None:
    house = studio.house
    one = house.desk.look_at_import(io.BytesIO(many(10)), "l.csv", 60)
    importing.begin(house.tools, one.id, 0)
    with house.store.begin() as unit:
        now = house.tools.clock()
        assert unit.leases.take(f"import {one.id}", "another", now=now, length=timedelta(minutes=1))
    assert house.turn([Step.IMPORT]).steps[0].summary == ""
    with house.store.begin() as unit:
        unit.leases.drop(f"import {one.id}", "another")
    house.turn([Step.IMPORT])
    assert house.desk.import_of(one.id).state is ImportState.DONE


def test_an_import_can_be_cancelled_and_what_it_brought_taken_back(studio: Studio) -> None:
    house, desk = studio.house, studio.house.desk
    one = desk.look_at_import(io.BytesIO(many()), "long.csv", 60)
    importing.begin(house.tools, one.id, 0)
    importing.work_on(house.tools, one.id, 60, AfterOne())
    with studio.visitor() as visitor:
        page = f"{HERE}/{one.id}"
        assert visitor.post(f"{page}/cancel").headers["location"] == f"{page}?done=import-cancelled"
        assert "Take it back" in visitor.get(page).text
        house.turn([Step.IMPORT])
        assert desk.subscriber_counts()[SubscriberState.ACTIVE] == 1000 and files(house) == []
        visitor.post(f"{HERE}/batch/{desk.import_of(one.id).batch_id}/undo")
    assert not desk.subscribers()


@pytest.mark.parametrize("running", [False, True])
def test_who_is_erased_while_a_file_is_read_is_not_told_of(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, running: bool
) -> None:
    """Before the second thousand rows; the first had told that they left the list."""
    house, desk, victim = studio.house, studio.house.desk, "forget.me@example.org"
    desk.add_subscriber(victim)
    desk.unsubscribe(victim)
    file = f"email\n{victim}\ngone@example.org\n".encode() + many(1500).removeprefix(b"email\n")
    desk.suppress("gone@example.org")
    monkeypatch.setattr(importing, "SAVE_EVERY_S", 0)
    one = desk.look_at_import(io.BytesIO(file), "l.csv", 60 if running else 0)
    if running:
        importing.begin(house.tools, one.id, 0)
    told, work = list[str](), importing._Work._work

    def erasing(self: importing._Work) -> AbstractContextManager[Subscribers]:
        if len(told) == 1:
            desk.erase(victim)
        told.append(desk.import_of(one.id).report)
        return work(self)

    monkeypatch.setattr(importing._Work, "_work", erasing)
    importing.work_on(house.tools, one.id, 60)
    monkeypatch.undo()
    assert len(told) >= 2
    now = desk.import_of(one.id)
    assert now.state is (ImportState.DONE if running else ImportState.LOOKED)
    assert victim not in now.report and "gone@example.org" in now.report
    assert Report.read(now.report).rows == 1502
    if not running:  # and who reads the file once more finds them erased
        importing.begin(house.tools, one.id, 0)
        importing.work_on(house.tools, one.id, 60)
        again = Report.read(desk.import_of(one.id).report)
        assert [(row.line, row.address) for row in again.told] == [(2, ""), (3, "gone@example.org")]


def test_an_address_that_stands_twice_is_told_though_the_import_was_interrupted_between(
    studio: Studio,
) -> None:
    house = studio.house
    file = io.BytesIO(many(1000) + b"Reader7@Example.org\nnew@example.org\n")
    one = house.desk.look_at_import(file, "l.csv", 60)
    looked = Report.read(one.report).counts
    importing.begin(house.tools, one.id, 0)
    importing.work_on(house.tools, one.id, 60, AfterOne())
    assert house.desk.import_of(one.id).done == 1000
    importing.work_on(house.tools, one.id, 60)
    assert Report.read(house.desk.import_of(one.id).report).counts == looked
    assert looked == {Outcome.ADDED: 1001, Outcome.TWICE: 1}


def test_a_file_that_breaks_us_is_told_and_keeps_no_other_waiting(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, run = studio.house, imports.run_in_steps
    problems: list[Exception] = [MemoryError(), OSError(errno.EIO, "Input/output error")]
    bad = [house.desk.look_at_import(io.BytesIO(FILE), "bad.csv", 0) for _ in problems]
    good = house.desk.look_at_import(io.BytesIO(FILE), "good.csv", 0)

    def broken(*args: Any, **named: Any) -> Report:
        if named["source"] == "bad.csv":
            raise problems.pop(0)
        return run(*args, **named)

    monkeypatch.setattr(importing, "run_in_steps", broken)
    (done,) = house.turn([Step.IMPORT]).steps
    assert not done.failed
    first, second = (house.desk.import_of(one.id) for one in bad)
    assert (first.state, second.state) == (ImportState.FAILED, ImportState.FAILED)
    assert "log has the details" in first.problem and "Input/output error" in second.problem
    assert house.desk.import_of(good.id).state is ImportState.LOOKED
    assert [path.name for path in files(house)] == [good.file], "theirs are gone"


def test_a_database_that_is_busy_fails_no_import(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    house, run = studio.house, imports.run_in_steps
    busy = house.desk.look_at_import(io.BytesIO(FILE), "busy.csv", 0)
    good = house.desk.look_at_import(io.BytesIO(FILE), "good.csv", 0)

    def locked(*args: Any, **named: Any) -> Report:
        if named["source"] == "busy.csv":
            raise StoreProblem("The database is locked.")
        return run(*args, **named)

    monkeypatch.setattr(importing, "run_in_steps", locked)
    house.turn([Step.IMPORT])
    assert house.desk.import_of(busy.id).state is ImportState.LOOKING
    assert house.desk.import_of(good.id).state is ImportState.LOOKED
    monkeypatch.undo()
    house.turn([Step.IMPORT])
    assert house.desk.import_of(busy.id).state is ImportState.LOOKED


def test_a_batch_is_there_with_its_first_rows_and_not_before(studio: Studio) -> None:
    class Killed(Event):
        def is_set(self) -> bool:
            raise KeyboardInterrupt

    house = studio.house
    one = house.desk.look_at_import(io.BytesIO(many()), "l.csv", 60)
    importing.begin(house.tools, one.id, 0)
    with pytest.raises(KeyboardInterrupt):
        importing.work_on(house.tools, one.id, 60, Killed())
    assert house.desk.imports() == [] and house.desk.import_of(one.id).batch_id == 0
    importing.work_on(house.tools, one.id, 60)
    (batch,) = house.desk.imports()
    assert (batch.created, house.desk.import_of(one.id).batch_id) == (MANY, batch.id)


def test_what_is_over_is_not_begun_again(studio: Studio) -> None:
    house = studio.house
    one = house.desk.look_at_import(io.BytesIO(FILE), "l.csv", 60)
    (kept,) = files(house)
    content = kept.read_bytes()
    house.desk.cancel_import(one.id)
    kept.write_bytes(content)  # as if whoever cancelled it had not come to delete it
    assert importing.work_on(house.tools, one.id, 60) == 0
    assert house.desk.import_of(one.id).state is ImportState.CANCELLED and not house.desk.subscribers()


def test_a_file_that_breaks_further_down_says_where(studio: Studio) -> None:
    one = studio.house.desk.look_at_import(io.BytesIO(many(1500) + b"x" * 200_000 + b"\n"), "l.csv", 60)
    assert one.state is ImportState.FAILED and "Line 1502" in one.problem


def test_a_file_that_nobody_decides_on_is_forgotten(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    house = studio.house
    one = house.desk.look_at_import(io.BytesIO(FILE), "l.csv", 60)
    importing.clean(house.tools)
    assert len(files(house)) == 1
    monkeypatch.setattr(importing, "KEPT", timedelta(seconds=-5))
    importing.clean(house.tools)
    assert files(house) == []
    with house.store.read() as unit:
        assert unit.imports.waiting() == [] and one.state is ImportState.LOOKED


def test_an_import_whose_file_is_gone_ends_in_a_sentence(studio: Studio) -> None:
    house = studio.house
    one = house.desk.look_at_import(io.BytesIO(FILE), "l.csv", 60)
    importing.begin(house.tools, one.id, 0)
    files(house)[0].unlink()
    house.turn([Step.IMPORT])
    importing.clean(house.tools)
    assert house.desk.import_of(one.id).state is ImportState.RUNNING, "another machine may have it"
    with house.store.begin() as unit:
        unit.conn.execute(
            update(imports_table).values(began_at=to_ms(house.tools.clock() - timedelta(days=2)))
        )
    importing.clean(house.tools)
    over = house.desk.import_of(one.id)
    assert over.state is ImportState.FAILED and "Its file is gone" in over.problem


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_file_reads_the_same_from_its_path_as_from_memory(tmp_path: Path, encoding: str) -> None:
    text = 'sep=;\nemail;name\r\nann@example.org;Zo\u00eb\r\n\r\nbert@example.org;"a\nb"\r\n'
    path = tmp_path / "list.csv"
    path.write_bytes(text.encode(encoding))
    (kept,), (streamed,) = read(path.read_bytes(), "list.csv"), read(path, "list.csv")
    assert list(kept.rows()) == list(streamed.rows()) and kept.guessed == streamed.guessed
    assert (kept.header, kept.lines) == (streamed.header, streamed.lines)


def test_a_large_file_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b"email\n" + b"somebody.with.a.long.name@example.org\n" * 300_000)
    tracemalloc.start()
    try:
        (sheet,) = read(path, "list.csv")
        rows = sum(1 for _ in sheet.rows())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rows == 300_000 and path.stat().st_size > 11_000_000
    assert peak < 9_000_000


def test_a_zip_of_several_tables_goes_on_where_it_was(studio: Studio) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(
            "unsubscribed.csv", "Email Address\n" + "".join(f"gone{n}@example.org\n" for n in range(5))
        )
        archive.writestr(
            "subscribed.csv", "Email Address\n" + "".join(f"here{n}@example.org\n" for n in range(1500))
        )
    packed.seek(0)
    house = studio.house
    one = house.desk.look_at_import(packed, "all.zip", 60)
    importing.begin(house.tools, one.id, 0)
    for _ in range(3):
        importing.work_on(house.tools, one.id, 60, AfterOne())
    importing.work_on(house.tools, one.id, 60)
    assert house.desk.import_of(one.id).state is ImportState.DONE
    counts = house.desk.subscriber_counts()
    assert (counts[SubscriberState.ACTIVE], counts[SubscriberState.UNSUBSCRIBED]) == (1500, 5)
