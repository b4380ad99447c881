"""A real house behind a real server on loopback, and a visitor who is signed in or not."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn

from newsletter import wiring
from newsletter.demo.blog_server import SampleBlog
from newsletter.pipeline import Step
from newsletter.web.app import create_app
from newsletter.wiring import House

AUTHOR = "Marian Holt <marian@notebook.example>"
PATIENCE_S = 10.0


@dataclass
class Studio:
    """A house whose pages are served at ``base``, with one draft of the sample blog's newest post."""

    house: House
    base: str
    blog: SampleBlog

    def visitor(self, *, signed_in: bool = True, headers: Mapping[str, str] | None = None) -> httpx.Client:
        """A browser that follows nothing by itself."""
        client = httpx.Client(base_url=self.base, headers=headers, timeout=30)
        if signed_in:
            doors = self.house.desk.doors
            client.cookies.set("session", doors.open_session(doors.new_login()))
        return client

    def draft(self) -> int:
        """The id of the draft that the newest post becomes."""
        self.house.desk.add_feed(self.blog.feed_url)
        self.house.turn([Step.POLL, Step.DETECT, Step.COMPOSE])
        return self.house.desk.today().drafts[0].issue.id


@contextmanager
def serving(house: House) -> Iterator[str]:
    """The house's pages on a free port; their address."""
    with socket.create_server(("127.0.0.1", 0)) as listener, serving_on(listener, house) as base:
        yield base


@contextmanager
def serving_on(
    listener: socket.socket, house: House, *, wake: Callable[[str], None] = lambda step: None
) -> Iterator[str]:
    config = uvicorn.Config(
        create_app(house, wake=wake),
        log_config=None,
        access_log=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + PATIENCE_S
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        yield f"http://localhost:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)


@contextmanager
def opened(folder: Path, **settings: str) -> Iterator[Studio]:
    """A studio over a fresh database in ``folder``."""
    fixed = {
        "secret_key": "a secret key of the tests that is long enough",
        "database_url": f"sqlite:///{folder}/newsletter.db",
        "data_dir": str(folder),
        "allow_private_addresses": "true",
        "first_poll": "newest",
        "settle": "0",
        "timezone": "Europe/Madrid",
        **settings,
    }
    wiring.prepare(fixed)
    with wiring.build(fixed) as house, SampleBlog() as blog, serving(house) as base:
        yield Studio(house, base, blog)


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Studio]:
    """As after ``newsletter init``: nothing is set."""
    with opened(tmp_path) as studio:
        yield studio


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """Set up: sender and postal address are known."""
    with opened(tmp_path) as studio:
        studio.house.desk.set_setting("TITLE", "The Patient Notebook")
        studio.house.desk.set_setting("FROM", AUTHOR)
        studio.house.desk.set_setting("POSTAL_ADDRESS", "PO Box 7, Leith")
        yield studio
