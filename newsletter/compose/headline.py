"""Subject and preview line: the author's templates, else the defaults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Final

from newsletter.compose.view import PostView, begins_of, name_only, one_line, shortened, title_of
from newsletter.compose.words import Language, language, zone
from newsletter.errors import TemplateProblem
from newsletter.guard.lines import LineProblem, fill_line
from newsletter.model.post import Post
from newsletter.model.publication import Newsletter
from subscribers.model import Cadence

PREHEADER_LENGTH: Final = 110
_SUBJECT_LENGTH: Final = 200


@dataclass(frozen=True)
class Told:
    """What the two lines may tell of a post: plain text, one line each."""

    title: str
    author: str
    begins: str  #: its first words


def told_by(views: Sequence[PostView]) -> list[Told]:
    """Of posts that are cleaned already."""
    return [Told(title=view.title, author=view.author, begins=view.begins) for view in views]


def told_of(post: Post, newsletter: Newsletter) -> Told:
    """What a line may tell of one post that is not cleaned yet."""
    return _told([post], newsletter)[0]


def subject_for(cadence: Cadence, posts: Sequence[Post], newsletter: Newsletter, now: datetime) -> str:
    """The subject of posts that are not cleaned yet; see :func:`subject_line`."""
    return subject_line(cadence, _told(posts, newsletter), newsletter, now)


def preheader_for(posts: Sequence[Post], newsletter: Newsletter, now: datetime) -> str:
    """The preview line of posts that are not cleaned yet; see :func:`preheader_line`."""
    return preheader_line(_told(posts, newsletter), newsletter, now)


def subject_line(cadence: Cadence, told: Sequence[Told], newsletter: Newsletter, now: datetime) -> str:
    """The subject that an issue gets by itself: what the newsletter's template makes, else the post's
    title; a digest's first title and how many more there are. Empty for no posts.

    Raises TemplateProblem where the template cannot be filled.
    """
    if not told:
        return ""
    words = _words(newsletter)
    if own := _own(newsletter.subject, "SUBJECT", told, newsletter, words, now):
        return shortened(own, _SUBJECT_LENGTH)
    first = told[0].title
    if cadence is Cadence.EACH or len(told) == 1:
        return shortened(first, _SUBJECT_LENGTH)
    return words.count(
        "digest_subject",
        len(told) - 1,
        first=shortened(first, 120),
        newsletter=one_line(newsletter.title),
        date=words.date(now, zone(newsletter.timezone)),
    )


def preheader_line(told: Sequence[Told], newsletter: Newsletter, now: datetime) -> str:
    """The preview line: what the newsletter's template makes, else a single post's first words or the
    other titles of a digest. Raises TemplateProblem likewise."""
    if not told:
        return ""
    own = _own(newsletter.preheader, "PREHEADER", told, newsletter, _words(newsletter), now)
    by_default = told[0].begins if len(told) == 1 else " · ".join(post.title for post in told[1:])
    return shortened(own or by_default, PREHEADER_LENGTH)


def _own(
    template: str, name: str, told: Sequence[Told], newsletter: Newsletter, words: Language, now: datetime
) -> str:
    if not template:
        return ""
    context = {
        "post": told[0],
        "posts": list(told),
        "newsletter": SimpleNamespace(title=one_line(newsletter.title)),
        "date": words.date(now, zone(newsletter.timezone)),
    }
    try:
        return one_line(fill_line(template, context))
    except LineProblem as error:
        raise TemplateProblem(
            f"{name} {error}.", file=name, hint=f"Mend it: newsletter settings set {name} …"
        ) from error


def _told(posts: Sequence[Post], newsletter: Newsletter) -> list[Told]:
    words = _words(newsletter)
    return [
        Told(title=title_of(post, words), author=name_only(post.author), begins=begins_of(post))
        for post in posts
    ]


def _words(newsletter: Newsletter) -> Language:
    return language(newsletter.language, newsletter.theme_folder)
