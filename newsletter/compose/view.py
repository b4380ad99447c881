"""What templates may see: plain values made from the model, cleaned and measured once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from newsletter.compose.clean import Cleaned, clean
from newsletter.compose.clean.blocks import BLOCKS
from newsletter.compose.clean.embeds import absolute
from newsletter.compose.clean.tree import Element, inner
from newsletter.compose.dress import dress
from newsletter.compose.pictures import described, placed
from newsletter.compose.plaintext import plain_text
from newsletter.compose.slots import Html, Mark
from newsletter.compose.words import Language, language, zone
from newsletter.compose.wrapping import columns, wrap
from newsletter.model.picture import Picture
from newsletter.model.post import Post
from newsletter.model.publication import Newsletter, Sender

Sheets = Callable[[Language], str]

EXCERPT_WORDS: Final = 80
"""An excerpt without a "more" break of the author's: whole paragraphs until this many words."""

_BEGINNING: Final = 110
"""Characters of a post's first words: as many as a preview line shows."""


@dataclass(frozen=True)
class NewsletterView:
    title: str
    site_url: str
    disclaimer: str
    postal_address: tuple[str, ...]


@dataclass(frozen=True)
class PostView:
    """``html`` and ``text`` are what this issue shows: the whole post, or its excerpt where ``cut``."""

    title: str
    titled: bool  #: whether the title is the post's own, not only its first words
    heading: str  #: the title for plain text, with a line beneath
    url: str
    author: str
    byline: str
    html: Html
    text: str
    cut: bool
    comments_url: str
    image_url: str
    begins: str  #: its first words on one line
    begin: Mark
    end: Mark


def newsletter_view(newsletter: Newsletter) -> NewsletterView:
    return NewsletterView(
        title=one_line(newsletter.title),
        site_url=absolute(newsletter.site_url, ""),
        disclaimer=one_line(newsletter.disclaimer),
        postal_address=tuple(filter(None, map(one_line, newsletter.postal_address.splitlines()))),
    )


def cleaned_and_shown(post: Post, words: Language, *, excerpt: bool) -> tuple[Cleaned, Element]:
    """A post, cleaned, and the tree of what an issue shows of it: all, or its beginning."""
    cleaned = clean(post.html, base_url=post.base_url or post.url, title=post.title, words=words)
    return cleaned, (cleaned.opening or first_words(cleaned.tree)) if excerpt else cleaned.tree


def post_view(
    post: Post,
    *,
    block: int,
    newsletter: Newsletter,
    words: Language,
    css: Sheets,
    digest: bool,
    excerpt: bool,
    alts: Mapping[str, str],
    pictures: Mapping[str, Picture],
) -> PostView:
    """One post, cleaned and dressed. ``excerpt`` asks for its beginning only; ``css`` gives the style sheet
    of a language, since quotations and lists stand on the side where its lines begin; ``alts`` are the
    author's descriptions of pictures, ``pictures`` what we know of them, both by address."""
    own = _own_language(post, words)
    cleaned, shown = cleaned_and_shown(post, words, excerpt=excerpt)
    cut_short = excerpt and inner(shown).strip() != cleaned.html
    described(shown, alts)
    title = title_of(post, words)
    byline = _byline(post, newsletter, words, cleaned.tree.text())
    text = plain_text(shown, links=words("links"), image=words("image", alt="{alt}"))
    begins = shortened(opening_line(cleaned.tree), _BEGINNING)
    placed(shown, pictures)
    return PostView(
        title=title,
        titled=bool(one_line(post.title)),
        heading=_underlined(title),
        url=absolute(post.url, ""),
        author=name_only(post.author),
        byline=byline,
        html=_spoken(dress(shown, css(own or words), below=2 if digest else 1), own),
        text=text,
        cut=post.truncated or cut_short,
        comments_url=absolute(post.comments_url, ""),
        image_url=absolute(post.image_url, ""),
        begins=begins,
        begin=Mark(block),
        end=Mark(-1),
    )


def _own_language(post: Post, words: Language) -> Language | None:
    """A post's language where it is not the newsletter's."""
    own = language(post.language) if post.language else words
    return None if own.locale.language == words.locale.language else own


def _spoken(html: Html, own: Language | None) -> Html:
    """The text with its own language and direction declared."""
    if own is None:
        return html
    align = "right" if own.direction == "rtl" else "left"
    return Html(f'<div lang="{own.tag}" dir="{own.direction}" style="text-align:{align}">{html}</div>')


