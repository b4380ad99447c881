"""Looks at the pictures of an issue before it is composed, and keeps copies of those that need one.

Each picture is asked for once, through the guarded client, outside any transaction; what was found is
remembered by its address. A picture that could not be had is asked for again after an hour.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Final

from newsletter.compose.shrink import HEAVIEST, Shrunk, require_pillow, shrink
from newsletter.config import Settings
from newsletter.errors import AddressForbidden, RequestProblem, TooLarge
from newsletter.guard.http import HttpClient
from newsletter.model.picture import Picture
from newsletter.steps.tools import Tools

MOST: Final = 80  #: pictures of one issue that are looked at
_AT_ONCE: Final = 3
_EACH_S: Final = 10.0
_ALL_S: Final = 60.0
_ASK_AGAIN_AFTER: Final = timedelta(hours=1)


def pictures(tools: Tools, settings: Settings, sources: Sequence[str]) -> Mapping[str, Picture]:
    """What is known of these images, by address; empty where all pictures are shown from the blog.

    Takes a minute at most: what is not looked at by then stays as it is. Raises ExtraMissing.
    """
    if settings.images != "copied":
        return {}
    require_pillow()
    wanted = [source for source in sources if source.startswith(("http://", "https://"))][:MOST]
    with tools.read() as unit:
        known = unit.pictures.known(wanted)
    now = tools.clock()
    new = [s for s in wanted if s not in known or (known[s].problem and _due(known[s], now))]
    if not new:
        return known
    client, deadline = tools.http(settings), time.monotonic() + _ALL_S
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        found = [
            (source, shrunk)
            for source, shrunk in zip(new, pool.map(lambda s: _look(s, client, deadline), new), strict=True)
            if shrunk is not None
        ]
    with tools.begin() as unit:
        for source, shrunk in found:
            picture = Picture(
                source=source,
                width=shrunk.width,
                height=shrunk.height,
                copy=shrunk.name,
                problem=shrunk.refused,
                looked_at=now,
            )
            unit.pictures.save(picture, shrunk.body)
            known[source] = picture
    return known


def _due(picture: Picture, now: datetime) -> bool:
    return now - picture.looked_at > _ASK_AGAIN_AFTER


def _look(source: str, client: HttpClient, deadline: float) -> Shrunk | None:
    """None where no time is left."""
    left = deadline - time.monotonic()
    if left <= 0:
        return None
    try:
        answer = client.get(source, max_bytes=HEAVIEST, deadline_s=min(left, _EACH_S))
    except TooLarge:
        return Shrunk(refused="weighs more than 5 MB")
    except AddressForbidden:
        return Shrunk(refused="is at a private address")
    except RequestProblem:
        return Shrunk(refused="does not answer")
    if answer.status != 200:
        return Shrunk(refused=f"answers {answer.status}")
    return shrink(answer.body)
