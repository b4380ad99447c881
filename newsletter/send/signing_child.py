"""The program of the process that signs: a key on its standard input, then digests; out come signatures.

Run by its path: nothing of the package around it is needed. It ends with its input.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

DIGEST: Final = 32  #: octets
KEY_LENGTH: Final = 4  #: octets before the key that say how long it is
READY: Final = b"+"
_TOGETHER: Final = 8  # a signature each would wake whoever waits for them too often


def main() -> None:
    """RSA only; an Ed25519 signature costs less than asking for it."""
    key = load_pem_private_key(_read(int.from_bytes(_read(KEY_LENGTH), "big")), password=None)
    assert isinstance(key, RSAPrivateKey)
    padding, hashed = PKCS1v15(), Prehashed(SHA256())
    os.write(1, READY)
    # Digests are written whole (pipe(7): up to PIPE_BUF octets at once), so that none comes in two parts.
    while told := os.read(0, DIGEST * _TOGETHER):
        digests = [told[start : start + DIGEST] for start in range(0, len(told), DIGEST)]
        signatures = memoryview(b"".join(key.sign(digest, padding, hashed) for digest in digests))
        while signatures:
            signatures = signatures[os.write(1, signatures) :]


def _read(size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = os.read(0, size - len(found))
        if not part:
            sys.exit(0)
        found += part
    return found


if __name__ == "__main__":
    main()