def _byline(post: Post, newsletter: Newsletter, words: Language, text: str) -> str:
    parts = []
    author = name_only(post.author)
    if author and author.casefold() != newsletter.title.strip().casefold():
        parts.append(words("by", author=author))
    if post.published_at is not None:
        parts.append(words.date(post.published_at, zone(newsletter.timezone)))
    if (minutes := reading_minutes(text)) > 1:
        parts.append(words.count("reading_minutes", minutes))
    return " · ".join(parts)


def name_only(author: str) -> str:
    """An author's name; RSS asks for an address beside it, which is nobody's to publish."""
    return one_line(re.sub(r"[(<]?[^\s()<>@]+@[^\s()<>@]+[)>]?", "", author)).strip(" ()")


def reading_minutes(text: str) -> int:
    """How long a text takes to read, minutes: 230 words each, or 500 characters of a script that
    writes no spaces (Brysbaert 2019 gives 238 for English)."""
    # They take three bytes in UTF-8: a text hardly longer in bytes than in characters has too few to count.
    few = len(text.encode(errors="replace")) < 1.05 * len(text)
    wide = 0 if few else len(_SPACELESS.findall(text))
    words = len(text.split()) if wide * 2 < len(text) else 0
    return round(words / 230 + wide / 500)


_SPACELESS: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def first_words(root: Element) -> Element:
    """The first blocks of a cleaned tree until they hold enough words."""
    kept: list[Element | str] = []
    count = 0
    for child in root.children:
        kept.append(child)
        count += len(re.findall(r"\w+", child if isinstance(child, str) else child.text()))
        if count >= EXCERPT_WORDS:
            break
    while kept and isinstance(kept[-1], Element) and kept[-1].tag in ("h2", "h3", "h4", "h5", "h6", "hr"):
        kept.pop()
    return Element("body", {}, *kept)


def one_line(text: str) -> str:
    """A text on one line, without control characters and without marks that turn the direction of what
    follows (Unicode Technical Report 36). What a header would be decoded from (RFC 2047) stays what it says:
    it could hold both."""
    if not text.isprintable():
        text = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text)
        text = re.sub(r"[\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]", "", text)
    if "=?" in text and _ENCODED_WORD.search(text):
        text = text.replace("=?", "= ?")
    return " ".join(text.split())


_ENCODED_WORD: Final = re.compile(r"=\?[^?\s]+\?[bBqQ]\?[^?]*\?=")


def sender_of(newsletter: Newsletter) -> Sender:
    """Who the mail comes from; the name may be a feed's title."""
    sender = newsletter.sender or Sender(name=newsletter.title, address="")
    return replace(sender, name=one_line(sender.name))


def title_of(post: Post, words: Language) -> str:
    """A post's title; short posts without one (microblogs) are called by their first words."""
    return one_line(post.title) or shortened(begins_of(post), 60) or words("untitled")


def begins_of(post: Post) -> str:
    """A post's first words, plain."""
    body = clean(post.html or post.summary, base_url=post.base_url or post.url, words=_silent)
    return shortened(opening_line(body.tree), _BEGINNING)


def opening_line(root: Element) -> str:
    """The first words of a cleaned tree on one line, enough for a preview line or a title."""
    parts: list[str] = []
    length = 0
    for text in _texts(root):
        parts.append(text)
        length += len(text)
        if length > 2_000:  # enough, however much of it is white space
            break
    return one_line("".join(parts))


def _texts(element: Element) -> Iterator[str]:
    """The texts within an element, a space after each block and line break."""
    for child in element.children:
        if isinstance(child, str):
            yield child
            continue
        yield from _texts(child)
        if child.tag in BLOCKS or child.tag == "br":
            yield " "


def _silent(name: str, **values: object) -> str:
    return ""


def shortened(text: str, length: int) -> str:
    """A text cut at a word, with an ellipsis; whole where it is short enough."""
    if len(text) <= length:
        return text
    cut = text[: length - 1]
    head, _, _ = cut.rpartition(" ")
    return (head if len(head) > length // 2 else cut).rstrip(" ,.;:-\u2013\u2014") + "…"


def _underlined(title: str) -> str:
    lines = wrap(title)
    return "\n".join([*lines, "=" * max(map(columns, lines))])
