"""SendGrid: one request for up to 1,000 recipients of the same content, by the official client.

Limits and behaviour are those of https://www.twilio.com/docs/sendgrid/api-reference/mail-send. A 202 means
queued. There is no idempotency key: a request that left whole and got no clear answer is unknown, until
events settle it.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from hashlib import sha256
from html import escape
from itertools import islice
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

import sendgrid
from python_http_client.client import Client

from newsletter.errors import Invalid, TransportProblem
from newsletter.guard.headers import header, vet_address
from newsletter.model.artefact import Segment
from newsletter.model.delivery import Envelope, Letter, Outcome, Verdict
from newsletter.model.privacy import without_addresses
from newsletter.send.ports import TransportBusy
from newsletter.send.transports import sendgrid_lists
from subscribers.model import SuppressionCause

MOST: Final = 1000  #: personalizations in one request
_MOST_BYTES: Final = 10_000  #: of substitutions, or custom arguments, of one personalization
_HOSTS: Final = {"": "https://api.sendgrid.com", "eu": "https://api.eu.sendgrid.com"}
KEY_ARG: Final = "newsletter_key"  #: "issue.number": opaque, and prefixed since SendGrid's own names win
ATTEMPT_ARG: Final = "newsletter_attempt"

# Its debug lines hold the API key and every recipient.
logging.getLogger("python_http_client.client").setLevel(logging.WARNING)


class _NoRedirect(HTTPRedirectHandler):
    """A redirect would carry the API key to another host."""

    def redirect_request(self, *_: Any) -> None:
        return None


class _Client(Client):  # type: ignore[misc]  # the library has no type information
    """The official client, which follows no redirect and gives every answer back as it came."""

    def _build_client(self, name: str | None = None) -> _Client:
        return _Client(
            host=self.host,
            version=self._version,
            request_headers=dict(self.request_headers),
            url_path=[*self._url_path, name] if name else self._url_path,
            timeout=self.timeout,
        )

    def _make_request(self, opener: OpenerDirector, request: Request, timeout: float | None = None) -> Any:
        try:
            return build_opener(_NoRedirect).open(request, timeout=timeout or self.timeout)
        except HTTPError as answer:
            return answer


@dataclass(frozen=True, kw_only=True)
class _Told:
    """The outcomes of one request and what it says about the account."""

    outcomes: list[Outcome]
    problem: TransportProblem | None = None


class SendGrid:
    """At most ``parallel`` requests at once. ``base_url`` replaces SendGrid's own, ``region``: ``eu``."""

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
        host = base_url.rstrip("/") or _HOSTS[region]
        self.in_hand = MOST * parallel
        self._parallel = parallel
        self._clock = clock
        self._api = sendgrid.SendGridAPIClient(api_key=api_key, host=host)
        self._api.client = _Client(
            host=host, request_headers=self._api._default_headers, version=3, timeout=timeout_s
        )

    def hand_over(self, envelopes: Iterable[Envelope]) -> Iterator[Outcome]:
        """See :class:`newsletter.send.ports.Transport`."""
        source = iter(envelopes)
        problem: BaseException | None = None
        with ThreadPoolExecutor(self._parallel, thread_name_prefix="sendgrid") as pool:
            running: set[Future[_Told]] = set()
            flying: dict[Future[_Told], int] = {}
            pulling = True
            while pulling or running:
                while pulling and sum(flying.values()) + MOST <= self.in_hand:
                    pulled: list[Envelope] = []
                    try:
                        for envelope in islice(source, MOST):
                            pulled.append(envelope)
                    except Exception as error:
                        pulling, problem = False, error
                    if len(pulled) < MOST:
                        pulling = False
                    for group in _requests(pulled):
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

    def suppressions(self) -> Iterator[Sequence[tuple[str, SuppressionCause]]]:
        """See :class:`newsletter.send.ports.KnowsSuppressions`."""
        return sendgrid_lists.read(self._api.client)

    def close(self) -> None:
        """Nothing to close: every request has its own connection."""

    def _send(self, group: Sequence[Envelope]) -> _Told:
        outcomes: list[Outcome] = []
        mailable: list[tuple[Envelope, dict[str, Any]]] = []
        content = _content(group[0].letter)
        for envelope in group:
            try:
                mailable.append((envelope, _personalization(envelope, content)))
            except Invalid as invalid:
                outcomes.append(
                    Outcome(key=envelope.key, verdict=Verdict.FAILED, code="invalid", reason=invalid.message)
                )
        told = self._post(content.body, mailable) if mailable else _Told(outcomes=[])
        return _Told(outcomes=outcomes + told.outcomes, problem=told.problem)

    def _post(self, body: dict[str, Any], rows: Sequence[tuple[Envelope, dict[str, Any]]]) -> _Told:
        try:
            answer = self._api.send({**body, "personalizations": [row for _, row in rows]})
        except URLError:
            # The request did not leave whole, so nothing was done with it.
            problem = TransportBusy("SendGrid cannot be reached.", hint="It is tried again.")
            return _Told(outcomes=_all(rows, Verdict.UNSENT), problem=problem)
        except OSError as error:
            reason = f"SendGrid did not answer ({type(error).__name__})."
            return _Told(outcomes=_all(rows, Verdict.UNKNOWN, reason=reason))
        return self._understood(body, rows, answer.status_code, answer.body, dict(answer.headers or {}))

    def _understood(
        self,
        body: dict[str, Any],
        rows: Sequence[tuple[Envelope, dict[str, Any]]],
        status: int,
        answer: bytes,
        headers: dict[str, str],
    ) -> _Told:
        if status == 202:
            provider_id = next((v for k, v in headers.items() if k.lower() == "x-message-id"), "")
            return _Told(outcomes=_all(rows, Verdict.ACCEPTED, code="202", provider_id=provider_id))
        if status >= 500:
            reason = "SendGrid answered with an error of its own."
            return _Told(outcomes=_all(rows, Verdict.UNKNOWN, code=str(status), reason=reason))
        words, about_row = _words(answer)
        if status in (400, 413) and (about_row or status == 413):
            if len(rows) > 1:
                half = len(rows) // 2
                first = self._post(body, rows[:half])
                if first.problem is not None:
                    rest = _all(rows[half:], Verdict.UNSENT)
                    return _Told(outcomes=first.outcomes + rest, problem=first.problem)
                second = self._post(body, rows[half:])
                return _Told(outcomes=first.outcomes + second.outcomes, problem=second.problem)
            return _Told(outcomes=_all(rows, Verdict.FAILED, code=str(status), reason=words))
        if status == 429:
            reset = next((v for k, v in headers.items() if k.lower() == "x-ratelimit-reset"), "")
            wait_s = max(1, int(reset) - int(self._clock())) if reset.isdigit() else 60
            problem: TransportProblem = TransportBusy(
                f"SendGrid asks us to wait {wait_s} seconds.", hint="It is tried again then."
            )
        else:
            problem = TransportProblem(
                f"SendGrid refuses to send: {status} {words}".strip(),
                hint="Nothing was lost. Mend this, then resume the issue.",
            )
        return _Told(outcomes=_all(rows, Verdict.UNSENT), problem=problem)


