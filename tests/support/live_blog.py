"""A blog on loopback whose feed a test can change, with a WebSub hub of its own."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlencode

import httpx

from newsletter.demo.loopback import HttpThread
from tests.intake.blog import Article, atom

FEED, HUB = "/feed", "/hub"


class LiveBlog:
    """Serves its articles as Atom at ``feed_url``; its hub verifies whoever subscribes, as section 5.3 asks,
    before it answers, and signs what it pushes."""

    def __init__(self, articles: Sequence[Article], *, has_hub: bool = False) -> None:
        self.articles = list(articles)
        self.as_summaries = False
        self.pages: dict[str, str] = {}  #: other paths, as HTML
        self.subscribed = threading.Event()
        self.asked: dict[str, str] = {}  #: the last subscription, as it was asked for
        self._has_hub = has_hub

    def __enter__(self) -> LiveBlog:
        self._server = HttpThread(partial(_Handler, self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()

    @property
    def feed_url(self) -> str:
        return self._server.url + FEED

    @property
    def url(self) -> str:
        return self._server.url

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type and body."""
        if path == FEED:
            return 200, "application/atom+xml", self.feed()
        if path in self.pages:
            return 200, "text/html; charset=utf-8", self.pages[path].encode()
        return 404, "text/plain", b""

    def feed(self) -> bytes:
        links = f'<link rel="self" href="{self.feed_url}"/>'
        if self._has_hub:
            links += f'<link rel="hub" href="{self._server.url + HUB}"/>'
        whole = atom(self.articles, extra=links)
        if not self.as_summaries:
            return whole
        return whole.replace(b"<content", b"<summary").replace(b"</content", b"</summary")

    def verify(self, asked: dict[str, str]) -> None:
        query = {
            "hub.mode": asked["hub.mode"],
            "hub.topic": asked["hub.topic"],
            "hub.challenge": "a challenge of the hub",
            "hub.lease_seconds": asked["hub.lease_seconds"],
        }
        answer = httpx.get(f"{asked['hub.callback']}?{urlencode(query)}", timeout=10)
        if answer.status_code == 200 and answer.text == query["hub.challenge"]:
            self.asked = asked
            self.subscribed.set()

    def push(self, *, secret: str = "") -> int:
        """Tells the subscriber that the feed changed, signed with its secret or another; the answer's
        status."""
        body = self.feed()
        seal = hmac.new((secret or self.asked["hub.secret"]).encode(), body, "sha256").hexdigest()
        headers = {"X-Hub-Signature": f"sha256={seal}", "Content-Type": "application/atom+xml"}
        return httpx.post(self.asked["hub.callback"], content=body, headers=headers, timeout=10).status_code


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, blog: LiveBlog, *arguments: Any) -> None:
        self._blog = blog
        super().__init__(*arguments)

    def do_GET(self) -> None:
        status, kind, body = self._blog.answer(self.path)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self._blog.verify({name: values[0] for name, values in form.items()})
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Tests read what happened from the blog itself."""
