"""Servers on 127.0.0.1 in threads of their own, for the sample blog and the sample mailbox.

Nothing here ever listens on another address.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.smtp import SMTP

HOST = "127.0.0.1"


def listen(port: int = 0) -> socket.socket:
    """A listening TCP socket on loopback: on ``port`` when it is free, else on one that is (as with 0)."""
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        if port == 0 or error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
    return socket.create_server((HOST, 0))


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, listener: socket.socket, handler: Callable[..., BaseHTTPRequestHandler]) -> None:
        # Not HTTPServer.server_bind, which asks DNS for this machine's name and may wait for it.
        socketserver.BaseServer.__init__(self, listener.getsockname(), handler)
        self.socket = listener
        self.server_name, self.server_port = listener.getsockname()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away is nobody's problem."""


class HttpThread:
    """Serves HTTP on loopback from construction until :meth:`close`."""

    def __init__(self, handler: Callable[..., BaseHTTPRequestHandler], *, port: int = 0) -> None:
        listener = listen(port)
        self.port: int = listener.getsockname()[1]
        self.url = f"http://{HOST}:{self.port}"
        self._server = _HttpServer(listener, handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="loopback-http",
            daemon=True,
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening; requests under way are left to end by themselves."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _SmtpConnection(SMTP):
    """One client's connection, in ``open_ones`` for as long as it lasts."""

    def __init__(self, open_ones: set[_SmtpConnection], handler: object, **options: Any) -> None:
        super().__init__(handler, **options)
        self._open_ones = open_ones

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._open_ones.add(self)
        self.socket: socket.socket = transport.get_extra_info("socket")
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._open_ones.discard(self)
        super().connection_lost(error)


class SmtpThread:
    """Serves SMTP on loopback from construction until :meth:`close`.

    ``handler`` has aiosmtpd's hooks (``async def handle_DATA(self, server, session, envelope) -> str``),
    called in the server's thread. ``ssl_context`` makes the server speak TLS from the first byte (smtps);
    ``options`` go to :class:`aiosmtpd.smtp.SMTP`, where ``tls_context`` offers STARTTLS.
    """

    def __init__(
        self, handler: object, *, port: int = 0, ssl_context: ssl.SSLContext | None = None, **options: Any
    ) -> None:
        # aiosmtpd logs whole commands, addresses and all.
        logging.getLogger("mail.log").setLevel(logging.CRITICAL)
        self._handler = handler
        self._options = {
            "hostname": "localhost",
            "ident": "loopback mailbox",
            "enable_SMTPUTF8": True,
            **options,
        }
        self._connections: set[_SmtpConnection] = set()
        self._loop = asyncio.new_event_loop()
        listener = listen(port)
        self.port: int = listener.getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, name="loopback-smtp", daemon=True)
        self._thread.start()
        # Not run_until_complete: the caller's thread may be running a loop of its own.
        self._server = asyncio.run_coroutine_threadsafe(
            self._loop.create_server(self._accept, sock=listener, ssl=ssl_context), self._loop
        ).result()

    def _accept(self) -> SMTP:
        return _SmtpConnection(self._connections, self._handler, loop=self._loop, **self._options)

    def close(self) -> None:
        """Stop listening and drop every connection, whatever it was doing."""
        asyncio.run_coroutine_threadsafe(self._drop_all(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _drop_all(self) -> None:
        self._server.close()
        for connection in list(self._connections):
            # Not transport.abort(), which fails on a TLS connection that is already closing (Python 3.11.2).
            with contextlib.suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(100):
            if not self._connections:
                break
            await asyncio.sleep(0.01)