@dataclass(frozen=True, kw_only=True)
class _Content:
    """What all recipients of a letter share. ``tags`` maps (slot, html) to its substitution tag."""

    body: dict[str, Any]
    tags: dict[tuple[str, bool], str]
    mark: str
    headers: dict[str, str] = field(default_factory=dict)


def _content(letter: Letter) -> _Content:
    mark = f"%nl{sha256(letter.id.encode()).hexdigest()[:10]}"
    tags: dict[tuple[str, bool], str] = {}

    def text_of(segments: Iterable[Segment], html: bool) -> str:
        return "".join(
            tags.setdefault((s.text, html), f"{mark}-{s.text}-{'h' if html else 't'}%") if s.slot else s.text
            for s in segments
        )

    headers = dict(letter.headers)
    for name, value in headers.items():
        header(name, value)
    body: dict[str, Any] = {
        "from": {
            "email": letter.sender.address,
            **({"name": letter.sender.name} if letter.sender.name else {}),
        },
        "subject": letter.subject,
        "content": [
            {"type": "text/plain", "value": text_of(letter.text, False)},
            {"type": "text/html", "value": text_of(letter.html, True)},
        ],
        "tracking_settings": {
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": {"enable": False},
            "subscription_tracking": {"enable": False},
            "ganalytics": {"enable": False},
        },
    }
    if letter.reply_to:
        body["reply_to"] = {"email": letter.reply_to}
    return _Content(body=body, tags=tags, mark=mark, headers=headers)


def _personalization(envelope: Envelope, content: _Content) -> dict[str, Any]:
    """Raises Invalid for a recipient whose values SendGrid would not take."""
    substitutions: dict[str, str] = {}
    for (slot, html), tag in content.tags.items():
        value = envelope.values[slot]
        if content.mark in value:
            raise Invalid("A value of this subscriber looks like one of our own marks.")
        substitutions[tag] = escape(value) if html else value
    for name, value in envelope.headers:
        header(name, value)
    if sum(len(tag) + len(value.encode()) for tag, value in substitutions.items()) > _MOST_BYTES:
        raise Invalid("The values of this subscriber are longer than SendGrid takes.")
    address = vet_address(envelope.to)
    if not address.isascii():
        raise Invalid("SendGrid cannot take addresses with letters beyond ASCII.")
    return {
        "to": [{"email": address}],
        "substitutions": substitutions,
        "headers": {**content.headers, **dict(envelope.headers), "Message-ID": envelope.message_id},
        "custom_args": {
            KEY_ARG: f"{envelope.key.issue_id}.{envelope.key.number}",
            ATTEMPT_ARG: str(envelope.attempt_id),
        },
    }


def _requests(pulled: Iterable[Envelope]) -> list[list[Envelope]]:
    """One group per letter, in each of which an address stands once (SendGrid refuses repeated ones)."""
    groups: list[tuple[str, set[str], list[Envelope]]] = []
    for envelope in pulled:
        address = envelope.to.casefold()
        for letter_id, addresses, group in groups:
            if letter_id == envelope.letter.id and address not in addresses:
                addresses.add(address)
                group.append(envelope)
                break
        else:
            groups.append((envelope.letter.id, {address}, [envelope]))
    return [group for _, _, group in groups]


def _all(
    rows: Iterable[tuple[Envelope, object]],
    verdict: Verdict,
    *,
    code: str = "",
    reason: str = "",
    provider_id: str = "",
) -> list[Outcome]:
    return [
        Outcome(key=envelope.key, verdict=verdict, code=code, reason=reason, provider_id=provider_id)
        for envelope, _ in rows
    ]


def _words(answer: bytes) -> tuple[str, bool]:
    """What an error answer says, without addresses, and whether it is about a recipient."""
    try:
        errors = json.loads(answer)["errors"]
        words = "; ".join(str(error.get("message", "")) for error in errors)
        fields = [str(error.get("field") or "") for error in errors]
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", False
    about_row = bool(fields) and all(name.startswith("personalizations") for name in fields)
    return without_addresses(words), about_row
