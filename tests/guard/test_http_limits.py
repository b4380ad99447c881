"""Memory and concurrency of the client, measured in a process of its own against real listeners."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import brotli
import pytest

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from newsletter.errors import RequestFailed
from newsletter.guard.http import HttpClient
from tests.guard.listener import Listener, reply

_MIB = 1024 * 1024
_BOMB_MIB = 512

_PEAK = """
import resource, sys
from pathlib import Path

def peak():
    # Linux hands the parent's peak down in ru_maxrss; VmHWM begins anew with each program.
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024)
"""

# Prints what became of one GET, and by how many MiB it raised the peak of the process.
_FETCH = (
    _PEAK
    + """
import json
from newsletter.errors import RequestProblem
from newsletter.guard.http import HttpClient

with HttpClient(allow_private=True) as client:
    client.get(sys.argv[1] + "small")
    before = peak()
    try:
        outcome = len(client.get(sys.argv[1], max_bytes=int(sys.argv[2])).body)
    except RequestProblem as problem:
        outcome = problem.code
    print(json.dumps({"outcome": outcome, "grew_mib": peak() - before}))
"""
)


def deflate_bomb() -> bytes:
    packer = zlib.compressobj(9, wbits=-15)
    start = packer.compress(bytes(_MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    # After a full flush nothing refers back, so the same block may follow as often as one likes.
    block = packer.compress(bytes(_MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return start + block * (_BOMB_MIB - 1) + packer.flush()


def gzip_bomb() -> bytes:
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + deflate_bomb() + bytes(8)


def in_steps(pack: Callable[[bytes], bytes], finish: Callable[[], bytes]) -> bytes:
    block = bytes(_MIB)
    return b"".join(pack(block) for _ in range(_BOMB_MIB)) + finish()


def brotli_bomb() -> bytes:
    packer = brotli.Compressor(quality=3)
    return in_steps(packer.process, packer.finish)


def zstd_bomb() -> bytes:
    packer = zstd.ZstdCompressor()
    return in_steps(packer.compress, packer.flush)


BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip": gzip_bomb,
    "deflate": deflate_bomb,
    "br": brotli_bomb,
    "zstd": zstd_bomb,
}


def fetch_elsewhere(answer: Callable[[bytes], Iterable[bytes]], max_bytes: int) -> dict[str, float | str]:
    with Listener(answer) as server:
        child = subprocess.run(
            [sys.executable, "-c", _FETCH, server.url, str(max_bytes)], capture_output=True, timeout=60
        )
    assert child.returncode == 0, child.stderr.decode()
    outcome: dict[str, float | str] = json.loads(child.stdout)
    return outcome


@pytest.mark.parametrize("coding", BOMBS)
def test_a_bomb_is_too_large_and_costs_little_memory(coding: str) -> None:
    bomb = BOMBS[coding]()
    assert len(bomb) <= _MIB

    def answer(request: bytes) -> list[bytes]:
        if request.startswith(b"GET /small"):
            return [reply(b"small")]
        return [reply(bomb, headers={"Content-Encoding": coding})]

    seen = fetch_elsewhere(answer, 5 * _MIB)
    assert seen["outcome"] == "too_large"
    assert float(seen["grew_mib"]) < 30


@pytest.mark.parametrize("coding", BOMBS)
def test_a_bomb_in_the_body_of_a_redirect_is_never_unpacked(coding: str) -> None:
    bomb = BOMBS[coding]()

    def answer(request: bytes) -> list[bytes]:
        if request.startswith(b"GET / "):
            headers = {"Content-Encoding": coding, "Location": "/small"}
            return [reply(bomb, status="302 Found", headers=headers)]
        return [reply(b"small")]

    seen = fetch_elsewhere(answer, 5 * _MIB)
    assert seen["outcome"] == len(b"small")
    assert float(seen["grew_mib"]) < 10


def test_a_large_body_costs_little_more_than_itself() -> None:
    body = bytes(range(256)) * (20 * _MIB // 256)

    def answer(request: bytes) -> list[bytes]:
        return [reply(b"small" if request.startswith(b"GET /small") else body)]

    seen = fetch_elsewhere(answer, 20 * _MIB)
    assert seen["outcome"] == len(body)
    assert float(seen["grew_mib"]) < 45


_MANY = (
    _PEAK
    + """
import json
from concurrent.futures import ThreadPoolExecutor
from newsletter.guard.http import HttpClient

def fetch(number):
    return client.get(f"http://blog{number}.example:{sys.argv[1]}/feed").status

with HttpClient(allow_private=True, resolver=lambda host, port: ["127.0.0.1"]) as client:
    with ThreadPoolExecutor(8) as threads:
        statuses = set(threads.map(fetch, range(300)))
        before = peak()
        statuses |= set(threads.map(fetch, range(300, 2300)))
    print(json.dumps({"statuses": sorted(statuses), "grew_mib": peak() - before}))
"""
)


def test_thousands_of_hosts_leave_memory_flat() -> None:
    with Listener(reply(status="304 Not Modified", length=False), keep_alive=True) as server:
        child = subprocess.run(
            [sys.executable, "-c", _MANY, str(server.port)], capture_output=True, timeout=120
        )
    assert child.returncode == 0, child.stderr.decode()
    seen = json.loads(child.stdout)
    assert seen["statuses"] == [304]
    assert seen["grew_mib"] < 8


def test_threads_share_a_client_and_each_gets_its_own_answer() -> None:
    def echo(request: bytes) -> list[bytes]:
        return [reply(request.split(b" ")[1])]

    with (
        Listener(echo, keep_alive=True) as server,
        HttpClient(allow_private=True, per_host=4) as client,
        ThreadPoolExecutor(12) as threads,
    ):
        paths = [f"/{number}" for number in range(200)]
        bodies = list(threads.map(lambda path: client.get(server.url + path[1:]).body.decode(), paths))
        assert bodies == paths
        assert server.connections <= 8


def test_a_host_sees_no_more_requests_at_once_than_the_gate_allows() -> None:
    lock = threading.Lock()
    now = most = 0

    def busy(request: bytes) -> Iterator[bytes]:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        with lock:
            now -= 1
        yield reply(b"ok")

    with (
        Listener(busy) as server,
        HttpClient(allow_private=True, per_host=2) as client,
        ThreadPoolExecutor(10) as threads,
    ):
        list(threads.map(lambda _: client.get(server.url), range(20)))
    assert most == 2


def test_waiting_for_a_busy_host_ends_with_the_deadline() -> None:
    def never(request: bytes) -> Iterator[bytes]:
        server.stopped.wait(5)
        yield reply(b"late")

    with (
        Listener(never) as server,
        HttpClient(allow_private=True, per_host=1) as client,
        ThreadPoolExecutor(1) as threads,
    ):
        first = threads.submit(client.get, server.url, deadline_s=5)
        while not server.requests:
            time.sleep(0.01)
        with pytest.raises(RequestFailed, match="still busy with other requests"):
            client.get(server.url, deadline_s=0.2)
        server.stopped.set()
        assert first.result().body == b"late"
