"""Who may enter the studio: one-time links, a password, sessions that can be ended."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from newsletter.errors import Invalid

if TYPE_CHECKING:
    from newsletter.store.doors import Session
    from newsletter.store.unit import Unit

LOGIN_LASTS: Final = timedelta(hours=1)
IDLE: Final = timedelta(hours=24)
ABSOLUTE: Final = timedelta(days=14)
PASSWORD_LENGTH: Final = (12, 128)
_PASSWORD: Final = "studio_password"  # its row among the stored settings
_SEEN_EVERY: Final = timedelta(minutes=5)  # a page view is no reason to write each time

# OWASP's first choice for Argon2id: m = 64 MiB, t = 3.
_hasher = PasswordHash((Argon2Hasher(memory_cost=65536, time_cost=3, parallelism=1),))


class Doors:
    """Tokens are 256 random bits; only their SHA-256 is stored. Thread-safe."""

    def __init__(
        self,
        *,
        begin: Callable[[], AbstractContextManager[Unit]],
        read: Callable[[], AbstractContextManager[Unit]],
        clock: Callable[[], datetime],
    ) -> None:
        self._begin = begin
        self._read = read
        self._clock = clock

    def new_login(self) -> str:
        """The token of a fresh one-time link, good for an hour."""
        token = secrets.token_urlsafe(32)
        now = self._clock()
        with self._begin() as unit:
            unit.doors.add_login(_sha(token), now=now, expires_at=now + LOGIN_LASTS)
        return token

    def open_session(self, token: str, agent: str = "") -> str:
        """Uses up a one-time link; the new session's cookie. Raises Invalid for a used or old one."""
        now = self._clock()
        with self._begin() as unit:
            if not unit.doors.use_login(_sha(token), now):
                raise Invalid(
                    "This link was used already or is too old.", hint="Get a fresh one with: newsletter login"
                )
            return self._open(unit, agent, now)

    def sign_in(self, password: str, agent: str = "") -> str | None:
        """A new session's cookie, or None for a wrong password. Takes as long either way."""
        with self._read() as unit:
            stored = unit.settings.all().get(_PASSWORD)
        if not _hasher.verify(password[: PASSWORD_LENGTH[1]], stored or _nobody()) or stored is None:
            return None
        with self._begin() as unit:
            unit.audit.add(who="author", action="sign in", subject="studio", now=self._clock())
            return self._open(unit, agent, self._clock())

    def check_session(self, cookie: str) -> Session | None:
        """The session, and that it was seen; None where it ended (24 hours idle, 14 days)."""
        now = self._clock()
        with self._read() as unit:
            session = unit.doors.session(_sha(cookie), now, IDLE)
        if session is not None and now - session.seen_at > _SEEN_EVERY:
            with self._begin() as unit:
                unit.doors.seen(session.token_sha, now)
        return session

    def has_password(self) -> bool:
        with self._read() as unit:
            return _PASSWORD in unit.settings.all()

    def set_password(self, password: str, *, keep: str = "") -> None:
        """Ends every session but the one named by ``keep``. Raises Invalid outside 12 to 128 characters."""
        shortest, longest = PASSWORD_LENGTH
        if not shortest <= len(password) <= longest:
            raise Invalid(f"A password has between {shortest} and {longest} characters.")
        hashed = _hasher.hash(password)
        with self._begin() as unit:
            unit.settings.set(_PASSWORD, hashed, self._clock())
            unit.doors.close_all(but=keep)
            unit.audit.add(who="author", action="set password", subject="studio", now=self._clock())

    def forget_password(self) -> None:
        """As before the first one; every session ends. For whoever is at the machine itself."""
        with self._begin() as unit:
            unit.settings.remove(_PASSWORD)
            unit.doors.close_all()
            unit.audit.add(who="author", action="forget password", subject="studio", now=self._clock())

    def sessions(self) -> Sequence[Session]:
        with self._read() as unit:
            return unit.doors.sessions(self._clock())

    def close_session(self, token_sha: str) -> None:
        with self._begin() as unit:
            unit.doors.close(token_sha)

    def _open(self, unit: Unit, agent: str, now: datetime) -> str:
        cookie = secrets.token_urlsafe(32)
        unit.doors.open(_sha(cookie), agent=agent[:200], now=now, expires_at=now + ABSOLUTE)
        return cookie


_nobody_hash: list[str] = []


def _nobody() -> str:
    """A hash that no password has, so that an unset password takes as long to refuse."""
    if not _nobody_hash:
        _nobody_hash.append(_hasher.hash(secrets.token_urlsafe(32)))
    return _nobody_hash[0]


def _sha(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
