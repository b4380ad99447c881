"""Header fields of outgoing mail, one line each, refusing whatever could become a second one."""

from __future__ import annotations

import re
from email.header import Header
from email.utils import formataddr
from typing import Final

from newsletter.errors import Invalid

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ADDRESS: Final = re.compile(r"[^\s<>()\[\]\\,;:\"@]+@[^\s<>()\[\]\\,;:\"@]+")
_MESSAGE_ID: Final = re.compile(r"<[!-;=?-~]+@[!-;=?-~]+>")


def header(name: str, value: str) -> bytes:
    """One header with its line end. ASCII stays as it is (RFC 2047 words break List-Unsubscribe at Gmail);
    other text is encoded. Raises Invalid for control characters."""
    if _CONTROL.search(value):
        raise Invalid(f"The header {name} holds a control character.")
    if not value.isascii():
        value = Header(value, "utf-8", maxlinelen=76, header_name=name).encode(linesep="\r\n")
    line = f"{name}: {value}\r\n".encode()
    if any(len(part) > 998 for part in line.split(b"\r\n")):
        raise Invalid(f"The header {name} is too long.")
    return line


def mailbox(name: str, address: str) -> str:
    """``"Name" <address>``, the name encoded where it must be."""
    if _CONTROL.search(name):
        raise Invalid("The sender's name holds a control character.")
    return formataddr((name, plain_address(address)))


def plain_address(text: str) -> str:
    """An address as it may stand in To, MAIL and RCPT; the domain in ASCII (IDNA). Raises Invalid."""
    if not _ADDRESS.fullmatch(text) or _CONTROL.search(text) or len(text) > 254:
        raise Invalid("The address is not one that mail can be sent to.")
    local, _, domain = text.rpartition("@")
    if domain.isascii():
        return text
    try:
        return f"{local}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError as error:
        raise Invalid("The address is not one that mail can be sent to.") from error


def message_id(text: str) -> str:
    """A Message-ID in angle brackets. Raises Invalid."""
    if not _MESSAGE_ID.fullmatch(text) or len(text) > 250:
        raise Invalid("The Message-ID is malformed.")
    return text
