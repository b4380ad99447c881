"""What is typed for a setting -> its value. Each raises ValueError with what to write instead."""

from __future__ import annotations

import re
from datetime import timedelta
from email.headerregistry import Address
from email.utils import parseaddr
from types import SimpleNamespace
from typing import Annotated, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, SecretStr

from newsletter.errors import Invalid
from newsletter.guard.headers import vet_address
from newsletter.guard.lines import LineProblem, check_line, fill_line

_UNITS: Final = {
    "second": 1, "seconds": 1, "s": 1, "minute": 60, "minutes": 60, "min": 60, "m": 60,
    "hour": 3600, "hours": 3600, "h": 3600, "day": 86400, "days": 86400, "d": 86400,
}  # fmt: skip


_LONGEST_S: Final = 100 * 366 * 86_400


def duration(text: object) -> timedelta:
    """``10 minutes``, ``2h``, ``30 days``, ``0``. A bare number means seconds."""
    if isinstance(text, timedelta):
        return text
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", str(text).strip().lower())
    if not match or (match[2] or "s") not in _UNITS:
        raise ValueError("write a duration such as 10 minutes, 2 hours or 30 days")
    seconds = float(match[1]) * _UNITS[match[2] or "s"]
    if seconds > _LONGEST_S:
        raise ValueError("write a shorter duration; a hundred years are the longest")
    return timedelta(seconds=seconds)


def interval(text: object) -> timedelta:
    """How often others' servers are asked: no more than once a minute."""
    value = duration(text)
    if not timedelta(minutes=1) <= value <= timedelta(days=31):
        raise ValueError("write a duration between 1 minute and 31 days")
    return value


def sender(text: object) -> str:
    value = str(text).strip()
    if not value:
        return ""
    if re.search(r"[\x00-\x1f\x7f]", value):
        raise ValueError("control characters are not allowed")
    name, address = parseaddr(value)
    try:
        found = Address(display_name=name, addr_spec=address)
    except Exception as error:
        raise ValueError("write it as: Name <address@example.org>") from error
    if not found.username or not found.domain:
        raise ValueError("write it as: Name <address@example.org>")
    if "." not in found.domain:  # nobody's server takes mail from it
        raise ValueError(f"write an address that mail can be sent from; {found.domain} is no whole domain")
    try:  # mail carries domains in ASCII (IDNA)
        found = Address(name, found.username, found.domain.encode("idna").decode())
        vet_address(found.addr_spec)
    except (UnicodeError, Invalid) as error:
        raise ValueError("write an address that mail can be sent from") from error
    return str(found) if name else found.addr_spec  # quoted where a comma or the like needs it


def rate(text: object) -> str:
    value = str(text).strip().lower().replace(" ", "")
    if value in {"", "unlimited"}:
        return value
    parts = value.split(",")
    if not 1 <= len(parts) <= 4 or not all(re.fullmatch(_ONE_RATE, part) for part in parts):
        raise ValueError("write a rate such as 60/minute, 100/day, both with a comma between, or unlimited")
    return ", ".join(parts)


_ONE_RATE: Final = r"[1-9]\d{0,8}/(second|minute|hour|day)"
_DOMAIN: Final = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+"


def domain_rates(text: object) -> str:
    parts = [part for part in re.sub(r"\s", "", str(text).lower()).split(",") if part]
    if not all(re.fullmatch(f"{_DOMAIN}={_ONE_RATE}", part) for part in parts):
        raise ValueError("write rates such as gmail.com=100/hour, outlook.com=20/minute")
    return ", ".join(parts)


def domains_at_once(text: object) -> str:
    parts = [part for part in re.sub(r"\s", "", str(text).lower()).split(",") if part]
    if not all(re.fullmatch(rf"{_DOMAIN}=[1-9][0-9]{{0,4}}", part) for part in parts):
        raise ValueError("write how many to each domain, such as gmail.com=20, outlook.com=5")
    return ", ".join(parts)


def plan(text: object) -> str:
    parts = [part for part in re.sub(r"\s", "", str(text)).split(",") if part]
    if len(parts) > 60 or not all(re.fullmatch(r"[1-9]\d{0,8}", part) for part in parts):
        raise ValueError("write how many on each day of sending, such as 50, 100, 500, 1000")
    return ", ".join(parts)


