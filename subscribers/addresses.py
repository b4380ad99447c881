"""What an address is, when two are the same, and how one is shown to whoever holds a link."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from email_validator import EmailNotValidError, validate_email

from subscribers.errors import Invalid

MOST_CHARACTERS: Final = 254  # RFC 5321 section 4.5.3.1.3, without the angle brackets

_ROLES: Final = frozenset(
    "abuse admin administrator billing contact editor help hostmaster info jobs mail mailer-daemon marketing "
    "media news newsletter no-reply nobody noc noreply office orders postmaster press privacy root sales "
    "security service spam support team webmaster".split()
)

_BIG_DOMAINS: Final = (
    "gmail.com",
    "googlemail.com",
    "yahoo.com",
    "hotmail.com",
    "outlook.com",
    "icloud.com",
    "live.com",
    "msn.com",
    "aol.com",
    "comcast.net",
    "proton.me",
    "protonmail.com",
    "gmx.de",
    "gmx.net",
    "web.de",
    "t-online.de",
    "yandex.ru",
    "mail.ru",
)
# Real domains of their own that lie one slip away from a big one.
_NOT_A_SLIP: Final = frozenset(
    {"ymail.com", "mail.com", "email.com", "gmx.com", "me.com", "mac.com", "hotmail.de", "live.de", "gmx.at"}
)


class Address(NamedTuple):
    """``text`` is what mail is sent to: the local part as it was written, the domain lower-case ASCII
    (IDNA). ``key`` is the same for every spelling of one mailbox. ``domain`` is the key's domain.

    A tuple, since a million of them are made by an import."""

    text: str
    key: str
    domain: str


def key_of(written: str) -> str:
    """The key of the address that somebody wrote; empty where it is none."""
    try:
        return normalise(written).key
    except Invalid:
        return ""


def normalise(written: str) -> Address:
    """The address that somebody wrote. Raises Invalid. Never looks anything up.

    The local part must be ASCII: mail to others needs SMTPUTF8 (RFC 6531), which providers lack.
    """
    text = written.strip()
    if len(text) > 4 * MOST_CHARACTERS:  # before any pattern sees it
        raise Invalid("This is too long to be an email address.")
    if len(text) <= MOST_CHARACTERS and (plain := _plain(text)):
        local, domain = plain.groups()
        if len(local) <= 64:
            return _address(local, domain)
    try:
        found = validate_email(text, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as error:
        raise Invalid(
            f"This is not an email address that mail can reach: {_clause(error)}.",
            hint="Write it like name@example.com.",
        ) from error
    address = found.ascii_email
    assert address is not None  # with allow_smtputf8=False there is always one
    local, _, domain = address.rpartition("@")
    return _address(local, domain)


# What nearly everybody's address looks like. The validator accepts every one of these as it is (a test
# holds it to that) and takes ten times as long to say so, which counts when a million are imported.
_PLAIN: Final = re.compile(
    r"([A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*)"
    r"@((?:(?!..--)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+"
    r"(?!(?:arpa|invalid|local|localhost|onion|test)\Z)[A-Za-z]{2,63})",
    re.IGNORECASE | re.ASCII,
)
_plain: Final = _PLAIN.fullmatch


def _address(local: str, domain: str) -> Address:
    domain = domain.lower()
    text = f"{local}@{domain}"
    return Address(text, text.lower(), domain)  # ASCII: lower() is casefold()


def _clause(error: EmailNotValidError) -> str:
    text = str(error).rstrip(".")
    return text[:1].lower() + text[1:]


def shown(address: str) -> str:
    """The address with its domain in its own script, for people to read."""
    local, _, domain = address.rpartition("@")
    if "xn--" not in domain:
        return address
    try:
        return f"{local}@{domain.encode('ascii').decode('idna')}"
    except UnicodeError:
        return address


def masked(address: str) -> str:
    """``a•••@gmail.com``: enough to recognise one's own, not enough to learn another's."""
    local, _, domain = shown(address).rpartition("@")
    return f"{local[:1]}•••@{domain}"


_WITHOUT_DOTS: Final = {"gmail.com": "gmail.com", "googlemail.com": "gmail.com"}


def mailbox(address: Address) -> str:
    """What all spellings that end in one mailbox share: the key without ``+…``, and at Gmail without dots.

    For limits only: whoever is bombed with ``ann+1``, ``ann+2``… is one person, but a subscriber's address
    is the one that they wrote.
    """
    local, _, domain = address.key.rpartition("@")
    local = local.partition("+")[0] or local
    if domain in _WITHOUT_DOTS:
        local, domain = local.replace(".", "") or local, _WITHOUT_DOTS[domain]
    return f"{local}@{domain}"


def is_role(address: Address) -> bool:
    """Whether it is an office rather than a person: such addresses complain most."""
    return address.key.rpartition("@")[0].partition("+")[0] in _ROLES


def suggestion(address: Address) -> str:
    """The address they probably meant (``ann@gmial.com``: ``ann@gmail.com``), or an empty string."""
    big = _meant(address.domain)
    return f"{address.text.rpartition('@')[0]}@{big}" if big else ""


@lru_cache(maxsize=4096)
def _meant(domain: str) -> str:
    if domain in _BIG_DOMAINS or domain in _NOT_A_SLIP:
        return ""
    return next((big for big in _BIG_DOMAINS if _one_slip_apart(domain, big)), "")


def _one_slip_apart(a: str, b: str) -> bool:
    """Whether one typing slip separates them: a letter more, less or wrong, or two swapped."""
    if abs(len(a) - len(b)) > 1 or a == b:
        return False
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    rest_a, rest_b = a[start:], b[start:]
    if len(a) == len(b):
        swapped = rest_a[:2] == rest_b[1::-1] and rest_a[2:] == rest_b[2:]
        return rest_a[1:] == rest_b[1:] or swapped
    longer, shorter = (rest_a, rest_b) if len(a) > len(b) else (rest_b, rest_a)
    return longer[1:] == shorter
