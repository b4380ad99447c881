"""What a provider's refusal means: a pure function from what it said to what is to be done.

We feed a relay, never a recipient's own server, so most refusals are about us (quota, authentication,
the sender) and few about the recipient. Sources: RFC 3463 and its registry for enhanced status codes,
RFC 4954 section 6 for authentication, RFC 5321 section 4.2 for reply codes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Phase(StrEnum):
    """Where a conversation stands. Only from ``DOT`` on could the provider have acted."""

    CONNECT = "connect"
    TLS = "tls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    DOT = "dot"


class Effect(StrEnum):
    RETRY = "retry"  #: this delivery again later
    FAIL = "fail"  #: this delivery never; spare the subscriber
    BAD_ADDRESS = "bad_address"  #: this delivery never, and never mail the address
    BUSY = "busy"  #: the transport is overloaded: everything waits a little
    PAUSE = "pause"  #: the transport refuses us as a whole: the author must see to it


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """``code`` is the three digits, ``enhanced`` the RFC 3463 status or empty."""

    code: int
    enhanced: str = ""
    text: str = ""

    @property
    def ok(self) -> bool:
        return 200 <= self.code < 300

    @property
    def short(self) -> str:
        return f"{self.code} {self.enhanced}".strip()


_BAD_ADDRESS: Final = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})
_BAD_SENDER: Final = frozenset({"5.1.7", "5.1.8"})
_UNAUTHENTICATED: Final = frozenset(
    f"{grade}.7.{detail}" for grade in (4, 5) for detail in (8, 9, 23, 24, 25, 26, 27, 29, 30, 32, 40)
)
"""Login wanted, or SPF, DKIM, DMARC, TLS or reverse DNS missing (RFC 7372, Google's sender rules)."""

_QUOTA: Final = re.compile(
    r"quota (?:is )?exceeded|(?:daily|monthly|hourly|user|account) (?:user )?(?:sending|message|email)? ?"
    r"(?:limit|quota)|sending (?:limit|quota)|exceeded (?:the|your) .{0,40}(?:limit|quota)|"
    r"(?:limit|credits?) (?:reached|exhausted)|not enough credits",
    re.IGNORECASE,
)
_MAILBOX_FULL: Final = re.compile(r"mailbox|inbox|storage|over ?quota", re.IGNORECASE)
_TOO_FAST: Final = re.compile(
    r"throttl|maximum sending rate|peak .{0,20}limit exceeded|server busy|rate limit|slow down|"
    r"too many (?:messages|connections|concurrent)",
    re.IGNORECASE,
)
_ACCOUNT: Final = re.compile(
    r"account (?:is |has been )?(?:suspended|disabled|blocked|locked|not (?:yet )?(?:activated|verified))|"
    r"not (?:yet )?(?:activated|verified|authori[sz]ed)|authentication (?:is )?required|"
    r"relay(?:ing)? (?:access )?(?:is )?(?:denied|not permitted|not allowed)|unable to relay|"
    r"sender address rejected|sender signature|sandbox|unverified",
    re.IGNORECASE,
)
_NO_SUCH_USER: Final = re.compile(
    r"(?:user|recipient|mailbox|address|account)s? (?:is )?(?:unknown|not found|does(?: not|n't) exist)|"
    r"(?:no such|unknown|invalid) (?:user|recipient|mailbox|address)",
    re.IGNORECASE,
)


def classify(phase: Phase, reply: Reply) -> Effect:
    """What to do about a refusal (4xx or 5xx) given in this phase."""
    lasting = reply.code >= 500
    if phase in (Phase.CONNECT, Phase.TLS, Phase.AUTH):
        return Effect.PAUSE if lasting else Effect.BUSY
    if reply.enhanced in _UNAUTHENTICATED or reply.code in (530, 534, 535, 538):
        return Effect.PAUSE
    full = reply.enhanced[1:] == ".2.2" or bool(_MAILBOX_FULL.search(reply.text))
    if reply.enhanced[1:] == ".4.5" or (_QUOTA.search(reply.text) and not full):
        return Effect.PAUSE
    if not lasting and _TOO_FAST.search(reply.text):
        return Effect.BUSY
    if reply.enhanced in _BAD_SENDER or (lasting and _ACCOUNT.search(reply.text)):
        return Effect.PAUSE
    if phase is Phase.MAIL:
        if reply.enhanced == "5.6.7":  # RFC 6531: this address needs what the relay does not have
            return Effect.FAIL
        return Effect.PAUSE if lasting else Effect.BUSY
    if not lasting or reply.code == 503:
        return Effect.RETRY
    if reply.enhanced in _BAD_ADDRESS:
        return Effect.BAD_ADDRESS
    if not reply.enhanced and phase is Phase.RCPT and _NO_SUCH_USER.search(reply.text):
        return Effect.BAD_ADDRESS
    return Effect.FAIL


_ENHANCED: Final = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?=\s|$)")


def reply_of(code: int, text: str) -> Reply:
    """A reply from its code and text. An enhanced status of another class than the code is not believed."""
    match = _ENHANCED.match(text)
    if match is None or int(match[1]) != code // 100:
        return Reply(code=code, text=text)
    return Reply(code=code, enhanced=match[0], text=text[match.end() :].strip())
