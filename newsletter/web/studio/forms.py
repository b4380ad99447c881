"""The settings as forms: which fields belong together, what they are called on pages, and how what was
typed becomes values of settings. Used by the first run and by Settings alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parseaddr
from enum import StrEnum
from typing import Final
from urllib.parse import quote

from fastapi import Request

from newsletter.config import SettingShown
from newsletter.desk import Desk
from newsletter.errors import Invalid
from newsletter.model.issue import IssueState


class Kind(StrEnum):
    LINE = "line"
    LINES = "lines"
    EMAIL = "email"
    URL = "url"
    CHOICE = "choice"
    SECRET = "secret"
    SENDER = "sender"  #: a name and an address that make one setting
    SMTP = "smtp"  #: host, port, user and password that make one setting


@dataclass(frozen=True, kw_only=True)
class Option:
    value: str
    label: str
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One setting on a form. ``only`` names the choice of how mail is sent under which it matters."""

    setting: str
    label: str
    kind: Kind = Kind.LINE
    hint: str = ""
    example: str = ""
    options: tuple[Option, ...] = ()
    only: str = ""


@dataclass(frozen=True, kw_only=True)
class Section:
    key: str
    title: str
    fields: tuple[Field, ...]


TITLE: Final = Field(setting="TITLE", label="The newsletter's name")
FROM: Final = Field(
    setting="FROM",
    label="From",
    kind=Kind.SENDER,
    hint="What people see as the sender. The address must be one you may send from.",
)
POSTAL_ADDRESS: Final = Field(
    setting="POSTAL_ADDRESS",
    label="Postal address",
    kind=Kind.LINES,
    hint="In the footer of every email, as the law asks in most countries. A PO box will do.",
)
DISCLAIMER: Final = Field(
    setting="DISCLAIMER",
    label="Standing sentence in the footer",
    kind=Kind.LINES,
    hint="A disclaimer, for example. May stay empty.",
)
CADENCE: Final = Field(
    setting="CADENCE",
    label="How often",
    kind=Kind.CHOICE,
    hint="For subscribers who chose nothing; each may choose another rhythm.",
    options=(
        Option(value="each", label="Each post", hint="One email for every new post"),
        Option(value="daily", label="Daily", hint="One email with the day's posts"),
        Option(value="weekly", label="Weekly", hint="One email with the week's posts"),
        Option(value="monthly", label="Monthly", hint="One email with the month's posts"),
    ),
)
APPROVAL: Final = Field(
    setting="APPROVAL",
    label="Before an issue goes out",
    kind=Kind.CHOICE,
    options=(
        Option(value="manual", label="I approve each one", hint="Nothing is sent until you say so"),
        Option(
            value="auto",
            label="It goes by itself unless I stop it",
            hint="You are told by mail when it will go, with a link to stop it",
        ),
    ),
)
TRANSPORT: Final = Field(
    setting="TRANSPORT",
    label="How mail is sent",
    kind=Kind.CHOICE,
    options=(
        Option(
            value="outbox",
            label="Into a folder on this computer",
            hint="To try things out: nothing leaves, every message becomes a file",
        ),
        Option(
            value="smtp", label="Through a mail account or relay", hint="Gmail, Brevo, Amazon SES, … (SMTP)"
        ),
        Option(value="sendgrid", label="Through SendGrid", hint="With an API key"),
    ),
)
SMTP: Final = Field(setting="SMTP_URL", label="Mail account", kind=Kind.SMTP, only="smtp")
RATE: Final = Field(
    setting="RATE",
    label="At most",
    hint="Gentle at first; your provider's limit is the most.",
    example="60/minute, 500/day",
    only="smtp",
)
SENDGRID_KEY: Final = Field(
    setting="SENDGRID_API_KEY",
    label="API key",
    kind=Kind.SECRET,
    hint="With the right to send mail. It is stored encrypted.",
    only="sendgrid",
)
SENDGRID_REGION: Final = Field(
    setting="SENDGRID_REGION",
    label="Region",
    kind=Kind.CHOICE,
    options=(Option(value="global", label="Global"), Option(value="eu", label="European Union")),
    only="sendgrid",
)
BASE_URL: Final = Field(
    setting="BASE_URL",
    label="Public address of this installation",
    kind=Kind.URL,
    hint="Unsubscribe links in every email begin with it, so it must be reachable from anywhere.",
    example="https://news.example.org",
)

