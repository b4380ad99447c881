"""The web server and the schedule in one process, or a worker of several."""

from __future__ import annotations

import errno
import signal
import socket
import threading
from types import FrameType

import uvicorn

from newsletter.config import PREFIX
from newsletter.engine.local import LocalEngine, Turn
from newsletter.errors import ConfigError
from newsletter.pipeline import Budget, Step
from newsletter.web.app import LOGIN, create_app
from newsletter.wiring import House


def serve(house: House, listener: socket.socket, *, login: str = LOGIN) -> None:
    """Serves until SIGINT or SIGTERM; then finishes what is in flight and returns.

    ``login`` is the command that prints a fresh link to the studio, as the pages tell it.
    """
    engine = engine_of(house)
    app = create_app(house, wake=engine.wake, login=login)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            proxy_headers=False,  # X-Forwarded-For is read by our own rule, from trusted proxies only
            server_header=False,
            timeout_graceful_shutdown=5,
        )
    )

    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.should_exit = True
        app.state.live.close()

    # In a thread of its own: in the main one uvicorn raises the signal again when it is done, and the
    # process would end before the engine has finished what is in flight.
    serving = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="web")
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    engine.start()
    serving.start()
    try:
        while serving.is_alive():
            serving.join(0.2)
    finally:
        engine.stop()
        for number, handler in before.items():
            signal.signal(number, handler)


def work(house: House, stop: threading.Event) -> None:
    """A cluster worker: does what is due until ``stop`` is set; then finishes what is in flight and returns.

    Raises ConfigError on SQLite, which one machine cannot share with another.
    """
    if house.store.database.is_sqlite:
        raise ConfigError(
            "Workers on several machines need PostgreSQL; this newsletter is kept in SQLite.",
            hint=f"Use newsletter run, or set {PREFIX}DATABASE_URL=postgresql://… and run newsletter init.",
        )
    from newsletter.engine.cluster import ClusterEngine  # its library is an extra

    engine = ClusterEngine(_turn_of(house), house.store.database.libpq_url)
    engine.start()
    try:
        stop.wait()
    finally:
        engine.stop()


def engine_of(house: House) -> LocalEngine:
    """A schedule that calls the house's steps."""
    return LocalEngine(_turn_of(house))


def _turn_of(house: House) -> Turn:
    def step(name: str, stop: threading.Event) -> bool:
        return any(done.summary for done in house.turn([Step(name)], Budget(stop=stop)).steps)

    return step


def listen(host: str, port: int, *, or_free: bool = False) -> socket.socket:
    """A listening socket; ``or_free`` takes any free port where the wanted one is taken.

    Raises ConfigError, in one sentence, where it cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except UnicodeError as error:
        listener.close()
        raise ConfigError(f"Cannot listen on {host}: it is no name of a machine.") from error
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE and or_free and port:
            return listen(host, 0)
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"Port {port} is taken by another program.",
                hint=f"Choose another for all commands: write {PREFIX}PORT={port + 1} into .env.",
            ) from error
        raise ConfigError(f"Cannot listen on {host} port {port}: {error.strerror}.") from error
    listener.listen(128)
    return listener
