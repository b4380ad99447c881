"""Names that a delivery keeps through every retry."""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence

from newsletter.model.delivery import Envelope, MessageKey
from subscribers.sealing import seal

_DOMAIN = b"message-id\0"
_MAC_BYTES = 9  # 72 bits: guessing one needs as many bounces


def message_id(issue_id: int, subscriber_id: int, key: bytes, host: str) -> str:
    """``<issue.subscriber.mac@host>`` (RFC 5322 section 3.6.4), the same on every retry of a delivery.

    The MAC lets a bounce that quotes it be believed. A notice has issue 0 and its own number.
    """
    return f"<{issue_id}.{subscriber_id}.{_mac(issue_id, subscriber_id, key=key)}@{host}>"


def delivery_of(text: str, keys: Sequence[bytes]) -> MessageKey | None:
    """The delivery that a Message-ID of ours names; None for a stranger's or a forged one. Any of ``keys``
    may have sealed it."""
    match = re.fullmatch(r"<?(\d{1,18})\.(\d{1,18})\.([0-9a-f]{18})@[^<>\s]+>?", text.strip())
    if match is None:
        return None
    ids = int(match[1]), int(match[2])
    return MessageKey(*ids) if _sealed(ids, match[3], keys) else None


def return_path(envelope: Envelope, secret: bytes, address: str) -> str:
    """The envelope sender of one message (VERP): ``bounces+issue.number.attempt.mac@host`` for
    ``bounces@host``. A bounce comes back to it even where it quotes nothing of the message.
    """
    local, _, host = address.rpartition("@")
    ids = (*envelope.key, envelope.attempt_id)
    return f"{local}+{ids[0]}.{ids[1]}.{ids[2]}.{_mac(*ids, key=secret)}@{host}"


def delivery_of_path(address: str, keys: Sequence[bytes]) -> tuple[MessageKey, int] | None:
    """The delivery and the attempt whose bounce came to this address; None for a stranger's or a forged
    one."""
    match = re.search(r"\+(\d{1,18})\.(\d{1,18})\.(\d{1,18})\.([0-9a-f]{18})@", address)
    if match is None:
        return None
    ids = int(match[1]), int(match[2]), int(match[3])
    return (MessageKey(*ids[:2]), ids[2]) if _sealed(ids, match[4], keys) else None


def _mac(*ids: int, key: bytes) -> str:
    return seal(key, _DOMAIN, ".".join(map(str, ids)).encode())[:_MAC_BYTES].hex()


def _sealed(ids: tuple[int, ...], mac: str, keys: Sequence[bytes]) -> bool:
    return any([hmac.compare_digest(_mac(*ids, key=key), mac) for key in keys])
