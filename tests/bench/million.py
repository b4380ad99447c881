"""A million recipients: memory, CPU per message and the ledger's size, compared with ten thousand.

    python -m tests.bench.million FOLDER RECIPIENTS PORT

One draw and delivery in a process of its own, with a short letter into the cheap sink; prints JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

from newsletter.model.rate import UNLIMITED
from newsletter.send import deliver_issue
from newsletter.send.transports.smtp import Smtp
from newsletter.send.transports.smtp_url import relay_of
from newsletter.store.database import Database
from tests.bench.machine import LONGEST_S, cheap_sink, free_port, running
from tests.bench.memory import memory_mb
from tests.bench.sender import links, spent, subscribed
from tests.send.world import World, letter

FEW = 10_000


@dataclass(frozen=True, kw_only=True)
class Cost:
    idle_mb: float
    peak_mb: float
    cpu_us: float
    bytes_each: float

    @property
    def over_idle_mb(self) -> float:
        return self.peak_mb - self.idle_mb


@dataclass(frozen=True, kw_only=True)
class Told:
    count: int
    small: Cost
    large: Cost


def million(folder: Path, count: int) -> Told:
    return Told(count=count, small=_in_a_process(folder, FEW), large=_in_a_process(folder, count))


def _in_a_process(folder: Path, count: int) -> Cost:
    place = folder / f"million-{count}"
    place.mkdir()
    port = free_port()
    with running(cheap_sink(port), port, dict(os.environ)):
        module = [sys.executable, "-m", "tests.bench.million", str(place), str(count)]
        # Its memory is not counted.
        subprocess.run([*module, "0"], check=True, capture_output=True, timeout=LONGEST_S)
        done = subprocess.run([*module, str(port)], check=True, capture_output=True, timeout=LONGEST_S)
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def _bytes(database: Database) -> int:
    with database.read() as conn:
        pages = conn.exec_driver_sql("PRAGMA page_count").scalar_one()
        free = conn.exec_driver_sql("PRAGMA freelist_count").scalar_one()
        return (int(pages) - int(free)) * int(conn.exec_driver_sql("PRAGMA page_size").scalar_one())


def main(folder: Path, count: int, port: int) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    database = Database(f"sqlite:///{folder}/newsletter.db")
    if not port:
        subscribed(database, count)
        return
    world = World(database)
    made = letter()
    transport = Smtp(relay_of(f"smtp+plain://127.0.0.1:{port}"), connections=64, per_connection=10**9)

    def send(issue_id: int, expected: int) -> None:
        world.start(issue_id)
        told = deliver_issue(
            issue_id,
            work=world.store.begin,
            transport=transport,
            letters=lambda mask: made,
            links=links(),
            rate=UNLIMITED,
            clock=world.clock,
            stop=threading.Event(),
            budget_s=36_000,
        )
        assert told.accepted == expected and told.finished

    issue_id = world.approved()
    empty = _bytes(database)
    idle = memory_mb("VmRSS")
    took = spent(lambda: send(issue_id, count))
    cost = Cost(
        idle_mb=idle,
        peak_mb=memory_mb("VmHWM"),
        cpu_us=took.cpu_s / count * 1e6,
        bytes_each=(_bytes(database) - empty) / count,
    )
    print(json.dumps(asdict(cost)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
