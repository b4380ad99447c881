"""What the benches of sending run on: sinks, Postfix's load generator, PostgreSQL, keys; and this machine."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support import postgres_keeper
from tests.support.postgres import PostgresServer

LONGEST_S = 1200  #: no single measurement takes longer, or it has come to a stop


class Postfix:
    """Postfix's own generator and sink, unpacked from Debian's package. The daemon never runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.environment = {**os.environ, "LD_LIBRARY_PATH": str(folder / "usr/lib/postfix")}

    @classmethod
    def unpacked(cls, given: Path | None, into: Path) -> Postfix:
        """Raises FileNotFoundError where the package cannot be had."""
        if given is None:
            into.mkdir(exist_ok=True)
            subprocess.run(
                ["apt-get", "download", "-qq", "postfix"], cwd=into, check=True, stderr=subprocess.DEVNULL
            )
            (package,) = into.glob("postfix_*.deb")
            given = into / "root"
            subprocess.run(["dpkg-deb", "-x", str(package), str(given)], check=True)
        found = cls(given)
        if not Path(found.source[0]).exists():
            raise FileNotFoundError(f"no smtp-source in {given}")
        return found

    @property
    def source(self) -> list[str]:
        return [str(self._folder / "usr/sbin/smtp-source")]

    def sink(self, port: int) -> list[str]:
        return [str(self._folder / "usr/sbin/smtp-sink"), "-u", "nobody", f"127.0.0.1:{port}", "256"]


def cheap_sink(port: int, delay_ms: float = 0.0, pair: Sequence[str] = ()) -> list[str]:
    return [sys.executable, "-m", "tests.bench.cheap_sink", str(port), str(delay_ms), *pair]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def running(command: Sequence[str], port: int, environment: dict[str, str]) -> Iterator[None]:
    """A server, from when it takes connections until it is killed."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", port), 0.5).close()
                break
            except OSError:
                time.sleep(0.02)
        yield
    finally:
        process.kill()
        process.wait()


def rsa_key(folder: Path) -> str:
    path = folder / "dkim.pem"
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(path)


@contextmanager
def postgres() -> Iterator[PostgresServer]:
    """A server of its own that, unlike the one of the tests, keeps what it committed (its default)."""
    around = Path(tempfile.mkdtemp(prefix="nl-pg-"))
    folder = around / "pg"
    folder.mkdir()
    postgres_keeper.SETTINGS.update(fsync="on", full_page_writes="on")
    process = postgres_keeper.start(folder)
    try:
        pid = folder / "data" / "postmaster.pid"
        while not (pid.exists() and "ready" in pid.read_text()):
            if process.poll() is not None:
                raise RuntimeError((folder / "log").read_text())
            time.sleep(0.05)
        yield PostgresServer(admin_url=f"postgresql://postgres@/postgres?host={folder / 'socket'}")
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait()
        shutil.rmtree(around, ignore_errors=True)


def described() -> str:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    optimised = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return (
        f"{os.cpu_count()} cores of {model}, {memory:.0f} GB, Linux {platform.release()}, "
        f"Python {platform.python_version()} (built {'with' if optimised else 'without'} optimisations), "
        f"SQLite {sqlite3.sqlite_version}; load average {load}"
    )
