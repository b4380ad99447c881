"""The links of an email: which of them can be counted, and how the HTML reads where they are.

An artefact keeps its links as the author wrote them; what mail carries follows from that and from its list
of counted links, so that the approved hash covers where every link leads. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import unescape
from typing import Final
from urllib.parse import quote, urlsplit

from newsletter.model.artefact import Artefact, Segment

READER: Final = "reader"  #: the slot for whose visit it is: "/" and a token, or nothing
FOLLOW: Final = "/l/"  #: and a link's token: its path below the base URL
LOAD: Final = "/o/"  #: and the picture's


def links_of(html: Iterable[Segment]) -> tuple[str, ...]:
    """Where an email's links lead, in order and once each: those that can be counted.

    A subscriber's own links are slots and never among them; nor is what is no http(s).
    """
    literal = (segment.text for segment in html if not segment.slot)
    found = (target(match[2]) for text in literal for match in _LINK.finditer(text))
    return tuple(dict.fromkeys(filter(None, found)))


def target(written: str) -> str:
    """A link's address, as it stands in HTML, as a Location header takes it (RFC 3986: ASCII only); empty
    where it cannot be one."""
    url = unescape(written).strip()
    try:
        parts = urlsplit(url)
        if not url.isascii() and parts.hostname:
            host = parts.hostname.encode("idna").decode()
            whole = parts.netloc.lower().replace(parts.hostname, host)
            url = quote(parts._replace(netloc=whole).geturl(), safe=_RESERVED)
    except ValueError:  # no address, or no name of a host
        return ""
    plain = parts.scheme in {"http", "https"} and parts.hostname and _PLAIN.fullmatch(url)
    return url if plain else ""


def mailed(artefact: Artefact, *, picture: bool = True) -> tuple[Segment, ...]:
    """The artefact's HTML as mail has it: each counted link leads through its token, and at the end stands
    the picture whose loading counts as an open.

    The same as the artefact's where nothing is counted. A preview goes without the picture: looking at it
    would count.
    """
    if not artefact.links:
        return artefact.html
    tokens = {link.url: link.token for link in artefact.links}
    seen = tokens.pop("")
    out = [part for segment in artefact.html for part in _led(segment, tokens, artefact.individual)]
    return tuple(_pictured(out, seen, artefact.individual) if picture else out)


def _led(segment: Segment, tokens: dict[str, str], individual: bool) -> Iterator[Segment]:
    """A segment, cut at its counted links."""
    if segment.slot:
        yield segment
        return
    end = 0
    for match in _LINK.finditer(segment.text):
        token = tokens.get(target(match[2]))
        if token is not None:
            yield Segment(segment.text[end : match.end(1)], block=segment.block)
            yield from _through(f"{FOLLOW}{token}", segment.block, individual)
            end = match.end(2)
    yield Segment(segment.text[end:], block=segment.block)


def _pictured(html: list[Segment], token: str, individual: bool) -> Iterator[Segment]:
    last = max(index for index, segment in enumerate(html) if not segment.slot)
    before, end, after = html[last].text.rpartition("</body>")
    yield from html[:last]
    yield Segment(f'{before}<img src="')
    yield from _through(f"{LOAD}{token}", -1, individual)
    yield Segment(f'" width="1" height="1" alt="" style="display:block;border:0">{end}{after}')
    yield from html[last + 1 :]


def _through(path: str, block: int, individual: bool) -> Iterator[Segment]:
    yield Segment("base_url", slot=True, block=block)
    yield Segment(path, block=block)
    if individual:
        yield Segment(READER, slot=True, block=block)


_RESERVED: Final = "/:?#[]@!$&'()*+,;=%~"  # RFC 3986 section 2.2, and what is encoded already
_PLAIN: Final = re.compile(r"[!-~]{1,8000}")
_LINK: Final = re.compile(
    r'(<(?:a|v:[a-z]+)\b(?:[^"<>]|"[^"]*")*?\shref=")(https?://[^"]+)(?=")', re.IGNORECASE
)
