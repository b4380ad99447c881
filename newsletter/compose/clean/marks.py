"""How editors and platforms mark what they write: by class, by style, by what stands in what. Each question
is answered from the element alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from newsletter.compose.clean import blocks, debris, images
from newsletter.compose.clean.tree import Element, Node

GUTTER = frozenset({"gutter", "lineno", "linenos", "linenodiv", "rouge-gutter", "line-numbers", "gl"})

ANCHOR_SIGNS = frozenset({"#", "¶", "§", "🔗", "↩", "↩︎", "^", "↑"})
"""What site generators hang on headings and footnotes to jump by; in mail there is nowhere to jump."""

LED = frozenset({"footnote", "kg-callout-card"})
"""Boxes whose first short part (a number, an emoji) belongs to the line after it."""

CALLOUTS = frozenset({"admonition", "callout", "callout-block", "kg-callout-card"})
POSTS = frozenset({"instagram-media", "tiktok-embed"})
"""Quotations that only hold a link to a post elsewhere, for a script to fill."""
CARDS = frozenset({"kg-bookmark-card"})
BUTTONS = frozenset({"btn", "button", "kg-btn", "wp-block-button__link"})
"""Classes by which Ghost, WordPress, Substack and the usual Markdown sites mark what stands in a box."""


def figure(picture: list[Node], caption: list[Node]) -> list[Node]:
    figure = Element("figure", {}, *(n for n in picture if not blocks.blank(n)))
    if not all(map(blocks.blank, caption)):
        figure.children.append(Element("figcaption", {}, *caption))
    return [figure] if figure.children else []


def name_source(quotation: Element) -> None:
    """A quotation's footer says whose words they were, as ``<cite>`` does."""
    for position, child in enumerate(quotation.children):
        if isinstance(child, Element) and child.tag == "footer":
            quotation.children[position] = Element("p", {}, Element("cite", child.attrs, *child.children))


def side(cell: Element) -> str:
    """The side on which a cell's text stands: by its attribute, its style (Markdown) or class (WordPress)."""
    given = cell.attrs.get("align") or ""
    if found := _ALIGNED.search(f"align:{given};{cell.style};{cell.attrs.get('class', '')}".lower()):
        return found[1]
    return ""


_ALIGNED = re.compile(r"\balign[:-](left|center|right)\b")


def is_footnote(link: Element) -> bool:
    """Whether a link within the post is a footnote's number, by its class: elsewhere it stands in a sup."""
    return any("footnote" in name for name in link.classes) and "footnote-number" not in link.classes


def captions(table: Element) -> list[Element]:
    return [e for e in table.children if isinstance(e, Element) and e.tag == "caption"]


def own_cells(table: Element) -> Iterator[Element]:
    """The cells of a table, not those of tables within it."""
    stack: list[Node] = list(reversed(table.children))
    while stack:
        node = stack.pop()
        if isinstance(node, Element):
            if node.tag in ("td", "th"):
                yield node
            elif node.tag != "table":
                stack.extend(reversed(node.children))


def tex_script(element: Element) -> list[Node]:
    """MathJax 2 keeps formulas in scripts that never run."""
    if not element.attrs.get("type", "").lower().startswith("math/tex"):
        return []
    return [Element("code", {}, " ".join(element.text().split()))]


def code_text(element: Element) -> str:
    parts: list[str] = []
    for child in element.children:
        if isinstance(child, str):
            parts.append(child)
        elif child.tag == "br":
            parts.append("\n")
        elif not debris.silent(child):
            parts.append(code_text(child))
            # Some highlighters make each line a block of its own.
            if child.tag in ("div", "p", "li") and not parts[-1].endswith("\n"):
                parts.append("\n")
    return "".join(parts)


def same_file(one: str, other: str) -> bool:
    def stem(url: str) -> str:
        return re.sub(r"-\d+x\d+(?=\.\w+$)", "", images.urlsplit_path(url).rpartition("/")[2])

    return stem(one) == stem(other)