def share(text: object) -> str:
    value = str(text).strip().replace(" ", "")
    if value in {"", "0", "0%"}:
        return "0"
    match = re.fullmatch(r"(\d{1,2}(?:\.\d{1,2})?)%", value)
    if match is None or not 0 < float(match[1]) <= 50:
        raise ValueError("write a share such as 1%, at most 50%, or 0 for nobody")
    return value


def window(text: object) -> str:
    value = str(text).strip()
    if value and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError("write a window such as 08:00-20:00, or nothing for any time")
    return value


def hour(text: object) -> str:
    value = str(text).strip()
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError("write an hour such as 07:00")
    return value


def zone(text: object) -> str:
    try:
        return ZoneInfo(str(text).strip()).key
    except Exception as error:
        raise ValueError("write a time zone such as Europe/Madrid") from error


def base_url(text: object) -> str:
    value = str(text).strip().rstrip("/")
    if not value:
        return ""
    wrong = "write an address such as https://news.example.org"
    try:
        parts = urlsplit(value)
        encoded, port = (parts.hostname or "").encode("idna"), parts.port
        encoded.decode("idna")  # what looks encoded may be no name
        host = encoded.decode()
    except ValueError as error:  # UnicodeError is one
        raise ValueError(wrong) from error
    # It stands in headers, which are ASCII, and urlsplit passes over line breaks.
    if (
        parts.scheme not in {"http", "https"}
        or not host
        or parts.username is not None
        or "?" in value
        or "#" in value
        or not re.fullmatch(r"[\w.:\[\]-]+", parts.netloc)
        or re.search(r"[\s\x00-\x20\x7f]", value)
        or not parts.path.isascii()
    ):
        raise ValueError(wrong)
    where = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{where}{f':{port}' if port else ''}{parts.path}"


def host_and_port(text: object) -> str:
    value = str(text).strip()
    if value and not re.fullmatch(r"[A-Za-z0-9.-]{1,253}:\d{1,5}", value):
        raise ValueError("write it as host:port, such as localhost:783")
    return value


def line(text: object) -> str:
    value = str(text).strip()
    if re.search(r"[\x00-\x1f\x7f]", value):
        raise ValueError("one line, without control characters")
    return value


def template(text: object) -> str:
    """A template of one line, tried on an issue of one post and on one of three."""
    value = line(text)
    if not value:
        return ""
    post = SimpleNamespace(title="A title", author="An author", begins="The first words")
    sample = {"post": post, "newsletter": SimpleNamespace(title="A newsletter"), "date": "1 May"}
    try:
        check_line(value)
    except LineProblem as error:
        raise ValueError(f"it {error}") from error
    for count, said in ((1, "one post"), (3, "several posts")):
        try:
            fill_line(value, {**sample, "posts": [post] * count})
        except LineProblem as error:
            raise ValueError(
                f"with {said} it {error}; there are post.title, post.author, post.begins, posts, "
                "newsletter.title and date"
            ) from error
    return value


def smtp_url(text: object) -> object:
    value = text.get_secret_value() if isinstance(text, SecretStr) else str(text).strip()
    if value:
        wrong = (
            "write it as smtp://user:password@host:587 or smtps://user:password@host:465, "
            "with special characters percent-encoded"
        )
        try:
            parts = urlsplit(value)
            parts.port  # noqa: B018  what is no port is told by reading it
        except ValueError as error:
            raise ValueError(wrong) from error
        if parts.scheme not in {"smtp", "smtps", "smtp+plain"} or not parts.hostname:
            raise ValueError(wrong)
        # A password with / ? or # in it ends the host's name too early.
        if parts.path not in {"", "/"} or parts.fragment or parts.query not in {"", "auth=xoauth2"}:
            raise ValueError(wrong)
        if parts.scheme == "smtp+plain" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
            raise ValueError("smtp+plain:// (no encryption) is for this machine only")
    return SecretStr(value)


def pem(text: object) -> object:
    """A key on one line, as environments hold it, gets its line ends back."""
    value = text.get_secret_value() if isinstance(text, SecretStr) else str(text).strip()
    return SecretStr(value.replace("\\n", "\n"))


Duration = Annotated[timedelta, BeforeValidator(duration)]
Line = Annotated[str, BeforeValidator(line)]
