"""The plain-text part, as a person would have typed it: numbered links, real lists, code and quotations
kept, lines of at most 78 columns (RFC 5322 section 2.1.1).

The lines are fixed and not ``format=flowed`` (RFC 3676): its soft line ends and stuffed spaces have to be
encoded (measured on the LDN issue: 3 % more bytes), code and poems would have to be kept from flowing, and
a program that does not know it shows the very same lines.
"""

from __future__ import annotations

import re
from typing import Final

from newsletter.compose.clean.blocks import HEADINGS, is_block
from newsletter.compose.clean.tree import Element, Node, parse
from newsletter.compose.rhythm import SMALL_IMAGE, is_tasks, source_of, whole_number
from newsletter.compose.wrapping import WIDTH, columns, single_spaced, wrap


def plain_text(html: str | Element, *, links: str, image: str) -> str:
    """The text of cleaned HTML, or of its tree, which stays as it is.

    ``links`` heads the list of addresses at the end ("Links:"); ``image`` is what stands for a picture,
    with ``{alt}`` in it.
    """
    writer = _Writer(image)
    root = parse(html) if isinstance(html, str) else html
    lines = writer.blocks(root.children, WIDTH)
    if writer.links:
        lines += ["", links, *(f"[{number}] {url}" for number, url in enumerate(writer.links, 1))]
    # Hard spaces have kept together and indented what they should; now they are spaces.
    return "\n".join(line.replace("\xa0", " ").rstrip() for line in lines).strip("\n")


_OWN_LINE: Final = "\x01"
_APART: Final = "\x02"
"""Stand around what is said for a picture until its line is put together; cleaning leaves no such signs."""

_EDGES: Final = f" \t\n{_OWN_LINE}{_APART}"
_AROUND_PICTURE = re.compile(rf"\s*{_OWN_LINE}\s*")
_SMALL_PICTURE = re.compile(rf"(\w?){_APART}([^{_APART}]*){_APART}(?=([\w{_APART}]?))")
_ONE_LINE = re.compile(rf"[^\n{_OWN_LINE}{_APART}]+\Z")
_AROUND_BREAK = re.compile(r"[ \t]*\n[ \t]*")


