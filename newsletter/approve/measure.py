"""What there is to see in an artefact: its size and parts, links, images, headings. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from selectolax.lexbor import LexborHTMLParser

from newsletter.model.artefact import Artefact, Segment
from newsletter.model.links import mailed

GMAIL_CLIPS_AT: Final = 102 * 1024
"""Bytes of HTML beyond which Gmail hides the rest behind a link (hteumeuleu/email-bugs, number 41)."""

GMAIL_STYLE_LIMIT: Final = 16_384
"""Characters of all <style> beyond which Gmail drops them (hteumeuleu/email-bugs, number 90)."""

_SLOT_BYTES: Final = 120
"""What a subscriber's link takes, generously."""


@dataclass(frozen=True, kw_only=True)
class Image:
    src: str
    alt: str  #: its description, or the words that share its link
    block: int


@dataclass(frozen=True, kw_only=True)
class Measured:
    """``weights`` are bytes by block number (-1: the frame around the posts); ``clipped_in`` is the block
    in which Gmail's limit falls, None where the whole fits."""

    size: int
    weights: dict[int, int]
    clipped_in: int | None
    style: int
    links: tuple[str, ...]
    images: tuple[Image, ...]
    headings: tuple[int, ...]
    words: int
    slots: frozenset[str]


def measure(artefact: Artefact) -> Measured:
    """Look at an artefact with all its blocks."""
    weights: dict[int, int] = {}
    size, clipped_in = 0, None
    for segment in mailed(artefact):
        size_here = _SLOT_BYTES if segment.slot else len(segment.text.encode())
        weights[segment.block] = weights.get(segment.block, 0) + size_here
        size += size_here
        if size > GMAIL_CLIPS_AT and clipped_in is None:
            clipped_in = segment.block
    html = joined(artefact.html)
    tree = LexborHTMLParser(html)
    words = sum(
        len(
            re.findall(
                r"\w+", LexborHTMLParser(joined(s for s in artefact.html if s.block == b.number)).text()
            )
        )
        for b in artefact.blocks
    )
    return Measured(
        size=size,
        weights=weights,
        clipped_in=clipped_in,
        style=sum(len(found) for found in re.findall(r"<style[^>]*>(.*?)</style>", html, re.S)),
        links=tuple(dict.fromkeys(filter(None, (a.attributes.get("href") for a in tree.css("a[href]"))))),
        images=tuple(_images(artefact)),
        headings=tuple(int((h.tag or "h0")[1]) for h in tree.css("h1,h2,h3,h4,h5,h6")),
        words=words,
        slots=frozenset(s.text for s in artefact.html if s.slot),
    )


def joined(segments: Iterable[Segment]) -> str:
    """Literal text only: slots are empty."""
    return "".join(segment.text for segment in segments if not segment.slot)


def _images(artefact: Artefact) -> Iterable[Image]:
    for block in sorted({segment.block for segment in artefact.html}):
        part = joined(segment for segment in artefact.html if segment.block == block)
        for image in LexborHTMLParser(part).css("img"):
            link = image.parent if image.parent is not None and image.parent.tag == "a" else None
            described = image.attributes.get("alt") or (link.text(strip=True) if link is not None else "")
            yield Image(src=image.attributes.get("src") or "", alt=described, block=block)
