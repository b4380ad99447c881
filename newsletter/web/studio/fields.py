"""The settings as an author meets them: which belong together, what they are called on pages, what each
choice means, and what known relays want typed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from newsletter.desk.choices import languages, time_zones


class Kind(StrEnum):
    LINE = "line"
    LINES = "lines"
    EMAIL = "email"
    URL = "url"
    CHOICE = "choice"
    SELECT = "select"  #: one of many, by its name
    LISTED = "listed"  #: one of many, typed with the list beside it
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
        Field(
            setting="LANGUAGE",
            label="Language",
            kind=Kind.SELECT,
            hint="Of what the email and the public pages say by themselves.",
            options=tuple(Option(value=code, label=name) for code, name in languages().items()),
        ),
        Field(
            setting="TIMEZONE",
            label="Time zone",
            kind=Kind.LISTED,
            example="Europe/Madrid",
            options=tuple(Option(value=name, label=name) for name in time_zones()),
        ),
    ),
)
RHYTHM: Final = Section(
    key="rhythm",
    title="Rhythm",
    fields=(
        CADENCE,
        APPROVAL,
        Field(
            setting="DIGEST_AT",
            label="Digests are made at",
            hint="In your time zone: every day, on Mondays, or on the first of the month.",
            example="07:00",
        ),
        Field(
            setting="DIGEST_APPROVAL",
            label="A digest of posts that you approved one by one",
            kind=Kind.CHOICE,
            options=(
                Option(value="once", label="Goes by itself", hint="They are as you approved them"),
                Option(value="again", label="Waits for me as well"),
            ),
        ),
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
JOINING: Final = Section(
    key="joining",
    title="Joining",
    fields=(
        Field(
            setting="DOUBLE_OPT_IN",
            label="When somebody signs up",
            kind=Kind.CHOICE,
            options=(
                Option(
                    value="true",
                    label="Their address is asked first",
                    hint="A message with one button; nothing else goes there before it is pressed",
                ),
                Option(
                    value="false",
                    label="They are subscribed at once",
                    hint="Anybody can then sign up anybody. In some countries this is against the law",
                ),
            ),
        ),
        Field(
            setting="WELCOME_SUBJECT",
            label="Subject of the welcome message",
            hint="It goes to everybody who joins. Empty: our own words.",
        ),
        Field(
            setting="WELCOME",
            label="What it says",
            kind=Kind.LINES,
            hint="Plain text, an empty line between paragraphs. The latest issue, the way to choose how "
            "often and the way to leave follow by themselves. Empty: our own words.",
        ),
    ),
)
TRACKING: Final = Field(
    setting="TRACKING",
    label="Opens and clicks",
    kind=Kind.CHOICE,
    hint="Your privacy notice says by itself what is chosen here. It holds for issues made from now on.",
    options=(
        Option(value="off", label="Not counted", hint="Links lead straight to their pages"),
        Option(
            value="aggregate",
            label="Counted, of nobody in particular",
            hint="How often each link was followed, and how often an invisible picture was loaded. The same "
            "links for everybody; nothing about any person is kept. Needs the public address above",
        ),
        Option(
            value="individual",
            label="Counted, and by name for those who agreed",
            hint="Subscribers may tick a box for it when they sign up or on their preferences page, and take "
            "it back. Everybody else is counted as above. Segments then know who reads",
        ),
    ),
)
SENDING: Final = Section(
    key="sending",
    title="Sending",
    fields=(
        TRANSPORT,
        SMTP,
        RATE,
        SENDGRID_KEY,
        SENDGRID_REGION,
        Field(
            setting="CANARY",
            label="Try a share first",
            hint="An issue goes to so many of its recipients, then waits until you have looked and resume "
            "it. 0: it never waits.",
            example="1%",
        ),
        Field(
            setting="WARM_UP",
            label="While your domain is new",
            hint="How many may leave on the first day on which anything is sent, on the second, and so on. "
            "Mailbox providers trust a new sender slowly. Empty: no such limit.",
            example="50, 100, 250, 500, 1000, 2500",
        ),
        Field(
            setting="DOMAIN_RATES",
            label="To single providers at most",
            hint="A provider that asks for less gets less by itself.",
            example="gmail.com=100/hour, outlook.com=20/minute",
        ),
        Field(
            setting="DOMAINS_AT_ONCE",
            label="On their way to single providers at once",
            hint="Whoever is above it waits for a moment, and everybody else is mailed on. Empty: no such "
            "limit.",
            example="gmail.com=20, outlook.com=5",
        ),
        BASE_URL,
        TRACKING,
    ),
)

SETUP_NEWSLETTER: Final = Section(
    key="newsletter", title="The newsletter", fields=(TITLE, FROM, POSTAL_ADDRESS, DISCLAIMER)
)
SETUP_SENDING: Final = Section(
    key="sending", title="Sending", fields=(TRANSPORT, SMTP, RATE, SENDGRID_KEY, SENDGRID_REGION)
)
SETUP_RHYTHM: Final = Section(key="rhythm", title="Rhythm", fields=(CADENCE, APPROVAL))


_THEMES: Final = {
    "letter": "A serif and one column, as a letter from one person",
    "bulletin": "Cards on a quiet ground, for several posts at a glance",
    "studio": "A modern sans with a strong title and much air",
}


IMAGES: Final = Field(
    setting="IMAGES",
    label="Pictures",
    kind=Kind.CHOICE,
    options=(
        Option(value="linked", label="Shown from the blog", hint="Nothing is kept here"),
        Option(
            value="copied",
            label="Copied where mail needs it",
            hint="A copy of WebP, AVIF, SVG and of what weighs over 1 MB is kept, which every program shows",
        ),
    ),
)


def look(themes: Sequence[str]) -> Section:
    """How the email looks, among the themes that are there."""
    options = tuple(
        Option(value=theme, label=theme.replace("_", " ").capitalize(), hint=_THEMES.get(theme, ""))
        for theme in themes
    )
    return Section(
        key="look",
        title="Look",
        fields=(
            Field(setting="THEME", label="Theme", kind=Kind.CHOICE, options=options),
            IMAGES,
            Field(
                setting="SUBJECT",
                label="Subjects",
                hint="What a subject is made of, until you write one yourself. Empty: the post's title.",
                example="{{ newsletter.title }}: {{ post.title }}",
            ),
            Field(
                setting="PREHEADER",
                label="Preview lines",
                hint="Likewise for the preview line. Empty: the post's first words.",
                example="{{ post.begins }}",
            ),
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What a known relay wants typed. ``rate`` is gentle, and by the day what its smallest account may."""

    name: str
    host: str
    port: int = 587
    user: str = ""
    rate: str
    note: str