NEWSLETTER: Final = Section(
    key="newsletter",
    title="Newsletter",
    fields=(
        TITLE,
        FROM,
        Field(setting="REPLY_TO", label="Replies go to", kind=Kind.EMAIL, hint="Empty: to the From address."),
        Field(
            setting="AUTHOR_EMAIL",
            label="You are told at",
            kind=Kind.EMAIL,
            hint="Of drafts that wait and of problems. Empty: at the From address.",
        ),
        POSTAL_ADDRESS,
        DISCLAIMER,
        Field(setting="LANGUAGE", label="Language", example="en, de, es, fr, ar"),
        Field(setting="TIMEZONE", label="Time zone", example="Europe/Madrid"),
    ),
)
RHYTHM: Final = Section(
    key="rhythm",
    title="Rhythm",
    fields=(
        CADENCE,
        APPROVAL,
        Field(
            setting="SEND_WINDOW",
            label="Send only between",
            hint="In your time zone. Empty: at any time.",
            example="08:00-20:00",
        ),
        Field(
            setting="SETTLE",
            label="Wait for your corrections",
            hint="A new post waits this long, so that a typo mended at once never reaches a mailbox.",
            example="10 minutes",
        ),
        Field(
            setting="FLOOD",
            label="More new posts at once than this are held",
            hint="A blog that moved can look like a hundred new posts. Held posts wait for you.",
        ),
    ),
)
SENDING: Final = Section(
    key="sending",
    title="Sending",
    fields=(TRANSPORT, SMTP, RATE, SENDGRID_KEY, SENDGRID_REGION, BASE_URL),
)

SETUP_NEWSLETTER: Final = Section(
    key="newsletter", title="The newsletter", fields=(TITLE, FROM, POSTAL_ADDRESS, DISCLAIMER)
)
SETUP_SENDING: Final = Section(
    key="sending", title="Sending", fields=(TRANSPORT, SMTP, RATE, SENDGRID_KEY, SENDGRID_REGION)
)
SETUP_RHYTHM: Final = Section(key="rhythm", title="Rhythm", fields=(CADENCE, APPROVAL))


