"""Letters with their links: what notices say when they leave, the headers of every issue's mail, and what
the author looks at before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

from newsletter.compose import Mode, compose_notice, letter_of, preview_html, text_page, told_of
from newsletter.config import Settings
from newsletter.errors import ConfigError, Conflict, NotFound, TemplateProblem
from newsletter.model.artefact import ALL_BLOCKS, Artefact, filled_html
from newsletter.model.delivery import Envelope, Letter, MessageKey
from newsletter.model.issue import Issue, IssueState
from newsletter.model.notice import Notice, NoticeKind
from newsletter.model.publication import Newsletter
from newsletter.model.times import rfc3339
from newsletter.send import Rendered
from newsletter.send.masks import mask_for
from newsletter.send.message import mime
from newsletter.steps.links import Links
from newsletter.steps.tools import Tools
from subscribers.model import Recipient, Subscriber

if TYPE_CHECKING:
    from newsletter.store.unit import Unit

AUTHOR_LINK_LASTS: Final = timedelta(days=7)
PERSONAL_LINK_LASTS: Final = timedelta(minutes=30)
DEFAULT_THEME: Final = "letter"
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
            artefact = unit.artefacts.get(notice.issue_id)
        return Rendered(
            letter=letter_of(artefact, artefact.mask, common_headers(newsletter, notice.issue_id)),
            message_id=message_id,
            values=links.public_values(notice.issue_id),
        )
    data = {**notice.data, "action_url": _action(links, notice, tools.clock())}
    if notice.kind is NoticeKind.DRAFT_WAITING:
        data |= _draft(tools, notice)
    if notice.kind is NoticeKind.POST_HELD:
        data |= _held(tools, newsletter, notice)
    headers: tuple[tuple[str, str], ...] = ()
    if notice.kind is NoticeKind.WELCOME and notice.subscriber_id is not None:
        data |= _welcome(tools, settings, links, notice.subscriber_id)
        headers = links.headers(Recipient(id=notice.subscriber_id, address=notice.to), 0)
    letter = _dressed(tools, newsletter, notice.kind, data)
    return Rendered(letter=letter, message_id=message_id, headers=headers)


def _dressed(tools: Tools, newsletter: Newsletter, kind: NoticeKind, data: Mapping[str, str]) -> Letter:
    """The notice in the newsletter's theme; in a shipped one where that is broken: it may be what tells the
    author so, and no subscriber's confirmation waits for it to be mended."""
    try:
        return compose_notice(newsletter, kind, data, compiler=tools.compiler, themes=tools.themes)
    except (TemplateProblem, ConfigError):
        plain = replace(newsletter, theme=DEFAULT_THEME, theme_folder="")
        return compose_notice(plain, kind, data, compiler=tools.compiler, themes=tools.themes)


def preview_welcome(tools: Tools) -> str:
    """The message that welcomes, as HTML and to nobody. Raises ConfigError without a From."""
    settings = tools.settings()
    links = tools.links(settings)
    data = {**_welcome(tools, settings, links, 0), "action_url": links.preferences(0)}
    letter = compose_notice(
        tools.newsletter(settings), NoticeKind.WELCOME, data, compiler=tools.compiler, themes=tools.themes
    )
    return filled_html(letter.html, {})


def _welcome(tools: Tools, settings: Settings, links: Links, subscriber_id: int) -> dict[str, str]:
    """The author's own words, the latest issue that everybody may read, and the way out."""
    with tools.read() as unit:
        latest = next(iter(unit.issues.list(states=[IssueState.FINISHED], limit=1)), None)
    return {
        "subject": settings.welcome_subject,
        "text": settings.welcome,
        "latest_title": latest.subject if latest else "",
        "latest_url": links.issue(latest.id) if latest else "",
        "unsubscribe_url": links.unsubscribe(subscriber_id),
    }


