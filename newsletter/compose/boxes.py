"""What stands in a box of its own: code, call-outs, buttons, cards for other pages, tables that scroll.

Outlook for Windows gives padding and a ground to cells only, so that each box is a table of one cell. The
classes that tell them apart are our own (:data:`newsletter.guard.vocabulary.CLASSES`).
"""

from __future__ import annotations

from typing import Final

from newsletter.compose.clean.images import SHOWN_WIDTH
from newsletter.compose.clean.tree import Element, Node

_SCROLLING: Final = 3
"""A table of more columns keeps its words whole, and scrolls where there is no room."""

_WITHIN_BOX: Final = SHOWN_WIDTH - 2 * 19
"""What a box leaves of the width: 18 pixels of space and one of line on either side (``article.css.j2``)."""

_DENSE: Final = 6
"""A table of more columns is set smaller."""


def boxed(parent: Element) -> None:
    """Puts what needs a box into one, everywhere below an element."""
    changed: list[Node] = []
    for child in parent.children:
        if isinstance(child, Element):
            boxed(child)
            child = _box(child)
        changed.append(child)
    parent.children = changed


def _box(element: Element) -> Element:
    classes = element.classes
    if element.tag == "pre":
        return _one_cell("code", element)
    if element.tag == "div" and "callout" in classes:
        return _one_cell("callout", *element.children)
    if element.tag == "figure" and "card" in classes:
        return _one_cell("card", *_as_card(element.children))
    if element.tag == "p" and (link := _only_button(element)) is not None:
        return _button(link)
    if element.tag == "table" and "class" not in element.attrs:
        return _scrolling(element)
    return element


def _one_cell(kind: str, *children: Node) -> Element:
    row = Element("tr", {}, Element("td", {"class": f"box {kind}"}, *children))
    table = Element("table", {"class": "box", "role": "presentation", "cellpadding": "0", "cellspacing": "0"})
    table.children = [Element("tbody", {}, row)]
    return table


def _only_button(paragraph: Element) -> Element | None:
    """The link that a blog shows as a button, where nothing else stands in its line."""
    match [child for child in paragraph.children if not (isinstance(child, str) and not child.strip())]:
        case [Element(tag="a") as link] if "button" in link.classes and link.first("img") is None:
            return link
        case _:
            return None


def _button(link: Element) -> Element:
    link.attrs.pop("class", None)
    table = _one_cell("action", link)
    table.attrs["class"] = "box actions"
    return table


def _as_card(children: list[Node]) -> list[Node]:
    """A picture first, then the page's title; its other lines are no links to the eye."""
    pictures = [child for child in children if isinstance(child, Element) and _is_picture(child)]
    lines = [c for c in children if c not in pictures]
    for picture in pictures:
        picture.attrs["class"] = "picture"
        _narrowed(picture.first("img"))
    for number, line in enumerate(c for c in lines if isinstance(c, Element)):
        line.attrs["class"] = "about" if number else "name"
    return [*pictures, *lines]


def _narrowed(image: Element | None) -> None:
    """Keeps a picture within its box in Outlook too, which goes by the attribute."""
    if (
        image is None
        or not image.attrs.get("width", "").isdigit()
        or int(image.attrs["width"]) <= _WITHIN_BOX
    ):
        return
    if image.attrs.get("height", "").isdigit():
        height = int(image.attrs["height"]) * _WITHIN_BOX // int(image.attrs["width"])
        image.attrs["height"] = str(height)
    image.attrs["width"] = str(_WITHIN_BOX)


def _is_picture(element: Element) -> bool:
    return element.first("img") is not None and not element.text().strip()


def _scrolling(table: Element) -> Element:
    widest = max((_columns(row) for row in table.elements() if row.tag == "tr"), default=0)
    if widest <= _SCROLLING:
        return table
    table.attrs["class"] = "dense" if widest > _DENSE else "wide"
    style = f"max-width:{SHOWN_WIDTH}px;overflow-x:auto"
    return Element("div", {"class": "scroll", "style": style}, table)


def _columns(row: Element) -> int:
    return sum(isinstance(child, Element) for child in row.children)
