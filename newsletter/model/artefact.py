"""Artefact: the frozen, compiled bytes of an issue.

An artefact is two bodies, each a sequence of segments. A segment is either literal text or a slot for
what differs per subscriber; either may belong to a block, one block per post, so that what a subscriber
receives is a join of the segments whose block they carry. Nothing is ever compiled per subscriber.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from newsletter.model.publication import Sender
from newsletter.model.tracking import Link

SLOTS: Final = ("unsubscribe_url", "preferences_url", "view_url", "base_url", "name")
"""Every slot that an issue may have. ``base_url`` and ``view_url`` are the same for all subscribers
but open until sending (invariant 5)."""

ALL_BLOCKS: Final = (1 << 62) - 1


@dataclass(frozen=True, slots=True)
class Segment:
    """``text`` is literal text, or the slot's name where ``slot`` is true.

    ``block`` is the block it belongs to, -1 for what everybody receives.
    """

    text: str
    slot: bool = False
    block: int = -1


@dataclass(frozen=True, kw_only=True)
class Block:
    """One post of the issue: its bit, and what the studio and the receipt call it."""

    number: int
    post_id: int
    title: str


@dataclass(frozen=True, kw_only=True)
class Artefact:
    subject: str
    preheader: str
    sender: Sender
    reply_to: str
    language: str
    title: str  #: of the newsletter
    html: tuple[Segment, ...]
    text: tuple[Segment, ...]
    blocks: tuple[Block, ...]
    links: tuple[Link, ...] = ()  #: those that are counted, the picture's first; empty: nothing is
    individual: bool = False  #: whose visit it is stands in them for those who agreed (slot ``reader``)

    @property
    def content_hash(self) -> str:
        """SHA-256 (hex) of the canonical form: what approval promises (invariant 5)."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @property
    def mask(self) -> int:
        """The mask that carries every block."""
        return mask_of(block.number for block in self.blocks)

    def to_json(self) -> str:
        """Canonical JSON: the same artefact always gives the same bytes."""
        return json.dumps(
            {
                "version": 1,
                "subject": self.subject,
                "preheader": self.preheader,
                "from": [self.sender.name, self.sender.address],
                "reply_to": self.reply_to,
                "language": self.language,
                "title": self.title,
                "html": [[s.text, int(s.slot), s.block] for s in self.html],
                "text": [[s.text, int(s.slot), s.block] for s in self.text],
                "blocks": [[b.number, b.post_id, b.title] for b in self.blocks],
                "links": [[link.token, link.url] for link in self.links],
                "individual": self.individual,
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, document: str) -> Artefact:
        """The inverse of :meth:`to_json`. Raises ValueError for a version it does not know."""
        data: dict[str, Any] = json.loads(document)
        if data.get("version") != 1:
            raise ValueError(f"artefact version {data.get('version')!r} is not known")
        return cls(
            subject=data["subject"],
            preheader=data["preheader"],
            sender=Sender(name=data["from"][0], address=data["from"][1]),
            reply_to=data["reply_to"],
            language=data["language"],
            title=data["title"],
            html=tuple(Segment(text, bool(slot), block) for text, slot, block in data["html"]),
            text=tuple(Segment(text, bool(slot), block) for text, slot, block in data["text"]),
            blocks=tuple(
                Block(number=number, post_id=post_id, title=title)
                for number, post_id, title in data["blocks"]
            ),
            links=tuple(Link(token, url) for token, url in data["links"]),
            individual=data["individual"],
        )


def mask_of(blocks: Iterable[int]) -> int:
    """The mask with these blocks' bits set. Raises ValueError for a block outside 0 to 61."""
    mask = 0
    for block in blocks:
        if not 0 <= block < 62:
            raise ValueError(f"block {block} does not fit a delivery's mask")
        mask |= 1 << block
    return mask


def carried(segments: Iterable[Segment], mask: int) -> tuple[Segment, ...]:
    """The segments that a delivery with this mask carries, neighbouring literals joined."""
    return tuple(_joined(s for s in segments if s.block < 0 or mask >> s.block & 1))


def _joined(segments: Iterable[Segment]) -> Iterator[Segment]:
    pending: list[str] = []
    for segment in segments:
        if segment.slot:
            if pending:
                yield Segment("".join(pending))
                pending = []
            yield Segment(segment.text, slot=True)
        else:
            pending.append(segment.text)
    if pending:
        yield Segment("".join(pending))


def settled(segments: Iterable[Segment], values: Mapping[str, str], *, html: bool) -> tuple[Segment, ...]:
    """The segments with those slots filled that ``values`` names, unescaped: the same for everybody."""
    return tuple(
        _joined(
            Segment(escape(values[s.text]) if html else values[s.text], block=s.block)
            if s.slot and s.text in values
            else s
            for s in segments
        )
    )


def filled_html(segments: Iterable[Segment], values: Mapping[str, str]) -> str:
    """The segments with their slots filled, values escaped. A slot without a value is empty."""
    return "".join(escape(values.get(s.text, "")) if s.slot else s.text for s in segments)


def filled_text(segments: Iterable[Segment], values: Mapping[str, str]) -> str:
    """The segments with their slots filled, values as they are, on one line each."""
    return "".join(" ".join(values.get(s.text, "").split()) if s.slot else s.text for s in segments)
