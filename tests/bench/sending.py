"""How fast mail leaves, each figure as a ratio to a reference measured in the same run.

    python -m tests.bench.sending [--rounds 9] [--only NAME …] [--connections 64] [--postfix FOLDER]
        [--json FILE]

End to end: from pending rows to recorded outcomes, 78 KB personalised messages, the ledger on a disk with
invariant 7's fsync. The reference is Postfix's own generator into the same sink; its package is fetched by
``apt-get download`` and unpacked unless ``FOLDER`` holds it already, and its daemon is never run. Rounds of
ours and of the reference take turns, and medians are told.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Final

from tests.bench.machine import (
    LONGEST_S,
    Postfix,
    cheap_sink,
    described,
    free_port,
    postgres,
    rsa_key,
    running,
)
from tests.bench.million import million
from tests.bench.sender import LENGTH, Order
from tests.bench.sendgrid import sendgrid
from tests.support.certificates import make_certificate
from tests.support.postgres import PostgresServer

Sink = Callable[[int], list[str]]


@dataclass(frozen=True, kw_only=True)
class Measured:
    rate: float  #: messages a second
    cpu_us: float  #: of the client, per message


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the table. ``ratio`` is the median of the rounds' ratios."""

    name: str
    ours: str
    reference: str
    ratio: float
    bar: float
    at_most: bool = False

    @property
    def reached(self) -> bool:
        return self.ratio <= self.bar if self.at_most else self.ratio >= self.bar


@dataclass(frozen=True, kw_only=True)
class House:
    """What the cases share."""

    folder: Path
    postfix: Postfix
    rounds: int
    scale: float
    connections: int  #: of ours

    def messages(self, count: int) -> int:
        return max(50, int(count * self.scale))

    def timed(self, command: Sequence[str], messages: int) -> Measured:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        subprocess.run(command, env=self.postfix.environment, check=True, timeout=LONGEST_S)
        elapsed = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Measured(rate=messages / elapsed, cpu_us=cpu / messages * 1e6)

    def generator(self, sink: Sink, messages: int, sessions: int = 4) -> Measured:
        """Postfix's smtp-source into a sink of its own."""
        port = free_port()
        command = [
            *self.postfix.source,
            *("-d", "-s", str(sessions), "-m", str(messages), "-l", str(LENGTH)),
            *("-f", "a@news.example", "-t", "b@readers.example", f"127.0.0.1:{port}"),
        ]
        with running(sink(port), port, self.postfix.environment):
            return self.timed(command, messages)

    def ours(
        self,
        sink: Sink,
        messages: int,
        server: PostgresServer | None = None,
        *,
        dkim: str = "",
        authority: str = "",
    ) -> Measured:
        port = free_port()
        with running(sink(port), port, self.postfix.environment), ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(dir=self.folder))
            url = server.create() if server else ""
            if server:
                stack.callback(server.drop, url)
            given = Order(
                folder=folder,
                port=port,
                messages=messages,
                connections=self.connections,
                database=url,
                dkim=dkim,
                authority=authority,
            )
            return _told(["tests.bench.sender", json.dumps(asdict(given))])

    def loop(self, sink: Sink, messages: int) -> Measured:
        port = free_port()
        with running(sink(port), port, self.postfix.environment):
            return _told(["tests.bench.smtp_loop", str(port), str(messages)])


def _told(command: list[str]) -> Measured:
    done = subprocess.run(
        [sys.executable, "-m", *command], check=True, capture_output=True, timeout=LONGEST_S
    )
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def _compared(
    house: House,
    name: str,
    bar: float,
    ours: Callable[[], Measured],
    reference: Callable[[], Measured],
    *,
    cpu_bar: float = 0.0,
) -> list[Line]:
    mine: list[Measured] = []
    theirs: list[Measured] = []
    for _ in range(house.rounds):
        theirs.append(reference())
        mine.append(ours())
    pairs = list(zip(mine, theirs, strict=True))
    lines = [
        Line(
            name=name,
            ours=f"{statistics.median(one.rate for one in mine):,.0f}/s",
            reference=f"{statistics.median(one.rate for one in theirs):,.0f}/s",
            ratio=statistics.median(a.rate / b.rate for a, b in pairs),
            bar=bar,
        )
    ]
    if cpu_bar:
        lines.append(
            Line(
                name=f"{name}: CPU per message",
                ours=f"{statistics.median(one.cpu_us for one in mine):,.0f} µs",
                reference=f"{statistics.median(one.cpu_us for one in theirs):,.0f} µs",
                ratio=statistics.median(a.cpu_us / b.cpu_us for a, b in pairs),
                bar=cpu_bar,
                at_most=True,
            )
        )
    return lines


def smtp_sink(house: House) -> list[Line]:
    count = house.messages(3000)
    sink = house.postfix.sink
    ours, reference = partial(house.ours, sink, count), partial(house.generator, sink, count)
    return _compared(house, "into smtp-sink", 1.0, ours, reference, cpu_bar=1.6)


def cheap_sqlite(house: House) -> list[Line]:
    count = house.messages(24_000)
    ours, reference = partial(house.ours, cheap_sink, count), partial(house.generator, cheap_sink, count)
    return _compared(house, "into the cheap sink, SQLite", 1.0, ours, reference, cpu_bar=1.6)


def cheap_postgres(house: House) -> list[Line]:
    count = house.messages(24_000)
    with postgres() as server:
        ours = partial(house.ours, cheap_sink, count, server)
        reference = partial(house.generator, cheap_sink, count)
        return _compared(house, "into the cheap sink, PostgreSQL", 0.9, ours, reference)


