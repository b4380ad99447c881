"""Which service a file comes from, and what its columns and statuses mean here.

A status that is not known never makes anybody active. In a table of nobody's in particular an empty cell
is no status: such a row is read as if the column were not there. Column names are compared without case,
spaces and punctuation. Where a service writes one file per status, the file's own columns or name tell
which it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from subscribers.errors import Invalid
from subscribers.model import SubscriberState

_S = SubscriberState
States = Mapping[str, SubscriberState]

_COMMON: Final[States] = {
    "active": _S.ACTIVE,
    "subscribed": _S.ACTIVE,
    "confirmed": _S.ACTIVE,
    "enabled": _S.ACTIVE,
    "verified": _S.ACTIVE,
    "unconfirmed": _S.UNCONFIRMED,
    "pending": _S.UNCONFIRMED,
    "unverified": _S.UNCONFIRMED,
    "unsubscribed": _S.UNSUBSCRIBED,
    "cancelled": _S.UNSUBSCRIBED,
    "canceled": _S.UNSUBSCRIBED,
    "bounced": _S.BOUNCED,
    "cleaned": _S.BOUNCED,
    "complained": _S.COMPLAINED,
}
_BUTTONDOWN: Final[States] = {
    **dict.fromkeys(
        ("regular", "premium", "gifted", "trialed", "churning", "churned", "pastdue", "unpaid", "paused"),
        _S.ACTIVE,
    ),
    "unactivated": _S.UNCONFIRMED,
    "unsubscribed": _S.UNSUBSCRIBED,
    "removed": _S.UNSUBSCRIBED,
    "blocked": _S.UNSUBSCRIBED,
    "spammy": _S.UNSUBSCRIBED,
    "undeliverable": _S.BOUNCED,
    "complained": _S.COMPLAINED,
}


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """``needs`` are the columns that give it away; ``columns`` say which of them mean what, the first
    that is there counts. ``only`` is the state of everybody in the file. A true ``off`` or a false ``on``
    column is an unsubscription. ``tells`` are columns whose presence gives everybody one state."""

    name: str
    title: str
    needs: frozenset[str] = frozenset()
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    states: States = field(default_factory=lambda: _COMMON)
    only: SubscriberState | None = None
    ended: bool = False  #: the service has long ended, so that nobody on its list was mailed since
    tells: Mapping[str, SubscriberState] = field(default_factory=dict)


OWN: Final = Dialect(
    name="own",
    title="this program",
    needs=frozenset({"address", "state", "consentkind"}),
    columns={
        "address": ("address",),
        "name": ("name",),
        "status": ("state",),
        "suppressed": ("suppressed",),
        "cadence": ("cadence",),
        "topics_off": ("topicsoff",),
        "paused_until": ("pauseduntil",),
        "language": ("language",),
        "tags": ("tags",),
        "joined": ("joinedat",),
        "kind": ("consentkind",),
        "agreed": ("consentat",),
        "source": ("consentsource",),
        "origin": ("consentorigin",),
        "wording": ("consentwording",),
        "expires": ("consentexpiresat",),
        "until": ("consentuntil",),
        "engaged": ("engagedat",),
        "earlier": ("earlierconsents",),
    },
    states={state.value: state for state in _S},
)

KNOWN: Final = (
    OWN,
    Dialect(
        name="mailchimp",
        title="Mailchimp",
        needs=frozenset({"emailaddress", "euid"}),
        columns={
            "address": ("emailaddress",),
            "first": ("firstname",),
            "last": ("lastname",),
            "joined": ("optintime", "confirmtime"),
            "agreed": ("confirmtime",),
            "origin": ("confirmip",),
            "tags": ("tags",),
            "complained": ("unsubreason",),
        },
        tells={"unsubtime": _S.UNSUBSCRIBED, "cleantime": _S.BOUNCED},
    ),
    Dialect(
        name="substack",
        title="Substack",
        needs=frozenset({"email", "emaildisabled"}),
        columns={
            "address": ("email",),
            "name": ("name",),
            "joined": ("createdat",),
            "off": ("emaildisabled",),
        },
    ),
    Dialect(
        name="ghost",
        title="Ghost",
        needs=frozenset({"email", "subscribedtoemails"}),
        columns={
            "address": ("email",),
            "name": ("name",),
            "joined": ("createdat",),
            "tags": ("labels",),
            "on": ("subscribedtoemails",),
        },
    ),
    Dialect(
        name="buttondown",
        title="Buttondown",
        needs=frozenset({"creationdate", "tags"}),
        columns={
            "address": ("email", "emailaddress"),
            "status": ("subscribertype", "type"),
            "described": ("metadata",),
            "joined": ("creationdate",),
            "tags": ("tags",),
        },
        states=_BUTTONDOWN,
        tells={"unsubscriptiondate": _S.UNSUBSCRIBED},
    ),
    Dialect(
        name="listmonk",
        title="listmonk",
        needs=frozenset({"uuid", "email", "attributes"}),
        columns={
            "address": ("email",),
            "name": ("name",),
            "status": ("status",),
            "joined": ("createdat",),
            "described": ("attributes",),
        },
        states={
            "enabled": _S.ACTIVE,
            "confirmed": _S.ACTIVE,
            "unconfirmed": _S.UNCONFIRMED,
            "disabled": _S.UNSUBSCRIBED,
            "unsubscribed": _S.UNSUBSCRIBED,
            "blocklisted": _S.UNSUBSCRIBED,
        },
    ),
    Dialect(
        name="feedburner",
        title="FeedBurner",
        needs=frozenset({"email", "subscribed", "status"}),
        columns={"address": ("email",), "status": ("status",), "joined": ("subscribed",)},
        states={**_COMMON, "pendingverification": _S.UNCONFIRMED},
        ended=True,  # it mails nobody since August 2021
    ),
    Dialect(
        name="kit",
        title="Kit",
        needs=frozenset({"firstname", "createdat"}),
        columns={
            "address": ("email", "emailaddress"),
            "first": ("firstname",),
            "last": ("lastname",),
            "status": ("status", "state"),
            "joined": ("createdat",),
            "tags": ("tags",),
        },
        states={**_COMMON, "cold": _S.ACTIVE, "inactive": _S.UNCONFIRMED},
    ),
    Dialect(
        name="sendgrid-bounces",
        title="SendGrid's bounces",
        needs=frozenset({"status", "reason", "email", "created"}),
        columns={"address": ("email",), "joined": ("created",)},
        only=_S.BOUNCED,
    ),
    Dialect(
        name="sendgrid-spam-reports",
        title="SendGrid's spam reports",
        needs=frozenset({"email", "ip", "created"}),
        columns={"address": ("email",), "joined": ("created",)},
        only=_S.COMPLAINED,
    ),
    Dialect(
        name="sendgrid-invalid",
        title="SendGrid's invalid addresses",
        needs=frozenset({"reason", "email", "created"}),
        columns={"address": ("email",), "joined": ("created",)},
        only=_S.BOUNCED,
    ),
    Dialect(
        name="ses-suppressions",
        title="Amazon SES's suppression list",
        needs=frozenset({"emailaddress", "reason", "lastupdatetime"}),
        columns={"address": ("emailaddress",), "status": ("reason",), "joined": ("lastupdatetime",)},
        states={"bounce": _S.BOUNCED, "complaint": _S.COMPLAINED},
    ),
    Dialect(
        name="postmark-suppressions",
        title="Postmark's suppressions",
        needs=frozenset({"emailaddress", "suppressionreason"}),
        columns={
            "address": ("emailaddress",),
            "status": ("suppressionreason",),
            "joined": ("createdat",),
        },
        states={
            "hardbounce": _S.BOUNCED,
            "spamcomplaint": _S.COMPLAINED,
            "manualsuppression": _S.UNSUBSCRIBED,
        },
    ),
    Dialect(
        name="mailgun-bounces",
        title="Mailgun's bounces",
        needs=frozenset({"address", "code", "error"}),
        columns={"address": ("address",), "joined": ("createdat",)},
        only=_S.BOUNCED,
    ),
)
_EPOCH: Final = re.compile(r"\d{10}")
SENDGRID_UNSUBSCRIBES: Final = Dialect(
    name="sendgrid-unsubscribes",
    title="SendGrid's unsubscribes",
    columns={"address": ("email",), "joined": ("created",)},
    only=_S.UNSUBSCRIBED,
)

ANY: Final = Dialect(
    name="table",
    title="a table of addresses",
    columns={
        "address": ("email", "emailaddress", "address", "mail", "emails", "subscriber", "follower"),
        "name": ("name", "fullname", "displayname"),
        "first": ("firstname", "givenname"),
        "last": ("lastname", "surname", "familyname"),
        "status": (
            "status",
            "subscriptionstatus",
            "subscriberstatus",
            "memberstatus",
            "emailstatus",
            "state",
        ),
        "joined": (
            "joinedat",
            "joined",
            "joindate",
            "datejoined",
            "createdat",
            "created",
            "subscribedat",
            "subscribed",
            "subscribedon",
            "subscriptiondate",
            "dateadded",
            "date",
            "signupdate",
        ),
        "tags": ("tags", "labels"),
    },
)

# Services that write one file per status name it so.
_FILE_NAMES: Final = (
    ("nonsubscri", _S.UNCONFIRMED),
    ("unsubscri", _S.UNSUBSCRIBED),
    ("cleaned", _S.BOUNCED),
    ("bounce", _S.BOUNCED),
    ("invalid", _S.BOUNCED),
    ("spam", _S.COMPLAINED),
    ("complain", _S.COMPLAINED),
    ("suppress", _S.UNSUBSCRIBED),
)


_MEANINGS: Final = {
    "address": "address",
    "name": "name",
    "first": "first name",
    "last": "last name",
    "status": "status",
    "on": "whether they want mail",
    "off": "whether they want no mail",
    "joined": "since when",
    "agreed": "when they agreed",
    "tags": "tags",
    "cadence": "how often",
    "complained": "whether they complained",
}


@dataclass(frozen=True, kw_only=True)
class Understood:
    """A file's dialect with the place of each column that counts, and everybody's state if it has one.
    ``unsaid`` is the state of rows whose status is empty; None where that is a status nobody knows.
    ``shown`` says for people which column was taken for what, and which for nothing."""

    dialect: Dialect
    places: Mapping[str, int]
    everybody: SubscriberState | None
    unsaid: SubscriberState | None = None
    shown: tuple[str, ...] = ()


def understand(header: Sequence[str], first_row: Sequence[str], file_name: str) -> Understood:
    """What the columns mean. ``header`` may be empty: then the column with an address counts alone.

    Raises Invalid where no column holds addresses.
    """
    names = [plain(cell) for cell in header]
    by_name = _by_name(file_name)
    if not names:
        at = next((i for i, cell in enumerate(first_row) if "@" in cell), -1)
        if at < 0:
            raise Invalid("The file holds no email addresses.")
        return Understood(
            dialect=ANY, places={"address": at}, everybody=by_name, shown=(f"column {at + 1}: address",)
        )
    dialect = _dialect(names, first_row)
    places: dict[str, int] = {}
    for meaning, spellings in dialect.columns.items():
        found = next((names.index(spelling) for spelling in spellings if spelling in names), None)
        if found is not None:
            places[meaning] = found
    if "address" not in places:
        raise Invalid(
            "None of the file's columns is called like an email address.",
            hint="Name the column with the addresses: email",
        )
    told = next((state for column, state in dialect.tells.items() if column in names), None)
    everybody = dialect.only or told
    if everybody is None and not {"status", "on", "off"} & places.keys() and dialect is not OWN:
        everybody = by_name
    return Understood(
        dialect=dialect,
        places=places,
        everybody=everybody,
        unsaid=(by_name or _S.ACTIVE) if dialect is ANY else None,
        shown=(
            *(f"{header[at]}: {_MEANINGS.get(meaning, meaning)}" for meaning, at in places.items()),
            *_unused(header, set(places.values())),
        ),
    )


def _unused(header: Sequence[str], used: set[int]) -> Sequence[str]:
    """A column that says who left, under a name that nobody knows, must not be passed over in silence."""
    others = [cell.strip()[:40] for at, cell in enumerate(header) if at not in used and cell.strip()]
    if not others:
        return ()
    more = f" and {len(others) - _UNUSED} more" if len(others) > _UNUSED else ""
    return (f"not used: {', '.join(others[:_UNUSED])}{more}",)


_UNUSED: Final = 12  #: columns that are named


def _dialect(names: Sequence[str], first_row: Sequence[str]) -> Dialect:
    # Nothing but its epoch seconds tells this file from a list of people who want mail.
    if names == ["email", "created"] and len(first_row) > 1 and _EPOCH.fullmatch(first_row[1].strip()):
        return SENDGRID_UNSUBSCRIBES
    return next((one for one in KNOWN if one.needs <= set(names)), ANY)


def _by_name(file_name: str) -> SubscriberState | None:
    """What the name of a file says of everybody in it; the folder it lies in says nothing."""
    name = file_name.replace("\\", "/").rpartition("/")[2].casefold()
    return next((state for part, state in _FILE_NAMES if part in name), None)


def plain(text: str) -> str:
    """Only the letters and digits, in lower case: how column names and statuses are compared."""
    return "".join(c for c in text.casefold() if c.isalnum())
