"""Answers 304 to everything, on many loopback addresses: ``python -m tests.bench.answer_304 COUNT``.

Prints its port, which is the same on every address, then serves until it is killed.
"""

from __future__ import annotations

import asyncio
import resource
import socket
import sys

ANSWER = b'HTTP/1.1 304 Not Modified\r\nETag: "v1"\r\nConnection: keep-alive\r\n\r\n'


def addresses(count: int) -> list[str]:
    """Different addresses of 127.0.0.0/8, so that each feed has a host of its own. Linux answers on all."""
    return [f"127.{1 + number // 250}.{number % 250}.1" for number in range(count)]


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(ANSWER)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _serve(count: int) -> None:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with socket.create_server((addresses(1)[0], 0)) as free:
        port: int = free.getsockname()[1]
    server = await asyncio.start_server(_answer, addresses(count), port, backlog=64)
    print(port, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
