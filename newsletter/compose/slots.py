"""Tokens that stand for everything dynamic while MJML compiles, and the segments they become.

The MJML compiler rewrites, rejects or loses what it does not expect (emoji in attributes, unclosed tags,
line breaks between words). It therefore never sees a feed's text: Jinja writes a short ASCII token in
its place, and the compiled result is cut at the tokens and filled.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from newsletter.errors import TemplateProblem
from newsletter.model.artefact import SLOTS, Segment

CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")


_TOKEN: Final = re.compile(r"zq([0-9a-f]{12})x(\d+)z")


BASE: Final = "\ufdd2"
"""Stands for the newsletter's own address within :class:`Html`. A noncharacter: no feed's text has one, since
the sanitiser removes them all."""


class Html(str):
    """Sanitised markup: goes into HTML as it is, but for :data:`BASE`."""

    __slots__ = ()


class Raw(str):
    """A layout value that MJML itself must read (a width, a colour), validated before."""

    __slots__ = ()


@dataclass(frozen=True)
class Slot:
    """A place for one of the subscriber's own values."""

    name: str


@dataclass(frozen=True)
class Mark:
    """Where a block begins (its number) or ends (-1)."""

    block: int


class Tokens:
    """The tokens of one rendering. ``seed`` names the templates (a hash of their files): no template can
    contain a token, since it would have to contain its own hash. What values say is never looked through
    for tokens."""

    def __init__(self, seed: str) -> None:
        digest = hashlib.sha256(seed.encode()).hexdigest()[:12]
        self._digest = digest
        self._held: list[str | Slot | Mark] = []

    def hold(self, value: str | Slot | Mark) -> str:
        """The token that stands for a value. Raises ValueError for a slot that does not exist."""
        if isinstance(value, Slot) and value.name not in SLOTS:
            raise ValueError(f"there is no slot named {value.name!r}")
        self._held.append(value)
        return f"zq{self._digest}x{len(self._held) - 1}z"

    def segments(self, compiled: str, *, escape: Callable[[str], str], file: str) -> tuple[Segment, ...]:
        """The compiled text, cut at its tokens and filled.

        ``escape`` is applied to held strings, not to :class:`Html`. Raises TemplateProblem naming
        ``file`` where a value got lost or blocks do not pair.
        """
        segments: list[Segment] = []
        literal: list[str] = []
        seen: set[int] = set()
        block, end = -1, 0

        def close() -> None:
            text = "".join(literal)
            if text:
                segments.append(Segment(text, block=block))
            literal.clear()

        for match in _TOKEN.finditer(compiled):
            if match[1] != self._digest:
                continue
            literal.append(compiled[end : match.start()])
            end = match.end()
            number = int(match[2])
            seen.add(number)
            held = self._held[number]
            if isinstance(held, Slot):
                close()
                segments.append(Segment(held.name, slot=True, block=block))
            elif isinstance(held, Mark):
                close()
                if (held.block >= 0) == (block >= 0):
                    raise TemplateProblem("A post's block begins or ends twice.", file=file)
                block = held.block
            elif isinstance(held, Html):
                first, *others = held.split(BASE)
                literal.append(first)
                for part in others:
                    close()
                    segments.append(Segment("base_url", slot=True, block=block))
                    literal.append(part)
            else:
                # Sanitised markup, above, has no such characters.
                literal.append(escape(held if held.isprintable() else CONTROL.sub("", held)))
        literal.append(compiled[end:])
        close()
        if block >= 0:
            raise TemplateProblem("A post's block is not closed.", file=file)
        if len(seen) != len(self._held):
            raise TemplateProblem(
                "A value was written where the compiler drops it.",
                file=file,
                hint="Values belong into text, links and attributes of tags that MJML knows.",
            )
        return tuple(segments)
