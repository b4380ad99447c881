"""How a post's text looks: the theme's style sheet, written into every element, since a third of the
clients read no other."""

from __future__ import annotations

from typing import Final

import css_inline

from newsletter.compose.boxes import boxed
from newsletter.compose.clean.blocks import HEADINGS, blank
from newsletter.compose.clean.images import SHOWN_WIDTH
from newsletter.compose.clean.tree import Element, Node, inner
from newsletter.compose.rhythm import SMALL_IMAGE, add_style, in_rhythm
from newsletter.compose.slots import Html

_BLOCK: Final = "display:block;height:auto;border:0"
_WITHIN: Final = "display:inline-block;max-width:100%;height:auto;border:0;vertical-align:middle"

_BESIDE_OTHERS: Final = frozenset({"blockquote", "ol", "ul", *HEADINGS})
"""Elements whose look, or that of the next one, depends on what stands beside them."""

_LESS: Final = "\ufdd0"
_GREATER: Final = "\ufdd1"
_AWAY: Final = str.maketrans("<>", _LESS + _GREATER)
"""The inliner writes angle brackets in attributes as they are: HTML allows it, but what reads tags by
pattern stumbles. Noncharacters stand for them meanwhile; the sanitiser has removed all others."""

_INLINER: Final = css_inline.CSSInliner(
    inline_style_tags=False, load_remote_stylesheets=False, keep_style_tags=True
)


def dress(root: Element, css: str, *, below: int = 1) -> Html:
    """A cleaned tree, which is changed, as HTML with the style sheet inlined. ``below`` is the level of the
    heading above it: 1 where the post's title is the email's h1, 2 in a digest. Never touches the network."""
    if not root.children:
        return Html("")
    if below > 1:
        for element in root.elements():
            if element.tag in HEADINGS:
                element.tag = f"h{min(int(element.tag[1]) + below - 1, 6)}"
    elements = list(root.elements())
    used = {element.tag for element in elements}
    if "img" in used:
        for element in elements:
            _place_images(element)
    boxed(root)
    if not used.isdisjoint(_BESIDE_OTHERS):
        in_rhythm(root)
    first = next((e for e in root.children if isinstance(e, Element)), None)
    last = next((e for e in reversed(root.children) if isinstance(e, Element)), None)
    if last is not None and last.tag in ("p", "ul", "ol", "figure", "table", "dl"):
        add_style(last, "margin-bottom:0")
    if first is not None and (first.tag in HEADINGS or first.tag == "blockquote"):
        add_style(first, "margin-top:0")
    for element in elements:
        for name, value in element.attrs.items():
            if "<" in value or ">" in value:
                element.attrs[name] = value.translate(_AWAY)
    inlined = _INLINER.inline_fragment(inner(root), css)
    return Html(inlined.replace(_LESS, "&lt;").replace(_GREATER, "&gt;"))


def _place_images(parent: Element) -> None:
    """Sizes and styles of the images directly within an element (or within its links)."""
    if not any(map(_holds_image, parent.children)):
        return
    for image in [c for c in parent.children if isinstance(c, Element) and c.tag == "img"]:
        image.attrs.setdefault("alt", "")  # without one, some programs read the file's name aloud
        after = parent.children[parent.children.index(image) + 1 :][:1]
        if after and isinstance(after[0], Element) and after[0].tag == "br":
            parent.children.remove(after[0])
            _stand_alone(image, "0 0 8px")
    for position, child in enumerate(parent.children):
        shown = child.first("img") if _holds_image(child) and isinstance(child, Element) else None
        if shown is not None and isinstance(child, Element) and child.tag == "a":
            child.attrs["style"] = (
                "text-decoration:none"  # a line under a picture, or under what stands for it
            )
        if shown is None or "style" in shown.attrs:
            continue
        before = _words(parent.children[:position])
        behind = _words(parent.children[position + 1 :])
        width = shown.attrs.get("width", "")
        if width.isdigit() and int(width) <= (SMALL_IMAGE if before or behind else 64):
            shown.attrs["style"] = _WITHIN
        elif before and behind and not width:
            shown.attrs["style"] = _WITHIN  # in the middle of a sentence: a formula, a sign
        elif before or behind:
            _stand_alone(shown, "10px 0" if before else "0 0 10px")
        else:
            _stand_alone(shown)


def _stand_alone(image: Element, margin: str = "") -> None:
    style = f"{_BLOCK};margin:{margin}" if margin else _BLOCK
    if width := image.attrs.get("width", ""):
        # A width in percent lets a narrow phone shrink it, also while it is only its description.
        image.attrs["style"] = f"{style};width:100%;max-width:{width}px"
    else:
        # Outlook for Windows reads the attribute and no max-width; everybody else reads the style.
        image.attrs |= {"width": str(SHOWN_WIDTH), "style": f"{style};width:auto;max-width:100%"}


def _words(nodes: list[Node]) -> bool:
    return any(not blank(node) for node in nodes if not _holds_image(node))


def _holds_image(node: Node) -> bool:
    if not isinstance(node, Element):
        return False
    if node.tag == "img":
        return True
    return node.tag == "a" and node.first("img") is not None and not node.text().strip()
