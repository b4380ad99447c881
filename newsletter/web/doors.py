"""Who is at the door: the session cookie, and the limit on wrong passwords."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import Annotated, Final, Protocol

from fastapi import Depends, Request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from pydantic import Field
from starlette.responses import Response

from newsletter.desk import Desk
from newsletter.web.pages import Pages

ABSOLUTE_S: Final = 14 * 24 * 3600
FAILURES: Final = RateLimitItemPerMinute(5, 15)
HASHES_AT_ONCE: Final = 2  # each takes 64 MiB and a core for a moment


class Session(Protocol):
    """A signed-in browser. ``token_sha`` names it: a hash of the cookie."""

    @property
    def token_sha(self) -> str: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def seen_at(self) -> datetime: ...
    @property
    def agent(self) -> str: ...


class SignInNeeded(Exception):
    """Nobody is signed in; ``path`` is where they wanted to go."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Throttle:
    """At most five wrong passwords in 15 minutes from one address. Nobody is locked out for good, and
    nobody can lock out somebody else. Kept in memory: a restart forgives."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self.hashing = threading.BoundedSemaphore(HASHES_AT_ONCE)

    def allows(self, request: Request) -> bool:
        """Counts as a wrong one until :meth:`succeeded`: what is tried at the same time counts too."""
        return self._limiter.hit(FAILURES, client_of(request))

    def succeeded(self, request: Request) -> None:
        self._limiter.clear(FAILURES, client_of(request))


def client_of(request: Request) -> str:
    """The visitor's address: X-Forwarded-For counts only from a trusted proxy (see ``app.create_app``)."""
    return request.client.host if request.client else ""


def desk_of(request: Request) -> Desk:
    desk: Desk = request.app.state.house.desk
    return desk


def pages_of(request: Request) -> Pages:
    pages: Pages = request.app.state.pages
    return pages


def cookie_of(request: Request) -> str:
    return request.cookies.get(_cookie_name(request), "")


def session_of(request: Request) -> Session | None:
    """The session of whoever asks; None for who is not signed in."""
    cookie = cookie_of(request)
    return desk_of(request).doors.check_session(cookie) if cookie else None


def signed_in(request: Request) -> Session:
    """The same. Raises SignInNeeded."""
    session = session_of(request)
    if session is None:
        raise SignInNeeded(request.url.path if request.method == "GET" else "/studio/")
    return session


RowId = Annotated[int, Field(ge=0, le=2**63 - 1)]
"""An id as addresses and forms give it: no database knows a larger one. A wrong one in a path is answered
404, in a query or form 400."""

SignedIn = Annotated[Session, Depends(signed_in)]
DeskHere = Annotated[Desk, Depends(desk_of)]
PagesHere = Annotated[Pages, Depends(pages_of)]


def give_cookie(request: Request, response: Response, value: str) -> None:
    """``__Host-`` and Secure on https only: a first run on plain http at home must work."""
    response.set_cookie(
        _cookie_name(request),
        value,
        max_age=ABSOLUTE_S,
        path="/",
        secure=_is_https(request),
        httponly=True,
        samesite="lax",
    )


def take_cookie(request: Request, response: Response) -> None:
    response.delete_cookie(
        _cookie_name(request), path="/", secure=_is_https(request), httponly=True, samesite="lax"
    )


def local_path(text: str) -> str:
    """Where to go after signing in: a page of the studio, whatever the address asked for."""
    plain = text.isascii() and text.isprintable() and "\\" not in text and "//" not in text
    return text if plain and text.startswith("/studio/") else "/studio/"


def _is_https(request: Request) -> bool:
    return request.url.scheme == "https"


def _cookie_name(request: Request) -> str:
    return "__Host-session" if _is_https(request) else "session"
