"""The one door for outgoing requests: feeds, discovery, images, link checks, WebSub.

Whatever the other side does, a request ends within its deadline, reads no more than its cap, and reaches no
private or reserved address. Redirects are walked here, hop by hop, each vetted like the first. Proxy settings
of the environment are ignored, since a proxy would choose the address for us; cookies are never kept.

Sources: RFC 9110 (redirects, section 15.4; content codings, section 8.4), RFC 9112.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import httpcore
import httpx

import newsletter
from newsletter.errors import AddressForbidden, RequestFailed, RequestProblem, TooLarge
from newsletter.guard.addresses import is_private_host, safe_link
from newsletter.guard.answer import OverCap, drain_if_small, read_body, read_headers
from newsletter.guard.decode import ACCEPT_ENCODING, BrokenBody
from newsletter.guard.dial import Forbidden, GuardedBackend, Resolver, resolve
from newsletter.guard.gate import GateClosed, HostGates

__all__ = [
    "Hop", "HttpClient", "Resolver", "Response", "is_private_host", "product_name", "safe_link",
]  # fmt: skip

_MIB = 1024 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_FOR_ONE_ORIGIN = frozenset({"authorization", "cookie", "proxy-authorization"})
_CONNECTIONS = 100
_IDLE_CONNECTIONS = 20
_IDLE_S = 15.0
_NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, kw_only=True)
class Hop:
    """A redirect that was followed: the URL that answered, and its status."""

    url: str
    status: int


@dataclass(frozen=True, kw_only=True)
class Response:
    """A complete answer.

    ``url`` is where it came from after all redirects, which ``hops`` lists in order. Header names are in
    lower case, repeated ones joined by ``", "``. ``body`` is decoded and whole, never cut short.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    hops: tuple[Hop, ...]
    elapsed_ms: int


def product_name(base_url: str | None = None) -> str:
    """The User-Agent: product, version and, where known, the newsletter's own URL."""
    name = f"newsletter-pipeline/{newsletter.__version__}"
    return f"{name} (+{base_url})" if base_url else name


class HttpClient:
    """Fetches. Safe to share between threads; meant to live as long as the process.

    ``allow_private`` lifts the address and port rules. ``per_host`` requests at most run against one host at
    a time, their starts ``min_interval_s`` apart. ``resolver`` replaces the operating system's look-up.

    Every method raises, with the URL of the hop that failed: :class:`AddressForbidden` when a hop leads to a
    private or reserved address or to a port other than 80 and 443; :class:`TooLarge` when a body passes
    ``max_bytes`` after decoding; :class:`RequestFailed` for everything else that yields no complete answer.
    Any status is an answer. ``deadline_s`` counts from the call to the return, waiting for a turn included.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        user_agent: str = product_name(),
        resolver: Resolver | None = None,
        per_host: int = 2,
        min_interval_s: float = 0.0,
    ) -> None:
        self._user_agent = user_agent
        self._gates = HostGates(at_once=per_host, interval_s=min_interval_s)
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=_CONNECTIONS,
            max_keepalive_connections=_IDLE_CONNECTIONS,
            keepalive_expiry=_IDLE_S,
            network_backend=GuardedBackend(allow_private=allow_private, resolver=resolver or resolve),
        )

    def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        max_bytes: int = 10 * _MIB,
        deadline_s: float = 30,
        max_redirects: int = 5,
    ) -> Response:
        """GET ``url``, following at most ``max_redirects`` redirects."""
        return self._walk(url, _Ask("GET", headers, b"", max_bytes, deadline_s, max_redirects))

    def head(
        self,
        url: str,
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        deadline_s: float = 30,
        max_redirects: int = 5,
    ) -> Response:
        """HEAD ``url``, following at most ``max_redirects`` redirects. The body is empty."""
        return self._walk(url, _Ask("HEAD", headers, b"", 0, deadline_s, max_redirects))

    def post(
        self,
        url: str,
        *,
        data: Mapping[str, str],
        headers: Mapping[str, str] = _NO_HEADERS,
        max_bytes: int = _MIB,
        deadline_s: float = 30,
    ) -> Response:
        """POST ``data`` as a form. Never follows a redirect and never sends twice."""
        form = urlencode(data).encode("ascii")
        typed = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
        return self._walk(url, _Ask("POST", typed, form, max_bytes, deadline_s, None))

    def close(self) -> None:
        """Close idle connections."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _walk(self, url: str, ask: _Ask) -> Response:
        started = time.monotonic()
        until = started + ask.deadline_s
        hops: list[Hop] = []
        target = _vet_url(url)
        while True:
            try:
                answer = self._hop(target, ask, until)
            except _TROUBLE as error:
                raise _told(error, target, ask) from error
            if answer.location is None:
                return Response(
                    url=str(target),
                    status=answer.status,
                    headers=answer.headers,
                    body=answer.body,
                    hops=tuple(hops),
                    elapsed_ms=round((time.monotonic() - started) * 1000),
                )
            if len(hops) == ask.max_redirects:
                raise RequestFailed(
                    f"{target.host} redirected once more after {len(hops)} redirects.", url=str(target)
                )
            hops.append(Hop(url=str(target), status=answer.status))
            following = _vet_url(answer.location, base=target)
            if _origin(following) != _origin(target):
                ask = replace(ask, headers=_without_credentials(ask.headers))
            target = following

    def _hop(self, target: httpx.URL, ask: _Ask, until: float) -> _Answer:
        request = self._request(target, ask, until)
        with self._gates.enter(target.host, until):
            response = self._send(request, until)
            try:
                headers = read_headers(response)
                redirected = ask.max_redirects is not None and response.status in _REDIRECTS
                location = headers.get("location") if redirected else None
                if location is None:
                    body = read_body(response, headers, max_bytes=ask.max_bytes, until=until)
                else:
                    body = b""
                    drain_if_small(response, headers)
            finally:
                response.close()
        return _Answer(response.status, headers, body, location)

    def _request(self, target: httpx.URL, ask: _Ask, until: float) -> httpcore.Request:
        fields = {"user-agent": ("User-Agent", self._user_agent), "accept": ("Accept", "*/*")}
        fields |= {name.lower(): (name, value) for name, value in ask.headers.items()}
        fields["host"] = ("Host", target.netloc.decode("ascii"))
        fields["accept-encoding"] = ("Accept-Encoding", ACCEPT_ENCODING)
        if ask.method == "POST":
            fields["content-length"] = ("Content-Length", str(len(ask.content)))
        # Every time-out is the instant at which the whole request is over: see guard/dial.py. Only the wait
        # for a free connection is httpcore's own, and takes a duration.
        over = {"connect": until, "read": until, "write": until, "pool": max(0.0, until - time.monotonic())}
        return httpcore.Request(
            ask.method,
            httpcore.URL(
                scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path
            ),
            headers=[(name.encode("ascii"), value.encode("latin-1")) for name, value in fields.values()],
            content=ask.content,
            extensions={"timeout": over},
        )

    def _send(self, request: httpcore.Request, until: float) -> httpcore.Response:
        """Send, and once more when an idle connection turns out to have been closed by the other side."""
        dialled = False

        def watch(event: str, info: Mapping[str, Any]) -> None:
            nonlocal dialled
            dialled = dialled or event == "connection.connect_tcp.started"

        request.extensions["trace"] = watch
        while True:
            try:
                return self._pool.handle_request(request)
            except (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError):
                if dialled or request.method == b"POST" or time.monotonic() >= until:
                    raise


