"""What is known of one person, as one story, newest first: what they agreed to, chose and did, what was sent,
and what was told of it. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from newsletter.learn.words import explained
from newsletter.model.event import Event, EventKind
from newsletter.model.notice import Notice, NoticeKind, NoticeState
from newsletter.model.tracking import Reading
from subscribers.happenings import Happening, What
from subscribers.model import Consent, ConsentKind, Suppression, SuppressionCause
from subscribers.requests import Request, RequestKind
from subscribers.tracking import Agreed


@dataclass(frozen=True, kw_only=True)
class Happened:
    """``what`` and ``because`` are for people. ``issue_id`` is 0 where it is about no issue; ``raw`` is the
    provider's own report."""

    at: datetime
    what: str
    because: str = ""
    issue_id: int = 0
    raw: str = ""


def story(
    *,
    consents: Iterable[Consent] = (),
    agreed: Iterable[Agreed] = (),
    requests: Iterable[Request] = (),
    suppressions: Iterable[Suppression] = (),
    happenings: Sequence[Happening] = (),
    sent: Iterable[Happened] = (),
    notices: Iterable[Notice] = (),
    told: Iterable[tuple[Event, str]] = (),
    read: Iterable[Reading] = (),
) -> Sequence[Happened]:
    """One list of all that happened. ``sent`` are the issues; the rest is as the store has it."""
    known = {one.at for one in happenings}
    found = [
        *(_consent(one) for one in consents),
        *(each for one in agreed for each in _agreed(one)),
        *(_request(one) for one in requests),
        *(_suppression(one) for one in suppressions if one.at not in known),
        *(_happening(one) for one in happenings),
        *sent,
        *(_notice(one) for one in notices if one.kind in _NOTICES),
        *(_told(event, raw) for event, raw in told),
        *(_reading(one) for one in read),
    ]
    return sorted(found, key=lambda one: one.at)[::-1]


_CONSENTS: Final = {
    ConsentKind.EXPRESS: "Asked for the newsletter",
    ConsentKind.IMPLIED: "Consent is implied",
    ConsentKind.UNKNOWN: "Came without proof of consent",
}


def _consent(one: Consent) -> Happened:
    return Happened(at=one.at, what=_CONSENTS[one.kind], because=_where(one.source, one.origin))


def _where(source: str, origin: str) -> str:
    imported = f"from the file {source[8:]}" if source.startswith("import: ") else source
    said = _SOURCES.get(source, imported)
    return ", ".join(part for part in (said, f"network {origin}" if origin else "") if part)


_SOURCES: Final = {
    "author": "you added them",
    "form: page": "on the sign-up page",
    "form: embed": "by the form on another page",
    "form: json": "by the JSON endpoint",
    "form: preferences": "on their preferences page",
    "form: address": "on their own page",
}


def _agreed(one: Agreed) -> Iterator[Happened]:
    where = _where(one.source, one.origin)
    yield Happened(at=one.at, what="Agreed that their own opens and clicks are kept", because=where)
    if one.withdrawn_at is not None:
        yield Happened(at=one.withdrawn_at, what="No longer agrees that their opens and clicks are kept")


_REQUESTS: Final = {
    RequestKind.SIGN_UP: "Somebody signed this address up, and a message asked whether that is right",
    RequestKind.ADDRESS: "Wants their mail at another address, and a message asked there",
}


def _request(one: Request) -> Happened:
    return Happened(at=one.at, what=_REQUESTS[one.kind], because=_where(one.form.source, one.form.origin))


_NOTICES: Final = {
    NoticeKind.CONFIRM: "The message that asks to confirm",
    NoticeKind.WELCOME: "The message that welcomes",
    NoticeKind.ADDRESS_CHANGE: "The message that asks at the new address",
    NoticeKind.SUBSCRIBER_LINK: "The message with a link to their own page",
}
_BECAME: Final = {
    NoticeState.PENDING: "waits to be sent",
    NoticeState.SUBMITTING: "is being handed over",
    NoticeState.ACCEPTED: "was sent",
    NoticeState.FAILED: "could not be sent",
    NoticeState.UNKNOWN: "may or may not have arrived",
}


def _notice(one: Notice) -> Happened:
    words = " ".join(part for part in (explained(one.code), one.code, one.reason) if part)
    return Happened(
        at=one.sent_at or one.created_at,
        what=f"{_NOTICES[one.kind]} {_BECAME[one.state]}",
        because="" if one.state is NoticeState.ACCEPTED else words,
    )


