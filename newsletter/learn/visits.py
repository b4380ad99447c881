"""Who loads a picture or follows a link of a mail: somebody who reads it, or a program. Only guesses, made
so that what counts as a person is rather too little than too much. Pure; remembers nobody for longer than
an hour, and never by an address.

Programs that look at mail before anybody reads it: security gateways follow every link at once, within
seconds of delivery; Apple's Mail Privacy Protection (its agent is a bare ``Mozilla/5.0``), Gmail and Yahoo
load pictures through proxies of theirs; browsers prefetch and say so (``Sec-Purpose``,
https://wicg.github.io/nav-speculation/prefetch.html).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock
from typing import Final

TOO_SOON: Final = timedelta(seconds=10)  #: after a message may have been handed over
BURST_S: Final = 2.0
BURST: Final = 3  #: different links of one issue within BURST_S
AFTERWARDS_S: Final = 10.0  #: for so long, whoever followed them at once goes on being a program
MOST_FROM_ONE: Final = 200  #: of one issue within an hour; an office has one network address
MOST_KNOWN: Final = 10_000
_HOUR_S: Final = 3600.0

_PROGRAMS: Final = re.compile(
    r"""(?x) (?<!cu)bot\b | crawl | spider | scan | preview | prefetch | fetch | monitor | headless | phantom
    | imageproxy | mailproxy | curl/ | wget | python | httpx | aiohttp | go-http | java/ | libwww | perl
    | ruby | okhttp | axios | postman | linkcheck | validator | barracuda | mimecast | proofpoint | ironport
    | messagelabs | symantec | trendmicro | trend\ micro | sophos | forcepoint | fireeye | trellix | avanan
    | zscaler | safelinks | virustotal | facebookexternalhit | whatsapp | telegram | skypeuri | embedly""",
    re.IGNORECASE,
)
_PRIVACY_PROTECTION: Final = "Mozilla/5.0"


@dataclass(frozen=True, kw_only=True)
class Visit:
    """``purpose`` is what the browser says that it loads it for; ``since`` how long ago the message may have
    been handed over at the earliest."""

    method: str
    agent: str
    purpose: str
    since: timedelta


def by_machine(visit: Visit) -> bool:
    """Whether one visit by itself shows that nobody reads."""
    agent = visit.agent.strip()
    return (
        visit.method != "GET"
        or agent in {"", _PRIVACY_PROTECTION}
        or _PROGRAMS.search(agent[:500]) is not None
        or "prefetch" in visit.purpose.lower()
        or "preview" in visit.purpose.lower()
        or visit.since < TOO_SOON
    )


@dataclass(frozen=True, kw_only=True)
class Judged:
    """``earlier`` are the tokens of visits that were taken for a person's and turn out not to be."""

    machine: bool
    earlier: tuple[str, ...] = ()


@dataclass
class _Source:
    began: float
    visits: int = 0
    lately: list[tuple[float, str, bool]] = field(default_factory=list)  #: when, its token, whether a link
    program_until: float = float("-inf")


class Sources:
    """Where visits come from, for a while and in memory only: who follows three links at once reads none of
    them, and no one place counts for more than an office. Thread-safe."""

    def __init__(self) -> None:
        self._known: dict[bytes, _Source] = {}
        self._lock = Lock()

    def judge(self, who: bytes, token: str, at: float, *, link: bool) -> Judged:
        """``who`` stands for one source of visits to one issue; ``at`` are seconds of any clock."""
        with self._lock:
            source = self._known.pop(who, None)
            if source is None or at - source.began > _HOUR_S:
                source = _Source(began=at)
            self._known[who] = source  # the newest last
            if len(self._known) > MOST_KNOWN:
                del self._known[next(iter(self._known))]
            source.visits += 1
            lately = [one for one in source.lately if at - one[0] <= BURST_S]
            links = {one[1] for one in lately if one[2]} | ({token} if link else set())
            if len(links) >= BURST:
                source.program_until = at + AFTERWARDS_S
                source.lately = []
                return Judged(machine=True, earlier=tuple(one[1] for one in lately))
            if at < source.program_until or source.visits > MOST_FROM_ONE:
                return Judged(machine=True)
            source.lately = [*lately, (at, token, link)][-BURST * 4 :]
            return Judged(machine=False)
