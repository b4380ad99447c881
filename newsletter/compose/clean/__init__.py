"""Any blog's HTML becomes tidy HTML that every mail client shows: no word of the author's lost, and
sanitised last.

The order matters: rewriting first (it reads classes and styles), sanitising after it (nothing that a
feed says gets past it), sizes and looks by the theme at the very end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from newsletter.compose.clean import blocks
from newsletter.compose.clean.embeds import Words
from newsletter.compose.clean.rewrite import Rewriter
from newsletter.compose.clean.tree import Element, Node, inner, parse
from newsletter.guard.html import sanitise

__all__ = ["Cleaned", "Words", "clean"]


@dataclass(frozen=True, kw_only=True)
class Cleaned:
    """A post's text, safe to show. ``tree`` is what ``html`` parses to; ``opening`` is the tree of what
    precedes the author's own "more" break, None where there is none. The two may share elements."""

    html: str
    tree: Element
    opening: Element | None = None


def clean(html: str, *, base_url: str = "", title: str = "", words: Words) -> Cleaned:
    """Clean a post's markup. ``base_url`` is what relative addresses mean; a first heading that only
    repeats ``title`` is left out. Never raises for any input, never touches the network."""
    body = parse(html)
    rewriter = Rewriter(base_url=base_url, words=words)
    children = _lifted(blocks.word_lists(rewriter.node(body)), breaks=rewriter.breaks)
    root = Element("body", {}, *_without_plugin_words(_without_title(children, title)))
    blocks.order_headings(root)
    whole: list[Node] = []
    opening: list[Node] | None = None
    for child in root.children:
        if isinstance(child, Element) and child.tag == "more":
            if opening is None and whole:
                opening = list(whole)
        else:
            whole.append(child)
    if opening is not None and len(opening) == len(whole):
        opening = None  # nothing follows the break
    written = inner(root := Element("body", {}, *whole)).strip()
    html = _sanitised(written, base_url)
    beginning = Element("body", {}, *opening) if opening else None
    if html == written:  # the sanitiser found nothing to mend, so that this is what it would read
        return Cleaned(html=html, tree=_merged(root), opening=beginning)
    if beginning is not None:
        beginning = parse(_sanitised(inner(beginning), base_url))
    return Cleaned(html=html, tree=parse(html), opening=beginning)


def _sanitised(html: str, base_url: str) -> str:
    return sanitise(html, base_url=base_url).strip()


def _merged(root: Element) -> Element:
    """The tree with neighbouring texts made one, as a parser would read them."""
    for element in root.elements():
        children = element.children
        if not any(isinstance(a, str) and isinstance(b, str) for a, b in pairwise(children)):
            continue
        merged: list[Node] = []
        for child in children:
            if isinstance(child, str) and merged and isinstance(merged[-1], str):
                merged[-1] += child
            else:
                merged.append(child)
        element.children = merged
    return root


def _lifted(children: list[Node], *, breaks: bool) -> list[Node]:
    """Breaks ("more"; whether there are any) on the outermost level: editors put them into paragraphs."""
    out: list[Node] = []
    for child in children:
        if breaks and isinstance(child, Element) and child.tag != "more" and child.first("more") is not None:
            first = child.children[0] if child.children else None
            leads = isinstance(first, Element) and first.tag == "more"
            _remove_more(child)
            out.extend([Element("more"), child] if leads else [child, Element("more")])
        else:
            out.append(child)
    return [child for child in out if not blocks.blank(child)]


def _remove_more(element: Element) -> None:
    for part in element.elements():
        part.children = [c for c in part.children if not (isinstance(c, Element) and c.tag == "more")]


_FIRST_ON = re.compile(r"^The post .+ appeared first on .+\.$")


def _without_plugin_words(children: list[Node]) -> list[Node]:
    """WordPress adds a last sentence of its own to every entry of a feed."""
    if children and isinstance(last := children[-1], Element) and _FIRST_ON.match(last.text().strip()):
        return children[:-1]
    return children


def _without_title(children: list[Node], title: str) -> list[Node]:
    for position, child in enumerate(children):
        if isinstance(child, Element) and child.tag != "more":
            if (
                child.tag in blocks.HEADINGS
                and blocks.same_words(child.text(), title)
                and not child.first("img")
            ):
                return children[:position] + children[position + 1 :]
            return children
    return children
