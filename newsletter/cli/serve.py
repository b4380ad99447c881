"""``newsletter run``: the web server and the schedule in one process."""

from __future__ import annotations

import errno
import signal
import socket
import threading
from types import FrameType

import uvicorn

from newsletter import wiring
from newsletter.cli.output import err, say
from newsletter.config import PREFIX
from newsletter.engine.local import LocalEngine
from newsletter.errors import ConfigError
from newsletter.pipeline import Budget, Step
from newsletter.web.app import create_app


def serve(*, host: str | None, port: int | None) -> None:
    """Serves until SIGINT or SIGTERM; then finishes what is in flight and returns.

    Raises ConfigError where the port is taken.
    """
    fixed = wiring.environment()
    fixed |= {"host": host} if host else {}
    fixed |= {"port": str(port)} if port is not None else {}
    with wiring.build(fixed) as house:
        settings = house.settings()
        listener = listen(settings.host, settings.port)
        engine = engine_of(house)
        server = uvicorn.Server(
            uvicorn.Config(
                create_app(house),
                log_config=None,
                access_log=False,
                proxy_headers=False,  # X-Forwarded-For is read by our own rule, from trusted proxies only
                server_header=False,
                timeout_graceful_shutdown=5,
            )
        )
        engine.start()
        say(f"The studio: {settings.public_url}/studio/")
        say(f"Enter with this link, once: {house.desk.login_link()}")
        try:
            server.run(sockets=[listener])
        finally:
            err.print("Finishing what is being sent…", style="dim")
            engine.stop()


def engine_of(house: wiring.House) -> LocalEngine:
    """A schedule that calls the house's steps."""

    def step(name: str, stop: threading.Event) -> None:
        house.turn([Step(name)], Budget(stop=stop))

    return LocalEngine(step)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ConfigError, in one sentence, where it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"Port {port} is taken by another program.",
                hint=f"Choose another: newsletter run --port {port + 1} (or set {PREFIX}PORT).",
            ) from error
        raise ConfigError(f"Cannot listen on {host} port {port}: {error.strerror}.") from error
    listener.listen(128)
    return listener


def stop_on_signal(stop: threading.Event) -> None:
    """SIGINT and SIGTERM set the event instead of ending the process."""

    def handle(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)
