"""What a reader would notice of an entry: its title, where it leads, its words and its pictures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from html import unescape
from urllib.parse import urlsplit

from newsletter.detect.links import canonical_link

SIMILAR = 0.6  #: the share of words that two texts have in common to be taken for one, edited
TEXT_WORDS = 48  #: shorter texts repeat across posts (measured: none of 3,962 entries collided from here on)
_SIMILAR_WORDS = 20
_BEGINNING = 10  #: words that two texts must have in common to begin alike
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_WORD = re.compile(r"\S+")
_HTML_LIMIT = 2_000_000
_COMPARED = 50_000  #: characters by which two texts are found alike


_TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9:-]{0,30})")
_SOURCE = re.compile(r"""\ssrc\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""", re.I)
_HUGE_REFERENCE = re.compile(r"&#[xX]?[0-9a-fA-F]{9,}")  # more digits than Python turns into a number
_HIDDEN = {name: re.compile(f"</{name}", re.I) for name in ("script", "style", "template", "noscript")}
_INSIDE_WORDS = frozenset(
    "a abbr b bdo big cite code em font i ins kbd mark o:p q s samp small span strong sub sup tt u".split()
)


@dataclass(frozen=True)
class Content:
    """The visible side of an entry or post.

    Its markup is scanned, in linear time, and never parsed: a parser can be made to work for minutes, and
    nothing here is shown to anybody.
    """

    title: str
    url: str
    html: str

    @property
    def words(self) -> tuple[str, ...]:
        return _words(_scan(self.html[:_HTML_LIMIT])[0])

    @property
    def sha(self) -> str:
        """Changes when, and only when, a reader would see a difference.

        Of pictures only the file names count: hosts, sizes and signatures in their URLs change by themselves.
        """
        return self._hashes[0]

    @property
    def text_sha(self) -> str:
        """The hash of a text long enough to be nobody else's; "" for a shorter one."""
        return self._hashes[1]

    @cached_property
    def _vocabulary(self) -> tuple[int, frozenset[str]]:
        words = _words(_scan(self.html[:_COMPARED])[0])
        return len(words), frozenset(words)

    @cached_property
    def _hashes(self) -> tuple[str, str]:
        # Only these are kept: the words of a feed of thousands of posts would fill the memory.
        text, pictures = _scan(self.html[:_HTML_LIMIT])
        words = _words(text)
        title = " ".join(self.title.split())
        content = _sha(title, canonical_link(self.url), " ".join(words), *pictures)
        return content, _sha(" ".join(words).casefold()) if len(words) >= TEXT_WORDS else ""

    def similarity(self, other: Content) -> float:
        """0 to 1: the share of distinct words that both have; 0 where either is too short to say."""
        (my_length, mine), (their_length, theirs) = self._vocabulary, other._vocabulary
        if min(my_length, their_length) < _SIMILAR_WORDS:
            return 0.0
        shared = len(mine & theirs)
        return shared / (len(mine) + len(theirs) - shared)

    def says_the_same(self, other: Content) -> bool:
        """Whether, under the same title, both have the same pictures and much the same words, however few."""
        title = " ".join(self.title.casefold().split())
        if not title or title != " ".join(other.title.casefold().split()):
            return False
        mine, theirs = self._vocabulary[1], other._vocabulary[1]
        every = len(mine | theirs)
        return (every == 0 or len(mine & theirs) / every >= SIMILAR) and self._pictures == other._pictures

    @property
    def _pictures(self) -> list[str]:
        return _scan(self.html[:_COMPARED])[1]

    def begins_like(self, other: Content) -> bool:
        """Whether the shorter of both is the beginning of the longer one, give or take its last words."""
        mine, theirs = self.words, other.words
        size = min(len(mine), len(theirs)) - 3
        return size >= _BEGINNING and mine[:size] == theirs[:size]

    def is_cut_of(self, whole: Content) -> bool:
        """Whether this is the beginning of ``whole``, as in a feed that came to carry summaries only."""
        mine, theirs = self.words, whole.words
        size = len(mine) - 3  # the last ones may be "Read more" or half a word
        return 0 < size < len(theirs) * 0.9 and mine[:size] == theirs[:size]


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(_INVISIBLE.sub("", unescape(_HUGE_REFERENCE.sub("", text)))))


def _scan(html: str) -> tuple[str, list[str]]:
    """The text between the tags, and the names of the pictures."""
    text: list[str] = []
    pictures: list[str] = []
    at = 0
    while (start := html.find("<", at)) >= 0:
        text.append(html[at:start])
        tag = _TAG.match(html, start)
        if tag is None and not html.startswith("<!", start):
            text.append("<")
            at = start + 1
            continue
        closing = "-->" if html.startswith("<!--", start) else ">"
        end = html.find(closing, start + 2)
        if end < 0:
            return "".join(text), pictures
        at = end + len(closing)
        if tag is None:
            continue
        name = tag[1].lower()
        if name not in _INSIDE_WORDS:
            text.append(" ")
        if name == "img" and (source := _SOURCE.search(html, start, min(at, start + 4_000))):
            pictures.append(_file_name(unescape(next(filter(None, source.groups()), ""))))
        if name in _HIDDEN and html[start + 1] != "/":
            hidden = _HIDDEN[name].search(html, at)
            if hidden is None:
                return "".join(text), pictures
            at = hidden.start()
    text.append(html[at:])
    return "".join(text), pictures


def _file_name(source: str) -> str:
    try:
        return urlsplit(source).path.rpartition("/")[2]
    except ValueError:
        return source


def _sha(*parts: str) -> str:
    return sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()
