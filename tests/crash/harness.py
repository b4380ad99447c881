"""Kill, start again, and count: what the sink has on disk against what the ledger says."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from newsletter.model.delivery import DeliveryState
from newsletter.model.issue import IssueState
from newsletter.store.database import Database
from newsletter.store.migrate import upgrade
from newsletter.store.unit import Store
from tests.send.world import World

PATIENCE_S = 120.0


class Child:
    """One process that sends."""

    def __init__(self, **order: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.driver", json.dumps(order)],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)

    def wait(self) -> int:
        _, errors = self.process.communicate(timeout=PATIENCE_S)
        status = self.process.returncode
        assert status in (0, -signal.SIGKILL), f"exit {status}: {errors.decode()[-2000:]}"
        return status


@dataclass
class Counted:
    """What one round ended with. The three lists must be empty whatever happened: accepted but never
    taken, taken twice, taken although the ledger says it was not."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    unaccounted: list[str] = field(default_factory=list)
    unknown: int = 0
    accepted: int = 0
    audience: int = 0
    finished: bool = False


def recorded(record: Path) -> Counter[str]:
    """How often each address was taken, as a sink has it on disk."""
    if not record.exists():
        return Counter()
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    return Counter(line.get("to") or line["address"] for line in lines)


def counted(store: Store, issue_id: int, taken: Counter[str]) -> Counted:
    """Joins what was taken with what the ledger says."""
    with store.read() as unit:
        rows = unit.deliveries.list(issue_id, limit=10**9)
        receipt = unit.deliveries.receipt(issue_id)
        finished = unit.issues.get(issue_id).state is IssueState.FINISHED
        address = {row.subscriber_id: unit.subscribers.get(row.subscriber_id).address for row in rows}
    assert receipt.balances
    arrived = {DeliveryState.ACCEPTED, DeliveryState.UNKNOWN}
    return Counted(
        lost=[
            address[row.subscriber_id]
            for row in rows
            if row.state is DeliveryState.ACCEPTED and not taken[address[row.subscriber_id]]
        ],
        doubled=[who for who, times in taken.items() if times > 1],
        unaccounted=[
            address[row.subscriber_id]
            for row in rows
            if row.state not in arrived and taken[address[row.subscriber_id]]
        ],
        unknown=receipt.unknown,
        accepted=receipt.accepted,
        audience=receipt.audience,
        finished=finished,
    )


class Round:
    """A fresh database with an issue that is ready, and a file in which a sink keeps what it took."""

    def __init__(self, url: str, folder: Path, subscribers: int) -> None:
        self.url = url
        self.record = folder / "taken.jsonl"
        database = Database(url)
        upgrade(database)
        self.world = World(database)
        self.subscribers = subscribers
        self.world.subscribe(subscribers)
        self.issue_id = self.world.approved()
        with self.world.store.begin() as unit:
            unit.issues.start(self.issue_id, unit.subscribers.highest_id(), self.world.clock())

    def child(self, **order: Any) -> Child:
        return Child(database=self.url, issue=self.issue_id, **order)

    def finish(self, *, crashes: int = 1, **order: Any) -> None:
        """Starts it again until it ends by itself; each start is past the leases of the one before."""
        for start in range(crashes, crashes + 5):
            if self.child(ahead_s=25.0 * start, **order).wait() == 0:
                return
        raise AssertionError("it never ended by itself")

    def taken(self) -> Counter[str]:
        return recorded(self.record)

    def count(self) -> Counted:
        return counted(self.world.store, self.issue_id, self.taken())

    def close(self) -> None:
        self.world.store.close()


def check(counted: Counted, *, subscribers: int, most_unknown: int) -> None:
    """Nothing lost, nothing twice, everybody accounted for, little unknown."""
    assert counted.lost == []
    assert counted.doubled == []
    assert counted.unaccounted == []
    assert counted.audience == subscribers
    assert counted.accepted + counted.unknown == subscribers
    assert counted.unknown <= most_unknown
    assert counted.finished


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)
