"""Which posts of an issue one subscriber gets. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from newsletter.model.artefact import mask_of

ALL_OFF = "They want none of these topics."
ALL_RECEIVED = "They received these posts before."


def mask_for(
    blocks: Mapping[int, frozenset[str]],
    topics_off: frozenset[str],
    already_received: Iterable[int] = (),
) -> tuple[int, str]:
    """``(mask, why nothing is left)``: ``blocks`` maps each included block to the topics of its post.

    A post is left out when it has topics and the subscriber wants none of them, or when its block is among
    ``already_received`` (invariant 2). The reason is empty unless the mask is 0.
    """
    wanted = {block for block, topics in blocks.items() if not topics or topics - topics_off}
    left = wanted - set(already_received)
    if left:
        return mask_of(left), ""
    return 0, ALL_RECEIVED if wanted else ALL_OFF