@dataclass(frozen=True)
class _Ask:
    method: str
    headers: Mapping[str, str]
    content: bytes
    max_bytes: int
    deadline_s: float
    max_redirects: int | None  # None: a redirect is the answer


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    location: str | None


def _vet_url(url: str, base: httpx.URL | None = None) -> httpx.URL:
    try:
        target = base.join(url.strip()) if base is not None else httpx.URL(url.strip())
        target = target.copy_with(fragment=None)
        host = target.host  # decoded only now: a name like xn--a may be none
    except (httpx.InvalidURL, ValueError) as error:
        raise RequestFailed("That is not a web address.", url=url) from error
    if target.scheme not in ("http", "https") or not host:
        raise RequestFailed("Only http and https addresses with a host can be fetched.", url=url)
    if target.userinfo:
        raise RequestFailed("A web address with a user name or password in it is not fetched.", url=url)
    return target


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _without_credentials(headers: Mapping[str, str]) -> Mapping[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _FOR_ONE_ORIGIN}


_TROUBLE = (
    BrokenBody,
    Forbidden,
    GateClosed,
    OverCap,
    TimeoutError,
    UnicodeError,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
)


def _told(error: Exception, target: httpx.URL, ask: _Ask) -> RequestProblem:
    host, url = target.host, str(target)
    match error:
        case Forbidden(address=None):
            return AddressForbidden(f"{host} is asked for on a port other than 80 and 443.", url=url)
        case Forbidden(address=address):
            return AddressForbidden(
                f"{host} is a private or reserved address."
                if host.strip("[]") == str(address)
                else f"{host} leads to {address}, which is a private or reserved address.",
                url=url,
                hint="If it is in your own network, turn on ALLOW_PRIVATE_ADDRESSES.",
            )
        case OverCap():
            return TooLarge(f"The answer of {host} is longer than {_size(ask.max_bytes)}.", url=url)
        case GateClosed():
            return RequestFailed(
                f"{host} was still busy with other requests of ours after {ask.deadline_s:g} s.", url=url
            )
        case TimeoutError() | httpcore.TimeoutException():
            return RequestFailed(f"{host} did not answer completely within {ask.deadline_s:g} s.", url=url)
        case httpcore.ConnectError():
            return RequestFailed(f"No connection to {host}: {error}.", url=url)
        case BrokenBody():
            return RequestFailed(f"The answer of {host} {error}.", url=url)
        case httpcore.LocalProtocolError() | UnicodeError():
            return RequestFailed(f"The request to {host} holds a header that cannot be sent.", url=url)
        case httpcore.NetworkError():
            return RequestFailed(f"The connection to {host} broke before its answer was complete.", url=url)
        case _:
            return RequestFailed(f"{host} broke off its answer, or it was not proper HTTP.", url=url)


def _size(count: int) -> str:
    return f"{count // _MIB} MiB" if count >= _MIB else f"{count} bytes"
