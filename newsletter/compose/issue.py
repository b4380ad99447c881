"""Posts and an issue become one artefact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from markdown_it import MarkdownIt

from newsletter.compose.clean import clean
from newsletter.compose.clean.tree import Element
from newsletter.compose.compiler import Compiler
from newsletter.compose.dress import dress
from newsletter.compose.headline import preheader_line, subject_line, told_by
from newsletter.compose.pictures import pictured
from newsletter.compose.plaintext import plain_text
from newsletter.compose.render import Renderer
from newsletter.compose.slots import Html, Raw, Slot
from newsletter.compose.themes import Theme, Themes
from newsletter.compose.view import cleaned_and_shown, newsletter_view, one_line, post_view, sender_of
from newsletter.compose.words import Language, language, zone
from newsletter.compose.wrapping import wrap
from newsletter.model.artefact import Artefact, Block, Segment
from newsletter.model.issue import Issue
from newsletter.model.links import links_of
from newsletter.model.picture import Picture, Pictured
from newsletter.model.post import Post
from newsletter.model.publication import Newsletter
from newsletter.model.tracking import Link, Tracking, seal
from subscribers.model import Cadence

_MARKDOWN: Final = MarkdownIt("commonmark", {"html": False}).enable("table").enable("strikethrough")

_UNKNOWN: Final[Mapping[str, Picture]] = {}

_LOOSE: Final = "1.75"
"""The line height of scripts that are taller or denser than Latin."""

_FILLER: Final = Html("&#847;&zwnj;&nbsp;" * 70)
"""Keeps the text's first words from being shown after the preview line. Invisible; screen readers skip it."""


def compose(
    newsletter: Newsletter,
    issue: Issue,
    posts: Sequence[Post],
    *,
    compiler: Compiler,
    themes: Themes,
    pictures: Mapping[str, Picture] = _UNKNOWN,
    link_key: bytes = b"",
) -> Artefact:
    """Compile an issue. The same arguments always give the same artefact.

    ``posts`` holds at least the issue's included ones. Subject and preheader are the issue's own where
    the author wrote them. ``pictures`` is what is known of their images, by address. ``link_key`` seals the
    links where the newsletter has them counted. Raises TemplateProblem or ConfigError for a wrong theme.
    Never touches the network.
    """
    theme = themes.get(newsletter.theme, newsletter.theme_folder)
    words = language(newsletter.language, newsletter.theme_folder)
    by_id = {post.id: post for post in posts}
    places = sorted((p for p in issue.included if p.post_id in by_id), key=lambda p: p.block)
    digest = issue.cadence is not Cadence.EACH
    renderer = Renderer(theme, compiler)
    look = theme_context(theme, words)
    sheet = cache(lambda *how: renderer.css("article.css.j2", look | _reading(theme, *how)))
    views = [
        post_view(
            by_id[place.post_id],
            block=place.block,
            newsletter=newsletter,
            words=words,
            css=lambda own: sheet(own.direction, own.upright),
            digest=digest,
            excerpt=shows_excerpts(issue, theme),
            alts=dict(issue.alts),
            pictures=pictures,
        )
        for place in places
    ]
    told = told_by(views)
    subject = issue.subject if issue.subject_edited else ""
    subject = one_line(
        subject or subject_line(issue.cadence, told, newsletter, issue.created_at) or issue.subject
    )
    preheader = one_line(
        issue.preheader if issue.preheader_edited else preheader_line(told, newsletter, issue.created_at)
    )
    note = markdown(issue.note, words)
    context: dict[str, Any] = look | {
        "newsletter": newsletter_view(newsletter),
        "subject": subject,
        "preheader": preheader,
        "filler": _FILLER if preheader else Html(""),
        "posts": views,
        "digest": digest,
        "headed": not digest and not any(view.titled for view in views),
        "date": words.date(issue.created_at, zone(newsletter.timezone)),
        "note_text": plain_text(note, links=words("links"), image="{alt}"),
        "note": dress(note, sheet(words.direction, words.upright)),
        "slot": Slot,
    }
    context |= {
        "rule": "-" * 40,
        "why_text": "\n".join(wrap(words("why", newsletter=context["newsletter"].title))),
        "disclaimer_text": "\n".join(wrap(context["newsletter"].disclaimer)),
    }
    html = renderer.html("layout.mjml.j2", context)
    return Artefact(
        subject=subject,
        preheader=preheader,
        sender=sender_of(newsletter),
        reply_to=newsletter.reply_to,
        language=words.tag,
        title=context["newsletter"].title,
        html=html,
        text=renderer.text("text.txt.j2", context),
        blocks=tuple(
            Block(number=place.block, post_id=place.post_id, title=view.title)
            for place, view in zip(places, views, strict=True)
        ),
        links=_counted(newsletter, issue.id, html, link_key),
        individual=newsletter.tracking is Tracking.INDIVIDUAL,
    )


def _counted(newsletter: Newsletter, issue_id: int, html: Sequence[Segment], key: bytes) -> tuple[Link, ...]:
    """The links to be counted, and before them the picture that counts opens."""
    if newsletter.tracking is Tracking.OFF:
        return ()
    return tuple(Link(seal(key, issue_id, url), url) for url in ("", *links_of(html)))


def pictures_of(
    newsletter: Newsletter, issue: Issue, posts: Sequence[Post], *, excerpts: bool
) -> list[Pictured]:
    """The images of an issue, in order, as it would show them. ``excerpts``: see :func:`shows_excerpts`."""
    words = language(newsletter.language, newsletter.theme_folder)
    by_id = {post.id: post for post in posts}
    included = [by_id[place.post_id] for place in issue.included if place.post_id in by_id]
    return pictured(issue, [(post, cleaned_and_shown(post, words, excerpt=excerpts)[1]) for post in included])


def shows_excerpts(issue: Issue, theme: Theme) -> bool:
    """Whether an issue shows its posts by their beginnings: as the author chose, else as the theme has it
    (for digests only)."""
    if issue.excerpts is not None:
        return issue.excerpts
    return theme.digest == "excerpt" and issue.cadence is not Cadence.EACH


def theme_context(theme: Theme, words: Language) -> dict[str, Any]:
    """What every template of a theme may use, whatever it renders."""
    how = _reading(theme, words.direction, words.upright)
    return how | {"theme": theme, "logo": theme.logo, "t": words, "lang": Raw(words.tag)}


def _reading(theme: Theme, direction: str, upright: bool) -> dict[str, Any]:
    """What templates may use that depends on how a language is read."""
    right_to_left = direction == "rtl"
    return {
        "dir": Raw(direction),
        "upright": upright,
        "leading": Raw(_LOOSE) if upright else theme.type["line_height"],
        "start": Raw("right" if right_to_left else "left"),
        "end": Raw("left" if right_to_left else "right"),
    }


def markdown(text: str, words: Language) -> Element:
    """The author's note as a tree of safe HTML. HTML within it is shown as text."""
    return clean(_MARKDOWN.render(text), words=words).tree if text.strip() else Element("body")
