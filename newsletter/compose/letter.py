"""From an artefact to what is sent or shown: a join of segments, nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from newsletter.model.artefact import ALL_BLOCKS, Artefact, carried, filled_html, filled_text, settled
from newsletter.model.delivery import Letter
from newsletter.model.links import mailed

_NOTHING: Mapping[str, str] = {}


def letter_of(
    artefact: Artefact,
    mask: int,
    headers: tuple[tuple[str, str], ...] = (),
    common: Mapping[str, str] = _NOTHING,
) -> Letter:
    """The letter for every delivery that carries these blocks. Never compiles anything.

    ``common`` fills the slots that are the same for every recipient, once for all of them.
    """
    return Letter(
        id=f"{artefact.content_hash[:40]}-{mask & artefact.mask:x}",
        sender=artefact.sender,
        reply_to=artefact.reply_to,
        subject=artefact.subject,
        language=artefact.language,
        html=settled(carried(mailed(artefact), mask), common, html=True),
        text=settled(carried(artefact.text, mask), common, html=False),
        headers=headers,
    )


def page(artefact: Artefact, values: Mapping[str, str], mask: int = ALL_BLOCKS) -> str:
    """The HTML body with these blocks and these values, as mail has it but for the picture that counts."""
    return filled_html(carried(mailed(artefact, picture=False), mask), values)


def text_page(artefact: Artefact, values: Mapping[str, str], mask: int = ALL_BLOCKS) -> str:
    """The plain-text body with these blocks and these values."""
    return filled_text(carried(artefact.text, mask), values)
