"""One pass over the tree: each element becomes what an email can show, its words kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import urljoin

from newsletter.compose.clean import blocks, debris, embeds, images, marks
from newsletter.compose.clean.embeds import Words
from newsletter.compose.clean.formulas import formula
from newsletter.compose.clean.tree import Element, Node

_KEPT: Final[dict[str, tuple[str, ...]]] = {
    "a": ("href", "title"),
    "ol": ("start", "type", "reversed"),
    "ul": (),
    "li": ("value",),
    "td": ("colspan", "rowspan"),
    "th": ("colspan", "rowspan", "scope"),
    **dict.fromkeys(
        """
        abbr b blockquote br caption cite code dd del dfn dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i
        ins kbd mark p pre q s samp small strong sub sup table tbody thead tfoot tr u ul var
        """.split(),
        (),
    ),
}
"""What stays, with the attributes that stay on it (beside ``dir`` and ``lang``). All else is unwrapped."""

_RENAMED: Final = {
    "strike": "s",
    "tt": "code",
    "big": "b",
    "xmp": "pre",
    "listing": "pre",
    "plaintext": "pre",
}
_FLOW = frozenset({"blockquote", "li", "dd", "td", "th", "figcaption"})
_BOXES = frozenset(
    """
    body div center section article main header footer aside nav form fieldset address details hgroup
    """.split()
)
_LISTS = ("ul", "ol", "menu", "dir")


class Rewriter:
    """Rewrites the tree of one post. ``base_url`` is what relative addresses mean."""

    def __init__(self, *, base_url: str, words: Words) -> None:
        self._base_url = base_url
        self._words = words
        self.breaks = False  #: whether a "more" break of the author's was met

    def children(self, element: Element) -> list[Node]:
        out: list[Node] = []
        for child in element.children:
            if isinstance(child, str):
                out.append(_DOUBLE_SPACE.sub(" ", child) if "\xa0" in child else child)
            elif child.tag == "noscript" and self._repeats(child, out):
                continue
            else:
                out.extend(self.node(child))
        return out

    def node(self, element: Element) -> list[Node]:
        """What stands for one element: any number of nodes."""
        tag = element.tag
        if element.attrs or tag in debris.SILENT:
            address = embeds.widget(element)
            if address and (url := embeds.absolute(address, self._base_url)):
                return embeds.linked(url, element.attrs.get("title", ""), self._words)
            if tag == "script":
                return marks.tex_script(element)
            if tag == "input" and element.attrs.get("type", "").lower() == "checkbox":
                return ["☑ " if "checked" in element.attrs else "☐ "]
            if "class" in element.attrs and "katex" in element.classes:
                return self._katex(element)
            if debris.silent(element):
                return []
        handle = _HANDLERS.get(tag)
        return handle(self, element) if handle is not None else self._other(element, _RENAMED.get(tag, tag))

    def _summary(self, element: Element) -> list[Node]:
        return blocks.paragraphs(blocks.pushed_down("b", {}, self.children(element)))

    def _label(self, element: Element) -> list[Node]:
        return [*self.children(element), " "]

    def _more(self, element: Element) -> list[Node]:
        self.breaks = True
        return [element]

    def _other(self, element: Element, tag: str) -> list[Node]:
        if tag == "blockquote":
            marks.name_source(element)
        children = self.children(element)
        if tag in blocks.HEADINGS and all(map(blocks.blank, children)):
            return [child for child in children if not isinstance(child, str)]
        if tag in blocks.HEADINGS and any(map(blocks.is_block, children)):
            return blocks.as_heading(tag, children)
        if tag == "hr":
            return [Element("hr")]
        if tag in _FLOW and any(blocks.is_block(c) and not _is_list(c) for c in children):
            children = blocks.word_lists(blocks.paragraphs(children))
        if tag not in _KEPT or debris.means_nothing(element):
            return self._styled(element, children)
        if tag == "dl":
            children = blocks.only(children, ("dt", "dd"))
        if tag == "blockquote" and not marks.POSTS.isdisjoint(element.classes):
            return children
        attrs = {name: element.attrs[name] for name in (*_KEPT[tag], "dir", "lang") if name in element.attrs}
        if tag in ("td", "th") and (side := marks.side(element)):
            attrs["align"] = side
        if tag == "figure" and not marks.CARDS.isdisjoint(element.classes):
            attrs["class"] = "card"
        if tag not in blocks.BLOCKS and tag != "br":
            return blocks.pushed_down(tag, attrs, children)
        return [Element(tag, attrs, *children)]

    def _styled(self, element: Element, children: list[Node]) -> list[Node]:
        """An unwrapped element; what its inline style meant becomes a tag."""
        direction = _direction(element)
        if direction.get("lang", "").isupper():
            del direction["lang"]  # Word's, on every line, whatever the language
        if any(map(blocks.is_block, children)) or all(map(blocks.blank, children)):
            return children
        for tag in debris.meaning_of_style(element) if element.tag in ("span", "font") else ():
            children = [Element(tag, {}, *children)]
        return [Element("span", direction, *children)] if direction else children

    def _container(self, element: Element) -> list[Node]:
        """A box: its paragraphs, without the box. Blogger's ``<div>`` per line becomes a paragraph."""
        classes = element.classes
        if "wp-caption" in classes:
            return self._with_caption(element)
        children = self.children(element)
        if all(map(blocks.blank, children)):
            return [c for c in children if not isinstance(c, str) and blocks.is_block(c)]
        direction = _direction(element)
        result = blocks.paragraphs(children)
        if not marks.LED.isdisjoint(classes):
            result = blocks.joined_to_next(result)
        for block in result if direction else ():
            if isinstance(block, Element):
                block.attrs = direction | block.attrs
        if not marks.CALLOUTS.isdisjoint(classes):
            return [Element("div", {"class": "callout"}, *result)]
        if "pullquote" in classes and not any(n.first("blockquote") for n in _elements(result)):
            return [Element("blockquote", {}, *result)]
        return result

    def _paragraph(self, element: Element) -> list[Node]:
        item = debris.word_list_item(element)
        if item is not None:
            tag, marker = item
            bare = Element("li", {}, *debris.without_marker(element))
            # A paragraph for now: its neighbours decide where the list begins and ends.
            mark = Element("span", {"style": "mso-list:ignore"}, marker)
            return [Element("p", {"class": "MsoListParagraph", "data-list": tag}, mark, *self.children(bare))]
        children = self.children(element)
        if any(map(blocks.is_block, children)):
            return blocks.paragraphs(children)
        return blocks.split_paragraph(Element("p", _direction(element), *children))

    def _link(self, element: Element) -> list[Node]:
        children = self.children(element)
        href = element.attrs.get("href", "").strip()
        if href.lower().startswith(("mailto:", "tel:")):
            url = href
        elif not href or href.startswith("#") or self._here(href):
            url = ""  # anchors within a mail fail in too many clients
        else:
            url = embeds.absolute(href, self._base_url)
        if (
            not url
            and "".join(child for child in children if isinstance(child, str)).strip() in marks.ANCHOR_SIGNS
        ):
            return [child for child in children if not isinstance(child, str)]
        if element.attrs.get("name") == "more" or element.attrs.get("id", "").startswith("more-"):
            self.breaks = True
            return [Element("more"), *children]
        if not url and href and marks.is_footnote(element) and not any(map(blocks.is_block, children)):
            return [Element("sup", {}, *children)]
        if not url or all(map(blocks.blank, children)):
            return children
        title = {"title": element.attrs["title"]} if element.attrs.get("title") else {}
        kind = {} if marks.BUTTONS.isdisjoint(element.classes) else {"class": "button"}
        return blocks.pushed_down("a", {"href": url, **title, **kind}, children)

    def _here(self, href: str) -> bool:
        """Whether a link leads to a place within the post itself: a footnote."""
        if "#" not in href or not self._base_url:
            return False
        page = self._base_url.partition("#")[0]
        try:
            return urljoin(page, href).partition("#")[0] == page and not href.endswith(
                ("#comments", "#respond")
            )
        except ValueError:
            return False

    def _list(self, element: Element) -> list[Node]:
        tag = "ol" if element.tag == "ol" else "ul"
        items: list[Node] = []
        for child in self.children(element):
            if isinstance(child, Element) and child.tag == "li":
                if not blocks.blank(child) or child.first("img"):
                    items.append(child)
            elif isinstance(child, Element) and child.tag in ("ul", "ol") and items:
                last = items[-1]  # a list directly within a list belongs to the item before it
                if isinstance(last, Element):
                    last.children.append(child)
            elif not blocks.blank(child):
                items.append(Element("li", {}, child))
        if not items:
            return []
        attrs = {name: element.attrs[name] for name in (*_KEPT[tag], "dir", "lang") if name in element.attrs}
        return [Element(tag, attrs, *items)]

    # --- pictures and players

    def _image(self, element: Element) -> list[Node]:
        if (character := images.emoji(element)) is not None:
            return [character]
        alt = " ".join(element.attrs.get("alt", "").split())
        src = embeds.absolute(images.source_of(element), self._base_url)
        if not src:
            return [alt] if alt else []
        if debris.tracking(element, src):
            return []
        title = {"title": element.attrs["title"]} if element.attrs.get("title") else {}
        # An alt that was never given is left out, so that the checklist can ask for it.
        given = {"alt": alt} if "alt" in element.attrs else {}
        return [Element("img", {"src": src, **given, **title, **images.sized(element, src)})]

    def _picture(self, element: Element) -> list[Node]:
        image = images.of_picture(element)
        return self._image(image) if image is not None else self.children(element)

    def _frame(self, element: Element) -> list[Node]:
        return embeds.frame(element, self._base_url, self._words)

    def _object(self, element: Element) -> list[Node]:
        children = self.children(element)
        return children if not all(map(blocks.blank, children)) else self._frame(element)

    def _media(self, element: Element) -> list[Node]:
        return embeds.media(element, self._base_url, self._words)

    def _repeats(self, noscript: Element, before: list[Node]) -> bool:
        """Whether a ``<noscript>`` only repeats the lazy image before it."""
        image = noscript.first("img")
        if image is None or noscript.text().strip():
            return False
        previous = next((n for n in reversed(before) if isinstance(n, Element) and n.first("img")), None)
        if previous is None:
            return False
        shown = previous.first("img")
        src = embeds.absolute(images.source_of(image), self._base_url)
        return shown is not None and (debris.tracking(image, src) or marks.same_file(shown.attrs["src"], src))

    # --- text that is more than text

    def _pre(self, element: Element) -> list[Node]:
        """Code, exactly: no highlighting, no line numbers, every space and line break."""
        gutters = [e for e in element.elements() if not marks.GUTTER.isdisjoint(e.classes)]
        for gutter in gutters:
            gutter.children = []
        return [Element("pre", {}, marks.code_text(element).strip("\n"))]

    def _table(self, element: Element) -> list[Node]:
        code = element.first("pre")
        if code is not None and any(not marks.GUTTER.isdisjoint(e.classes) for e in element.elements()):
            blocks_of_code = [
                e for e in element.elements() if e.tag == "pre" and marks.GUTTER.isdisjoint(e.classes)
            ]
            if blocks_of_code:
                return self._pre(blocks_of_code[-1])
        if "tr-caption-container" in element.classes:
            return self._captioned(element)
        cells = list(marks.own_cells(element))
        if len(cells) <= 1 or element.attrs.get("role", "") in ("presentation", "none"):
            cells = [*marks.captions(element), *cells]
            return [block for cell in cells for block in blocks.paragraphs(self.children(cell))]
        rows = [Element("table", {}, *[c for c in self.children(element) if not isinstance(c, str)])]
        return [row for row in rows if not blocks.blank(row) or row.first("img")]

    def _captioned(self, element: Element) -> list[Node]:
        """Blogger's picture with a caption is a table."""
        picture: list[Node] = []
        caption: list[Node] = []
        for cell in (*marks.own_cells(element), *marks.captions(element)):
            below = cell.tag == "caption" or "tr-caption" in cell.classes
            (caption if below else picture).extend(self.children(cell))
        return marks.figure(picture, caption)

    def _with_caption(self, element: Element) -> list[Node]:
        """WordPress's picture with a caption, as its classic editor writes it, is a box."""
        picture: list[Node] = []
        caption: list[Node] = []
        for child in element.children:
            if isinstance(child, Element) and "wp-caption-text" in child.classes:
                caption.extend(self.children(child))
            else:
                picture.extend([child] if isinstance(child, str) else self.node(child))
        return marks.figure(picture, caption)

    def _ruby(self, element: Element) -> list[Node]:
        """Readings in brackets: half of the clients show ruby as one run-together word."""
        out: list[Node] = []
        for child in element.children:
            if isinstance(child, str):
                out.append(child)
            elif child.tag in ("rt", "rtc"):
                out.append(f"({child.text().strip()})")
            elif child.tag != "rp":
                out.extend(self.node(child))
        return out

    def _math(self, element: Element) -> list[Node]:
        """A formula as its TeX where the author's markup has it, else its symbols in a row."""
        tex = next((e for e in element.elements() if e.tag == "annotation"), None)
        text = tex.text() if tex is not None else element.attrs.get("alttext") or formula(element)
        text = " ".join(text.split())
        return [Element("code", {}, text)] if text else []

    def _katex(self, element: Element) -> list[Node]:
        """KaTeX shows each formula twice: once for eyes, once for screen readers."""
        math = element.first("math")
        return self._math(math) if math is not None else self._styled(element, self.children(element))

    def _svg(self, element: Element) -> list[Node]:
        """Drawings do not show in Gmail: their words do."""
        texts = [" ".join(e.text().split()) for e in element.elements() if e.tag in ("title", "text", "desc")]
        return [" ".join(text for text in texts if text)]


