"""What SpamAssassin says of an issue, where its spamd is reachable: its rules and its words, never ours.

Protocol: spamd/PROTOCOL of Apache SpamAssassin (SPAMC/1.5): a request line, headers and the message; the
answer's "Spam" header holds the score and the threshold, its body a report of the rules that fired.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from typing import Final

from newsletter.model.checklist import CheckLine, Level

_CONNECT_S: Final = 2.0
_ANSWER_S: Final = 30.0
_MOST: Final = 64 * 1024
_TOLD: Final = 3  #: rules that are named


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """``rules`` are those that add points: (points, name, what it says), heaviest first."""

    score: float
    threshold: float
    rules: tuple[tuple[float, str, str], ...]


def check_spam(message: bytes, spamd: str) -> tuple[CheckLine, ...]:
    """One line with SpamAssassin's score; none where nobody answers at ``spamd`` (``host:port``).

    Takes at most half a minute. Never raises.
    """
    answer = _asked(message, spamd)
    verdict = read(answer) if answer is not None else None
    if verdict is None:
        return ()
    points = f"SpamAssassin gives it {verdict.score:.1f} points; {verdict.threshold:.1f} make spam."
    if verdict.score < verdict.threshold / 2:
        return (CheckLine(level=Level.GOOD, code="spam", text=points),)
    named = "; ".join(f"{score:.1f} {name} ({says})" for score, name, says in verdict.rules[:_TOLD])
    return (
        CheckLine(
            level=Level.ADVICE,
            code="spam",
            text=f"{points} What counts most: {named}." if named else points,
            mend="Change what it names where that is easy; receivers weigh who sends far more than this.",
        ),
    )


def read(answer: bytes) -> Verdict | None:
    """The verdict in spamd's answer; None where it is none."""
    head, _, body = answer.decode("utf-8", "replace").partition("\r\n\r\n")
    status = re.match(r"SPAMD/[\d.]+ 0 ", head)
    found = re.search(r"^Spam:\s*\S+\s*;\s*(-?[\d.]+)\s*/\s*(-?[\d.]+)\s*$", head, re.M | re.I)
    if status is None or found is None:
        return None
    try:
        score, threshold = float(found[1]), float(found[2])
    except ValueError:
        return None
    rules = []
    # A rule's description goes on in the lines below it, indented further than any points.
    for points, name, says in re.findall(
        r"^ ?(-?\d+(?:\.\d)?) +([A-Z][A-Z0-9_]+) +(.*(?:\n {15,}\S.*)*)$", body.replace("\r\n", "\n"), re.M
    ):
        if float(points) > 0:
            rules.append((float(points), name, _PART.sub("", " ".join(says.split())[:120])))
    shown = score if abs(score) >= 0.05 else 0.0  # never "-0.0 points"
    return Verdict(score=shown, threshold=threshold, rules=tuple(sorted(rules, reverse=True)))


_PART = re.compile(r"^(?:BODY|HEADER|URI|RAW): ")
"""Where in the message a rule looks, in SpamAssassin's shorthand."""


def _asked(message: bytes, spamd: str) -> bytes | None:
    host, _, port = spamd.rpartition(":")
    if not host or not port.isdecimal():
        return None
    try:
        with socket.create_connection((host, int(port)), timeout=_CONNECT_S) as connection:
            connection.settimeout(_ANSWER_S)
            connection.sendall(b"REPORT SPAMC/1.5\r\nContent-length: %d\r\n\r\n" % len(message) + message)
            connection.shutdown(socket.SHUT_WR)
            answer = bytearray()
            while len(answer) < _MOST and (chunk := connection.recv(16_384)):
                answer += chunk
            return bytes(answer)
    except (OSError, OverflowError):
        return None
