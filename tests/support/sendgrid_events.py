"""What SendGrid's Event Webhook posts of messages that its stand-in delivered: signed, in bulk, repeated."""

from __future__ import annotations

import json
import os
import random
from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from newsletter.web.hooks.sendgrid import SIGNATURE_HEADER, TIMESTAMP_HEADER
from tests.support.sendgrid_rules import Delivered


def event_of(message: Delivered, kind: str, at: int = 1_772_438_400, **more: Any) -> dict[str, Any]:
    """One event as SendGrid writes it; its custom arguments stand beside its own fields."""
    return {
        "email": message.address,
        "timestamp": at,
        "event": kind,
        "sg_event_id": b64encode(os.urandom(12)).decode(),
        "sg_message_id": "x.y",
        "smtp-id": message.headers.get("Message-ID", ""),
        **message.custom_args,
        **more,
    }


class Signed:
    """Posts of one account: each with its signature over exactly its bytes."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def public(self) -> str:
        """The verification key as SendGrid shows it."""
        der = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return b64encode(der).decode()

    def post(self, events: Sequence[dict[str, Any]]) -> tuple[bytes, dict[str, str]]:
        """Body and headers; SendGrid ends its body with CRLF."""
        raw = json.dumps(events).encode() + b"\r\n"
        stamp = "1772438400"
        signature = b64encode(self._key.sign(stamp.encode() + raw, ec.ECDSA(SHA256()))).decode()
        return raw, {
            SIGNATURE_HEADER: signature,
            TIMESTAMP_HEADER: stamp,
            "Content-Type": "application/json",
        }


def in_disorder(
    events: Sequence[dict[str, Any]], *, seed: int, copies: int = 3
) -> Iterator[Sequence[dict[str, Any]]]:
    """Every event a few times, in no order, in requests of all sizes."""
    chance = random.Random(seed)
    many = list(events) * copies
    chance.shuffle(many)
    while many:
        size = chance.choice((1, 7, 400))
        yield many[:size]
        del many[:size]
