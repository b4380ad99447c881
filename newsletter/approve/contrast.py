"""How well two colours can be told apart (WCAG 2.2, definition of contrast ratio)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

READABLE: Final = 4.5

_PAIRS: Final = (
    ("text", "paper"), ("muted", "paper"), ("muted", "page"), ("link", "paper"), ("title", "paper"),
    ("text", "code"), ("on_accent", "accent"),
)  # fmt: skip


def poor_pairs(palette: Mapping[str, str]) -> Iterable[tuple[str, str, float]]:
    """The pairs of a theme's palette that are too close for small text, with their ratio."""
    for ink, ground in _PAIRS:
        if ink in palette and ground in palette:
            found = ratio(palette[ink], palette[ground])
            if found < READABLE:
                yield ink, ground, found


def ratio(one: str, other: str) -> float:
    """From 1 (the same) to 21 (black on white), of two colours written ``#rrggbb``."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
