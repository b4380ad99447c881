"""Keys derived from the secret key: one per purpose, so that no two uses share one."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from newsletter.errors import ConfigError

MIN_BYTES = 32


def new_secret() -> str:
    """A fresh secret key: 32 random bytes, base64url."""
    return secrets.token_urlsafe(MIN_BYTES)


@dataclass(frozen=True)
class Keys:
    """The secret keys, newest first: the first signs and encrypts, all verify and decrypt."""

    secrets: tuple[bytes, ...]

    @classmethod
    def parse(cls, text: str) -> Keys:
        """From the setting's comma list. Raises ConfigError where one is shorter than 32 bytes."""
        found = tuple(part.strip().encode() for part in text.split(",") if part.strip())
        if not found:
            raise ConfigError("NEWSLETTER_SECRET_KEY is not set.", hint="Run: newsletter init")
        if any(len(secret) < MIN_BYTES for secret in found):
            raise ConfigError(
                f"NEWSLETTER_SECRET_KEY is shorter than {MIN_BYTES} characters.",
                hint="Make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'",
            )
        return cls(found)

    def derive(self, purpose: str) -> Sequence[bytes]:
        """One 32-byte key per secret for this purpose (HKDF-SHA256, RFC 5869), in the same order."""
        return [
            HKDF(algorithm=SHA256(), length=32, salt=None, info=f"newsletter:{purpose}".encode()).derive(
                secret
            )
            for secret in self.secrets
        ]

    def encrypt(self, value: str) -> str:
        return self._fernet().encrypt(value.encode()).decode()

    def decrypt(self, value: str) -> str | None:
        """None where no key fits."""
        try:
            return self._fernet().decrypt(value.encode()).decode()
        except InvalidToken:
            return None

    def _fernet(self) -> MultiFernet:
        return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in self.derive("settings")])
