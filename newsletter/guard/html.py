"""The one sanitiser: whatever HTML a feed carries comes out without anything that could act.

The work is done by nh3 (ammonia), which builds the tree a browser would build and writes out only what
``guard.vocabulary`` allows. Around it: control characters go, depth is capped, and the result is cleaned
again until cleaning changes nothing. Such a fixed point is read by a browser exactly as it was read here, so
nothing can hide in what one parser repairs and another does not.
"""

from __future__ import annotations

import functools
import re
from html import unescape
from itertools import accumulate
from urllib.parse import urlsplit

import nh3

from newsletter.guard import vocabulary
from newsletter.guard.calm import is_wild
from newsletter.guard.tame import tame
from newsletter.guard.vocabulary import DEPTH

__all__ = ["is_wild", "plain", "sanitise", "tame"]

_ROUNDS = 8
# Control characters (C0, C1), unpaired surrogates and noncharacters: none can be shown, some end a mail
# early or make Gmail clip it, and XML forbids them.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_LINE_END = re.compile(r"\r\n?")
_SPACE_CONTROL = re.compile(r"[\x0b\x0c\x1c-\x1f\x85]")
# Exactly what nh3 writes: in its text and values every "<" is escaped.
_WRITTEN_TAG = re.compile(r'<(/?)([a-z0-9]+)((?: [a-z]+="[^"]*")*)>')
_PRE_LINE = re.compile(r'(<pre(?: [a-z]+="[^"]*")*>)\n')
_BIDI_CONTROL = re.compile("[\u202a-\u202e\u2066-\u2069]")
_WORD_BREAK = re.compile(r"</?(?:br|dd|div|dt|h[1-6]|hr|li|ol|p|pre|t[dhr]|ul)\b", re.IGNORECASE)
_CUT_MARKUP = re.compile(r"[<&][^<>&;]*\Z")
_LONGEST_PLAIN_SOURCE = 64 * 1024


def sanitise(html: str, *, base_url: str | None) -> str:
    """HTML of allowed tags, attributes and schemes only, closed in order, ``vocabulary.DEPTH`` deep at most.

    Relative URLs are resolved against ``base_url`` (an absolute http or https URL); without one they are
    removed. Text stays, except in ``vocabulary.CONTENT_DROPPED``. Idempotent: sanitising twice changes
    nothing. Never fails on any input and never touches the network.
    """
    try:
        cleaner = _cleaner(base_url if base_url is not None and _is_base(base_url) else None)
    except ValueError:  # a host or port that no browser could open; feeds write such things too
        cleaner = _cleaner(None)
    current = _printable(html)
    for _ in range(_ROUNDS):
        source = tame(current) if is_wild(current) else current
        cleaned = _flatten(_keep_first_line(_printable(cleaner.clean(source))))
        if cleaned == current:
            return cleaned
        current = cleaned
    # Markup that still moves after so many rounds was built to; its text is all that an honest author loses
    # nothing by.
    return _without_tags(current)


def plain(text: str, *, limit: int = 300) -> str:
    """One line of plain text from a title or name: no tags, references decoded once, white space collapsed.

    Control and bidirectional override characters are removed, so that a title can neither break a line nor
    turn the words after it around. At most ``limit`` characters, the last one "…" where something was cut.
    """
    if len(text) > _LONGEST_PLAIN_SOURCE:
        text = _CUT_MARKUP.sub("", text[:_LONGEST_PLAIN_SOURCE])
    if "<" in text or "&" in text:
        text = unescape(_without_tags(_WORD_BREAK.sub(r" \g<0>", _printable(text))))
    text = _BIDI_CONTROL.sub("", _printable(text))
    text = " ".join(text.split())
    if len(text) > limit:
        text = text[: limit - 1].rstrip() + "…"
    return text


@functools.lru_cache(maxsize=64)
def _cleaner(base_url: str | None) -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=vocabulary.TAGS,
        clean_content_tags=vocabulary.CONTENT_DROPPED,
        attributes=vocabulary.ATTRIBUTES,
        allowed_classes=vocabulary.CLASSES,
        url_schemes=vocabulary.SCHEMES,
        url_relative=("rewrite_with_base", base_url) if base_url else "deny",
        link_rel=None,
    )


@functools.lru_cache(maxsize=1)
def _stripper() -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=frozenset(), clean_content_tags=vocabulary.CONTENT_DROPPED, attributes={}, link_rel=None
    )


def _without_tags(html: str) -> str:
    """The text alone, still with its references."""
    return _printable(_stripper().clean(tame(html) if is_wild(html) else html))


def _is_base(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _printable(text: str) -> str:
    if _UNPRINTABLE.search(text) is None:
        return text
    return _UNPRINTABLE.sub("", _SPACE_CONTROL.sub(" ", _LINE_END.sub("\n", text)))


def _keep_first_line(html: str) -> str:
    """A parser drops a line end right after ``<pre>``; nh3 writes the one that was meant, which needs two."""
    return _PRE_LINE.sub(r"\1\n\n", html) if "<pre" in html else html


def _flatten(html: str) -> str:
    """Leave out the tags of nh3's output that nest deeper than ``DEPTH``; their text stays."""
    if html.count("<") <= 2 * DEPTH:
        return html
    steps = (
        -1 if slash else 0 if name in vocabulary.VOID else 1 for slash, name, _ in _WRITTEN_TAG.findall(html)
    )
    if max(accumulate(steps)) <= DEPTH:
        return html
    depth = 0

    def keep(tag: re.Match[str]) -> str:
        nonlocal depth
        slash, name, _ = tag.groups()
        if name in vocabulary.VOID:
            return tag[0]
        depth += -1 if slash else 1
        return tag[0] if depth + bool(slash) <= DEPTH else ""

    return _WRITTEN_TAG.sub(keep, html)
