"""What holds for every request: which hosts we answer to, who may write, how much, and what the browser
is told about the answer. Plain ASGI around the whole application.

Writes are checked by where the browser says they come from (Sec-Fetch-Site, else Origin) instead of by a
hidden token in each form: a browser always sends one of the two with a write, and neither can be forged
by a page. Without either it was no browser, and there was no cookie to abuse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

STUDIO_CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
DRAFT_CSP: Final = STUDIO_CSP.replace("img-src 'self'", "img-src 'self' https: http:")
"""The draft page shows the posts' pictures beside their descriptions."""
PREVIEW_CSP: Final = (
    "sandbox; default-src 'none'; img-src https: http: data:; style-src 'unsafe-inline'; "
    "form-action 'none'; frame-ancestors 'self'"
)

HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": STUDIO_CSP,
    "x-content-type-options": "nosniff",
    # "same-origin", not "no-referrer": under the latter a browser sends "Origin: null" with our own forms
    # (Fetch standard, "append a request Origin header"), and on plain http at home there is no
    # Sec-Fetch-Site beside it. Other sites learn nothing under either.
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), browsing-topics=()",
}

_KB: Final = 1024
BODY_LIMITS: Final = (
    ("/hooks/websub/", 4 * _KB * _KB),  # a hub may push the whole feed
    ("/hooks/", _KB * _KB),
)
UPLOAD: Final = "/studio/subscribers/import"
UPLOAD_LIMIT: Final = 201 * _KB * _KB  #: a file of subscribers, from who is signed in
BODY_LIMIT: Final = 256 * _KB  #: any other form; the longest is a draft's introduction

log = structlog.get_logger(__name__)


def host_of(header: str) -> str:
    """The host of a Host header, lower case, without port; empty where it is none."""
    try:
        return (urlsplit(f"//{header}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def is_local(host: str) -> bool:
    """Whether a host cannot be somebody's DNS name: localhost, or an address written as numbers.

    DNS rebinding needs a name that its attacker controls, so these are always safe to answer to.
    """
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_own_write(headers: Headers, base_url: str) -> bool:
    """Whether a write may have come from one of our own pages, or from no browser at all."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        own = urlsplit(origin).netloc
    except ValueError:
        return False
    return bool(own) and own in {headers.get("host", ""), urlsplit(base_url).netloc}


def body_limit(path: str) -> int:
    """Octets that a request of anybody's to this path may carry."""
    return next((limit for prefix, limit in BODY_LIMITS if path.startswith(prefix)), BODY_LIMIT)


class TooMuch(Exception):
    """A body grew past its limit while it was read."""


class Guard:
    """Refuses foreign hosts, cross-site writes and oversized bodies; adds the headers of :data:`HEADERS`
    that an answer did not set itself; turns what nobody foresaw into a calm page and a line in the log.

    ``refuse(status)`` gives the page for a refusal; ``open_prefixes`` name the paths that others may write
    to (one-click unsubscribe, webhooks, embedded forms): none of them reads a cookie. ``signed_in`` says
    whether a request is the author's, who alone may upload a file.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        base_url: Callable[[], str],
        refuse: Callable[[int], ASGIApp],
        signed_in: Callable[[Scope], bool],
        open_prefixes: tuple[str, ...],
    ) -> None:
        self._app = app
        self._base_url = base_url
        self._refuse = refuse
        self._signed_in = signed_in
        self._open = open_prefixes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        try:
            limit = await self._limit(scope)
            refused = await self._refused(scope, limit)
            app = self._refuse(refused) if refused else self._app
            await app(scope, _limited(receive, limit), answer)
        except TooMuch:
            if answer.started:
                raise
            await self._refuse(413)(scope, receive, answer)
        except Exception:
            # The route, not the path: a path may carry somebody's token.
            log.exception("page failed", route=getattr(scope.get("route"), "path", ""))
            if answer.started:
                raise
            await self._refuse(500)(scope, receive, answer)

    async def _limit(self, scope: Scope) -> int:
        """Octets that this request may carry."""
        if (
            scope["path"] == UPLOAD
            and scope["method"] not in SAFE_METHODS
            and await run_in_threadpool(self._signed_in, scope)
        ):
            return UPLOAD_LIMIT
        return body_limit(scope["path"])

    async def _refused(self, scope: Scope, limit: int) -> int:
        """The status to refuse with, or 0."""
        headers, path = Headers(scope=scope), str(scope["path"])
        host = host_of(headers.get("host", ""))
        if path != "/healthz" and not is_local(host):
            base = host_of(urlsplit(await run_in_threadpool(self._base_url)).netloc)
            if not host or host != base:
                return 421
        if scope["method"] in SAFE_METHODS:
            return 0
        declared = headers.get("content-length", "0")
        if not declared.isdecimal() or int(declared) > limit:
            return 401 if path == UPLOAD and limit != UPLOAD_LIMIT else 413
        if path.startswith(self._open):
            return 0
        return 0 if is_own_write(headers, await run_in_threadpool(self._base_url)) else 403


class _Answer:
    """Sends an answer on, with the headers it did not set itself."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)


def _limited(receive: Receive, limit: int) -> Receive:
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise TooMuch
        return message

    return counted
