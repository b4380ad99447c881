"""A copy of the database, and back; and that nothing of an erased person is left in any file."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from newsletter import wiring
from newsletter.errors import Conflict, Invalid, StoreProblem
from newsletter.wiring import House
from subscribers.model import SubscriberState
from tests.subscribers.people import NOW

VICTIM = "forgetme.please@example.com"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.chdir(tmp_path)
    fixed = {
        "secret_key": "a secret key of the tests that is long enough",
        "database_url": f"sqlite:///{tmp_path}/newsletter.db",
        "data_dir": str(tmp_path / "data"),
    }
    for name, value in fixed.items():
        monkeypatch.setenv(f"NEWSLETTER_{name.upper()}", value)
    wiring.prepare()
    return fixed


def _add(house: House, *addresses: str) -> None:
    for address in addresses:
        house.desk.add_subscriber(address, name=f"Name of {address}")


def _addresses() -> set[str]:
    with wiring.build() as house:
        return {
            one.address for one in house.desk.subscribers(limit=1000) if one.state is SubscriberState.ACTIVE
        }


def _holds(folder: Path, text: str) -> list[str]:
    wanted = text.encode()
    return [str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file() and wanted in f.read_bytes()]


def test_a_backup_taken_in_use_comes_back_whole(here: dict[str, str], tmp_path: Path) -> None:
    with wiring.build() as house:
        _add(house, "ann@example.com")
        assert wiring.take_backup(tmp_path / "b.backup") > 0
        _add(house, "bob@example.com")
    assert (tmp_path / "b.backup").stat().st_mode & 0o777 == 0o600

    done = wiring.restore_backup(tmp_path / "b.backup", drill=False)

    assert done.subscribers == 1 and done.kept == tmp_path / "newsletter.db.before-restore"
    assert _addresses() == {"ann@example.com"}
    again = wiring.restore_backup(tmp_path / "b.backup", drill=False)
    assert again.kept == tmp_path / "newsletter.db.before-restore-2", "what was kept first is the truth"
    assert (tmp_path / "newsletter.db.before-restore").exists()


@pytest.mark.parametrize(
    "name", ["newsletter.db", "newsletter.db-wal", "newsletter.db.lock", "sub/../newsletter.db"]
)
def test_a_backup_never_takes_the_place_of_the_database(
    here: dict[str, str], tmp_path: Path, name: str
) -> None:
    (tmp_path / "sub").mkdir()
    with wiring.build() as house:
        _add(house, "ann@example.com")
        with pytest.raises(Conflict, match="is the database itself"):
            wiring.take_backup(tmp_path / name)
    assert _addresses() == {"ann@example.com"}


def test_a_drill_changes_nothing(here: dict[str, str], tmp_path: Path) -> None:
    with wiring.build() as house:
        _add(house, "ann@example.com")
        wiring.take_backup(tmp_path / "b.backup")
        _add(house, "bob@example.com")

    assert wiring.restore_backup(tmp_path / "b.backup", drill=True).subscribers == 1
    assert _addresses() == {"ann@example.com", "bob@example.com"}


@pytest.mark.parametrize("lost", [False, True])
def test_who_was_erased_since_stays_erased(here: dict[str, str], tmp_path: Path, lost: bool) -> None:
    """Also where the newer database is gone: the file beside it remembers."""
    with wiring.build() as house:
        _add(house, VICTIM, "ann@example.com", "left@example.com")
        wiring.take_backup(tmp_path / "b.backup")
        house.desk.erase(VICTIM)
        house.desk.unsubscribe("left@example.com")
    if lost:
        (tmp_path / "newsletter.db").unlink()

    done = wiring.restore_backup(tmp_path / "b.backup", drill=False)
    (tmp_path / "b.backup").unlink()

    assert done.erased_again == 1
    assert _holds(tmp_path, VICTIM) == []
    with wiring.build() as house, house.tools.begin() as unit:
        found = unit.subscribers.list()
        refused = unit.subscribers.claimable([one.id for one in found], NOW).refused
    assert {one.address for one in found} == {"ann@example.com", "left@example.com"}
    if not lost:
        assert set(refused.values()) == {"unsubscribed"}


def test_a_restored_copy_does_not_send_before_the_author_has_looked(
    here: dict[str, str], tmp_path: Path
) -> None:
    with wiring.build() as house:
        wiring.take_backup(tmp_path / "b.backup")
        house.tools.high_water.rise(7)  # an issue went out since
    wiring.restore_backup(tmp_path / "b.backup", drill=False)

    with wiring.build() as house:
        with house.tools.read() as unit, pytest.raises(Conflict, match="restored copy"):
            house.tools.high_water.check(unit.deliveries.newest_attempt())
        house.desk.accept_database()
        with house.tools.read() as unit:
            house.tools.high_water.check(unit.deliveries.newest_attempt())


def test_on_a_new_machine_sending_waits_too(here: dict[str, str], tmp_path: Path) -> None:
    with wiring.build():
        wiring.take_backup(tmp_path / "b.backup")
    shutil.rmtree(tmp_path / "data", ignore_errors=True)
    wiring.restore_backup(tmp_path / "b.backup", drill=False)

    with wiring.build() as house, house.tools.read() as unit, pytest.raises(Conflict):
        house.tools.high_water.check(unit.deliveries.newest_attempt())


def test_what_is_no_backup_or_damaged_changes_nothing(here: dict[str, str], tmp_path: Path) -> None:
    with wiring.build() as house:
        _add(house, *(f"p{n}@example.com" for n in range(50)))
        wiring.take_backup(tmp_path / "b.backup")
    before = _addresses()
    content = bytearray((tmp_path / "b.backup").read_bytes())
    content[4096 * 5 : 4096 * 60] = b"\xff" * (4096 * 55)
    (tmp_path / "bad.backup").write_bytes(content)
    (tmp_path / "text.backup").write_bytes(b"not a database at all")
    with sqlite3.connect(tmp_path / "other.backup") as other:
        other.execute("CREATE TABLE t (a)")

    for name, problem in (("bad", StoreProblem), ("text", Invalid), ("other", Invalid)):
        with pytest.raises(problem):
            wiring.restore_backup(tmp_path / f"{name}.backup", drill=False)

    assert _addresses() == before


def test_over_a_damaged_database_it_says_that_who_left_is_lost(here: dict[str, str], tmp_path: Path) -> None:
    with wiring.build() as house:
        _add(house, "ann@example.com")
        wiring.take_backup(tmp_path / "b.backup")
        house.desk.unsubscribe("ann@example.com")
    (tmp_path / "newsletter.db").write_bytes(b"\xff" * 50_000)

    with pytest.raises(Conflict, match="damaged") as told:
        wiring.restore_backup(tmp_path / "b.backup", drill=False)
    assert "--accept-loss" in told.value.hint
    assert (tmp_path / "newsletter.db").read_bytes() == b"\xff" * 50_000

    done = wiring.restore_backup(tmp_path / "b.backup", drill=False, accept_loss=True)
    assert done.lost and done.kept
    assert _addresses() == {"ann@example.com"}


def test_what_can_be_read_of_a_damaged_database_is_carried_over(here: dict[str, str], tmp_path: Path) -> None:
    many = [f"p{number}@example.com" for number in range(400)]
    with wiring.build() as house:
        _add(house, *many)
        wiring.take_backup(tmp_path / "b.backup")
        for address in many:
            house.desk.unsubscribe(address)
    _break_middle_of_suppressions(tmp_path / "newsletter.db")

    done = wiring.restore_backup(tmp_path / "b.backup", drill=False, accept_loss=True)

    assert done.lost
    assert 0 < done.carried_over < len(many)
    with wiring.build() as house, house.tools.begin() as unit:
        refused = unit.subscribers.claimable(list(range(1, len(many) + 1)), NOW).refused
    assert len(refused) == done.carried_over


def _break_middle_of_suppressions(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db:
        (size,) = db.execute("PRAGMA page_size").fetchone()
        pages = db.execute(
            "SELECT pageno FROM dbstat WHERE name = 'suppressions' AND pagetype = 'leaf' ORDER BY path"
        ).fetchall()
    middle = pages[len(pages) // 2][0]
    with file.open("r+b") as opened:
        opened.seek((middle - 1) * size)
        opened.write(b"\xff" * size)


def test_a_database_in_use_is_not_replaced(here: dict[str, str], tmp_path: Path) -> None:
    with wiring.build() as house:
        _add(house, "ann@example.com")
        wiring.take_backup(tmp_path / "b.backup")

        with pytest.raises(Conflict, match="in use"):
            wiring.restore_backup(tmp_path / "b.backup", drill=False)

        _add(house, "bob@example.com")
    assert _addresses() == {"ann@example.com", "bob@example.com"}


def test_nothing_of_the_erased_is_left_in_any_file(here: dict[str, str], tmp_path: Path) -> None:
    outbox = tmp_path / "data" / "outbox" / "new"
    with wiring.build() as house:
        others = [f"person{n}@example.com" for n in range(300)]
        _add(house, *others[:150], VICTIM, *others[150:])
        outbox.mkdir(parents=True)
        (outbox / "1.eml").write_text(f"To: {VICTIM}\n\nHello\n")
        (outbox / "2.eml").write_text("To: person1@example.com\n\nHello\n")
        person = house.desk.subscriber(VICTIM).subscriber
        with house.tools.begin() as unit:
            unit.subscribers.rename(person.id, "Unmistakable Name", NOW)
        assert _holds(tmp_path, VICTIM)

        house.desk.erase(VICTIM)

        assert _holds(tmp_path, VICTIM) == []  # with the database open: its log is empty too
        assert _holds(tmp_path, "Unmistakable") == [] and _holds(tmp_path, "unmistakable") == []
    assert [file.name for file in outbox.iterdir()] == ["2.eml"]
    assert len(_addresses()) == 300
