"""How fast recipients are prepared and posted to SendGrid's place: a loopback sink that answers 202.

python -m tests.bench.sendgrid sink PORT
python -m tests.bench.sendgrid post PORT RECIPIENTS
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from newsletter.model.delivery import Envelope, MessageKey, Verdict
from newsletter.send.transports.sendgrid import SendGrid
from subscribers.model import Recipient
from tests.bench.machine import LONGEST_S, free_port, running
from tests.bench.memory import memory_mb
from tests.bench.sender import letter, links, spent

FEW = 20_000


@dataclass(frozen=True, kw_only=True)
class Told:
    rate: float  #: recipients a second
    cpu_us: float  #: of the client, per recipient
    peak_mb: float
    small_peak_mb: float


def sendgrid(count: int, rounds: int) -> Told:
    port = free_port()
    me = [sys.executable, "-m", "tests.bench.sendgrid"]
    with running([*me, "sink", str(port)], port, dict(os.environ)):

        def post(recipients: int) -> dict[str, float]:
            command = [*me, "post", str(port), str(recipients)]
            done = subprocess.run(command, check=True, capture_output=True, timeout=LONGEST_S)
            told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
            return told

        small = post(FEW)
        large = [post(count) for _ in range(rounds)]
    return Told(
        rate=statistics.median(one["rate"] for one in large),
        cpu_us=statistics.median(one["cpu_us"] for one in large),
        peak_mb=max(one["peak_mb"] for one in large),
        small_peak_mb=small["peak_mb"],
    )


def envelopes(count: int) -> Iterator[Envelope]:
    made, link = letter(), links()
    for number in range(1, count + 1):
        who = Recipient(id=number, address=f"reader{number}@readers.example", name=f"Reader {number}")
        yield Envelope(
            key=MessageKey(7, number),
            to=who.address,
            letter=made,
            message_id=link.message_id(number, 7),
            values=link.values(who, 7),
            headers=link.headers(who, 7),
            attempt_id=1,
        )


def post(port: int, count: int) -> None:
    transport = SendGrid("SG.bench", base_url=f"http://127.0.0.1:{port}", parallel=4)
    accepted = 0

    def send() -> None:
        nonlocal accepted
        for outcome in transport.hand_over(envelopes(count)):
            accepted += outcome.verdict is Verdict.ACCEPTED

    took = spent(send)
    assert accepted == count
    cpu_us = took.cpu_s / count * 1e6
    print(json.dumps({"rate": count / took.seconds, "cpu_us": cpu_us, "peak_mb": memory_mb("VmHWM")}))


class _Answer(asyncio.Protocol):
    """Reads one request by its length and answers 202. Parses nothing else."""

    def __init__(self) -> None:
        self._head = b""
        self._left = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._left < 0:
            self._head += data
            head, end, rest = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            self._left = next(
                (
                    int(line.split(b":")[1])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length")
                ),
                0,
            ) - len(rest)
        else:
            self._left -= len(data)
        if self._left <= 0:
            self._transport.write(
                b"HTTP/1.1 202 Accepted\r\nX-Message-Id: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            self._transport.close()


async def sink(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Answer, "127.0.0.1", port, backlog=256)
    await server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1] == "sink":
        asyncio.run(sink(int(sys.argv[2])))
    else:
        post(int(sys.argv[2]), int(sys.argv[3]))
