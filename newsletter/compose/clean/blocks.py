"""Order among blocks: paragraphs where the blog had line breaks, headings under the email's one h1,
nothing empty."""

from __future__ import annotations

import re
from typing import Final

from newsletter.compose.clean.debris import without_marker, word_list_item
from newsletter.compose.clean.tree import Element, Node

BLOCKS: Final = frozenset(
    """
    p h1 h2 h3 h4 h5 h6 ul ol dl blockquote pre table figure hr div center section article more caption
    figcaption tr td th thead tbody tfoot li dt dd
    """.split()
)
HEADINGS: Final = ("h1", "h2", "h3", "h4", "h5", "h6")
_SPACE = " \t\n\r\f\xa0\u200b\ufeff\u2060"


def is_block(node: Node) -> bool:
    return isinstance(node, Element) and node.tag in BLOCKS


def blank(node: Node) -> bool:
    """Whether a reader would see nothing of it."""
    if isinstance(node, str):
        return not node or (node[0] in _SPACE and not node.strip(_SPACE))
    return node.tag not in ("img", "hr", "more", "td", "th") and all(blank(child) for child in node.children)


def paragraphs(children: list[Node]) -> list[Node]:
    """Blocks only: runs of inline content become paragraphs, parted at two or more line breaks."""
    blocks: list[Node] = []
    run: list[Node] = []

    def close() -> None:
        for part in _parted(run):
            blocks.append(Element("p", {}, *part))
        run.clear()

    for child in children:
        if is_block(child):
            close()
            blocks.append(child)
        else:
            run.append(child)
    close()
    return blocks


def _parted(run: list[Node]) -> list[list[Node]]:
    """A run of inline nodes, cut where two or more ``<br>`` follow each other; blank parts dropped."""
    if not any(isinstance(node, Element) and node.tag == "br" for node in run):
        whole = _trimmed(run)
        return [] if all(map(blank, whole)) else [whole]
    parts: list[list[Node]] = [[]]
    breaks: list[Node] = []
    for node in run:
        if isinstance(node, Element) and node.tag == "br":
            breaks.append(node)
            continue
        if isinstance(node, str) and breaks and not node.strip(_SPACE):
            continue
        if len(breaks) >= 2:
            parts.append([])
        else:
            parts[-1].extend(breaks)
        breaks.clear()
        parts[-1].append(node)
    return [trimmed for part in parts if not all(map(blank, trimmed := _trimmed(part)))]


def _trimmed(part: list[Node]) -> list[Node]:
    def edge(node: Node) -> bool:
        return blank(node) and not (isinstance(node, Element) and node.first("img", "hr"))

    start, end = 0, len(part)
    while start < end and edge(part[start]):
        start += 1
    while end > start and edge(part[end - 1]):
        end -= 1
    trimmed = part[start:end]
    if trimmed and isinstance(trimmed[0], str):
        trimmed[0] = trimmed[0].lstrip(_SPACE)
    if trimmed and isinstance(trimmed[-1], str):
        trimmed[-1] = trimmed[-1].rstrip(_SPACE)
    return trimmed


_NEVER_NESTED: Final = frozenset({"a", "sub", "sup"})


def pushed_down(tag: str, attrs: dict[str, str], nodes: list[Node]) -> list[Node]:
    """Nodes within an inline element, where some of them are blocks: the element moves into the blocks,
    since no client agrees with another on a paragraph within a link or within bold text."""
    out: list[Node] = []
    run: list[Node] = []

    def close() -> None:
        within = tag in _NEVER_NESTED and any(isinstance(n, Element) and n.first(tag) for n in run)
        bare = within or all(map(blank, run))
        out.extend(run if bare else [Element(tag, dict(attrs), *run)])
        run.clear()

    for node in nodes:
        if isinstance(node, Element) and node.tag in BLOCKS:
            close()
            if node.tag not in ("pre", "hr", "more"):
                node.children = pushed_down(tag, attrs, node.children)
            out.append(node)
        else:
            run.append(node)
    close()
    return out


def as_heading(tag: str, children: list[Node]) -> list[Node]:
    """A heading with blocks in it: paragraphs become its lines; anything larger stands by itself."""
    found = paragraphs(children)
    if not all(isinstance(block, Element) and block.tag == "p" for block in found):
        return found
    heading = Element(tag)
    for block in found:
        if isinstance(block, Element):
            heading.children.extend([Element("br"), *block.children] if heading.children else block.children)
    return [heading] if heading.children else []


def only(children: list[Node], tags: tuple[str, ...]) -> list[Node]:
    """Children of these tags; what else stands between them becomes one of the last."""
    out: list[Node] = []
    run: list[Node] = []

    def close() -> None:
        if not all(map(blank, run)):
            out.append(Element(tags[-1], {}, *run))
        run.clear()

    for child in children:
        if isinstance(child, Element) and child.tag in tags:
            close()
            out.append(child)
        else:
            run.append(child)
    close()
    return out


def joined_to_next(nodes: list[Node]) -> list[Node]:
    """The first paragraph, a number or a sign, put before the words of the next."""
    match nodes:
        case [Element(tag="p") as sign, Element(tag="p") as words, *rest] if len(sign.text()) <= 4:
            return [Element("p", words.attrs, *sign.children, " ", *words.children), *rest]
        case _:
            return nodes


def split_paragraph(paragraph: Element) -> list[Node]:
    """A ``<p>``, parted at double line breaks; nothing where it is blank."""
    parts = _parted(paragraph.children)
    keep = {name: value for name, value in paragraph.attrs.items() if name in ("dir", "lang")}
    return [Element("p", dict(keep), *part) for part in parts]


def word_lists(blocks: list[Node]) -> list[Node]:
    """Paragraphs that Word wrote as list items, gathered into real lists."""
    result: list[Node] = []
    current: Element | None = None
    for block in blocks:
        item = word_list_item(block) if isinstance(block, Element) else None
        if item is None or not isinstance(block, Element):
            if not (isinstance(block, str) and not block.strip(_SPACE)):
                current = None
            result.append(block)
            continue
        tag, marker = item
        if current is None or current.tag != tag:
            current = Element(tag)
            start = re.match(r"\(?(\d+)", marker)
            if tag == "ol" and start and start[1] != "1":
                current.attrs["start"] = start[1]
            result.append(current)
        current.children.append(Element("li", {}, *without_marker(block)))
    return result


def order_headings(root: Element) -> None:
    """Headings from h2 downwards, none skipped: the email's title is its one h1."""
    found = [element for element in root.elements() if element.tag in HEADINGS]
    if not found:
        return
    highest = min(int(element.tag[1]) for element in found)
    given, level = highest, 2
    ladder = [(highest, 2)]  # (level on the blog, level here), from the outermost to the current one
    for element in found:
        given = int(element.tag[1])
        while len(ladder) > 1 and ladder[-1][0] >= given:
            ladder.pop()
        level = 2 if given <= ladder[0][0] else min(ladder[-1][1] + 1, 6)
        if level > 2:
            ladder.append((given, level))
        element.tag = f"h{level}"


def same_words(one: str, other: str) -> bool:
    """Whether two titles read the same, whatever their case, spaces and punctuation."""
    return re.findall(r"\w+", one.lower()) == re.findall(r"\w+", other.lower()) != []
