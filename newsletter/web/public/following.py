"""Counted links and the picture that counts opens, where the author chose to have them counted.

A link leads where its issue said when it was approved and nowhere else: the address comes from our own row,
sealed with our key, and from nothing that the visitor sends. What is counted is that somebody came, never
who: no cookie, no network address, no page they came from.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from base64 import b64decode
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
            for token, (people, machines) in sorted(
                counts.items()
            ):  # in one order, so that none waits in a ring
                unit.links.count(token, people=people, machines=machines)

    tally = Tally(write)

    def find(token: str) -> Counted | None:
        """A link of ours, as we sealed it."""
        if len(token) != _TOKEN_CHARACTERS:
            return None
        with front.read() as unit:
            found = unit.links.find(token)
        return found if found and is_sealed(front.link_keys, found.issue_id, found.link) else None

    def count(request: Request, found: Counted) -> None:
        if found.started_at is None or front.practice().tracking is Tracking.OFF:
            return  # a test of a draft counts nowhere, nor does anything while counting is off
        token = found.link.token
        visit = Visit(
            method=request.method,
            agent=request.headers.get("user-agent", ""),
            purpose=" ".join(request.headers.get(name, "") for name in _PURPOSES),
            since=front.clock() - found.started_at,
        )
        judged = Judged(machine=True)
        if not by_machine(visit):
            judged = _judged(request, found)
        for earlier in judged.earlier:
            tally.add(earlier, people=-1, machines=1)
        tally.add(token, people=not judged.machine, machines=judged.machine)
        tally.flush()

    def _judged(request: Request, found: Counted) -> Judged:
        network_address = request.client.host if request.client else ""
        if not _is_public(network_address):
            return Judged(machine=False)  # behind a proxy that hides it, everybody would seem to be one
        place = f"{found.issue_id} {neighbourhood(network_address)}"
        who = hashlib.blake2b(place.encode(), key=salt, digest_size=16).digest()
        return sources.judge(who, found.link.token, time.monotonic(), link=bool(found.link.url))

    @router.api_route(FOLLOW + "{token}", methods=["GET", "HEAD"])
    def follow(token: str, request: Request) -> Response:
        found = find(token)
        if found is None or not found.link.url:
            return pages.told("follow.unknown", "follow.unknown_text", status=404)
        count(request, found)
        return Response(status_code=302, headers={**_NOT_KEPT, "location": found.link.url})

    @router.api_route(LOAD + "{token}", methods=["GET", "HEAD"])
    def load(token: str, request: Request) -> Response:
        """The same answer whatever the token is."""
        found = find(token)
        if found is not None and not found.link.url:
            count(request, found)
        return Response(_PICTURE, media_type="image/gif", headers=_PICTURE_HEADERS)

    return router


_PURPOSES: Final = ("sec-purpose", "purpose", "x-purpose", "x-moz")


def _is_public(network_address: str) -> bool:
    try:
        return ip_address(network_address).is_global
    except ValueError:
        return False
