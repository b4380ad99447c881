"""Signatures checked by a verifier that follows RFC 6376 over the whole message and knows no segments."""

from __future__ import annotations

import re
from base64 import b64decode
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import ConfigError
from newsletter.send.dkim import Signer
from newsletter.send.message import Press
from tests.contract.test_transports import envelope

RSA = rsa.generate_private_key(65537, 2048)
ED = ed25519.Ed25519PrivateKey.generate()
MOMENT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def pem(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def signed(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey, *, name: str = "Ada") -> bytes:
    press = Press(Signer(pem(key), domain="news.example", selector="s1"))
    return b"".join(press.pieces(envelope(1, name=name), date=MOMENT))


def relaxed(line: bytes) -> bytes:
    name, _, value = line.partition(b":")
    value = re.sub(rb"[ \t]+", b" ", re.sub(rb"\r\n(?=[ \t])", b"", value)).strip()
    return name.strip().lower() + b":" + value


def verify(message: bytes) -> None:
    """Raises InvalidSignature or AssertionError where the signature does not hold."""
    head, _, body = message.partition(b"\r\n\r\n")
    headers = re.split(rb"\r\n(?![ \t])", head)
    (signature,) = [line for line in headers if line.startswith(b"DKIM-Signature:")]
    tags = dict(
        part.strip().split(b"=", 1) for part in re.sub(rb"\s+", b"", signature[15:]).split(b";") if part
    )
    lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    assert b64decode(tags[b"bh"]) == sha256(b"".join(line + b"\r\n" for line in lines)).digest()
    left = [(line.partition(b":")[0].lower(), line) for line in headers]
    text = b""
    for wanted in tags[b"h"].split(b":"):
        for index in range(len(left) - 1, -1, -1):
            if left[index][0] == wanted:
                text += relaxed(left.pop(index)[1]) + b"\r\n"
                break
    text += relaxed(re.sub(rb"(\bb=)[A-Za-z0-9+/=\s]+$", rb"\1", signature))
    if tags[b"a"] == b"rsa-sha256":
        RSA.public_key().verify(b64decode(tags[b"b"]), text, padding.PKCS1v15(), SHA256())
    else:
        ED.public_key().verify(b64decode(tags[b"b"]), sha256(text).digest())


@pytest.mark.parametrize("key", [RSA, ED], ids=["RSA", "Ed25519"])
@given(name=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=120))
def test_a_signature_holds_whatever_a_subscriber_is_called(
    key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey, name: str
) -> None:
    verify(signed(key, name=name))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"First", b"Worst"),
        (b"Subject: A morning letter", b"Subject: Another letter"),
        (b"MIME-Version", b"List-Unsubscribe: <https://evil.example/>\r\nMIME-Version"),
        (b"MIME-Version", b"Subject: Another letter\r\nMIME-Version"),
        (b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", b""),
    ],
)
def test_what_was_changed_or_added_on_the_way_shows(old: bytes, new: bytes) -> None:
    message = signed(RSA)
    assert old in message
    with pytest.raises((InvalidSignature, AssertionError)):
        verify(message.replace(old, new, 1))


def test_no_line_of_a_signature_is_long() -> None:
    signature = signed(RSA).partition(b"\r\nFrom:")[0]
    assert signature.startswith(b"DKIM-Signature:")
    assert max(map(len, signature.split(b"\r\n"))) <= 78


@pytest.mark.parametrize(
    "key", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"], ids=["none", "broken"]
)
def test_what_is_no_key_is_told_without_it(key: bytes) -> None:
    with pytest.raises(ConfigError) as told:
        Signer(key, domain="news.example", selector="s1")
    assert "AAAA" not in str(told.value)


def test_two_recipients_have_two_signatures() -> None:
    press = Press(Signer(pem(ED), domain="news.example", selector="s1"))
    one, two = (
        b"".join(press.pieces(envelope(number), date=MOMENT)).partition(b"\r\nFrom:")[0] for number in (1, 2)
    )
    assert one != two
