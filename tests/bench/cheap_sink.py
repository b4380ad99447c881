"""The cheapest SMTP server that still counts: looks for the dot, keeps nothing. One process, no threads.

    python -m tests.bench.cheap_sink PORT [DELAY_MS [CHAIN KEY]]

``DELAY_MS`` is waited before each burst of replies, as a distant server would make one wait. ``CHAIN`` and
``KEY`` are PEM files: with them it speaks TLS from the first byte.
"""

from __future__ import annotations

import asyncio
import ssl
import sys

_END = b"\r\n.\r\n"


class Conversation(asyncio.Protocol):
    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._rest = b""
        self._in_data = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._say(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        out = b""
        while True:
            if self._in_data:
                end = data.find(_END)
                if end < 0:
                    self._rest = data[-4:]
                    break
                data = data[end + 5 :]
                self._in_data = False
                out += b"250 2.0.0 ok\r\n"
                continue
            line, found, rest = data.partition(b"\r\n")
            if not found:
                self._rest = data
                break
            data = rest
            verb = line[:4].upper()
            if verb == b"DATA":
                out += b"354 go\r\n"
                self._in_data = True
                data = b"\r\n" + data  # an empty message ends at once
            elif verb == b"EHLO":
                out += b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
            elif verb == b"QUIT":
                out += b"221 bye\r\n"
            else:
                out += b"250 ok\r\n"
        if out:
            self._say(out)

    def _say(self, out: bytes) -> None:
        if self._delay_s:
            asyncio.get_running_loop().call_later(self._delay_s, self._transport.write, out)
        else:
            self._transport.write(out)


async def main(port: int, delay_s: float, pair: list[str]) -> None:
    context = None
    if pair:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*pair)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Conversation(delay_s), "127.0.0.1", port, backlog=512, ssl=context
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    delay_s = float(sys.argv[2]) / 1000 if len(sys.argv) > 2 else 0.0
    asyncio.run(main(int(sys.argv[1]), delay_s, sys.argv[3:]))
