"""Picture: an image of a post, and the copy of it that we may keep under our own address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What is known of the image at ``source``.

    ``width`` and ``height`` are its own, in pixels, upright; 0 where nobody could measure it. ``copy`` names
    our copy (by its content, such as ``4f1c….jpg``); empty where none is needed, or where ``problem`` says
    why there is none.
    """

    source: str
    width: int = 0
    height: int = 0
    copy: str = ""
    problem: str = ""
    looked_at: datetime


@dataclass(frozen=True, kw_only=True)
class Pictured:
    """An image as an issue shows it. ``alt`` is its description: the author's, else the blog's; None where
    nobody gave one. ``decorative``: the author said that it needs none. ``named``: words stand in the same
    link, so that it is described by them."""

    source: str
    post_id: int
    alt: str | None
    decorative: bool = False
    named: bool = False

    @property
    def silent(self) -> bool:
        """Whether nothing is said where it cannot be seen, and nobody has said that this is right."""
        return not self.alt and not self.decorative and not self.named