def _elements(nodes: list[Node]) -> Iterator[Element]:
    return (node for node in nodes if isinstance(node, Element))


def _direction(element: Element) -> dict[str, str]:
    """What it says of its language and direction."""
    if not element.attrs:
        return {}
    return {name: value for name in ("dir", "lang") if (value := element.attrs.get(name))}


_HANDLERS: Final[dict[str, Callable[[Rewriter, Element], list[Node]]]] = {
    **dict.fromkeys(_BOXES, Rewriter._container),
    **dict.fromkeys(_LISTS, Rewriter._list),
    **dict.fromkeys(("option", "legend", "label", "button", "textarea"), Rewriter._label),
    **dict.fromkeys(("audio", "video"), Rewriter._media),
    **dict.fromkeys(("embed", "iframe"), Rewriter._frame),
    **dict.fromkeys(("img", "amp-img"), Rewriter._image),
    "a": Rewriter._link,
    "math": Rewriter._math,
    "more": Rewriter._more,
    "noscript": Rewriter.children,
    "object": Rewriter._object,
    "p": Rewriter._paragraph,
    "picture": Rewriter._picture,
    "pre": Rewriter._pre,
    "ruby": Rewriter._ruby,
    "summary": Rewriter._summary,
    "svg": Rewriter._svg,
    "table": Rewriter._table,
}

_DOUBLE_SPACE = re.compile(r"(?<!\xa0) \xa0(?!\xa0)|(?<!\xa0)\xa0 ")
"""What editors make of two spaces after a full stop."""


def _is_list(node: Node) -> bool:
    return isinstance(node, Element) and node.tag in ("ul", "ol")
