"""Letters with their links: what notices say when they leave, and the headers of every issue's mail."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from newsletter.compose import compose_notice, letter_of
from newsletter.config import Settings
from newsletter.errors import ConfigError
from newsletter.links import Links
from newsletter.model.artefact import Artefact
from newsletter.model.delivery import Envelope, MessageKey
from newsletter.model.notice import Notice, NoticeKind
from newsletter.model.publication import Newsletter
from newsletter.model.times import rfc3339
from newsletter.send import Rendered
from newsletter.send.message import mime
from newsletter.tools import Tools
from subscribers.model import Recipient

AUTHOR_LINK_LASTS: Final = timedelta(days=7)
PERSONAL_LINK_LASTS: Final = timedelta(minutes=30)
SAMPLE: Final = Recipient(id=0, address="subscriber@example.org", name="")


def common_headers(newsletter: Newsletter, issue_id: int) -> tuple[tuple[str, str], ...]:
    """The same for every recipient of an issue: List-Id (RFC 2919) and Feedback-ID (Google's postmaster
    help: up to three fields of ours, then a sender id that never changes). Never a title or topic
    (invariant 13)."""
    return (
        ("List-Id", f"<newsletter.{newsletter.host}>"),
        ("Feedback-ID", f"{issue_id}:issue:newsletter:{newsletter.host}"),
    )


def render_notice(tools: Tools, settings: Settings, notice: Notice) -> Rendered:
    """The letter of a notice, with links made now, so that none is kept at rest.

    Raises ConfigError where From is not set, NotFound where its issue is gone.
    """
    newsletter = tools.newsletter(settings)
    links = tools.links(settings)
    message_id = links.notice_id(notice.id)
    if notice.kind is NoticeKind.TEST:
        assert notice.issue_id is not None
        with tools.read() as unit:
            artefact = unit.issues.artefact(notice.issue_id)
        return Rendered(
            letter=letter_of(artefact, artefact.mask, common_headers(newsletter, notice.issue_id)),
            message_id=message_id,
            values=links.public_values(notice.issue_id),
        )
    data = {**notice.data, "action_url": _action(links, notice, tools.clock())}
    if notice.kind is NoticeKind.DRAFT_WAITING:
        data |= _draft(tools, notice)
    letter = compose_notice(newsletter, notice.kind, data, compiler=tools.compiler, themes=tools.themes)
    return Rendered(letter=letter, message_id=message_id)


def sample_mime(tools: Tools, settings: Settings, issue_id: int, artefact: Artefact) -> str:
    """A whole message of the issue as a sample subscriber would get it."""
    links = tools.links(settings)
    newsletter = tools.newsletter(settings)
    if newsletter.sender is None:
        raise ConfigError("From is not set.", hint="newsletter settings set FROM 'Name <you@example.org>'")
    envelope = Envelope(
        key=MessageKey(issue_id, SAMPLE.id),
        to=SAMPLE.address,
        letter=letter_of(artefact, artefact.mask, common_headers(newsletter, issue_id)),
        message_id=links.message_id(SAMPLE.id, issue_id),
        values=links.values(SAMPLE, issue_id),
        headers=links.headers(SAMPLE, issue_id),
    )
    return mime(envelope, date=tools.clock()).decode("utf-8")


def _action(links: Links, notice: Notice, now: datetime) -> str:
    kind = notice.kind
    if kind is NoticeKind.DRAFT_WAITING and notice.issue_id is not None:
        return links.author_issue(notice.issue_id, now + AUTHOR_LINK_LASTS)
    if kind in {NoticeKind.CONFIRM, NoticeKind.ADDRESS_CHANGE}:
        return links.confirm(int(notice.data["request"]))
    if kind is NoticeKind.SUBSCRIBER_LINK and notice.subscriber_id is not None:
        return links.personal(notice.subscriber_id, now + PERSONAL_LINK_LASTS)
    if kind is NoticeKind.WELCOME and notice.subscriber_id is not None:
        return links.preferences(notice.subscriber_id)
    return links.studio()


def _draft(tools: Tools, notice: Notice) -> dict[str, str]:
    """What the notice of a waiting draft says of it; read when it leaves, so that it is still true."""
    assert notice.issue_id is not None
    with tools.read() as unit:
        issue = unit.issues.get(notice.issue_id)
    return {
        "subject": issue.subject,
        "excerpt": issue.preheader,
        "send_at": rfc3339(issue.send_at) if issue.send_at else "",
    }
