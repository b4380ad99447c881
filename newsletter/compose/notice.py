"""Notices: one message outside any issue, in the theme that the newsletter wears."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from newsletter.compose.clean.embeds import absolute
from newsletter.compose.compiler import Compiler
from newsletter.compose.issue import theme_context
from newsletter.compose.render import Renderer
from newsletter.compose.slots import Html, Slot
from newsletter.compose.themes import Themes
from newsletter.compose.view import newsletter_view, one_line, sender_of, shortened
from newsletter.compose.words import Language, language, zone
from newsletter.compose.wrapping import wrap
from newsletter.errors import ConfigError
from newsletter.model.delivery import Letter
from newsletter.model.notice import NoticeKind
from newsletter.model.publication import Newsletter


def compose_notice(
    newsletter: Newsletter, kind: NoticeKind, data: Mapping[str, str], *, compiler: Compiler, themes: Themes
) -> Letter:
    """The letter of a notice, without slots.

    ``data`` by kind: ``action_url`` for all; ``subject``, ``excerpt`` and, where it goes by itself,
    ``send_at`` (RFC 3339) for a waiting draft; ``title``, ``url``, ``excerpt`` and ``reason`` for a held
    post; ``text`` and ``hint`` for a problem; for a welcome, ``subject`` and ``text`` where the author wrote
    their own, ``latest_title`` and ``latest_url`` of the latest issue, and ``unsubscribe_url``. A reminder
    is a confirmation with ``reminder``. A confirmation, and what else goes to an address that is not
    proven, shows nothing of ``data`` but the link: a stranger may have typed it.

    Raises ConfigError without a From, ValueError for TEST, which is an issue's own letter.
    """
    if newsletter.sender is None:
        raise ConfigError("No sender is set.", hint="Set FROM: the name and address that mail comes from.")
    if kind is NoticeKind.TEST:
        raise ValueError("a test is the issue's own letter")
    words = language(newsletter.language, newsletter.theme_folder)
    said = _said(kind, data, words, newsletter)
    theme = themes.get(newsletter.theme, newsletter.theme_folder)
    renderer = Renderer(theme, compiler)
    context: dict[str, Any] = theme_context(theme, words) | {
        "newsletter": newsletter_view(newsletter),
        "preheader": said["paragraphs"][0] if said["paragraphs"] else "",
        "filler": Html(""),
        "action_url": absolute(data.get("action_url", ""), ""),
        "latest_url": absolute(data.get("latest_url", ""), "") if kind is NoticeKind.WELCOME else "",
        "latest_title": one_line(data.get("latest_title", "")),
        "unsubscribe_url": absolute(data.get("unsubscribe_url", ""), "")
        if kind is NoticeKind.WELCOME
        else "",
        "slot": Slot,
        "digest": False,
        "headed": False,
        **said,
        "paragraphs_text": ["\n".join(wrap(text)) for text in said["paragraphs"]],
        "closing_text": ["\n".join(wrap(text)) for text in said["closing"]],
        "quoted_text": [line for text in said["quoted"] for line in wrap(text, 76)],
    }
    html = renderer.html("notice.mjml.j2", context)
    text = renderer.text("notice.txt.j2", context)
    body = repr((said["subject"], sender_of(newsletter), newsletter.reply_to, html, text))
    return Letter(
        id=f"notice-{hashlib.sha256(body.encode()).hexdigest()[:40]}",
        sender=sender_of(newsletter),
        reply_to=newsletter.reply_to,
        subject=said["subject"],
        language=words.tag,
        html=html,
        text=text,
    )


_BETWEEN_PARAGRAPHS: Final = re.compile(r"(?:\r?\n[ \t]*){2,}")


def _said(
    kind: NoticeKind, data: Mapping[str, str], words: Language, newsletter: Newsletter
) -> dict[str, Any]:
    """What a notice says, as the templates want it."""
    title = one_line(newsletter.title)
    paragraphs: list[str] = []
    closing: list[str] = []
    quoted: list[str] = []
    name = str(kind)
    button = f"{name}_button"
    own_subject = ""
    quoted_title = ""
    if kind is NoticeKind.DRAFT_WAITING:
        quoted_title = one_line(data.get("subject", ""))
        quoted = [shortened(one_line(data.get("excerpt", "")), 400)] if data.get("excerpt") else []
        if send_at := _moment(data.get("send_at", "")):
            when = words.date_time(send_at, zone(newsletter.timezone))
            paragraphs = [words("draft_auto_text", send_at=when)]
            button = "draft_auto_button"
        else:
            paragraphs = [words("draft_waiting_text")]
        paragraphs += [words("draft_begins")] if quoted else []
    elif kind is NoticeKind.POST_HELD:
        paragraphs = [words("post_held_text"), *filter(None, [one_line(data.get("reason", ""))])]
        quoted_title = one_line(data.get("title", ""))
        begins = shortened(one_line(data.get("excerpt", "")), 400)
        quoted = list(filter(None, [begins, one_line(data.get("url", ""))])) if quoted_title else []
    elif kind is NoticeKind.PROBLEM:
        paragraphs = list(filter(None, [one_line(data.get("text", "")), one_line(data.get("hint", ""))]))
    elif kind is NoticeKind.WELCOME:
        own_subject = one_line(data.get("subject", ""))
        own = [one_line(text) for text in _BETWEEN_PARAGRAPHS.split(data.get("text", ""))]
        paragraphs = list(filter(None, own)) or [words("welcome_text", newsletter=title)]
    else:
        name = "confirm_reminder" if kind is NoticeKind.CONFIRM and data.get("reminder") else name
        paragraphs = [words(f"{name}_text", newsletter=title)]
        closing = [words("ignore")]
    return {
        "subject": own_subject or words(f"{name}_subject", newsletter=title, subject=quoted_title),
        "title": own_subject or words(f"{name}_title", newsletter=title),
        "paragraphs": paragraphs,
        "closing": closing,
        "quoted": quoted,
        "quoted_title": quoted_title,
        "action": words(button),
    }


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
