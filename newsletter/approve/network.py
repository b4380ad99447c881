"""What only asking can tell: whether links open and how heavy images are. Run on demand, through the
guarded client, never within a transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

from newsletter.approve.measure import measure
from newsletter.errors import AddressForbidden, RequestProblem, TooLarge
from newsletter.model.artefact import Artefact
from newsletter.model.checklist import CheckLine, Level

HEAVY_IMAGE: Final = 1024 * 1024
_AT_ONCE: Final = 8
_MOST: Final = 80
_SHOWN: Final = 5
_DEADLINE_S: Final = 8.0
_ASK_AGAIN: Final = frozenset({400, 403, 404, 405, 501})
"""Servers that do not speak HEAD say one of these; GET decides."""


class Answer(Protocol):
    """What of an answer is looked at."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...


class Client(Protocol):
    """:class:`newsletter.guard.http.HttpClient`, as far as it is needed here."""

    def head(self, url: str, *, deadline_s: float) -> Answer: ...
    def get(self, url: str, *, max_bytes: int, deadline_s: float) -> Answer: ...


def check_links(artefact: Artefact, client: Client) -> tuple[CheckLine, ...]:
    """One line on the links: those that lead nowhere, by name. At most 80 are asked for, eight at once;
    each has eight seconds. A server that merely refuses robots (401, 403, 429, 999) counts as there."""
    links = [url for url in measure(artefact).links if url.startswith(("http://", "https://"))]
    dead = [f"{url} ({why})" for url, why in _asked(links[:_MOST], client, _why_dead) if why]
    if not links:
        return ()
    if not dead:
        text = f"{_all_of(len(links), 'links')} open."
        return (CheckLine(level=Level.GOOD, code="links", text=text),)
    return (
        CheckLine(
            level=Level.ADVICE,
            code="links",
            text=f"{len(dead)} of {min(len(links), _MOST)} links do not open: {_named(dead)}.",
            mend="Mend them on the blog.",
        ),
    )


def check_images(artefact: Artefact, client: Client) -> tuple[CheckLine, ...]:
    """One line on the images: those that are missing, are none, or weigh more than 1 MB."""
    images = measure(artefact).images
    sources = list(dict.fromkeys(i.src for i in images if i.src.startswith(("http://", "https://"))))
    poor = [f"{url} ({why})" for url, why in _asked(sources[:_MOST], client, _why_poor) if why]
    if not sources:
        return ()
    if not poor:
        text = f"{_all_of(len(sources), 'images')} load quickly."
        return (CheckLine(level=Level.GOOD, code="images", text=text),)
    return (
        CheckLine(
            level=Level.ADVICE,
            code="images",
            text=f"{len(poor)} of {min(len(sources), _MOST)} images will not do: {_named(poor)}.",
            mend="Put smaller or working ones on the blog: 1,200 pixels wide is enough. Or let copies be kept"
            " of those that mail cannot show well (Settings, Look, Pictures).",
        ),
    )


def _named(found: list[str]) -> str:
    rest = len(found) - _SHOWN
    return "; ".join([*found[:_SHOWN], *([f"and {rest} more"] if rest > 0 else [])])


def _all_of(count: int, things: str) -> str:
    return f"All {count} {things}" if count <= _MOST else f"The first {_MOST} of {count} {things}"


class _Question(Protocol):
    def __call__(self, url: str, client: Client) -> str: ...


def _asked(urls: list[str], client: Client, question: _Question) -> Iterable[tuple[str, str]]:
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        return list(zip(urls, pool.map(lambda url: _answered(question, url, client), urls), strict=True))


def _answered(question: _Question, url: str, client: Client) -> str:
    try:
        return question(url, client)
    except AddressForbidden:
        return "a private address"
    except RequestProblem:
        return "no answer"


def _why_dead(url: str, client: Client) -> str:
    answer = client.head(url, deadline_s=_DEADLINE_S)
    if answer.status in _ASK_AGAIN:
        try:
            answer = client.get(url, max_bytes=256 * 1024, deadline_s=_DEADLINE_S)
        except TooLarge:
            return ""  # it is there, and long
    return f"answers {answer.status}" if answer.status in (404, 410) or 500 <= answer.status < 600 else ""


def _why_poor(url: str, client: Client) -> str:
    answer = client.head(url, deadline_s=_DEADLINE_S)
    size = answer.headers.get("content-length", "")
    if answer.status in _ASK_AGAIN or not size.isdecimal():
        try:
            answer = client.get(url, max_bytes=HEAVY_IMAGE, deadline_s=_DEADLINE_S)
        except TooLarge:
            return "over 1 MB"
        size = str(len(answer.body))
    if answer.status >= 400:
        return f"answers {answer.status}"
    if not answer.headers.get("content-type", "image/").startswith(("image/", "application/octet-stream")):
        return "no image"
    return f"{int(size) / HEAVY_IMAGE:.1f} MB" if int(size) > HEAVY_IMAGE else ""