PRESETS: Final[Mapping[str, Preset]] = {
    "gmail": Preset(
        name="Gmail",
        host="smtp.gmail.com",
        rate="60/minute, 500/day",
        note="The user is your whole Gmail address. The password is an app password of 16 letters, made in "
        "your Google account under Security once 2-Step Verification is on. Personal accounts may send 500 "
        "messages a day, Workspace 2,000.",
    ),
    "sendgrid": Preset(
        name="SendGrid",
        host="smtp.sendgrid.net",
        user="apikey",
        rate="60/minute, 100/day",
        note="The user is the word apikey, the password an API key with the right to send mail. 100 a day "
        "are for a trial account: write what yours allows.",
    ),
    "brevo": Preset(
        name="Brevo",
        host="smtp-relay.brevo.com",
        rate="60/minute, 300/day",
        note="User and password are the SMTP login and SMTP key that Brevo shows under SMTP & API, not those "
        "of your account. 300 a day are for the free plan: write what yours allows.",
    ),
    "ses": Preset(
        name="Amazon SES",
        host="email-smtp.us-east-1.amazonaws.com",
        rate="1/second, 200/day",
        note="Replace us-east-1 by your region. SES has SMTP credentials of its own, made in its console. "
        "200 a day are for an account in the sandbox: write the sending quota that the console shows.",
    ),
    "postmark": Preset(
        name="Postmark",
        host="smtp-broadcasts.postmarkapp.com",
        rate="60/minute, 100/day",
        note="User and password are the access key and secret key of a broadcast stream: newsletters may not "
        "go through a transactional one. Postmark counts by the month, 100 for a free account: write what "
        "yours allows.",
    ),
    "mailgun": Preset(
        name="Mailgun",
        host="smtp.mailgun.org",
        rate="60/minute, 100/day",
        note="User and password are the SMTP credentials of your sending domain. In the EU region the "
        "server is smtp.eu.mailgun.org. 100 a day are for the free plan: write what yours allows.",
    ),
}