_SUPPRESSED: Final = {
    SuppressionCause.UNSUBSCRIBED: "Unsubscribed",
    SuppressionCause.BOUNCED: "The address bounced for good",
    SuppressionCause.COMPLAINED: "Reported a message as spam",
    SuppressionCause.MANUAL: "You chose never to mail them",
    SuppressionCause.ERASED: "Was erased before",
}


def _suppression(one: Suppression) -> Happened:
    return Happened(at=one.at, what=_SUPPRESSED[one.cause], because=one.reason)


_HAPPENED: Final = {
    What.NAMED: "Changed their name",
    What.MOVED: "Moved to another address",
    What.RESUMED: "Ended the pause",
    What.UNSUBSCRIBED: "Unsubscribed",
    What.EXPLAINED: "Said why they left",
    What.CAME_BACK: "Took the unsubscription back",
    What.BOUNCED: "Nothing goes to this address any more: it bounced",
    What.COMPLAINED: "Nothing goes to them any more: they reported a message as spam",
    What.SUPPRESSED: "You chose never to mail them",
    What.LIFTED: "You let mail go to them again",
}
_OFTEN: Final = {
    "": "as the newsletter does",
    "each": "with each post",
    "daily": "once a day",
    "weekly": "once a week",
    "monthly": "once a month",
}
_WAYS: Final = {
    "": "by the link or button of a message",
    "mail": "by an answer to the address for that",
    "by the author": "by you",
    "sendgrid": "told by SendGrid",
}
_REASONS: Final = {
    "often": "too often",
    "interest": "no longer interested",
    "never": "never signed up",
    "layout": "hard to read",
    "other": "another reason",
}


def _happening(one: Happening) -> Happened:
    detail = one.detail
    if one.what is What.HOW_OFTEN:
        return Happened(at=one.at, what=f"Chose to hear {_OFTEN.get(detail, detail)}")
    if one.what is What.TOPICS:
        return Happened(at=one.at, what=f"Wants nothing on {detail}" if detail else "Wants every topic")
    if one.what is What.PAUSED:
        return Happened(at=one.at, what=f"Paused until {detail.partition('T')[0]}")
    because = detail
    if one.what is What.UNSUBSCRIBED:
        because = _WAYS.get(detail, detail)
    elif one.what is What.EXPLAINED:
        because = _REASONS.get(detail, detail)
    elif one.what in (What.BOUNCED, What.COMPLAINED):
        because = explained(detail) or _WAYS.get(detail, detail)
    elif one.what in (What.SUPPRESSED, What.LIFTED):
        because = ""
    return Happened(at=one.at, what=_HAPPENED[one.what], because=because)


_TOLD: Final = {
    EventKind.PROCESSED: "was taken by the provider",
    EventKind.DEFERRED: "was put off by their server",
    EventKind.DELIVERED: "was delivered",
    EventKind.BOUNCED: "came back for good",
    EventKind.SOFT_BOUNCED: "came back for now",
    EventKind.BLOCKED: "was refused",
    EventKind.DROPPED: "was not sent by the provider",
    EventKind.COMPLAINED: "was reported as spam",
    EventKind.UNSUBSCRIBED: "made them unsubscribe",
}
_FROM: Final = {"sendgrid": "SendGrid", "mail": "mail that came to you"}


def _told(event: Event, raw: str) -> Happened:
    about = f"Issue {event.issue_id}" if event.issue_id else "A message"
    words = " ".join(part for part in (explained(event.code), event.code, event.reason) if part)
    told_by = f"told by {_FROM.get(event.provider, event.provider)}"
    return Happened(
        at=event.at,
        what=f"{about} {_TOLD[event.kind]}",
        because=f"{words} ({told_by})" if words else told_by[:1].upper() + told_by[1:],
        issue_id=event.issue_id,
        raw=_pretty(raw),
    )


def _pretty(raw: str) -> str:
    try:
        return json.dumps(json.loads(raw), ensure_ascii=False, indent=2)
    except ValueError:
        return raw


def _reading(one: Reading) -> Happened:
    address = one.url.partition("://")[2].removeprefix("www.")
    what = f"Followed {address}" if one.url else f"Opened issue {one.issue_id}"
    times = f"{one.times:,} times, first on {one.first_at:%Y-%m-%d}" if one.times > 1 else ""
    return Happened(at=one.last_at, what=what, because=times, issue_id=one.issue_id)
