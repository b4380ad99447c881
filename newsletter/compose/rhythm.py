"""Distances and signs that depend on what stands beside an element; the rest is the style sheet's."""

from __future__ import annotations

import re
from typing import Final

from newsletter.compose.clean.blocks import HEADINGS, blank
from newsletter.compose.clean.tree import Element, Node

TASKS: Final = ("\u2610", "\u2611")
"""The boxes, empty and ticked, that cleaning writes for a list of tasks."""

SMALL_IMAGE: Final = 160
"""An image wider than this, pixels, stands by itself even where the blog lets text flow around it."""

_HOLDS_BLOCKS: Final = frozenset(
    "blockquote dd div dl figure li ol table tbody td tfoot th thead tr ul".split()
)

_NEAR: Final = "margin-bottom:0.35em"
_AWAY: Final = "margin-top:16px"
"""From a heading to a picture, a table or a box, which have no line of their own height around them."""


def in_rhythm(root: Element) -> None:
    """Sets what follows from an element's neighbours, everywhere below the root, which is changed."""
    heading = False
    for child in root.children:
        if not isinstance(child, Element):
            continue
        tag = child.tag
        if heading and _solid(child):
            add_style(child, _AWAY)
        heading = tag in HEADINGS
        if tag in _HOLDS_BLOCKS:
            if tag == "ol":
                _with_room(child)
            elif tag == "ul":
                _without_dots(child)
            elif tag == "blockquote":
                _with_source(child)
            in_rhythm(child)


def add_style(element: Element, style: str) -> None:
    given = element.attrs.get("style")
    element.attrs["style"] = f"{given};{style}" if given else style


def whole_number(text: str | None, otherwise: int) -> int:
    """A number of a list, as the blog wrote it; ``otherwise`` where it is none of at most six digits."""
    return int(text) if text and re.fullmatch(r"-?\d{1,6}", text.strip()) else otherwise


def is_tasks(items: list[Element]) -> bool:
    """Whether a list's items all begin with a box to tick, which needs no dot before it."""
    return bool(items) and all(item.text().lstrip().startswith(TASKS) for item in items)


def source_of(quotation: Element) -> Element | None:
    """A quotation's last paragraph where it only names whose words they were."""
    last = next((c for c in reversed(quotation.children) if isinstance(c, Element)), None)
    if last is None or last.tag not in ("p", "cite"):
        return None
    if last.tag == "cite":
        return last
    match [child for child in last.children if not (isinstance(child, str) and blank(child))]:
        case [Element(tag="cite")]:
            return last
        case _:
            return None


def _with_room(numbered: Element) -> None:
    """Numbers of three and more digits need more room than the style sheet gives, or stand in the margin."""
    last = whole_number(numbered.attrs.get("start"), 1) + len(numbered.children) - 1
    if last >= 100 and numbered.attrs.get("type", "1") == "1":
        numbered.attrs["class"] = "hundreds" if last < 1000 else "thousands"


def _without_dots(listed: Element) -> None:
    if is_tasks([child for child in listed.children if isinstance(child, Element)]):
        listed.attrs["class"] = "tasks"


def _with_source(quotation: Element) -> None:
    source = source_of(quotation)
    if source is not None:
        before = quotation.children[: quotation.children.index(source)]
        if (words := next((c for c in reversed(before) if isinstance(c, Element)), None)) is not None:
            add_style(words, _NEAR)


def _solid(element: Element) -> bool:
    if element.tag == "p":
        first: Node | None = next((c for c in element.children if not blank(c)), None)
        return isinstance(first, Element) and first.first("img") is not None and not first.text().strip()
    return element.tag in ("figure", "table") or "scroll" in element.classes
