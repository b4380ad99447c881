"""The commands that a user starts, killed at random, on a full disk, and with the database server gone.

``CRASH_ROUNDS`` sets how many random rounds there are (and a fifth as many on PostgreSQL),
``CRASH_RECIPIENTS`` how many recipients each has,
``CRASH_AT_ONCE`` how many run beside each other (a round mostly waits for the lease of the dead), and
``CRASH_RESUME_S`` within how many seconds of its start a second process must have gone on.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.crash.harness import Counted, check, counted, recorded
from tests.crash.place import (
    PATIENCE_S,
    Place,
    Placed,
    Template,
    kill,
    on_postgres,
    on_sqlite,
    place,
    prepare,
    set_up,
    stop,
    until,
)
from tests.crash.sink import FaultySink, Step
from tests.support import postgres_keeper

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "20"))
RECIPIENTS = int(os.environ.get("CRASH_RECIPIENTS", "500"))
AT_ONCE = int(os.environ.get("CRASH_AT_ONCE", "4"))
RESUME_S = float(os.environ.get("CRASH_RESUME_S", "120"))

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    folder = tmp_path_factory.mktemp("template")
    return folder, prepare(folder, RECIPIENTS)


@dataclass(frozen=True, kw_only=True)
class Told:
    seed: int
    ended: Counted
    most_unknown: int
    resumed_s: float


def count(here: Place, record: Path) -> Counted:
    """Of the readers: the author's notices are not part of the issue."""
    taken = Counter({who: times for who, times in recorded(record).items() if who.startswith("reader")})
    store = here.store()
    try:
        return counted(store, here.issue_id, taken)
    finally:
        store.close()


def slowly(step: Step) -> None:
    """Takes its time over each message, so that a process is met while it sends."""
    if step.verb == "DOT":
        time.sleep(0.02)


def _readers(record: Path) -> int:
    return sum(times for who, times in recorded(record).items() if who.startswith("reader"))


def _end(here: Place) -> str:
    return (here.folder / "out.log").read_text()[-2000:]


def _round(seed: int, placed: Placed, folder: Path) -> Told:
    """Started by a user's command, killed somewhere, started again by a user's command, until it is done."""
    chance = random.Random(seed)
    record = folder.with_suffix(".jsonl")
    connections = chance.choice([1, 2, 2, 8, 24])
    target = chance.randrange(RECIPIENTS)
    with FaultySink(record=record, keep=False) as sink:
        here = placed(folder, sink, connections)
        first = chance.choice([here.run, here.send])()
        until(lambda: first.poll() is not None or _readers(record) >= target, "the first start sent mail")
        time.sleep(chance.random() * 0.05)
        kill(first)
        before, done = _readers(record), here.finished()
        resumed_s = 0.0
        if not done:
            how = chance.choice([here.run, here.send])
            second = how()
            resumed_s = until(
                lambda: _readers(record) > before or here.finished() or second.poll() is not None,
                f"the second start of seed {seed} sent mail; its log ends with {_end(here)}",
            )
            until(
                lambda: here.finished() or second.poll() is not None,
                f"the second start of seed {seed} finished the issue",
                every_s=0.3,
            )
            status = second.wait(PATIENCE_S) if how == here.send else stop(second)
            assert status == 0, f"seed {seed}: {_end(here)}"
    return Told(
        seed=seed,
        ended=count(here, record),
        most_unknown=max(32, 2 * connections),
        resumed_s=resumed_s,
    )


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_killed_at_random_the_next_start_finishes(
    database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    if database == "sqlite":
        placed, rounds = on_sqlite(request.getfixturevalue("template")), ROUNDS
    else:
        placed, rounds = on_postgres(RECIPIENTS, request), max(1, ROUNDS // 5)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        every = list(pool.map(lambda seed: _round(seed, placed, tmp_path / f"round{seed}"), range(rounds)))
    with capsys.disabled():
        print(
            f"\n{rounds} rounds of {RECIPIENTS} on {database}: "
            f"most unknown {max(told.ended.unknown for told in every)}, "
            f"slowest to go on {max(told.resumed_s for told in every):.1f} s"
        )
    for told in every:
        check(told.ended, subscribers=RECIPIENTS, most_unknown=told.most_unknown)
        assert told.resumed_s <= RESUME_S, f"seed {told.seed}"


@pytest.mark.parametrize("most_bytes", [60_000, 100_000])
def test_a_full_disk_ends_in_a_sentence_and_loses_nothing(
    template: Template, tmp_path: Path, most_bytes: int
) -> None:
    record = tmp_path / "taken.jsonl"
    with FaultySink(record=record, keep=False) as sink:
        here = place(template[0], tmp_path / "here", template[1], sink)
        full = here.send(most_bytes=most_bytes)
        _, told = full.communicate(timeout=PATIENCE_S)
        assert full.returncode == 1, told.decode()
        assert "Traceback" not in told.decode()
        assert "database" in told.decode()
        again = here.send()
        assert again.wait(PATIENCE_S) == 0
    check(count(here, record), subscribers=RECIPIENTS, most_unknown=32)


@pytest.mark.postgres
def test_a_database_server_that_stops_at_once_loses_nothing(
    tmp_path: Path,
) -> None:
    pytest.importorskip("psycopg")
    with tempfile.TemporaryDirectory() as outside:  # the server may run as somebody else
        folder = Path(outside) / "postgres"
        folder.mkdir()
        _stopped_at_once(folder, tmp_path)


def _stopped_at_once(folder: Path, own: Path) -> None:
    record = own / "taken.jsonl"
    try:
        server = postgres_keeper.start(folder)
    except (OSError, KeyError, subprocess.CalledProcessError) as error:
        pytest.skip(f"PostgreSQL cannot run here: {error}")
    state = folder / "data" / "postmaster.pid"
    url = f"postgresql://postgres@/postgres?host={folder / 'socket'}"
    try:
        until(lambda: state.exists() and "ready" in state.read_text(), "PostgreSQL answers")
        issue_id = prepare(own, RECIPIENTS, database_url=url)
        with FaultySink(record=record, keep=False, fault=slowly) as sink:
            here = set_up(own, url, issue_id, sink)
            sender = here.run()
            until(lambda: sender.poll() is not None or _readers(record) >= RECIPIENTS // 4, "mail was sent")
            server.send_signal(signal.SIGQUIT)  # pg_ctl stop -m immediate
            server.wait(PATIENCE_S)
            server = postgres_keeper.serve(folder)
            until(lambda: state.exists() and "ready" in state.read_text(), "PostgreSQL answers again")
            until(
                lambda: sender.poll() is not None or here.finished(),
                "the process that had lost its database finished",
                every_s=0.5,
            )
            assert stop(sender) == 0
        check(count(here, record), subscribers=RECIPIENTS, most_unknown=32)
    finally:
        server.send_signal(signal.SIGQUIT)
        server.wait(PATIENCE_S)
