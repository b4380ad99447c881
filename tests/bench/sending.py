"""How fast mail leaves, as a ratio to Postfix's own load generator in the same run.

    python -m tests.bench.sending [--messages 2000] [--rounds 9] [--postfix FOLDER] [--json FILE]

``FOLDER`` holds Debian's postfix package unpacked (``apt-get download postfix``, then ``dpkg-deb -x``): its
``smtp-source`` and ``smtp-sink`` are run, never the daemon. Rounds are interleaved; medians are told.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LENGTH = 78_000


@dataclass(frozen=True, kw_only=True)
class Measured:
    messages_a_second: float
    cpu_us: float  #: of the client, per message


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--postfix", type=Path, required=True)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--delay-ms", type=float, default=0.0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    environment = {**os.environ, "LD_LIBRARY_PATH": str(given.postfix / "usr/lib/postfix")}
    source = given.postfix / "usr/sbin/smtp-source"
    sinks: dict[str, Callable[[], list[str]]] = {
        "smtp-sink": lambda: [str(given.postfix / "usr/sbin/smtp-sink"), "-u", "nobody"],
        "cheap sink": lambda: [sys.executable, "-m", "tests.bench.cheap_sink"],
    }
    if given.delay_ms:
        del sinks["smtp-sink"]
    told: dict[str, dict[str, float]] = {}
    for name, command in sinks.items():
        reference: list[Measured] = []
        ours: list[Measured] = []
        for _ in range(given.rounds):
            with _running(command(), environment, given.delay_ms) as port:
                sessions = 256 if given.delay_ms else 4
                reference.append(
                    _timed(
                        [
                            *(str(source), "-d", "-s", str(sessions), "-m", str(given.messages)),
                            *("-l", str(LENGTH), "-f", "a@news.example", "-t", "b@readers.example"),
                            f"127.0.0.1:{port}",
                        ],
                        environment,
                        given.messages,
                    )
                )
            with _running(command(), environment, given.delay_ms) as port:
                ours.append(_ours(port, given.messages, given.connections))
        told[name] = {
            "smtp-source messages/s": statistics.median(one.messages_a_second for one in reference),
            "newsletter messages/s": statistics.median(one.messages_a_second for one in ours),
            "ratio": statistics.median(
                our.messages_a_second / ref.messages_a_second
                for our, ref in zip(ours, reference, strict=True)
            ),
            "smtp-source CPU µs": statistics.median(one.cpu_us for one in reference),
            "newsletter CPU µs": statistics.median(one.cpu_us for one in ours),
        }
        print(name)
        for what, value in told[name].items():
            print(f"  {what:28} {value:10.2f}")
    if given.json:
        given.json.write_text(json.dumps(told, indent=2))


def _timed(command: list[str], environment: dict[str, str], messages: int) -> Measured:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(command, env=environment, check=True)
    elapsed = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(messages_a_second=messages / elapsed, cpu_us=cpu / messages * 1e6)


def _ours(port: int, messages: int, connections: int) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        told = subprocess.run(
            [sys.executable, "-m", "tests.bench.sender", folder, str(port), str(messages), str(connections)],
            check=True,
            capture_output=True,
        )
    rate, cpu = told.stdout.split()
    return Measured(messages_a_second=float(rate), cpu_us=float(cpu))


@contextmanager
def _running(command: list[str], environment: dict[str, str], delay_ms: float) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    arguments = [f"127.0.0.1:{port}", "256"] if "smtp-sink" in command[0] else [str(port), str(delay_ms)]
    process = subprocess.Popen([*command, *arguments], env=environment, stdout=subprocess.DEVNULL)
    try:
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                break
            except OSError:
                time.sleep(0.02)
        yield port
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main()
