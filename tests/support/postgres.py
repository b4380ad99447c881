"""A real PostgreSQL, started once per test run, and a fresh database for each test that asks.

``NEWSLETTER_TEST_POSTGRES_URL`` names a server to use instead of the embedded one; its user must be allowed
to create databases. Ours are named ``newsletter_test_…`` and dropped again.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from tests.support import postgres_keeper
from tests.support.session import controller_pid, is_worker, session_folder

PATIENCE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class PostgresServer:
    """A server on which tests may create databases. ``admin_url`` is a libpq URI (``postgresql://…``)."""

    admin_url: str

    def create(self, *, template: str = "template1") -> str:
        """A new database copied from ``template``; returns its SQLAlchemy URL (``postgresql+psycopg://…``)."""
        name = f"newsletter_test_{secrets.token_hex(6)}"
        self._run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database that :meth:`create` made, whoever may still be connected to it."""
        self._run(f'DROP DATABASE IF EXISTS "{urlsplit(url).path[1:]}" WITH (FORCE)')

    def template(self, name: str, fill: Callable[[str], None]) -> str:
        """The name of a template database that ``fill(url)`` filled, once per test run, whoever asks first.

        ``fill`` must have closed its connections when it returns: PostgreSQL copies no database in use.
        """
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,30}", name):
            raise ValueError(f"not a plain name: {name!r}")
        with _only_one(f"template-{name}") as done:
            if not done.exists():
                url = self.create()
                fill(url)
                done.write_text(urlsplit(url).path[1:])
            return done.read_text()

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of one database on this server."""
        return urlunsplit(urlsplit(self.admin_url)._replace(scheme="postgresql+psycopg", path=f"/{database}"))

    def _run(self, sql: str) -> None:
        import psycopg

        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute(sql.encode())


@contextmanager
def _only_one(name: str) -> Iterator[Path]:
    """Hold a lock that all processes of this test run share; the path is where its work leaves its mark."""
    with (session_folder() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield session_folder() / f"{name}.done"


def _embedded() -> Path:
    """The folder of the embedded server, started by whoever asks first.

    Raises RuntimeError when it cannot run.
    """
    folder = session_folder() / "pg"
    with _only_one("postgres"):
        if not folder.exists():
            folder.mkdir()
            subprocess.run(
                [sys.executable, postgres_keeper.__file__, str(folder), str(controller_pid())],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if (folder / "ready").exists():
                return folder
            if (folder / "failed").exists():
                raise RuntimeError((folder / "failed").read_text())
            time.sleep(0.02)
    raise RuntimeError(f"it gave no answer within {PATIENCE_S:.0f} seconds")


def _given() -> PostgresServer | None:
    """The server that the environment names."""
    url = os.environ.get("NEWSLETTER_TEST_POSTGRES_URL", "")
    return PostgresServer(admin_url=urlunsplit(urlsplit(url)._replace(scheme="postgresql"))) if url else None


def stop_embedded() -> None:
    """Stop the embedded server if this test run started one, and wait until its folder is gone."""
    folder = session_folder() / "pg"
    if not (folder / "ready").exists():
        return
    os.kill(int((folder / "ready").read_text()), signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE_S
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.02)


@pytest.fixture(scope="session")
def postgres() -> PostgresServer:
    """A PostgreSQL server, the same for the whole test run."""
    pytest.importorskip("psycopg", reason="PostgreSQL tests need the psycopg package")
    if given := _given():
        return given
    try:
        folder = _embedded()
    except RuntimeError as error:
        pytest.skip(f"the embedded PostgreSQL cannot run here: {error}")
    return PostgresServer(admin_url=f"postgresql://postgres@/postgres?host={folder / 'socket'}")


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Generator[str, None, None]:
    """The SQLAlchemy URL of an empty database of this test's own."""
    url = postgres.create()
    yield url
    postgres.drop(url)


def pytest_unconfigure(config: pytest.Config) -> None:
    if is_worker(config):
        return
    if given := _given():
        for mark in session_folder().glob("template-*.done"):
            given.drop(given.url(mark.read_text()))
    stop_embedded()
