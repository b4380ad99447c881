"""Names that a delivery keeps through every retry."""

from __future__ import annotations

import hmac
import re
from functools import lru_cache

from newsletter.model.delivery import MessageKey

_MAC_BYTES = 9  # 72 bits: guessing one needs as many bounces


def message_id(issue_id: int, subscriber_id: int, key: bytes, host: str) -> str:
    """``<issue.subscriber.mac@host>`` (RFC 5322 section 3.6.4), the same on every retry of a delivery.

    The MAC lets a bounce that quotes it be believed. A notice has issue 0 and its own number.
    """
    return f"<{issue_id}.{subscriber_id}.{_mac(issue_id, subscriber_id, key)}@{host}>"


def delivery_of(text: str, key: bytes) -> MessageKey | None:
    """The delivery that a Message-ID of ours names; None for a stranger's or a forged one."""
    match = re.fullmatch(r"<?(\d{1,18})\.(\d{1,18})\.([0-9a-f]{18})@[^<>\s]+>?", text.strip())
    if match is None:
        return None
    issue_id, number = int(match[1]), int(match[2])
    if not hmac.compare_digest(_mac(issue_id, number, key), match[3]):
        return None
    return MessageKey(issue_id, number)


def return_path(key: MessageKey, secret: bytes, address: str) -> str:
    """The envelope sender of one message (VERP): ``bounces+issue.number.mac@host`` for ``bounces@host``.

    A bounce comes back to it even where it quotes nothing of the message.
    """
    local, _, host = address.rpartition("@")
    return f"{local}+{key.issue_id}.{key.number}.{_mac(key.issue_id, key.number, secret)}@{host}"


def delivery_of_path(address: str, secret: bytes) -> MessageKey | None:
    """The delivery whose bounce came to this address; None for a stranger's or a forged one."""
    match = re.search(r"\+(\d{1,18}\.\d{1,18}\.[0-9a-f]{18})@", address)
    return delivery_of(f"{match[1]}@x", secret) if match else None


@lru_cache(maxsize=8)
def _seal(key: bytes) -> hmac.HMAC:
    return hmac.new(key, b"message-id\0", "sha256")


def _mac(issue_id: int, number: int, key: bytes) -> str:
    # A copy of a keyed seal costs a third of hmac.digest and does not let go of the interpreter's lock.
    seal = _seal(key).copy()
    seal.update(b"%d.%d" % (issue_id, number))
    return seal.digest()[:_MAC_BYTES].hex()
