"""The SMTP_URL setting: where the relay is, and how it is protected."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import parse_qs, unquote, urlsplit

from newsletter.errors import ConfigError


class Protection(StrEnum):
    STARTTLS = "starttls"  #: required and verified
    TLS = "tls"  #: from the first byte, verified
    NONE = "none"  #: loopback only


_SCHEMES = {
    "smtp": (Protection.STARTTLS, 587),
    "smtps": (Protection.TLS, 465),
    "smtp+plain": (Protection.NONE, 25),
}


@dataclass(frozen=True, kw_only=True)
class Relay:
    """``oauth``: the password is an OAuth 2 access token (XOAUTH2)."""

    host: str
    port: int
    protection: Protection
    user: str = ""
    password: str = field(default="", repr=False)
    oauth: bool = False


def relay_of(url: str) -> Relay:
    """``smtp://user:password@host:587`` (STARTTLS), ``smtps://``, or ``smtp+plain://`` to this machine.

    ``?auth=xoauth2`` makes the password an access token. Raises ConfigError; its text holds no secret.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _unreadable() from error
    if parts.scheme not in _SCHEMES or not parts.hostname or parts.path not in ("", "/") or parts.fragment:
        raise _unreadable()
    options = parse_qs(parts.query)
    if set(options) - {"auth"} or options.get("auth", ["xoauth2"]) != ["xoauth2"]:
        raise _unreadable()
    protection, usual_port = _SCHEMES[parts.scheme]
    if protection is Protection.NONE and not _is_loopback(parts.hostname):
        raise ConfigError(
            "smtp+plain:// sends passwords and mail unprotected and is for this machine only.",
            hint="Use smtp:// (STARTTLS) or smtps://.",
        )
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if any(mark in user + password for mark in "\r\n\0"):
        raise _unreadable()
    return Relay(
        host=parts.hostname,
        port=port or usual_port,
        protection=protection,
        user=user,
        password=password,
        oauth="auth" in options,
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _unreadable() -> ConfigError:
    return ConfigError(
        "NEWSLETTER_SMTP_URL is not an address of a mail server.",
        hint="Write smtp://user:password@host:587, with special characters percent-encoded.",
    )
