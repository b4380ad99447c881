"""A server that answers 304 to everything, on every loopback address: ``python -m tests.bench.answer_304``.

Prints its port, then serves until it is killed. Refuses whoever does not come from this machine.
"""

from __future__ import annotations

import asyncio

ANSWER = b'HTTP/1.1 304 Not Modified\r\nETag: "v1"\r\nConnection: keep-alive\r\n\r\n'


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if not writer.get_extra_info("peername")[0].startswith("127."):
        writer.close()
        return
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(ANSWER)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _serve() -> None:
    server = await asyncio.start_server(_answer, "0.0.0.0", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
