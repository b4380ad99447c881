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

from newsletter.model.slowdown import wants_less


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
    SLOW_DOMAIN = "slow_domain"  #: this delivery again later, and its domain less at a time
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

# What relays say in words, since few of them give a status that tells these apart. Sources stand with the
# tests (tests/send/test_retry.py).
_QUOTA: Final = re.compile(
    r"quota ?(?:is )?exceeded|(?:daily|monthly|hourly|user|account) (?:user )?(?:sending|message|email)? ?"
    r"(?:limit|quota)|daily .{0,20}limit (?:is )?exceeded|sending (?:limit|quota)|"
    r"exceeded (?:the|your) .{0,40}(?:limit|quota)|"
    r"(?:limit|credits?) (?:reached|exhausted|exceeded)|not enough credits",
    re.IGNORECASE,
)
_MAILBOX_FULL: Final = re.compile(r"mailbox|inbox|storage|over ?quota", re.IGNORECASE)
_TOO_FAST: Final = re.compile(
    r"throttling|maximum sending rate|peak .{0,20}limit exceeded|server busy|rate limit|slow down|"
    r"too many (?:messages|connections|concurrent|recipients|login attempts)|thread limit|"
    r"temporarily blocked",
    re.IGNORECASE,
)
_ACCOUNT: Final = re.compile(
    r"(?:account|domain|sending) (?:is |has been |was )?(?:suspended|disabled|blocked|locked|terminated|"
    r"paused|under review|not (?:yet )?(?:activated|verified|allowed)|unverified)|account terminated|"
    r"not (?:yet )?(?:activated|verified|approved|authori[sz]ed)|not allowed to send|unauthori[sz]ed ip|"
    r"authentication (?:is )?required|authenticate first|unauthenticated senders?|verified sender identity|"
    r"relay(?:ing)? (?:access )?(?:is )?(?:denied|not permitted|not allowed)|unable to relay|"
    r"sender address rejected|sender signature|sandbox|unverified|for test purposes only|sendasdenied",
    re.IGNORECASE,
)
_NO_SUCH_USER: Final = re.compile(
    r"(?:user|recipient|mailbox|address|account)s? (?:is )?(?:unknown|not found|does(?: not|n't) exist)|"
    r"(?:no such|unknown|invalid) (?:user|recipient|mailbox|address)",
    re.IGNORECASE,
)
_WAIT: Final = re.compile(
    r"(?:try again|retry|wait)[^.]{0,30}? (?:in|after|for)?\s*"
    r"(\d{1,6})\s*(second|sec|s|minute|min|m|hour|h)s?\b",
    re.IGNORECASE,
)
_UNITS: Final = {"s": 1, "m": 60, "h": 3600}
_LONGEST_WAIT_S: Final = 24 * 3600


def classify(phase: Phase, reply: Reply) -> Effect:
    """What to do about a refusal (4xx or 5xx) given in this phase.

    What is about the account pauses in every phase; what is about speed waits; only what is left is about
    the recipient.
    """
    lasting = reply.code >= 500
    known_to_us = phase in (Phase.CONNECT, Phase.TLS, Phase.AUTH)  # nothing was said of a recipient yet
    if _about_account(phase, reply, lasting):
        return Effect.PAUSE
    if not known_to_us and not lasting and wants_less(reply.enhanced, reply.text):
        return Effect.SLOW_DOMAIN
    if _TOO_FAST.search(reply.text) and (not lasting or asked_wait_s(reply) is not None):
        return Effect.BUSY
    if known_to_us:
        return Effect.PAUSE if lasting else Effect.BUSY
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


def _about_account(phase: Phase, reply: Reply, lasting: bool) -> bool:
    """Whether credentials, the sender, a quota or the message itself are refused, whoever it was for."""
    if reply.enhanced in _UNAUTHENTICATED or reply.code in (525, 530, 534, 535, 538):
        return True
    if reply.enhanced == "5.4.5" or reply.enhanced == "5.3.4":  # Google's quotas; larger than the relay takes
        return True
    if reply.enhanced[1:] in _ABOUT_A_MAILBOX or reply.enhanced in _BAD_ADDRESS:
        return False
    full = bool(_MAILBOX_FULL.search(reply.text))
    if _QUOTA.search(reply.text) and not full and not _PEAK.search(reply.text):
        return True
    if reply.enhanced in _BAD_SENDER:
        return True
    # A passing refusal may say the same of what is only not known just now (DNS).
    return bool(_ACCOUNT.search(reply.text)) and (lasting or "not authorized to send" in reply.text.lower())


_ABOUT_A_MAILBOX: Final = frozenset({".2.1", ".2.2", ".2.3", ".2.4"})  #: RFC 3463 section 3.3
_PEAK: Final = re.compile(
    r"\bpeak\b|sending rate|thread limit", re.IGNORECASE
)  #: a limit that is free again in a moment


def asked_wait_s(reply: Reply) -> int | None:
    """The wait in seconds that a reply asks for in words; None where it asks for none."""
    match = _WAIT.search(reply.text)
    return min(int(match[1]) * _UNITS[match[2][0].lower()], _LONGEST_WAIT_S) if match else None


_ENHANCED: Final = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?=\s|$)")


def reply_of(code: int, text: str) -> Reply:
    """A reply from its code and text. An enhanced status of another class than the code is not believed."""
    match = _ENHANCED.match(text)
    if match is None or int(match[1]) != code // 100:
        return Reply(code=code, text=text)
    return Reply(code=code, enhanced=match[0], text=text[match.end() :].strip())
