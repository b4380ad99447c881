"""Whether an answer's time tells who is on the list, measured at a running server by the clock on the wall.

    python -m tests.bench.bench_timing [--rounds 30]

Addresses of every standing take turns; their medians and how often a guess by time alone would be right
(0.5 is a coin's) are printed for the step that answers wait for, and for none. Asserts nothing.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI

from newsletter import wiring
from newsletter.web.front import front_of
from newsletter.web.public import public_router
from newsletter.web.public.evenly import ANSWER_AFTER_S
from newsletter.web.public.limits import FormLimits
from newsletter.wiring import House
from subscribers.model import SuppressionCause
from subscribers.tokens import Purpose

STANDINGS = ("unknown", "active", "unsubscribed", "bounced", "complained", "manual")
HUGE = 1_000_000


@contextmanager
def serving(house: House, step_s: float) -> Iterator[str]:
    app = FastAPI()
    limits = FormLimits(from_one=HUGE, altogether=HUGE, unproven_from_one=HUGE, unproven_altogether=HUGE)
    app.include_router(public_router(front_of(house), limits=limits, answer_after_s=step_s))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


def people(house: House, rounds: int, part: str) -> Mapping[str, list[str]]:
    """As many addresses of each standing, new ones for each part."""
    found = {name: [f"{part}.{name}{n}@example.org" for n in range(rounds)] for name in STANDINGS}
    with house.store.begin() as unit:
        for name, addresses in found.items():
            for address in addresses if name != "unknown" else ():
                unit.subscribers.add(address, source="bench", now=house.tools.clock())
                if name != "active":
                    unit.subscribers.suppress(address, SuppressionCause(name), house.tools.clock())
    return found


def right(one: list[float], other: list[float]) -> float:
    """How often whoever sees one answer of each tells them apart by guessing that the slower is the same."""
    wins = sum((a > b) + (a == b) / 2 for a, b in product(one, other)) / (len(one) * len(other))
    return max(wins, 1 - wins)


def measured(house: House, step_s: float, rounds: int, what: str) -> None:
    addresses = people(house, rounds, f"{what[:4].strip()}{step_s:g}".replace(".", ""))
    names = [name for name in STANDINGS if what == "sign-up" or name != "unknown"]
    times: dict[str, list[float]] = {name: [] for name in names}
    with serving(house, step_s) as base, httpx.Client(base_url=base, timeout=60) as client:
        for n in range(rounds):
            for name in names[n % len(names) :] + names[: n % len(names)]:
                address = addresses[name][n]
                if what == "sign-up":
                    started = time.perf_counter()
                    answer = client.post("/subscribe.json", json={"address": address})
                else:
                    person = house.desk.subscriber(address).subscriber
                    token = house.tokens.sign(Purpose.PREFERENCES, person.id)
                    started = time.perf_counter()
                    answer = client.post(f"/p/{token}/link")
                times[name].append(time.perf_counter() - started)
                assert answer.is_success, answer.text
    for name in names:
        first = times[names[0]]
        print(
            f"{what:<10} step {step_s:<4g} {name:<13} {1000 * statistics.median(times[name]):>8.1f} ms"
            f"   guessed right {right(times[name], first):.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        fixed = {
            "secret_key": "a secret key of the benches that is long enough",
            "database_url": f"sqlite:///{Path(folder)}/newsletter.db",
            "data_dir": folder,
        }
        wiring.prepare(fixed)
        with wiring.build(fixed) as house:
            for what, step_s in product(("sign-up", "link"), (ANSWER_AFTER_S, 0.0)):
                measured(house, step_s, rounds, what)


if __name__ == "__main__":
    main()
