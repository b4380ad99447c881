"""A drawing (SVG) as a PNG, by resvg in a process of its own; :mod:`newsletter.compose.shrink` starts it.

A drawing is a program: it can name files of this machine, repeat itself without end, or ask for a picture
of a thousand million pixels. So it is read here, under limits of memory and CPU time, and written anew with
nothing in it that leads outside; only that is drawn. The process writes a line of JSON, then the PNG.

Imports nothing of the product.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import resource
import sys
from typing import Any, Final
from xml.etree import ElementTree

WIDTH: Final = 1200  #: pixels: twice what is shown, for dense screens
TALLEST: Final = 4 * WIDTH
MEMORY: Final = 1024 * 1024 * 1024
CPU_S: Final = 20
GROUND: Final = "#ffffff"
"""Drawn for a light page as most are, black lines would vanish where a dark program shows them."""

_SVG: Final = "{http://www.w3.org/2000/svg}"
_NEVER: Final = frozenset({"script", "foreignObject"})
_LEADS: Final = frozenset({"href", "src", "base"})
_WITHIN: Final = re.compile(r"#|data:image/(?:png|jpeg|gif|webp);base64,")
"""Where an address may lead: to a place in the drawing itself, or to a picture that it holds."""

_UNITS: Final = {"": 1.0, "px": 1.0, "pt": 4 / 3, "pc": 16.0, "in": 96.0, "cm": 96 / 2.54, "mm": 9.6 / 2.54}
_LENGTH: Final = re.compile(r"\s*(\d{0,9}\.?\d{1,9}(?:e[+-]?\d)?)(px|pt|pc|in|cm|mm)?\s*\Z", re.IGNORECASE)
_LETTER: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20">'
    '<text x="2" y="18" font-family="{}">{}</text></svg>'
)
_FAMILIES: Final = {
    "serif_family": ("Times New Roman", "Liberation Serif", "Noto Serif", "DejaVu Serif", "FreeSerif"),
    "sans_serif_family": ("Arial", "Helvetica", "Liberation Sans", "Noto Sans", "DejaVu Sans", "FreeSans"),
    "monospace_family": ("Courier New", "Liberation Mono", "DejaVu Sans Mono", "Noto Sans Mono", "FreeMono"),
}
"""What machines have for the general families, by resvg's names of them. The first is also what stands for a
family that nobody has."""


def main() -> None:
    with contextlib.suppress(ValueError, OSError):  # macOS may refuse the first
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    told, png = draw(sys.stdin.buffer.read())
    sys.stdout.buffer.write(json.dumps(told).encode() + b"\n" + png)


def draw(body: bytes) -> tuple[dict[str, object], bytes]:
    """The size that a drawing asks for, pixels, and what it shows as a PNG; or ``refused``: why not."""
    try:
        import resvg_py
    except ImportError:
        return {"refused": "is a drawing (SVG), and resvg-py is not installed"}, b""
    try:
        root = ElementTree.fromstring(body)
        if root.tag != f"{_SVG}svg":
            return {"refused": "cannot be read"}, b""
        says_something = _make_harmless(root)
        width, height = _size(root)
        across = min(WIDTH, TALLEST * width / height, 2 * width)
        root.set("width", f"{width:.3f}")
        root.set("height", f"{height:.3f}")
        fonts = _fonts() if says_something else {}
        if says_something and not fonts:
            return {"refused": "has words in it, and this machine has no fonts to draw them with"}, b""
        png = resvg_py.svg_to_bytes(
            svg_string=ElementTree.tostring(root, encoding="unicode"),
            width=max(round(across), 1),
            dpi=96.0,
            background=GROUND,
            **fonts,
        )
    except MemoryError:
        return {"refused": "takes too much memory"}, b""
    except Exception:  # a parser may raise anything for a broken drawing
        return {"refused": "cannot be read"}, b""
    return {"width": max(round(width), 1), "height": max(round(height), 1), "ending": "png"}, png


def _make_harmless(root: ElementTree.Element) -> bool:
    """Removes what is no drawing and every address that leads outside; says whether any words remain."""
    words = False
    stack = [root]
    while stack:
        element = stack.pop()
        for name in list(element.attrib):
            if name.rpartition("}")[2] in _LEADS and not _WITHIN.match(element.attrib[name].strip()):
                del element.attrib[name]
        for child in list(element):
            name = child.tag.removeprefix(_SVG) if isinstance(child.tag, str) else ""
            if "}" in name or name in _NEVER or not name:
                element.remove(child)
            else:
                stack.append(child)
        words = words or (element.tag == f"{_SVG}text" and any(t.strip() for t in element.itertext()))
    return words


def _size(root: ElementTree.Element) -> tuple[float, float]:
    """Width and height, pixels, as a page would lay it out (CSS Images 3, section 5.2). Raises ValueError."""
    width, height = _length(root.get("width")), _length(root.get("height"))
    box = [float(part) for part in re.split(r"[\s,]+", root.get("viewBox", "").strip()) if part]
    if len(box) == 4 and box[2] > 0 and box[3] > 0:
        ratio = box[3] / box[2]
        if width is None:
            width = float(WIDTH) if height is None else height / ratio
        height = width * ratio if height is None else height
    size = (300.0 if width is None else width, 150.0 if height is None else height)
    if not all(math.isfinite(side) and 0.5 <= side <= 100_000 for side in size):
        raise ValueError("no size that could be shown")
    return size


def _length(text: str | None) -> float | None:
    """Pixels; None for what depends on the page, such as a share of it."""
    found = _LENGTH.match(text or "")
    return float(found[1]) * _UNITS[(found[2] or "").lower()] if found else None


def _fonts() -> dict[str, Any]:
    """A family of this machine for each general one; empty where it has none of all these."""
    found = {general: next(filter(_is_here, names), "") for general, names in _FAMILIES.items()}
    some = next(filter(None, found.values()), "")
    return {general: name or some for general, name in found.items()} if some else {}


def _is_here(family: str) -> bool:
    import resvg_py

    written, empty = (
        resvg_py.svg_to_bytes(svg_string=_LETTER.format(family, letter), serif_family="no such family")
        for letter in ("M", "")
    )
    return written != empty


if __name__ == "__main__":
    main()