def dkim(house: House) -> list[Line]:
    count = house.messages(3000)
    sink = house.postfix.sink
    ours = partial(house.ours, sink, count, dkim=rsa_key(house.folder))
    return _compared(house, "DKIM RSA-2048, into smtp-sink", 0.8, ours, partial(house.generator, sink, count))


def tls(house: House) -> list[Line]:
    count = house.messages(6000)
    pair = make_certificate(house.folder)
    sink = partial(cheap_sink, pair=(str(pair.chain), str(pair.key)))
    ours = partial(house.ours, sink, count, authority=str(pair.authority))
    plain = partial(house.ours, cheap_sink, count)
    return _compared(house, "TLS, compared with plain", 0.5, ours, plain)


def far(house: House) -> list[Line]:
    count = house.messages(12_000)
    sink = partial(cheap_sink, delay_ms=20.0)
    ours, reference = partial(house.ours, sink, count), partial(house.generator, sink, count, 256)
    name = "20 ms before each reply, 64 connections (smtp-source: 256)"
    return _compared(house, name, 0.95, ours, reference)


def script(house: House) -> list[Line]:
    ours = partial(house.ours, house.postfix.sink, house.messages(3000))
    reference = partial(house.loop, house.postfix.sink, house.messages(300))
    return _compared(house, "a loop of EmailMessage and smtplib, smtp-sink", 15.0, ours, reference)


def large(house: House) -> list[Line]:
    told = million(house.folder, house.messages(1_000_000))
    small = told.small
    return [
        Line(name=f"{told.count:,} recipients: memory over idle, MB", ours=f"{told.large.over_idle_mb:.1f}",
             reference="", ratio=told.large.over_idle_mb, bar=25.0, at_most=True),
        Line(name=f"{told.count:,} recipients: peak memory, compared with 10,000",
             ours=f"{told.large.peak_mb:.1f} MB", reference=f"{small.peak_mb:.1f} MB",
             ratio=told.large.peak_mb / small.peak_mb, bar=1.2, at_most=True),
        Line(name=f"{told.count:,} recipients: CPU per message, compared with 10,000",
             ours=f"{told.large.cpu_us:.0f} µs", reference=f"{small.cpu_us:.0f} µs",
             ratio=told.large.cpu_us / small.cpu_us, bar=1.2, at_most=True),
        Line(name="ledger on SQLite, bytes a recipient", ours=f"{told.large.bytes_each:.1f}", reference="",
             ratio=told.large.bytes_each, bar=42.0, at_most=True),
    ]  # fmt: skip


def posted(house: House) -> list[Line]:
    told = sendgrid(house.messages(200_000), house.rounds)
    return [
        Line(name="SendGrid: recipients a second, thousands", ours=f"{told.rate:,.0f}/s",
             reference=f"{told.cpu_us:.0f} µs CPU", ratio=told.rate / 1000, bar=40.0),
        Line(name="SendGrid: peak memory, compared with 20,000 recipients", ours=f"{told.peak_mb:.1f} MB",
             reference=f"{told.small_peak_mb:.1f} MB", ratio=told.peak_mb / told.small_peak_mb, bar=1.2,
             at_most=True),
    ]  # fmt: skip


CASES: Final[dict[str, Callable[[House], list[Line]]]] = {
    "smtp-sink": smtp_sink,
    "sqlite": cheap_sqlite,
    "postgres": cheap_postgres,
    "dkim": dkim,
    "tls": tls,
    "far": far,
    "script": script,
    "million": large,
    "sendgrid": posted,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of messages")
    parser.add_argument("--connections", type=int, default=64, help="that ours may have, at most")
    parser.add_argument("--only", nargs="*", choices=list(CASES), default=list(CASES))
    parser.add_argument("--postfix", type=Path)
    parser.add_argument("--folder", type=Path, help="where the ledgers are written; a disk, not memory")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    print(described(), flush=True)
    lines: list[Line] = []
    failed: dict[str, str] = {}
    with tempfile.TemporaryDirectory(dir=given.folder) as made:
        folder = Path(made)
        os.chmod(folder, 0o755)
        postfix = Postfix.unpacked(given.postfix, folder / "postfix")
        house = House(
            folder=folder,
            postfix=postfix,
            rounds=given.rounds,
            scale=given.scale,
            connections=given.connections,
        )
        for name in given.only:
            try:
                found = CASES[name](house)
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                failed[name] = _why(error)
                print(f"{name}: FAILED, {failed[name]}", flush=True)
                continue
            for line in found:
                lines.append(line)
                sign = "≤" if line.at_most else "≥"
                print(
                    f"{line.name:66} {line.ours:>12} {line.reference:>12} {line.ratio:8.2f} "
                    f"{sign} {line.bar:<6g} {'' if line.reached else 'MISSED'}",
                    flush=True,
                )
            if given.json:  # after every case: what was measured is kept, however the rest ends
                told = {"machine": described(), "rounds": given.rounds, "failed": failed}
                told["lines"] = [asdict(line) for line in lines]
                given.json.write_text(json.dumps(told, indent=2, ensure_ascii=False))
    print(described())
    return 1 if failed else 0


def _why(error: Exception) -> str:
    said = getattr(error, "stderr", None)
    last = said.decode(errors="replace").strip().splitlines()[-1:] if said else []
    return " ".join([str(error), *last])


if __name__ == "__main__":
    sys.exit(main())
