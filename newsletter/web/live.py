"""What changes by itself, told to open pages as it happens: server-sent events.

https://html.spec.whatwg.org/multipage/server-sent-events.html. A page without JavaScript shows the same and
asks again by itself.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response, StreamingResponse

EVERY_S: Final = 1.0
SHARE: Final = 10  #: looking takes at most this part of the time: a large account is looked at less often
LONGEST_S: Final = 300.0  #: then the browser comes back by itself, and has to show its cookie again
MOST: Final = 32  #: pages followed at once; more ask again by themselves
_QUIET_S: Final = 15.0  #: proxies close what says nothing for long


@dataclass(frozen=True, kw_only=True)
class Shot:
    """What a page shows at one moment. ``state`` names the whole page; ``over`` that nothing follows."""

    state: str
    html: str
    over: bool


class Live:
    """The streams that are open in this process."""

    def __init__(self) -> None:
        self._closing = threading.Event()
        self._open = 0

    def close(self) -> None:
        """Ends every stream: a server that is asked to stop would wait for them."""
        self._closing.set()

    def follow(self, look: Callable[[], Shot | None]) -> Response:
        """Streams ``account`` events with what ``look`` shows, and a ``state`` event where the whole page
        changes. ``look`` is called in a thread and gives None where the visitor may see no more."""
        if self._open >= MOST:
            return PlainTextResponse("too many pages follow already\n", status_code=503)
        return StreamingResponse(
            self._events(look),
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )

    async def _events(self, look: Callable[[], Shot | None]) -> AsyncIterator[str]:
        self._open += 1
        try:
            began = said = time.monotonic()
            last: Shot | None = None
            yield "retry: 2000\n\n"
            while not self._closing.is_set() and time.monotonic() - began < LONGEST_S:
                asked = time.monotonic()
                shot = await run_in_threadpool(look)
                if shot is None:
                    return
                cost = time.monotonic() - asked
                if last is None or shot.html != last.html:
                    yield event("account", shot.html)
                    said = time.monotonic()
                if last is not None and shot.state != last.state:
                    yield event("state", shot.state)
                if shot.over:
                    yield event("state", shot.state)
                    return
                if time.monotonic() - said > _QUIET_S:
                    yield ":\n\n"
                    said = time.monotonic()
                last = shot
                await self._sleep(max(EVERY_S, SHARE * cost))
        finally:
            self._open -= 1

    async def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._closing.is_set() and (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(left, 0.25))


def event(name: str, text: str) -> str:
    lines = "".join(f"data: {line}\n" for line in text.splitlines())
    return f"event: {name}\n{lines or 'data:' + chr(10)}\n"
