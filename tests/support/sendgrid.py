"""A stand-in for SendGrid's v3 Mail Send on loopback: strict as its documentation, faulty on request."""

from __future__ import annotations

import gzip
import json
import os
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import pytest

from newsletter.demo.loopback import HttpThread
from tests.support.sendgrid_rules import MAX_BODY_BYTES, Delivered, Problem, delivered, problems

PATH = "/v3/mail/send"
LISTS = "/v3/suppression/"
LIST_NAMES = frozenset({"bounces", "blocks", "invalid_emails", "spam_reports", "unsubscribes"})
MOST_LISTED = 500


@dataclass(frozen=True, kw_only=True)
class Fault:
    """How to treat one request instead of by the book.

    ``ending``: ``answer`` with ``status``; ``hang`` after the request, until the stand-in closes; or
    ``reset`` the connection, after the request or (``unread``) before reading its body. ``stored``: whether
    the messages are delivered all the same, as far as the request is valid.
    """

    ending: Literal["answer", "hang", "reset"] = "answer"
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    stored: bool = False
    unread: bool = False


def redirect(location: str) -> Fault:
    """302 to another place."""
    return Fault(status=302, headers={"Location": location})


def refusal(status: int, message: str = "refused by the test") -> Fault:
    """A definite refusal, such as 400, 401 or 413; nothing is delivered."""
    return Fault(status=status, body=json.dumps({"errors": [{"message": message, "field": None}]}).encode())


def rate_limited(*, reset_at: int, limit: int = 600) -> Fault:
    """429; ``reset_at`` is the epoch second from which requests are welcome again."""
    headers = {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(reset_at),
    }
    return Fault(
        status=429, headers=headers, body=b'{"errors":[{"message":"too many requests","field":null}]}'
    )


def server_error(status: int = 500, *, stored: bool) -> Fault:
    """A failure on SendGrid's side, in HTML as load balancers answer, whether or not it took the mail."""
    return Fault(status=status, body=b"<html><h1>Something went wrong</h1></html>", stored=stored)


def hang(*, stored: bool) -> Fault:
    """No answer at all, once the whole request has been read."""
    return Fault(ending="hang", stored=stored)


def reset_before_body() -> Fault:
    """The connection breaks when the request's headers have been read and none of its body."""
    return Fault(ending="reset", unread=True)


