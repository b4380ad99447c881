"""What a message costs the database, in steps that SQLite counts: no other load on the machine moves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import event

from newsletter.store.database import Database
from tests.bench.sender import subscribed
from tests.send.world import FakeTransport

_EACH = 20


def steps_per_message(path: Path, messages: int) -> float:
    """How many instructions SQLite runs to hand over a message of so many and to record it."""
    database = Database(f"sqlite:///{path}")
    counted = [0]

    def step() -> None:
        counted[0] += _EACH

    @event.listens_for(database.engine, "checkout")
    def _count(connection: Any, *_: object) -> None:
        connection.set_progress_handler(step, _EACH)

    world = subscribed(database, messages)
    issue_id = world.approved()
    world.start(issue_id)
    counted[0] = 0
    told = world.deliver(issue_id, FakeTransport(window=100, in_hand=160), batch=200)
    database.close()
    assert told.finished
    assert told.accepted == messages
    return counted[0] / messages


def test_a_message_costs_the_same_however_many_went_before(tmp_path: Path) -> None:
    few = steps_per_message(tmp_path / "few.db", 600)
    many = steps_per_message(tmp_path / "many.db", 6000)
    assert many < 1.1 * few
