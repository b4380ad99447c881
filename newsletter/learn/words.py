"""What a refusal's code means, in words for the author. Pure.

The meanings are those of RFC 3463 (enhanced status codes) and RFC 5321 section 4.2.3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_ENHANCED: Final = re.compile(r"\b[245]\.(\d{1,3}\.\d{1,3})\b")
_PLAIN: Final = re.compile(r"^([45]\d\d)\b")

_MEANS: Final[Mapping[str, str]] = {
    "1.0": "Something is wrong with the address.",
    "1.1": "There is no such mailbox.",
    "1.2": "There is no such domain, or it takes no mail.",
    "1.3": "The address is not written as an address.",
    "1.6": "The mailbox has moved.",
    "1.8": "The mail server does not accept your sender address.",
    "1.10": "The domain says that it takes no mail.",
    "2.0": "Something is wrong with the mailbox.",
    "2.1": "The mailbox is switched off.",
    "2.2": "The mailbox is full.",
    "2.3": "The message is longer than this mailbox takes.",
    "3.4": "The message is larger than the server takes.",
    "4.1": "The recipient's server did not answer.",
    "4.2": "The connection to the recipient's server broke.",
    "4.4": "No way to the recipient's server was found.",
    "4.5": "A sending limit was reached.",
    "4.7": "The recipient's server did not take it for days.",
    "6.0": "The server did not like the form of the message.",
    "7.0": "Refused for security or policy reasons.",
    "7.1": "Refused by the server's policy: this is about the sender or the content, not about the reader.",
    "7.26": "Refused: the message lacks proof of its sender (SPF or DKIM).",
}
_KINDS: Final[Mapping[str, str]] = {
    "1": "Something is wrong with the address.",
    "2": "Something is wrong with the mailbox.",
    "3": "The recipient's mail system cannot take it.",
    "4": "The way to the recipient's server is disturbed.",
    "5": "The two servers did not understand each other.",
    "6": "The server did not like the form of the message.",
    "7": "Refused by the server's policy: this is about the sender or the content, not about the reader.",
}
_BARE: Final[Mapping[str, str]] = {
    "421": "The mail server was closing or too busy.",
    "450": "The mailbox was busy, or the server wants to see a second try.",
    "451": "The mail server had a problem of its own.",
    "452": "The mail server was out of room.",
    "550": "The server refused: usually there is no such mailbox.",
    "552": "The mailbox is full, or the message too large.",
    "553": "The address is not written as an address.",
    "554": "The server refused the message.",
}
_OURS: Final[Mapping[str, str]] = {
    "invalid": "The address cannot be written into a message.",
    "smtputf8": "The mail server cannot take addresses with letters beyond ASCII.",
    "broken": "The connection broke before the message was handed over.",
}


def explained(code: str) -> str:
    """One sentence, or an empty text where the code says nothing more than its own words."""
    if found := _ENHANCED.search(code):
        if found[0].startswith("4.7."):  # RFC 3463 section 2: class 4 may pass
            return "The server wants to see it later or more slowly."
        return _MEANS.get(found[1]) or _KINDS.get(found[1].partition(".")[0], "")
    if code in _OURS:
        return _OURS[code]
    if found := _PLAIN.match(code):
        return _BARE.get(found[1], "The server asked to try later." if found[1][0] == "4" else "")
    return ""
