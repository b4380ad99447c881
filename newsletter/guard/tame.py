"""Bring wild markup to a depth and size that every HTML parser survives, without losing its text.

An HTML parser looks through all open elements at many a tag, and opens formatting elements again in every
block, so 100,000 nested tags cost it many seconds and 20 KB of crafted ones become 20 MB. Before a parser
sees markup that could do so, this module reads it once, from left to right, in time that grows with its
length only, and leaves out the tags that go too deep or come too often. Sources: the WHATWG HTML standard,
sections "Tokenization" and "Tree construction".

What it writes holds allowed tags and text: no foreign elements, no raw text elements, nothing in comments. So
it is known in which state a parser is at every tag, and ``guard.follow`` can follow it. Safety never rests on
this: the sanitiser comes after.
"""

from __future__ import annotations

import re
from html import escape

from newsletter.guard.follow import OpenElements
from newsletter.guard.vocabulary import ATTRIBUTES, CLOSES_P, CONTENT_DROPPED, FORMATTING, TABLE_PARTS, TAGS

_MOST_TAGS = 100_000
_MOST_REFERENCES = 1000
_LONGEST_SHORT_VALUE = 64

_VALUE = r"""(?:"([^"]*+)"|'([^']*+)'|([^\s>"'][^\s>]*+))?+"""
_ATTRIBUTE_SOURCE = rf"(=[^\s/>=]*+|[^\s/>=]++)(?:\s*+=\s*+{_VALUE})?+"
_ATTRIBUTE = re.compile(_ATTRIBUTE_SOURCE, re.ASCII)
_ATTRIBUTES = re.sub(r"\((?!\?)", "(?:", _ATTRIBUTE_SOURCE)
_TAG = re.compile(rf"<(/?)([A-Za-z][^\s/>]*+)((?:[\s/]++|{_ATTRIBUTES})*+)>", re.ASCII)
_COMMENT = re.compile(r"<!--(?:-?>|.*?(?:--!?>|\Z))", re.DOTALL)
_NO_TAG = re.compile(r"</>|<(?:[!?]|/[^A-Za-z])[^>]*+(?:>|\Z)")
# A parser copies a text at each of its references; an empty comment begins a new text.
_TEXT_ENDS = "<!---->"
_MANY_REFERENCES = re.compile(rf"(?:&[^&]*+){{{_MOST_REFERENCES}}}")
_TAG_AHEAD = re.compile(r"</?[A-Za-z]")

_RAW_TEXT = frozenset(
    {"iframe", "noembed", "noframes", "noscript", "script", "style", "textarea", "title", "xmp"}
)
# Tags that end an unclosed <svg>: a parser takes them as HTML again.
_LEAVES_SVG = (CLOSES_P | FORMATTING | TABLE_PARTS | {"br", "img", "ruby", "span", "sub", "sup"}) - {"a"}


def tame(html: str) -> str:
    """The same text in markup of allowed tags, nested at most ``vocabulary.DEPTH`` deep.

    Linear in time. Keeps every visible character; drops comments, disallowed tags (the content of those in
    ``CONTENT_DROPPED`` too) and whatever nests too deep. Text in formulas (``<math>``) stays. Never makes
    markup safe: sanitise afterwards.
    """
    writer = _Writer()
    at = 0
    while True:
        start = html.find("<", at)
        if start < 0:
            writer.text(html[at:])
            break
        writer.text(html[at:start])
        at = _read_markup(html, start, writer)
    return "".join(writer.out)


def _read_markup(html: str, start: int, writer: _Writer) -> int:
    """Read what begins with the ``<`` at ``start``; the position after it."""
    found = _TAG.match(html, start)
    if found is None:
        if html.startswith("<!--", start):
            comment = _COMMENT.match(html, start)
            return comment.end() if comment else len(html)
        nothing = _NO_TAG.match(html, start)
        if nothing is not None:
            return nothing.end()
        if _TAG_AHEAD.match(html, start):
            return len(html)  # a tag that never ends: what a parser drops as well
        writer.text("&lt;")
        return start + 1
    slash, raw_name, attributes = found.groups()
    name = raw_name.lower()
    if slash:
        writer.end(name)
        return found.end()
    if name == "plaintext":
        writer.text(escape(html[found.end() :]))
        return len(html)
    if name in _RAW_TEXT and not writer.inside_svg:
        close = re.compile(rf"</{name}(?=[\s/>])[^>]*+>?", re.IGNORECASE | re.ASCII).search(html, found.end())
        if name == "xmp":
            writer.text(escape(html[found.end() : close.start() if close else len(html)]))
        return close.end() if close else len(html)
    writer.start(name, attributes)
    return found.end()


class _Writer:
    """Writes allowed tags and text on, without what may not be shown."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self._elements = OpenElements(self.out)
        self._tags = 0
        self._references = 0
        self._dropping = ""
        self._dropping_depth = 0

    @property
    def inside_svg(self) -> bool:
        return self._dropping == "svg"

    def text(self, text: str) -> None:
        if not text or self._dropping:
            return
        references = text.count("&")
        if references > _MOST_REFERENCES:
            text = _MANY_REFERENCES.sub(rf"\g<0>{_TEXT_ENDS}", text)
        self._elements.text(text)
        self._references += references
        if self._references > _MOST_REFERENCES:
            self.out.append(_TEXT_ENDS)
            self._references = 0

    def start(self, name: str, attributes: str) -> None:
        if self._dropping:
            if name == self._dropping:
                self._dropping_depth += not attributes.endswith("/")
            if not (self.inside_svg and name in _LEAVES_SVG):
                return
            self._dropping = ""
        if name in CONTENT_DROPPED:
            if not (name == "svg" and attributes.endswith("/")):
                self._dropping, self._dropping_depth = name, 1
            return
        if name == "image":  # what every parser reads as img
            name = "img"
        self._tags += 1
        if name in TAGS and self._tags <= _MOST_TAGS:
            self._elements.start(name, f"<{name}{_kept(name, attributes)}>")

    def end(self, name: str) -> None:
        if self._dropping:
            if name == self._dropping:
                self._dropping_depth -= 1
                if not self._dropping_depth:
                    self._dropping = ""
                return
            # An element that is never closed ends where its parent ends.
            if not self._elements.holds(name):
                return
            self._dropping = ""
        self._tags += 1
        if name in TAGS and self._tags <= _MOST_TAGS:
            self._elements.end(name)


def _kept(name: str, source: str) -> str:
    """The allowed attributes among those written, quoted anew."""
    if not source or source.isspace():
        return ""
    allowed = ATTRIBUTES.get(name, frozenset())
    # Formatting is opened again in later blocks, so it must be short.
    everywhere = ATTRIBUTES["*"] if name not in FORMATTING or name == "a" else frozenset[str]()
    kept: dict[str, str] = {}
    for raw_name, double, single, bare in _ATTRIBUTE.findall(source):
        attribute = raw_name.lower()
        value = double or single or bare
        if value.count("&") > _MOST_REFERENCES:
            continue
        if attribute in allowed or (attribute in everywhere and len(value) <= _LONGEST_SHORT_VALUE):
            kept.setdefault(attribute, f' {attribute}="{_quoted(value)}"')
    return "".join(kept.values())


def _quoted(text: str) -> str:
    """Escape what could end a value or begin a tag; character references stay as they are."""
    return text.replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