def reset_after_body(*, stored: bool) -> Fault:
    """The connection breaks when the whole request has been read."""
    return Fault(ending="reset", stored=stored)


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request as it came in and what became of it; ``status`` is None where there was no answer."""

    headers: Mapping[str, str]
    body: Any
    problems: tuple[Problem, ...]
    status: int | None
    message_id: str | None
    delivered: tuple[Delivered, ...]


class SendGridStandIn:
    """Accepts mail as SendGrid does and remembers it. Use as a context manager.

    ``record``: a file to which each delivered message is appended as one line of JSON, flushed to disk before
    the answer; it outlives the process. ``now``: the time in epoch seconds. ``suppressed``: the addresses on
    each of its lists (``bounces``, ``unsubscribes``, …), shown with ``suppressions_status``. ``opaque``: its
    refusals name no field and give no reason, as some of the real ones.
    """

    def __init__(
        self,
        *,
        api_key: str = "SG.test",
        record: Path | None = None,
        port: int = 0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.api_key = api_key
        self.now = now
        self.suppressed: dict[str, list[str]] = {}
        self.suppressions_status: int = HTTPStatus.OK
        self.opaque = False
        self.closing = threading.Event()
        self._record = record
        self._wanted_port = port
        self._lock = threading.Lock()
        self._faults: deque[Fault | None] = deque()
        self._requests: list[Request] = []
        self._server: HttpThread | None = None

    @property
    def url(self) -> str:
        """The base URL to give the client as its host."""
        if self._server is None:
            raise RuntimeError("the stand-in is not running")
        return self._server.url

    @property
    def requests(self) -> list[Request]:
        """Every request whose end has come, oldest first; one that hangs appears when it starts to."""
        with self._lock:
            return list(self._requests)

    @property
    def messages(self) -> list[Delivered]:
        """Every delivered message, oldest first."""
        return [message for request in self.requests for message in request.delivered]

    def sent_to(self, address: str) -> list[Delivered]:
        """What one address was sent."""
        return [message for message in self.messages if message.address == address]

    def plan(self, *faults: Fault | None) -> None:
        """How to treat the next requests, in order; None is by the book, as is everything after the plan."""
        with self._lock:
            self._faults.extend(faults)

    def next_fault(self) -> Fault | None:
        """The plan for the request that has just begun."""
        with self._lock:
            return self._faults.popleft() if self._faults else None

    def remember(self, request: Request) -> None:
        """Keep a request, on disk too where that was asked for."""
        with self._lock:
            if self._record is not None:
                lines = "".join(
                    json.dumps({"message_id": request.message_id, **asdict(message)}) + "\n"
                    for message in request.delivered
                )
                with self._record.open("a", encoding="utf-8") as file:
                    file.write(lines)
                    file.flush()
                    os.fsync(file.fileno())
            self._requests.append(request)

    def new_message_id(self) -> str:
        """An X-Message-Id, as unlike the last one as SendGrid's are."""
        return os.urandom(12).hex()

    def __enter__(self) -> SendGridStandIn:
        self._server = HttpThread(partial(_Handler, self), port=self._wanted_port)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        if self._server is not None:
            self._server.close()
            self._server = None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, standin: SendGridStandIn, *args: Any) -> None:
        self._standin = standin
        super().__init__(*args)

    def do_POST(self) -> None:
        fault = self._standin.next_fault()
        if fault is not None and fault.unread:
            self._remember(body=None, found=[], status=None, stored=False)
            self._reset()
            return
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, body, found = self._judge(raw)
        fine = status in (HTTPStatus.OK, HTTPStatus.ACCEPTED)
        if fault is None:
            message_id = self._remember(
                body=body, found=found, status=status, stored=status == HTTPStatus.ACCEPTED
            )
            headers = {"X-Message-Id": message_id} if message_id else {}
            told = [Problem(field=None, message="Bad Request")] if self._standin.opaque else found
            self._answer(status, headers=headers, content=b"" if fine else _errors(told))
            return
        answered = fault.status if fault.ending == "answer" else None
        self._remember(body=body, found=found, status=answered, stored=fault.stored and fine)
        if fault.ending == "hang":
            self._standin.closing.wait()
        if fault.ending == "answer":
            self._answer(fault.status, headers=fault.headers, content=fault.body)
        else:
            self._reset()

    def do_GET(self) -> None:
        path = urlsplit(self.path)
        if path.path.startswith(LISTS):
            if self.headers.get("Authorization") != f"Bearer {self._standin.api_key}":
                self._answer(HTTPStatus.UNAUTHORIZED, content=b"{}")
                return
            query = parse_qs(path.query)
            offset, limit = int(query["offset"][0]), int(query["limit"][0])
            if path.path.removeprefix(LISTS) not in LIST_NAMES or not 0 < limit <= MOST_LISTED:
                self._answer(HTTPStatus.BAD_REQUEST, content=b"{}")
                return
            found = self._standin.suppressed.get(path.path.removeprefix(LISTS), [])[offset : offset + limit]
            content = json.dumps([{"created": 1, "email": one, "reason": ""} for one in found]).encode()
            self._answer(self._standin.suppressions_status, content=content)
            return
        self._remember(body=None, found=[], status=HTTPStatus.METHOD_NOT_ALLOWED, stored=False)
        self._answer(
            HTTPStatus.METHOD_NOT_ALLOWED,
            content=_errors([Problem(field=None, message="method not allowed")]),
        )

    def _judge(self, raw: bytes) -> tuple[int, Any, list[Problem]]:
        """The status by the book, the request's JSON, and what is wrong with it."""
        if self.path != PATH:
            return HTTPStatus.NOT_FOUND, None, [Problem(field=None, message="not found")]
        if self.headers.get("Authorization") != f"Bearer {self._standin.api_key}":
            message = "The provided authorization grant is invalid, expired, or revoked"
            return HTTPStatus.UNAUTHORIZED, None, [Problem(field=None, message=message)]
        if len(raw) >= MAX_BODY_BYTES:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, None, [Problem(field=None, message="too large")]
        if self.headers.get_content_type() != "application/json":
            message = "Content-Type should be application/json."
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, None, [Problem(field=None, message=message)]
        try:
            body = json.loads(gzip.decompress(raw) if self.headers.get("Content-Encoding") == "gzip" else raw)
        except (ValueError, OSError, EOFError):
            return HTTPStatus.BAD_REQUEST, None, [Problem(field=None, message="Bad Request")]
        found = problems(body, now=self._standin.now())
        if found:
            return HTTPStatus.BAD_REQUEST, body, found
        sandbox = body.get("mail_settings", {}).get("sandbox_mode", {}).get("enable", False)
        return HTTPStatus.OK if sandbox else HTTPStatus.ACCEPTED, body, []

    def _remember(self, *, body: Any, found: list[Problem], status: int | None, stored: bool) -> str | None:
        message_id = self._standin.new_message_id() if stored else None
        self._standin.remember(
            Request(
                headers=dict(self.headers.items()),
                body=body,
                problems=tuple(found),
                status=status,
                message_id=message_id,
                delivered=tuple(delivered(body)) if stored else (),
            )
        )
        return message_id

    def _answer(self, status: int, *, content: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _reset(self) -> None:
        """End the connection with RST: closed while lingering for no time, before anything can send FIN."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())

    def log_message(self, format: str, *args: Any) -> None:
        """Tests look at what is remembered."""


def _errors(found: list[Problem]) -> bytes:
    return json.dumps({"errors": [{"message": one.message, "field": one.field} for one in found]}).encode()


@pytest.fixture
def sendgrid_standin() -> Generator[SendGridStandIn, None, None]:
    """A running stand-in that accepts the key ``SG.test``."""
    with SendGridStandIn() as running:
        yield running