class _Writer:
    def __init__(self, image: str) -> None:
        self.links: list[str] = []
        self._image = image
        self._card: str | None = None  #: within a card, where its line before leads: all lead there

    def blocks(self, nodes: list[Node], width: int) -> list[str]:
        """The lines of blocks, an empty line between them."""
        lines: list[str] = []
        run: list[Node] = []

        def add(more: list[str]) -> None:
            if more:
                if lines:
                    lines.append("")
                lines.extend(more)

        def close() -> None:
            text = self.inline(run)
            run.clear()
            if text:
                add(wrap(text, width))

        for node in nodes:
            if is_block(node) and isinstance(node, Element):
                close()
                add(self._block(node, width))
            else:
                run.append(node)
        close()
        return lines

    def _block(self, element: Element, width: int) -> list[str]:
        tag = element.tag
        if tag in HEADINGS:
            text = wrap(self.inline(element.children), width)
            if text == [""]:
                return []
            return [*text, "-" * max(map(columns, text))] if tag in ("h1", "h2") else text
        if tag in ("ul", "ol"):
            return self._list(element, width)
        if tag == "figure":
            return self._figure(element, width)
        if tag == "blockquote":
            return [f"> {line}".rstrip() for line in self._quotation(element, width - 2)]
        if tag == "pre":
            return [f"    {line}" for line in element.text().strip("\n").split("\n")]
        if tag == "hr":
            return ["* * *"]
        if tag == "table":
            return self._table(element, width)
        if tag == "dl":
            return self._terms(element, width)
        return self.blocks(element.children, width)

    def _figure(self, element: Element, width: int) -> list[str]:
        """A picture and what stands below it, or a card for another page: one block of lines."""
        self._card = "" if "card" in element.classes else None
        lines = [line for child in element.children for line in self.blocks([child], width) if line]
        self._card = None
        return lines

    def _quotation(self, element: Element, width: int) -> list[str]:
        source = source_of(element)
        words = [child for child in element.children if child is not source]
        lines = self.blocks(words, width)
        if source is None or not (name := self.inline(source.children)):
            return lines
        dash = "" if name.startswith(("\u2014", "\u2013", "-")) else "\u2014 "
        return [*lines, *([""] if lines else []), *wrap(f"{dash}{name}", width)]

    def _list(self, element: Element, width: int) -> list[str]:
        items = [child for child in element.children if isinstance(child, Element)]
        numbers = _numbers(element, items)
        dot = "" if is_tasks(items) else "* "
        marks = [f"{number}. " for number in numbers] if numbers else [dot] * len(items)
        indent = max((len(mark) for mark in marks), default=2)
        rendered = [self._item(item, width - indent) for item in items]
        loose = any("" in lines for lines in rendered)
        out: list[str] = []
        for mark, lines in zip(marks, rendered, strict=True):
            if loose and out:
                out.append("")
            first, *rest = lines or [""]
            out.append(mark.rjust(indent) + first)
            out.extend(" " * indent + line if line else "" for line in rest)
        return out

    def _item(self, item: Element, width: int) -> list[str]:
        """An item's lines; a list within it follows its words at once."""
        inner = [c for c in item.children if isinstance(c, Element) and c.tag in ("ul", "ol")]
        if not inner:
            return self.blocks(item.children, width)
        lines = self.blocks([c for c in item.children if c not in inner], width)
        for nested in inner:
            lines += self._list(nested, width)
        return lines

    def _terms(self, element: Element, width: int) -> list[str]:
        lines: list[str] = []
        for child in element.children:
            if isinstance(child, Element):
                inside = self.blocks(child.children, width - (4 if child.tag == "dd" else 0))
                lines += [f"    {line}" if child.tag == "dd" else line for line in inside]
        return lines

    def _table(self, element: Element, width: int) -> list[str]:
        caption = next((e for e in element.elements() if e.tag == "caption"), None)
        out = [*wrap(self.inline(caption.children), width), ""] if caption is not None else []
        cells = [
            [cell for cell in row.children if isinstance(cell, Element)]
            for row in element.elements()
            if row.tag == "tr"
        ]
        rows = [[self.inline(cell.children).replace("\n", " ") for cell in row] for row in cells]
        count = max((len(row) for row in rows), default=0)
        if not count:
            return []
        rows = [row + [""] * (count - len(row)) for row in rows]
        sizes = [max(columns(row[n]) for row in rows) for n in range(count)]
        right = [all(c[n].attrs.get("align") == "right" for c in cells if n < len(c)) for n in range(count)]
        heads = element.first("th") is not None
        if sum(sizes) + 3 * (count - 1) <= width:
            for number, row in enumerate(rows):
                filled = map(_filled, row, sizes, right)
                out.append("   ".join(filled).rstrip())
                if heads and number == 0 and len(rows) > 1:
                    out.append("   ".join("-" * size for size in sizes))
            return out
        titles = rows[0] if heads and len(rows) > 1 else [""] * count
        for row in rows[1:] if any(titles) else rows:
            for title, cell in zip(titles, row, strict=True):
                if cell:
                    out += wrap(f"{title}: {cell}" if title else cell, width)
            out.append("")
        return out[:-1]

    # --- within a line

    def inline(self, nodes: list[Node]) -> str:
        text = "".join(self._inline(node) for node in nodes)
        if _OWN_LINE in text:
            text = _AROUND_PICTURE.sub("\n", text).strip("\n")
        if _APART in text:
            text = _SMALL_PICTURE.sub(_spaced, text)
        text = _AROUND_BREAK.sub("\n", text) if "\n" in text else text
        return single_spaced(text, "\t").strip(" \n")

    def _inline(self, node: Node) -> str:
        if isinstance(node, str):
            return single_spaced(node, "\n\t\r\f\v").replace("\u00ad", "").replace("\u200b", "")
        tag = node.tag
        if tag == "br":
            return "\n"
        if tag == "img":
            return self._picture(node)
        if tag == "pre":
            return node.text()
        inside = "".join(self._inline(child) for child in node.children)
        if tag == "a":
            return self._link(node, inside)
        if (
            tag in ("b", "strong", "em", "i")
            and inside.strip()
            and len(inside) <= 80
            and _ONE_LINE.match(inside)
        ):
            mark = "*" if tag in ("b", "strong") else "_"
            if mark not in inside:
                lead, tail = inside[: len(inside) - len(inside.lstrip())], inside[len(inside.rstrip()) :]
                return f"{lead}{mark}{inside.strip()}{mark}{tail}"
        if tag == "q":
            return f"“{inside}”"
        if tag in ("del", "s") and inside.strip():
            return f"~{inside.strip()}~"  # what was struck out must not read as if it stood
        if tag in ("sup", "sub") and node.first("a") is None:
            return _raised(inside.strip(), tag)
        return inside

    def _link(self, node: Element, inside: str) -> str:
        url = node.attrs.get("href", "")
        shown = inside.strip(_EDGES)
        if url.startswith(("mailto:", "tel:")):
            address = url.partition(":")[2]
            same = re.sub(r"[\s()/.-]", "", shown) in re.sub(r"[()/.-]", "", address)
            return inside if same else f"{inside} ({address})"
        bare = re.sub(r"^(?:https?://(?:www\.)?|mailto:|tel:)|/$", "", url)
        if not url or not shown or shown.rstrip("/") in (url.rstrip("/"), bare):
            return url if url and shown and shown != bare else inside
        if _ENLARGES.search(url) and node.first("img") is not None and not node.text().strip():
            return inside
        if url not in self.links:
            self.links.append(url)
        if self._card is not None:
            known, self._card = self._card, url
            if known == url:
                return inside
        words = inside.rstrip(_EDGES)
        return f"{words} [{self.links.index(url) + 1}]{inside[len(words) :]}"

    def _picture(self, image: Element) -> str:
        """What stands for a picture: on a line of its own unless it is a small one in a sentence."""
        alt = image.attrs.get("alt", "")
        if not alt:
            return ""
        width = image.attrs.get("width", "")
        mark = _OWN_LINE if width.isdigit() and int(width) > SMALL_IMAGE else _APART
        return f"{mark}{self._image.replace('{alt}', alt)}{mark}"


