"""Counts on their way to the disk."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import structlog

from newsletter.web.public.tally import Counts, Tally

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_a_crowd_is_written_whole_and_in_few_transactions() -> None:
    written: list[Counts] = []
    first = threading.Event()

    def write(counts: Counts) -> None:
        written.append(counts)
        first.wait(10)

    tally = Tally(write, patience_s=30)

    def visit(number: int) -> None:
        tally.person(f"link {number % 3}", 0, NOW)
        tally.flush()

    with ThreadPoolExecutor(8) as threads:
        visits = [threads.submit(visit, number) for number in range(60)]
        while not written:
            pass
        first.set()
        for done in visits:
            done.result()
    total: Counter[str] = Counter()
    for counts in written:
        total.update(counts.people)
    assert total == {"link 0": 20, "link 1": 20, "link 2": 20}


def test_nobody_waits_for_a_database_that_is_busy_and_nothing_is_lost() -> None:
    written: list[Counts] = []
    busy, done = threading.Event(), threading.Event()

    def write(counts: Counts) -> None:
        written.append(counts)
        busy.set()
        done.wait(30)

    tally = Tally(write, patience_s=0.01)
    tally.person("a", 0, NOW)
    first = threading.Thread(target=tally.flush)
    first.start()
    assert busy.wait(30)
    tally.machine("b")
    tally.flush()  # returns although the first has not written yet
    assert len(written) == 1
    done.set()
    first.join(30)
    assert [(counts.people, counts.machines) for counts in written] == [
        ({"a": 1}, {}),
        ({}, {"b": 1}),
    ], "the first takes along what came meanwhile"


def test_what_could_not_be_written_is_written_with_the_next() -> None:
    written: list[Counts] = []
    broken = True

    def write(counts: Counts) -> None:
        if broken:
            raise OSError("no space")
        written.append(counts)

    tally = Tally(write)
    with structlog.testing.capture_logs() as logs:
        tally.person("a", 7, NOW)
        tally.person("c", 7, NOW)
        tally.flush()
    assert len(logs) == 1
    broken = False
    tally.mistaken("a", 7, NOW + HOUR)
    tally.person("b", 0, NOW)
    tally.flush()
    [counts] = written
    assert counts.tokens == ["a", "b", "c"] and counts.readers == [(7, "c")]
    assert (counts.people["a"], counts.machines["a"]) == (0, 1)
    assert counts.last_at[7, "c"] == NOW
    tally.flush()
    assert len(written) == 1, "nothing came since"
