from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from newsletter.errors import Conflict, StoreProblem
from newsletter.send.highwater import HighWater
from newsletter.store.database import Database
from newsletter.store.migrate import upgrade
from tests.send.world import FakeTransport, World


def test_the_mark_only_rises(tmp_path: Path) -> None:
    mark = HighWater(tmp_path / "mark")
    assert mark.reached() == 0
    for attempt_id in (1, 5, 3):
        mark.rise(attempt_id)
    assert HighWater(tmp_path / "mark").reached() == 5


def test_a_line_that_was_cut_short_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "mark").write_bytes(b"7\n12")
    mark = HighWater(tmp_path / "mark")
    assert mark.reached() == 7
    mark.rise(13)
    assert mark.reached() == 13


def test_a_restored_older_database_sends_nothing_until_it_is_accepted(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/newsletter.db")
    upgrade(database)
    world = World(database)
    world.subscribe(5)
    issue_id = world.approved()
    world.start(issue_id)
    database.close()
    shutil.copy(tmp_path / "newsletter.db", tmp_path / "copy.db")
    mark = HighWater(tmp_path / "mark")
    assert world.deliver(issue_id, FakeTransport(), mark=mark).finished
    database.close()

    restored = World(Database(f"sqlite:///{tmp_path}/copy.db"))
    transport = FakeTransport()
    with pytest.raises(Conflict, match="restored copy"):
        restored.deliver(issue_id, transport, mark=mark)
    assert transport.handed == []

    mark.accept(0)
    assert restored.deliver(issue_id, transport, mark=mark).finished
    restored.store.close()


def test_the_file_stays_small(tmp_path: Path) -> None:
    mark = HighWater(tmp_path / "mark")
    (tmp_path / "mark").write_bytes(b"1\n" * 50_000)
    mark.rise(9)
    assert mark.reached() == 9
    assert (tmp_path / "mark").stat().st_size < 10


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreProblem):
        HighWater(tmp_path / "folder").rise(1)
