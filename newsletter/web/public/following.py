"""Counted links and the picture that counts opens, where the author chose to have them counted.

A link leads where its issue said when it was approved and nowhere else: the address comes from our own row,
sealed with our key, and from nothing that the visitor sends. What is counted is that somebody came: no
cookie, no network address, no page they came from. Who it was is kept of those alone who agreed to that, and
whose links say so.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from base64 import b64decode
from datetime import datetime
from ipaddress import ip_address
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from newsletter.learn.visits import Judged, Sources, Visit, by_machine
from newsletter.model.links import FOLLOW, LOAD
from newsletter.model.tracking import Counted, Tracking, is_sealed
from newsletter.web.public.front import Front
from newsletter.web.public.limits import neighbourhood
from newsletter.web.public.pages import PublicPages
from newsletter.web.public.tally import Counts, Tally
from subscribers import tracking
from subscribers.errors import BadToken
from subscribers.tokens import Purpose

_TOKEN_CHARACTERS: Final = 22
_NOT_KEPT: Final = {"cache-control": "no-store", "referrer-policy": "no-referrer", "x-robots-tag": "noindex"}
_PICTURE: Final = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")  # 1 x 1, transparent
_PICTURE_HEADERS: Final = {
    **_NOT_KEPT,
    "content-security-policy": "default-src 'none'",
    "cross-origin-resource-policy": "cross-origin",  # webmail shows it within its own pages
}


def following(front: Front, pages: PublicPages) -> APIRouter:
    router = APIRouter(route_class=pages.route_class())
    sources, salt = Sources(), secrets.token_bytes(32)

    def write(counts: Counts) -> None:
        with front.begin() as unit:
            for token in counts.tokens:
                unit.links.count(token, people=counts.people[token], machines=counts.machines[token])
            agreeing = tracking.agreeing(unit.subscribers.conn, {reader for reader, _ in counts.readers})
            for reader, token in counts.readers:
                if reader in agreeing:
                    at = counts.last_at[reader, token]
                    unit.links.read(reader, token, times=counts.times[reader, token], at=at)

    tally = Tally(write)

    def find(token: str) -> Counted | None:
        """A link of ours, as we sealed it."""
        if len(token) != _TOKEN_CHARACTERS:
            return None
        with front.read() as unit:
            found = unit.links.find(token)
        return found if found and is_sealed(front.link_keys, found.issue_id, found.link) else None

    def count(request: Request, found: Counted, reader: str) -> None:
        mode = front.practice().tracking
        if found.started_at is None or mode is Tracking.OFF:
            return  # a test of a draft counts nowhere, nor does anything while counting is off
        token, now = found.link.token, front.clock()
        who = _reader(reader, found.issue_id) if mode is Tracking.INDIVIDUAL else 0
        visit = Visit(
            method=request.method,
            agent=request.headers.get("user-agent", ""),
            purpose=" ".join(request.headers.get(name, "") for name in _PURPOSES),
            since=now - (_handed(found.issue_id, who) or found.started_at),
        )
        judged = Judged(machine=True) if by_machine(visit) else _judged(request, found, who)
        for earlier in judged.earlier:
            tally.mistaken(earlier, who, now)
        if judged.machine:
            tally.machine(token)
        else:
            tally.person(token, who, now)
        tally.flush()

    def _handed(issue_id: int, reader: int) -> datetime | None:
        if not reader:
            return None
        with front.read() as unit:
            return unit.links.handed_at(issue_id, reader)

    def _judged(request: Request, found: Counted, reader: int) -> Judged:
        network_address = request.client.host if request.client else ""
        if not reader and not _is_public(network_address):
            return Judged(machine=False)  # behind a proxy that hides it, everybody would seem to be one
        place = f"{found.issue_id} {reader or neighbourhood(network_address)}"
        source = hashlib.blake2b(place.encode(), key=salt, digest_size=16).digest()
        return sources.judge(source, found.link.token, time.monotonic(), link=bool(found.link.url))

    def _reader(token: str, issue_id: int) -> int:
        """Whose link it is, of those who agreed; 0 for nobody's, or one of another issue."""
        try:
            numbers = front.tokens.verify(Purpose.READER, token, front.clock())
        except BadToken:
            return 0
        return numbers[0] if numbers[1:] == (issue_id,) else 0

    @router.api_route(FOLLOW + "{token}", methods=["GET", "HEAD"])
    @router.api_route(FOLLOW + "{token}/{reader}", methods=["GET", "HEAD"])
    def follow(request: Request, token: str, reader: str = "") -> Response:
        found = find(token)
        if found is None or not found.link.url:
            return pages.told("follow.unknown", "follow.unknown_text", status=404)
        count(request, found, reader)
        return Response(status_code=302, headers={**_NOT_KEPT, "location": found.link.url})

    @router.api_route(LOAD + "{token}", methods=["GET", "HEAD"])
    @router.api_route(LOAD + "{token}/{reader}", methods=["GET", "HEAD"])
    def load(request: Request, token: str, reader: str = "") -> Response:
        """The same answer whatever the token is."""
        found = find(token)
        if found is not None and not found.link.url:
            count(request, found, reader)
        return Response(_PICTURE, media_type="image/gif", headers=_PICTURE_HEADERS)

    return router


_PURPOSES: Final = ("sec-purpose", "purpose", "x-purpose", "x-moz")


def _is_public(network_address: str) -> bool:
    try:
        return ip_address(network_address).is_global
    except ValueError:
        return False
