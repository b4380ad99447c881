from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable

import pytest

from newsletter.guard.gate import GateClosed, HostGates


def soon(seconds: float = 10) -> float:
    return time.monotonic() + seconds


def in_threads(count: int, work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def test_no_more_than_the_given_number_is_inside_and_everybody_gets_in() -> None:
    gates = HostGates(at_once=2)
    lock = threading.Lock()
    inside, most, entered = 0, 0, 0

    def work(number: int) -> None:
        nonlocal inside, most, entered
        with gates.enter("blog.example", soon()):
            with lock:
                inside, entered = inside + 1, entered + 1
                most = max(most, inside)
            time.sleep(0.005)
            with lock:
                inside -= 1

    in_threads(12, work)
    assert (most, entered, len(gates)) == (2, 12, 0)


def test_one_busy_host_does_not_hold_up_another() -> None:
    gates = HostGates(at_once=1)
    with gates.enter("slow.example", soon()), gates.enter("other.example", soon(0)):
        assert len(gates) == 2


def test_who_waits_too_long_is_turned_away_and_takes_nobodys_place() -> None:
    gates = HostGates(at_once=1)
    with gates.enter("blog.example", soon()):
        with pytest.raises(GateClosed), gates.enter("blog.example", soon(0.05)):
            raise AssertionError("must not get in")
    with gates.enter("blog.example", soon(0)):
        pass
    assert len(gates) == 0


def test_starts_are_at_least_the_interval_apart() -> None:
    gates = HostGates(at_once=5, interval_s=0.05)
    starts: list[float] = []

    def work(number: int) -> None:
        with gates.enter("blog.example", soon()):
            starts.append(time.monotonic())

    in_threads(4, work)
    starts.sort()
    assert all(later - earlier >= 0.049 for earlier, later in itertools.pairwise(starts))


def test_an_error_inside_gives_the_place_back() -> None:
    gates = HostGates(at_once=1)
    with pytest.raises(KeyError), gates.enter("blog.example", soon()):
        raise KeyError
    with gates.enter("blog.example", soon(0)):
        pass


def test_gates_of_hosts_no_longer_in_use_are_forgotten() -> None:
    gates = HostGates(at_once=1, interval_s=0.001)
    for number in range(5000):
        with gates.enter(f"{number}.example", soon()):
            pass
    assert len(gates) < 2000
