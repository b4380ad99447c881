"""How numbers, times and states read on pages. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Final

from newsletter.model.feed import PollResult
from newsletter.model.issue import Issue, IssueState
from newsletter.model.post import PostState
from subscribers.model import Cadence, SubscriberState

ISSUE_STATES: Final[Mapping[IssueState, str]] = {
    IssueState.DRAFT: "Draft",
    IssueState.APPROVED: "Approved",
    IssueState.SENDING: "Being sent",
    IssueState.PAUSED: "Paused",
    IssueState.FINISHED: "Sent",
    IssueState.CANCELLED: "Cancelled",
}

POST_STATES: Final[Mapping[PostState, str]] = {
    PostState.BASELINE: "Already there",
    PostState.SETTLING: "Waiting for your corrections",
    PostState.READY: "Ready",
    PostState.HELD: "Held",
    PostState.SKIPPED: "Skipped",
    PostState.GONE: "Gone from the blog",
}

SUBSCRIBER_STATES: Final[Mapping[SubscriberState, str]] = {
    SubscriberState.ACTIVE: "Active",
    SubscriberState.UNCONFIRMED: "Not confirmed yet",
    SubscriberState.UNSUBSCRIBED: "Unsubscribed",
    SubscriberState.BOUNCED: "Bounced",
    SubscriberState.COMPLAINED: "Complained",
    SubscriberState.ERASED: "Erased",
}

POLL_RESULTS: Final[Mapping[PollResult, str]] = {
    PollResult.UNCHANGED: "Nothing new",
    PollResult.READ: "Read",
    PollResult.FAILED: "Failed",
    PollResult.GONE: "The feed has ended",
}

CADENCES: Final[Mapping[Cadence, str]] = {
    Cadence.EACH: "Each post",
    Cadence.DAILY: "Daily",
    Cadence.WEEKLY: "Weekly",
    Cadence.MONTHLY: "Monthly",
}

DONE: Final[Mapping[str, str]] = {
    "saved": "Your changes are saved. The preview shows the email as it will be sent.",
    "look-again": "The email changed since you last saw it, so it is not approved yet. "
    "Look at the preview once more, then approve.",
    "look-again-whom": "For whom it is was changed just now, so it is not approved yet. "
    "Look at how many it reaches, then approve.",
    "segment-saved": "The segment is saved. A draft can go to it alone: “For whom”, on its page.",
    "segment-removed": "The segment is removed. Nobody in it changed.",
    "test": "The test was handed over. It looks exactly like the issue and counts nowhere.",
    "test-waits": "The test waits, and goes out by itself as soon as the way that mail is sent takes it.",
    "links": "Every link and picture was asked just now. The checklist says what came back.",
    "no-links": "There is no link and no picture in it to ask.",
    "approved": "Approved. Sending starts by itself when its time comes; until then you can take it back.",
    "approved-now": "Approved. It is being sent.",
    "unapproved": "It is a draft again. Nothing is sent until you approve it.",
    "cancelled": "Cancelled. Whoever has it already keeps it; nobody else receives it.",
    "cancelled-draft": "Cancelled. Nobody receives it, and its posts are not mailed by themselves.",
    "stopped": "Stopped. It is a draft and waits until you approve it.",
    "paused": "Paused. What was already handed over cannot be called back; nothing else goes out.",
    "resumed": "Sending goes on.",
    "retry": "The failed ones are tried once more.",
    "held": "Those that may or may not have arrived stay as they are. Nobody receives the issue twice.",
    "resent": "Those that may or may not have arrived are sent once more. Some people may receive it twice.",
    "released": "Released. It goes into the next draft, which you approve as always.",
    "released-now": "Released. Its draft is being made and appears here; you approve it as always.",
    "released-told": "Released. Its draft is being made; you are told by mail and approve it as always.",
    "skipped": "Skipped. This post is not mailed unless you release it.",
    "feed-added": "The feed is added. What is there already is not mailed; the next new post is.",
    "feed-removed": "The feed is no longer looked at. Its posts stay remembered: none is mailed twice.",
    "full-text": "From now on, a post that comes as a summary is completed from its page. "
    "Those that wait are completed at the next look.",
    "feed-text": "From now on, posts are taken as the feed gives them.",
    "looked": "Looked just now. The log below says what came back.",
    "looked-told": "Looked just now.",
    "settings": "Saved. It holds from now on.",
    "settings-lacking": "Saved. Nothing can be sent until From and the postal address are both set.",
    "password": "The password is set. Every other browser is signed out.",
    "session-closed": "That browser is signed out.",
    "database-accepted": "This database is taken for the right one. What was paused goes on when you say so.",
    "added": "Added. The next issue goes to them too.",
    "already": "This address was on the list already; nothing changed.",
    "unsubscribed": "Unsubscribed. No further issue goes to them.",
    "suppressed": "Never mailed again, whatever is imported. Only you can lift that.",
    "import-cancelled": "Cancelled. Its file is deleted, and no further row is brought in.",
    "erased": "Erased here. Now delete the address at whoever hands your mail over, and old backups: "
    "they may still hold it.",
    "many": "Done. It can be taken back here for 30 days.",
    "undone": "Taken back. Whoever did something since stays as they are.",
    "lifted": "Lifted. What is written above says whether mail goes to them again.",
    "set-up": "That is all. When the blog has a new post, its draft appears here and you are told by mail.",
}
"""What a page says after a button was pressed: what happened, and what happens next."""


def approved(issue: Issue, now: datetime) -> str:
    """The name in DONE of what follows an approval: sent at once, or at its time."""
    waits = issue.state is IssueState.APPROVED and issue.send_at is not None and issue.send_at > now
    return "approved" if waits else "approved-now"


def stopped(issue: Issue) -> str:
    """The name in DONE of what a stopped issue is now: one that was being sent is paused."""
    return "paused" if issue.state is IssueState.PAUSED else "stopped"


def when(moment: datetime, now: datetime, zone: tzinfo) -> str:
    """``today 14:05``, ``Mon 3 February 14:05``, ``3 February 2025``; times in ``zone``."""
    local, today = moment.astimezone(zone), now.astimezone(zone).date()
    days = (local.date() - today).days
    clock = f"{local:%H:%M}"
    near = {-1: "yesterday", 0: "today", 1: "tomorrow"}.get(days)
    if near:
        return f"{near} {clock}"
    if abs(days) < 7:
        return f"{local:%a} {local.day} {local:%B} {clock}"
    if local.year == today.year:
        return f"{local.day} {local:%B} {clock}"
    return f"{local.day} {local:%B} {local.year}"


def day(moment: datetime, now: datetime, zone: tzinfo) -> str:
    """``today``, ``yesterday``, ``3 February``, ``3 February 2025``."""
    local, today = moment.astimezone(zone).date(), now.astimezone(zone).date()
    near = {-1: "yesterday", 0: "today", 1: "tomorrow"}.get((local - today).days)
    if near:
        return near
    return f"{local.day} {local:%B}" if local.year == today.year else f"{local.day} {local:%B} {local.year}"


def until(moment: datetime, now: datetime) -> str:
    """``in 12 minutes``, ``5 minutes ago``, ``now``."""
    seconds = (moment - now).total_seconds()
    amount = _amount(timedelta(seconds=abs(seconds)))
    if not amount:
        return "now"
    return f"in {amount}" if seconds > 0 else f"{amount} ago"


def _amount(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    if minutes < 1:
        return ""
    if minutes < 90:
        return count(minutes, "minute")
    hours = round(minutes / 60)
    return count(hours, "hour") if hours < 36 else count(round(hours / 24), "day")


def clock(moment: datetime, span: timedelta, zone: tzinfo) -> str:
    """A time on an axis that is ``span`` long: ``14:05:09``, ``14:05``, ``3 February 14:05``."""
    local = moment.astimezone(zone)
    if span < timedelta(minutes=10):
        return f"{local:%H:%M:%S}"
    if span < timedelta(hours=20):
        return f"{local:%H:%M}"
    return f"{local.day} {local:%B} {local:%H:%M}"


def lasting(seconds: float) -> str:
    """``less than a minute``, ``12 minutes``, ``3 hours``, ``5 days``."""
    return _amount(timedelta(seconds=max(0.0, seconds))) or "less than a minute"


def span(seconds: float) -> str:
    """A round length of time: ``second``, ``10 seconds``, ``minute``, ``2 hours``."""
    for length, noun in ((604_800, "week"), (86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= length and seconds % length == 0:
            return noun if seconds == length else f"{seconds // length:.0f} {noun}s"
    return f"{seconds:.0f} seconds"


def number(value: int) -> str:
    """``1,204``."""
    return f"{value:,}"


def count(value: int, noun: str, plural: str = "") -> str:
    """``1 post``, ``2 posts``; ``plural`` where an s does not make it."""
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"


def size(octets: int) -> str:
    """``41 KB``: thousands of octets, as mail clients count."""
    return f"{octets:,} bytes" if octets < 1000 else f"{octets / 1000:.0f} KB"


def shortened(url: str, most: int = 80) -> str:
    """An address as people recognise it: ``blog.example.org/2026/11/post…``."""
    shown = url.partition("://")[2].removeprefix("www.").removesuffix("/")
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def browser(agent: str) -> str:
    """``Firefox on Linux`` from a User-Agent; what is unknown is called a browser."""
    names = ("Edg", "OPR", "Firefox", "Chrome", "Safari", "curl")
    titles = {"Edg": "Edge", "OPR": "Opera"}
    systems = ("iPhone", "iPad", "Android", "Windows", "Mac OS", "Linux")
    name = next((titles.get(known, known) for known in names if known in agent), "A browser")
    system = next((known.replace("Mac OS", "macOS") for known in systems if known in agent), "")
    return f"{name} on {system}" if system else name


_COMMAND: Final = re.compile(
    r"[`“]?newsletter (?:init|run|login|tick|settings|feeds|poll|posts|issues|subscribers|doctor)\b"
)
_LEADS_TO_IT: Final = re.compile(r"(?:^|[,;.]) *(?:or )?(?:see|run|mend it|[^,;.]*\bwith)$", re.IGNORECASE)


def for_pages(hint: str) -> str:
    """A hint without the terminal command that it ends with: pages have links and buttons instead."""
    found = _COMMAND.search(hint)
    if found is None:
        return hint
    kept = _LEADS_TO_IT.sub("", hint[: found.start()].rstrip(" :;,(")).rstrip(" :;,(")
    return kept if not kept or kept.endswith(".") else f"{kept}."
