"""SendGrid: one request for up to 1,000 recipients of the same content, by the official client.

Behaviour is that of https://www.twilio.com/docs/sendgrid/api-reference/mail-send. A 202 means queued. There
is no idempotency key: a request that left whole and got no clear answer is unknown, until events settle it.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import lru_cache
from http.client import HTTPException
from itertools import islice
from typing import Final
from urllib.error import URLError

from newsletter.errors import ConfigError, Invalid, TransportBusy, TransportProblem
from newsletter.model.delivery import Envelope, Outcome, Verdict
from newsletter.model.privacy import without_addresses
from newsletter.send.transports import sendgrid_lists
from newsletter.send.transports.sendgrid_client import Api
from newsletter.send.transports.sendgrid_request import (
    MOST,
    Content,
    Row,
    content_of,
    groups_of,
    parts_of,
    request_of,
    row_of,
)
from subscribers.model import SuppressionCause

_HOSTS: Final = {"": "https://api.sendgrid.com", "eu": "https://api.eu.sendgrid.com"}
_FEW: Final = 10  #: recipients of a request after one whose answer was unclear
_MOST_UNCLEAR: Final = 3  #: requests in a row
_MOST_REFUSED: Final = 10  #: recipients of a request, while none of it was accepted
_LONGEST_WAIT_S: Final = 3600
_ABOUT_A_ROW: Final = re.compile(r"personalizations\.(\d+)(?:\.|$)")


@dataclass(frozen=True, kw_only=True)
class _Told:
    """The outcomes of one request and what it says about the account."""

    outcomes: list[Outcome] = field(default_factory=list)
    problem: TransportProblem | None = None


@dataclass(kw_only=True)
class _Trial:
    """How the recipients of one letter fare, so that what is wrong with all of them is not laid upon each."""

    accepted: int = 0
    refused: int = 0


class SendGrid:
    """At most ``parallel`` requests at once. ``base_url`` replaces SendGrid's own, ``region``: ``eu``.

    Raises ConfigError for what cannot be an API key.
    """

    name = "sendgrid"
    window = MOST

    def __init__(
        self,
        api_key: str,
        *,
        base_url: str = "",
        region: str = "",
        parallel: int = 2,
        timeout_s: float = 60.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not re.fullmatch(r"[!-~]+", api_key):
            raise ConfigError("The API key of SendGrid has characters that no such key has.")
        self.host = base_url.rstrip("/") or _HOSTS[region]
        self.in_hand = MOST * parallel
        self._parallel = parallel
        self._clock = clock
        self._most = MOST  # recipients of the next request
        self._unclear = 0
        self._content = lru_cache(maxsize=64)(content_of)
        self._api = Api(api_key, self.host, timeout_s)

    def hand_over(self, envelopes: Iterable[Envelope]) -> Iterator[Outcome]:
        """See :class:`newsletter.send.ports.Transport`."""
        source = iter(envelopes)
        problem: BaseException | None = None
        with ThreadPoolExecutor(self._parallel, thread_name_prefix="sendgrid") as pool:
            running: set[Future[_Told]] = set()
            flying: dict[Future[_Told], int] = {}
            pulling = True
            while pulling or running:
                while pulling and sum(flying.values()) + self._most <= self.in_hand:
                    if flying and self._most < MOST:
                        break  # one at a time, until an answer is clear again
                    wanted = self._most
                    pulled: list[Envelope] = []
                    try:
                        for envelope in islice(source, wanted):
                            pulled.append(envelope)
                    except Exception as error:
                        pulling, problem = False, error
                    if len(pulled) < wanted:
                        pulling = False
                    for group in groups_of(pulled):
                        future = pool.submit(self._send, group)
                        running.add(future)
                        flying[future] = len(group)
                if not running:
                    break
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    told = future.result()
                    if told.problem is not None:
                        pulling, problem = False, problem or told.problem
                    yield from told.outcomes
                    del flying[future]
        if problem is not None:
            raise problem

    def suppressions(self) -> Iterator[Sequence[tuple[str, SuppressionCause | None]]]:
        """See :class:`newsletter.send.ports.KnowsSuppressions`."""
        return sendgrid_lists.read(self._api.client)

    def close(self) -> None:
        """Nothing to close: every request has its own connection."""

    def _send(self, group: Sequence[Envelope]) -> _Told:
        """Everything of one letter. Never raises: who pulled the envelopes waits for each outcome."""
        outcomes: list[Outcome] = []
        rows: list[Row] = []
        try:
            content = self._content(group[0].letter)
        except Invalid as invalid:
            problem = TransportProblem(invalid.message, hint=invalid.hint)
            return _Told(outcomes=_all(group, Verdict.UNSENT), problem=problem)
        for envelope in group:
            try:
                rows.append(row_of(envelope, content))
            except Invalid as invalid:
                outcomes += _all([envelope], Verdict.FAILED, code="invalid", reason=invalid.message)
        trial = _Trial()
        problem_found: TransportProblem | None = None
        for part in parts_of(content, rows):
            if problem_found is not None:
                outcomes += _each(part, Verdict.UNSENT)
                continue
            try:
                told = self._post(content, part, trial)
            except Exception as error:  # a bug: nobody can say how far it came
                reason = "An error of this program."
                told = _Told(
                    outcomes=_each(part, Verdict.UNKNOWN, reason=reason),
                    problem=TransportProblem(f"Sending failed by an error of this program: {error!r}."),
                )
            problem_found = told.problem
            if problem_found is not None and not trial.accepted and trial.refused >= _MOST_REFUSED:
                # It was not about those who were refused: they wait with the others.
                outcomes += [
                    Outcome(key=one.key, verdict=Verdict.UNSENT) if one.verdict is Verdict.FAILED else one
                    for one in told.outcomes
                ]
            else:
                outcomes += told.outcomes
        return _Told(outcomes=outcomes, problem=problem_found)

    def _post(self, content: Content, rows: Sequence[Row], trial: _Trial) -> _Told:
        try:
            answer = self._api.post(request_of(content, rows))
        except URLError:
            # The request did not leave whole, so nothing was done with it.
            problem = TransportBusy("SendGrid cannot be reached.", hint="It is tried again.")
            return _Told(outcomes=_each(rows, Verdict.UNSENT), problem=problem)
        except (OSError, HTTPException) as error:
            return self._lost(rows, f"SendGrid did not answer ({type(error).__name__}).")
        return self._understood(content, rows, trial, answer.status_code, answer.body, answer.headers or {})

    def _understood(
        self,
        content: Content,
        rows: Sequence[Row],
        trial: _Trial,
        status: int,
        answer: bytes,
        headers: Mapping[str, str],
    ) -> _Told:
        if status == 202:
            trial.accepted += len(rows)
            self._most, self._unclear = min(MOST, self._most * 10), 0
            provider_id = _header(headers, "x-message-id")
            return _Told(outcomes=_each(rows, Verdict.ACCEPTED, code="202", provider_id=provider_id))
        if status >= 500 or status < 300:
            return self._lost(rows, "SendGrid gave no clear answer.", code=str(status))
        words, named, about_rows = _words(answer, len(rows))
        if status == 413 or (status == 400 and about_rows):
            return self._apart(content, rows, trial, named, code=str(status), words=words)
        if status in (408, 429):
            wait_s = self._wait_s(headers)
            problem: TransportProblem = TransportBusy(
                f"SendGrid asks us to wait {wait_s} seconds.", hint="It is tried again then.", wait_s=wait_s
            )
        else:
            problem = _refuses(status, words)
        return _Told(outcomes=_each(rows, Verdict.UNSENT), problem=problem)

    def _apart(
        self,
        content: Content,
        rows: Sequence[Row],
        trial: _Trial,
        named: frozenset[int],
        *,
        code: str,
        words: str,
    ) -> _Told:
        """A request that was refused for some of its recipients: those fail alone, all others go.

        Those whom the answer names are tried by themselves, after the others; where it names nobody, the
        request is halved until one is left.
        """
        if len(rows) == 1:
            trial.refused += 1
            return _Told(outcomes=_each(rows, Verdict.FAILED, code=code, reason=words))
        if named and len(named) < len(rows):
            others = [row for index, row in enumerate(rows) if index not in named]
            parts: list[Sequence[Row]] = [others, *([rows[index]] for index in sorted(named))]
        else:
            parts = [rows[: len(rows) // 2], rows[len(rows) // 2 :]]
        outcomes: list[Outcome] = []
        problem: TransportProblem | None = None
        for part in parts:
            if problem is None and not trial.accepted and trial.refused >= _MOST_REFUSED:
                problem = _refuses(code, words)
            if problem is not None:
                outcomes += _each(part, Verdict.UNSENT)
                continue
            told = self._post(content, part, trial)
            outcomes += told.outcomes
            problem = told.problem
        return _Told(outcomes=outcomes, problem=problem)

    def _lost(self, rows: Sequence[Row], reason: str, *, code: str = "") -> _Told:
        """Nobody can say whether these are sent. The next request is a small one, and not at once."""
        self._most = _FEW
        self._unclear += 1
        if self._unclear >= _MOST_UNCLEAR:
            self._unclear = 0
            problem: TransportProblem = TransportProblem(
                f"{reason} That is so again and again.",
                hint="Look at SendGrid's status page, and resume the issue when it works again.",
            )
        else:
            problem = TransportBusy(reason, hint="It is tried again with others; these wait for its events.")
        return _Told(outcomes=_each(rows, Verdict.UNKNOWN, code=code, reason=reason), problem=problem)

    def _wait_s(self, headers: Mapping[str, str]) -> int:
        reset, after = _header(headers, "x-ratelimit-reset"), _header(headers, "retry-after")
        if reset.isdecimal():
            return min(max(1, int(reset) - int(self._clock())), _LONGEST_WAIT_S)
        return min(max(1, int(after)), _LONGEST_WAIT_S) if after.isdecimal() else 60


def _refuses(status: int | str, words: str) -> TransportProblem:
    return TransportProblem(
        f"SendGrid refuses to send: {status} {words}".strip(),
        hint="Nothing was lost. Mend this, then resume the issue.",
    )


def _header(headers: Mapping[str, str], wanted: str) -> str:
    return next((value for name, value in headers.items() if name.lower() == wanted), "")


def _each(
    rows: Iterable[Row], verdict: Verdict, *, code: str = "", reason: str = "", provider_id: str = ""
) -> list[Outcome]:
    envelopes = (row.envelope for row in rows)
    return _all(envelopes, verdict, code=code, reason=reason, provider_id=provider_id)


def _all(
    envelopes: Iterable[Envelope],
    verdict: Verdict,
    *,
    code: str = "",
    reason: str = "",
    provider_id: str = "",
) -> list[Outcome]:
    return [
        Outcome(key=envelope.key, verdict=verdict, code=code, reason=reason, provider_id=provider_id)
        for envelope in envelopes
    ]


def _words(answer: bytes, count: int) -> tuple[str, frozenset[int], bool]:
    """What an error answer says, without addresses; the places of the recipients that it names; and whether
    it is about recipients at all, or says so little that it may be."""
    try:
        errors = json.loads(answer)["errors"]
        words = "; ".join(str(error.get("message", "")) for error in errors)
        fields = [str(error.get("field") or "") for error in errors]
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", frozenset(), False
    found = [_ABOUT_A_ROW.match(name) for name in fields]
    named = frozenset(int(match[1]) for match in found if match and int(match[1]) < count)
    about_rows = all(not name or name.startswith("personalizations") for name in fields)
    return without_addresses(words), named, about_rows