def preview(
    tools: Tools,
    issue_id: int,
    *,
    format: Literal["html", "text", "mime"] = "html",
    mode: Mode = Mode.LIGHT,
    images: bool = True,
    reader: str | int = "",
) -> str:
    """The stored artefact: the bytes that will be sent.

    ``reader`` is a subscriber's address or id: then with the posts that they get and with their own links
    and name; otherwise with every post and nobody's. ``mode`` and ``images`` are for HTML. Raises NotFound
    for an issue that is not composed or a subscriber who does not exist, Conflict where an issue brings
    the subscriber nothing, ConfigError for a whole message without a From.
    """
    settings = tools.settings()
    links = tools.links(settings)
    recipient, mask = SAMPLE, ALL_BLOCKS
    with tools.read() as unit:
        artefact = unit.artefacts.get(issue_id)
        if reader:
            subscriber = _subscriber(unit, reader)
            recipient = Recipient(id=subscriber.id, address=subscriber.address, name=subscriber.name)
            mask = _mask(unit, unit.issues.get(issue_id), subscriber)
    if format == "mime":
        return _mime(tools, settings, issue_id, artefact, recipient, mask)
    values = links.values(recipient, issue_id) if reader else links.public_values(issue_id)
    if format == "text":
        return text_page(artefact, values, mask)
    return preview_html(artefact, values, mode=mode, images=images, mask=mask)


def _subscriber(unit: Unit, reader: str | int) -> Subscriber:
    found = unit.subscribers.find(reader) if isinstance(reader, int) else unit.subscribers.by_address(reader)
    if found is None:
        raise NotFound("There is no such subscriber.", hint="See: newsletter subscribers list")
    return found


def _mask(unit: Unit, issue: Issue, subscriber: Subscriber) -> int:
    """The blocks of an issue that a subscriber got, or would get if it were sent now."""
    if (drawn := unit.deliveries.find(issue.id, subscriber.id)) and drawn.blocks:
        return drawn.blocks
    block_of = {place.post_id: place.block for place in issue.included}
    received = unit.deliveries.already_received(issue.id, [subscriber.id], list(block_of))
    had = [block_of[post_id] for post_id in received.get(subscriber.id, ())]
    mask, reason = mask_for(unit.issue_posts.topics(issue.id), frozenset(subscriber.topics_off), had)
    if not mask:
        raise Conflict(f"Issue {issue.id} does not go to this subscriber. {reason}")
    return mask


def _mime(
    tools: Tools, settings: Settings, issue_id: int, artefact: Artefact, recipient: Recipient, mask: int
) -> str:
    links = tools.links(settings)
    newsletter = tools.newsletter(settings)
    if newsletter.sender is None:
        raise ConfigError("From is not set.", hint="newsletter settings set FROM 'Name <you@example.org>'")
    envelope = Envelope(
        key=MessageKey(issue_id, recipient.id),
        to=recipient.address,
        letter=letter_of(artefact, mask, common_headers(newsletter, issue_id)),
        message_id=links.message_id(recipient.id, issue_id),
        values=links.values(recipient, issue_id),
        headers=links.headers(recipient, issue_id),
    )
    return mime(envelope, date=tools.clock()).decode("utf-8")


def _action(links: Links, notice: Notice, now: datetime) -> str:
    kind = notice.kind
    if kind in {NoticeKind.DRAFT_WAITING, NoticeKind.PROBLEM} and notice.issue_id is not None:
        return links.author_issue(notice.issue_id, now + AUTHOR_LINK_LASTS)
    if kind in {NoticeKind.POST_HELD, NoticeKind.PROBLEM} and "feed" in notice.data:
        return links.author_feed(int(notice.data["feed"]), now + AUTHOR_LINK_LASTS)
    if kind in {NoticeKind.CONFIRM, NoticeKind.ADDRESS_CHANGE}:
        return links.confirm(int(notice.data["request"]))
    if kind is NoticeKind.SUBSCRIBER_LINK and notice.subscriber_id is not None:
        return links.personal(notice.subscriber_id, now + PERSONAL_LINK_LASTS)
    if kind is NoticeKind.WELCOME and notice.subscriber_id is not None:
        return links.preferences(notice.subscriber_id)
    return links.studio()


def _held(tools: Tools, newsletter: Newsletter, notice: Notice) -> dict[str, str]:
    """What the notice of a held post shows of it, as the post reads by now."""
    with tools.read() as unit:
        post = unit.posts.get(int(notice.data["post"]))
    told = told_of(post, newsletter)
    return {"title": told.title, "url": post.url, "excerpt": told.begins}


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
