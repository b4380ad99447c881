"""Our own look at MJML before it is compiled: the compiler lets unknown tags and attributes pass in
silence, and names neither line nor reason for the rest."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

from newsletter.compose import html_lint

_BOX = {
    "align", "background-color", "border", "border-bottom", "border-left", "border-radius", "border-right",
    "border-top", "css-class", "padding", "padding-bottom", "padding-left", "padding-right", "padding-top",
    "container-background-color", "mj-class", "direction", "height", "width", "vertical-align", "text-align",
}  # fmt: skip
_FONT = {
    "color", "font-family", "font-size", "font-style", "font-weight", "letter-spacing", "line-height",
    "text-decoration", "text-transform",
}  # fmt: skip
_BACKGROUND = {
    "background-url", "background-repeat", "background-size", "background-position", "background-position-x",
    "background-position-y",
}  # fmt: skip
_LINK = {"href", "rel", "target", "title", "name"}

TAGS: Final[dict[str, set[str]]] = {
    "mjml": {"lang", "dir", "owa"},
    "mj-head": set(),
    "mj-body": {"background-color", "width", "css-class", "mj-class"},
    "mj-attributes": set(),
    "mj-all": _BOX | _FONT,
    "mj-class": _BOX | _FONT | _BACKGROUND | _LINK | {"name", "inner-padding", "full-width"},
    "mj-title": set(),
    "mj-preview": set(),
    "mj-style": set(),
    "mj-breakpoint": {"width"},
    "mj-section": _BOX | _BACKGROUND | {"full-width"},
    "mj-wrapper": _BOX | _BACKGROUND | {"full-width"},
    "mj-group": _BOX,
    "mj-column": _BOX | {"inner-background-color", "inner-border", "inner-border-bottom", "inner-border-left",
                         "inner-border-radius", "inner-border-right", "inner-border-top"},
    "mj-text": _BOX | _FONT,
    "mj-button": _BOX | _FONT | _LINK | {"inner-padding"},
    "mj-image": _BOX | _LINK | {"src", "srcset", "alt", "sizes", "fluid-on-mobile", "max-height", "usemap"},
    "mj-divider": _BOX | {"border-color", "border-style", "border-width"},
    "mj-spacer": _BOX,
    "mj-table": _BOX | _FONT | {"cellpadding", "cellspacing", "role", "table-layout"},
    "mj-raw": {"position"},
    "mj-hero": _BOX | _BACKGROUND | {"background-height", "background-width", "mode",
                                     "inner-background-color"},
    "mj-social": _BOX | _FONT | {"icon-height", "icon-size", "icon-padding", "inner-padding", "mode",
                                 "text-padding", "table-layout"},
    "mj-social-element": _BOX | _FONT | _LINK | {"src", "alt", "icon-height", "icon-size", "icon-padding",
                                                 "text-padding"},
    "mj-navbar": _BOX | {"base-url", "hamburger"},
    "mj-navbar-link": _BOX | _FONT | _LINK,
}  # fmt: skip
"""The tags that a theme may use, and their attributes (mjml.io documentation, version 4)."""

_INSIDE: Final = {
    "mj-head": {"mjml"},
    "mj-body": {"mjml"},
    "mj-section": {"mj-body", "mj-wrapper"},
    "mj-wrapper": {"mj-body"},
    "mj-hero": {"mj-body", "mj-wrapper"},
    "mj-column": {"mj-section", "mj-group"},
    "mj-group": {"mj-section"},
    "mj-attributes": {"mj-head"},
    "mj-title": {"mj-head"},
    "mj-preview": {"mj-head"},
    "mj-style": {"mj-head"},
    "mj-breakpoint": {"mj-head"},
    "mj-text": {"mj-column", "mj-hero"},
    "mj-button": {"mj-column", "mj-hero"},
    "mj-image": {"mj-column", "mj-hero"},
    "mj-divider": {"mj-column", "mj-hero"},
    "mj-spacer": {"mj-column", "mj-hero"},
    "mj-table": {"mj-column", "mj-hero"},
    "mj-social": {"mj-column", "mj-hero"},
    "mj-navbar": {"mj-column", "mj-hero"},
}  # fmt: skip

_TAG = re.compile(
    r"<!--.*?-->|<(/?)(mjml|mj-[a-z-]+)((?:\s+[^\s=>/]+(?:=(?:\"[^\"]*\"|'[^']*'))?)*)\s*(/?)>", re.S
)
_OPENS = re.compile(r"</?mj(?:ml\b|-)")
_ATTRIBUTE = re.compile(r"([^\s=]+)(?:=(\"[^\"]*\"|'[^']*'))?")


@dataclass(frozen=True)
class Problem:
    """``position`` is where in the source the tag begins that is wrong."""

    text: str
    position: int
    hint: str = ""


@lru_cache(maxsize=64)
def first_problem(mjml: str) -> Problem | None:
    """The first thing that is wrong, or None."""
    open_tags: list[tuple[str, int]] = []
    end = 0
    for match in _TAG.finditer(mjml):
        if match[2] is None:
            continue
        start = match.start()
        if _NO_MORE.fullmatch(mjml, end, start) is None:
            if stray := _OPENS.search(mjml, end, start):
                return Problem(_BROKEN, stray.start())
            if found := _between(mjml[end:start], open_tags[-1][0] if open_tags else ""):
                return Problem(found[0], end + found[1])
        end = match.end()
        closing, tag, attributes, alone = match.groups()
        if closing:
            if not open_tags or open_tags[-1][0] != tag:
                return _wrongly_closed(tag, match.start(), open_tags)
            open_tags.pop()
            continue
        if wrong := _of_tag(tag, attributes, open_tags[-1][0] if open_tags else ""):
            return Problem(wrong[0], match.start(), wrong[1])
        if not alone:
            open_tags.append((tag, match.start()))
    if stray := _OPENS.search(mjml, end):
        return Problem(_BROKEN, stray.start())
    return Problem(f"<{open_tags[-1][0]}> is never closed.", open_tags[-1][1]) if open_tags else None


_HTML: Final = frozenset(
    {
        "mj-text",
        "mj-button",
        "mj-table",
        "mj-raw",
        "mj-title",
        "mj-preview",
        "mj-navbar-link",
        "mj-social-element",
    }
)
"""The tags that hold HTML or text; all others hold tags of MJML only."""

_NO_MORE: Final = re.compile(r"\s*(?:\x01\d+\x02)?")
_NOTHING: Final = re.compile(r"(?:\s|\x01\d+\x02|<!--.*?-->)*", re.S)


def _between(text: str, tag: str) -> tuple[str, int] | None:
    """What is wrong with what stands before the next tag of MJML, within ``tag``; and where."""
    if "<" not in text and tag in _HTML:
        return None
    if tag in _HTML:
        return html_lint.first_problem(text)
    if tag == "mj-style":
        at = text.find("<")
        return ("A style sheet must not hold “<”.", at) if at >= 0 else None
    nothing = _NOTHING.match(text)
    at = nothing.end() if nothing else 0
    if at == len(text):
        return None
    shown = " ".join(_MARKS.sub("", text[at:]).split())[:40]
    where = f"in <{tag}>" if tag else "outside of <mjml>"
    return f"“{shown}” stands {where}, where nobody sees it; put it into <mj-text>.", at


_MARKS: Final = re.compile(r"\x01\d+\x02")
_BROKEN: Final = "This tag does not end, or an attribute lacks its quotes."


def _wrongly_closed(tag: str, position: int, open_tags: list[tuple[str, int]]) -> Problem:
    if any(name == tag for name, _ in open_tags):
        name, opened = open_tags[-1]
        return Problem(f"<{name}> is not closed before </{tag}>.", opened)
    return Problem(f"</{tag}> closes what is not open.", position)


@lru_cache(maxsize=1024)
def _of_tag(tag: str, attributes: str, parent: str) -> tuple[str, str] | None:
    """What is wrong with an opening tag, and a hint."""
    known = TAGS.get(tag)
    if known is None:
        near = get_close_matches(tag, TAGS, n=1)
        return f"There is no tag <{tag}>.", f"Did you mean <{near[0]}>?" if near else ""
    if tag in _INSIDE and parent != "mj-attributes" and parent not in _INSIDE[tag]:
        inside = " or ".join(f"<{name}>" for name in sorted(_INSIDE[tag]))
        return f"<{tag}> stands in <{parent or 'nothing'}>; it belongs into {inside}.", ""
    for name, value in _ATTRIBUTE.findall(attributes):
        if name not in known:
            near = get_close_matches(name, known, n=1)
            return f"<{tag}> has no attribute {name!r}.", f"Did you mean {near[0]!r}?" if near else ""
        if bad := _bad_value(name, value[1:-1]):
            return f"<{tag}> has {name}={value}, which {bad}.", ""
    return None


_COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}|[a-zA-Z]+|rgba?\([\d., %]+\)")
_SIZE = re.compile(r"\d+(?:\.\d+)?(?:px|%)?|auto")
_PADDING = re.compile(r"(?:\d+(?:\.\d+)?(?:px|%)?\s*){1,4}")


def _bad_value(name: str, value: str) -> str:
    if value.startswith("zq"):
        return ""
    if name.endswith("color") and not _COLOUR.fullmatch(value):
        return "is no colour"
    if name in ("width", "height", "font-size") and not _SIZE.fullmatch(value):
        return "is no size"
    if name.startswith(("padding", "inner-padding")) and not _PADDING.fullmatch(value):
        return "is no padding"
    if name in ("align", "text-align") and value not in ("left", "right", "center", "justify"):
        return "is none of left, right, center"
    return ""
