"""Feed documents as they come from the wild, and worse: generated, each with a name and what must come of it.

In the style of the corpus that feedparser is tested with: every form of feed, every way of getting an
encoding, an entity, a namespace or the nesting wrong. Nothing here is copied from it.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.malformed.chance import damaged, truncated
from tests.support.malformed.parts import Sample
from tests.support.malformed.spelling import encodings, entities
from tests.support.malformed.structure import broken, forms, markup, namespaces
from tests.support.malformed.traps import COMPUTES_FOR_EVER, traps
from tests.support.malformed.values import dates, json_feeds

__all__ = ["COMPUTES_FOR_EVER", "Sample", "samples", "traps"]


def samples(random: int = 400) -> Iterator[Sample]:
    """All of them; ``random`` says how many are damaged by chance (always the same ones)."""
    for kind in (
        forms(),
        encodings(),
        entities(),
        markup(),
        broken(),
        namespaces(),
        json_feeds(),
        dates(),
        truncated(),
    ):
        yield from kind
    yield from damaged(random)
