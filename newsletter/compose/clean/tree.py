"""A small mutable tree of HTML: parsed by the HTML standard's rules, cut off at a depth that no reader
of ours can be hurt by, and written out again.

Nothing here is safe to show: :func:`newsletter.guard.html.sanitise` always comes last.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

MAX_DEPTH: Final = 100
"""Elements nested deeper are flattened into the last one, their text kept. Real posts stay under 40;
renderers behind us overflow their stack at some thousands."""

VOID: Final = frozenset("area base br col embed hr img input link meta param source track wbr".split())


class Element:
    """One element. ``children`` are elements and strings (unescaped text)."""

    __slots__ = ("attrs", "children", "tag")

    def __init__(self, tag: str, attrs: dict[str, str] | None = None, *children: Node) -> None:
        self.tag = tag
        self.attrs = attrs if attrs is not None else {}
        self.children: list[Node] = list(children)

    @property
    def classes(self) -> frozenset[str]:
        given = self.attrs.get("class")
        return frozenset(given.lower().split()) if given else _NO_CLASSES

    @property
    def style(self) -> str:
        """The style attribute in lower case without spaces, for looking things up in it."""
        given = self.attrs.get("style")
        return "".join(given.lower().split()) if given else ""

    def elements(self) -> Iterator[Element]:
        """Itself and every element below, in document order."""
        stack: list[Element] = [self]
        while stack:
            element = stack.pop()
            yield element
            stack.extend(child for child in reversed(element.children) if isinstance(child, Element))

    def first(self, *tags: str) -> Element | None:
        """The first element of these tags, itself or below, in document order."""
        if self.tag in tags:
            return self
        for child in self.children:
            if not isinstance(child, str) and (found := child.first(*tags)) is not None:
                return found
        return None

    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text() for child in self.children)


Node = Element | str

_NO_CLASSES: Final[frozenset[str]] = frozenset()


def parse(html: str) -> Element:
    """The body of a document or fragment as a tree. Comments are dropped, except a ``more`` break,
    which becomes an element ``more``. Never raises for any text."""
    root = Element("body")
    # A fragment that begins with what belongs into a head would otherwise move there.
    body = LexborHTMLParser(f"<!doctype html><body>{html}").body
    if body is None:
        return root
    # Iterative: hostile markup may nest tens of thousands deep. Each entry: a node, and where it goes.
    stack: list[tuple[LexborNode, Element, int]] = [(body, root, 0)]
    while stack:
        source, target, depth = stack.pop()
        below: list[tuple[LexborNode, Element, int]] = []
        child = source.first_child
        while child is not None:
            if child.is_text_node:
                target.children.append(child.text_content or "")
            elif child.is_element_node:
                tag = child.tag or ""
                if depth >= MAX_DEPTH and tag not in VOID:
                    _flatten(child, target)
                else:
                    element = Element(tag, {name: value or "" for name, value in child.attributes.items()})
                    target.children.append(element)
                    below.append((child, element, depth + 1))
            elif child.is_comment_node and _is_more(child):
                target.children.append(Element("more"))
            child = child.next
        stack.extend(reversed(below))
    return root


_SILENT = frozenset({"script", "style", "template"})


def _flatten(node: LexborNode, target: Element) -> None:
    """Append every text below a node, without recursion."""
    stack = [node]
    while stack:
        current = stack.pop()
        if current.tag == "-text":
            target.children.append(current.text_content or "")
        elif current.tag not in _SILENT:
            children: list[LexborNode] = []
            child = current.first_child
            while child is not None:
                children.append(child)
                child = child.next
            stack.extend(reversed(children))


def _is_more(comment: LexborNode) -> bool:
    """WordPress writes ``<!--more-->``, perhaps with a text of its own."""
    return (comment.comment_content or "").strip().lower().startswith("more")


def serialise(node: Node) -> str:
    """Markup of a tree. The inverse of :func:`parse` for every tree that it gives."""
    parts: list[str] = []
    _write(node, parts)
    return "".join(parts)


def inner(element: Element) -> str:
    parts: list[str] = []
    for child in element.children:
        _write(child, parts)
    return "".join(parts)


def _escaped(text: str, *, quote: bool = False) -> str:
    """As the sanitiser writes it, so that it need not read its own writing a second time."""
    if "&" in text:
        text = text.replace("&", "&amp;")
    if "<" in text or ">" in text:
        text = text.replace("<", "&lt;").replace(">", "&gt;")
    if "\xa0" in text:
        text = text.replace("\xa0", "&nbsp;")
    return text.replace('"', "&quot;") if quote and '"' in text else text


def _write(node: Node, parts: list[str]) -> None:
    if isinstance(node, str):
        parts.append(_escaped(node))
        return
    if node.attrs:
        parts.append(f"<{node.tag}")
        for name, value in node.attrs.items():
            parts.append(f' {name}="{_escaped(value, quote=True)}"')
        parts.append(">")
    else:
        parts.append(f"<{node.tag}>")
    if node.tag in VOID:
        return
    if node.tag == "pre" and node.children and isinstance(first := node.children[0], str):
        parts.append("\n" if first.startswith("\n") else "")  # the parser drops one right after <pre>
    for child in node.children:
        _write(child, parts)
    parts.append(f"</{node.tag}>")