def look(themes: Sequence[str]) -> Section:
    """How the email looks, among the themes that are there."""
    options = tuple(Option(value=theme, label=theme.replace("_", " ").capitalize()) for theme in themes)
    return Section(
        key="look",
        title="Look",
        fields=(Field(setting="THEME", label="Theme", kind=Kind.CHOICE, options=options),),
    )


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What a known relay wants typed. ``rate`` is its free daily limit where that is known for sure."""

    name: str
    host: str
    port: int = 587
    user: str = ""
    rate: str = ""
    note: str


PRESETS: Final[Mapping[str, Preset]] = {
    "gmail": Preset(
        name="Gmail",
        host="smtp.gmail.com",
        rate="500/day",
        note="The user is your whole Gmail address. The password is an app password of 16 letters, made in "
        "your Google account under Security once 2-Step Verification is on. Personal accounts may send 500 "
        "messages a day.",
    ),
    "brevo": Preset(
        name="Brevo",
        host="smtp-relay.brevo.com",
        note="User and password are the SMTP login and SMTP key that Brevo shows under SMTP & API, not those "
        "of your account.",
    ),
    "ses": Preset(
        name="Amazon SES",
        host="email-smtp.us-east-1.amazonaws.com",
        note="Replace us-east-1 by your region. SES has SMTP credentials of its own, made in its console.",
    ),
    "postmark": Preset(
        name="Postmark",
        host="smtp-broadcasts.postmarkapp.com",
        note="User and password are the access key and secret key of a broadcast stream: newsletters may not "
        "go through a transactional one.",
    ),
    "mailgun": Preset(
        name="Mailgun",
        host="smtp.mailgun.org",
        note="User and password are the SMTP credentials of your sending domain. In the EU region the "
        "server is smtp.eu.mailgun.org.",
    ),
}


_NOT_IN_A_NAME: Final = frozenset('<>"\\,;:@()[]')
"""They would have to be quoted in a mail header (RFC 5322 section 3.2.3)."""


async def typed_form(request: Request) -> dict[str, str]:
    """What was typed into a form, by field name; files are ignored."""
    form = await request.form()
    return {
        name: value.replace("\r\n", "\n").strip() for name, value in form.items() if isinstance(value, str)
    }


def values_of(section: Section, shown: Sequence[SettingShown]) -> dict[str, str]:
    """What the form's inputs show at first, by input name. A secret's input is always empty."""
    stored = {setting.name: setting.value for setting in shown}
    values: dict[str, str] = {}
    for field in section.fields:
        value = stored.get(field.setting, "")
        if field.kind is Kind.SENDER:
            name, address = parseaddr(value)
            values |= {"FROM_name": name, "FROM_address": address}
        elif field.kind is Kind.SMTP:
            values |= dict.fromkeys(("SMTP_host", "SMTP_port", "SMTP_user", "SMTP_password"), "")
            values["SMTP_port"] = "587"
        elif field.kind is Kind.SECRET:
            values[field.setting] = ""
        elif field.kind is Kind.EMAIL:
            values[field.setting] = parseaddr(value)[1]
        else:
            values[field.setting] = value
    return values


def save(desk: Desk, section: Section, typed: Mapping[str, str]) -> dict[str, str]:
    """Store what differs; the sentence of each setting that could not be, by its name.

    A setting fixed by the environment is left alone, and so is a secret whose input stayed empty.
    """
    shown = {setting.name: setting for setting in desk.settings()}
    problems: dict[str, str] = {}
    changed = False
    for field in section.fields:
        known = shown.get(field.setting)
        if known is None or known.fixed:
            continue
        try:
            value = _typed_value(field, typed)
            if value is not None and (known.secret or value != known.value):
                desk.set_setting(field.setting, value)
                changed = True
        except Invalid as problem:
            problems[field.setting] = str(problem)
    if changed:
        _compose_again(desk)
    return problems


def _compose_again(desk: Desk) -> None:
    """Sender, address and look are part of every email, so waiting drafts and their checklists follow."""
    for shown in desk.issues(state=IssueState.DRAFT):
        desk.edit_issue(shown.issue.id)


def _typed_value(field: Field, typed: Mapping[str, str]) -> str | None:
    """The setting's value, or None where nothing was given."""
    if field.kind is Kind.SENDER:
        return _sender(typed.get("FROM_name", ""), typed.get("FROM_address", ""))
    if field.kind is Kind.SMTP:
        return _smtp_url(typed) if typed.get("SMTP_host") else None
    if field.kind is Kind.SECRET:
        return typed.get(field.setting) or None
    return typed.get(field.setting)


def _sender(name: str, address: str) -> str:
    if name and not address:
        raise Invalid("A sender needs an address beside the name.")
    if set(name) & _NOT_IN_A_NAME or not name.isprintable():
        raise Invalid(f"A sender's name cannot contain any of {' '.join(sorted(_NOT_IN_A_NAME))}")
    return f"{name} <{address}>" if name else address


def _smtp_url(typed: Mapping[str, str]) -> str:
    host, port = typed.get("SMTP_host", ""), typed.get("SMTP_port", "") or "587"
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise Invalid("The port of a mail server is a number such as 587.")
    if any(c in host for c in "/@?# ") or not host.isprintable():
        raise Invalid("The server is a name such as smtp.example.org.")
    user, password = typed.get("SMTP_user", ""), typed.get("SMTP_password", "")
    who = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
    return f"{'smtps' if port == '465' else 'smtp'}://{who}{host}:{port}"