_ENLARGES: Final = re.compile(
    r"(?i)^[^?]*\.(?:jpe?g|png|gif|webp|avif)(?:$|\?)|^https?://[\w-]+\.googleusercontent\.com/"
)
"""An address of a picture: where a picture links to it, it is its larger self."""


def _filled(cell: str, size: int, right: bool) -> str:
    space = " " * (size - columns(cell))
    return space + cell if right else cell + space


_RAISED: Final = str.maketrans("0123456789+-n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ")
_LOWERED: Final = str.maketrans("0123456789+-", "₀₁₂₃₄₅₆₇₈₉₊₋")


def _spaced(found: re.Match[str]) -> str:
    """A small picture's words, apart from the words around it."""
    before, words, behind = found.groups()
    return f"{before}{' ' if before else ''}{words}{' ' if behind else ''}"


def _raised(text: str, tag: str) -> str:
    """Superscripts and subscripts by their own characters where there are some, else in brackets."""
    if re.fullmatch(r"[0-9+n-]{1,4}" if tag == "sup" else r"[0-9+-]{1,4}", text):
        return text.translate(_RAISED if tag == "sup" else _LOWERED)
    return f"[{text}]" if tag == "sup" and text else text


def _numbers(element: Element, items: list[Element]) -> list[str]:
    """The numbers of an ordered list's items, as ``start``, ``value``, ``reversed`` and ``type`` say."""
    if element.tag != "ol":
        return []
    backwards = "reversed" in element.attrs
    number = whole_number(element.attrs.get("start"), len(items) if backwards else 1)
    out: list[str] = []
    for item in items:
        number = whole_number(item.attrs.get("value"), number)
        out.append(_number(number, element.attrs.get("type", "1")))
        number += -1 if backwards else 1
    return out


def _number(number: int, kind: str) -> str:
    if kind in ("a", "A") and number > 0:
        letters = ""
        while number:
            number, rest = divmod(number - 1, 26)
            letters = chr(97 + rest) + letters
        return letters if kind == "a" else letters.upper()
    if kind in ("i", "I") and 0 < number < 4000:
        roman = ""
        for value, sign in _ROMAN:
            roman += sign * (number // value)
            number %= value
        return roman if kind == "I" else roman.lower()
    return str(number)


_ROMAN: Final = (
    (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"),
    (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
)  # fmt: skip
