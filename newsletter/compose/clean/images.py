"""Images: one address that every client can show, and a size that none of them exceeds."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote, urlsplit

from newsletter.compose.clean.tree import Element

SHOWN_WIDTH: Final = 552
"""The widest that an image is shown, pixels: a 600 px email with 24 px on either side."""

_LAZY = (
    "data-src", "data-lazy-src", "data-original", "data-orig-file", "data-actualsrc", "data-full-url",
    "data-large-file", "data-url", "data-image", "nitro-lazy-src", "data-pin-media",
)  # fmt: skip
_LAZY_SETS = ("data-srcset", "data-lazy-srcset", "srcset")
_PLACEHOLDER = re.compile(
    r"(?i)^data:|(?:^|/)(?:blank|spacer|placeholder|1x1|pixel|transparent)\.(?:gif|png|svg)$"
)
_SHOWABLE = re.compile(r"(?i)\.(?:jpe?g|png|gif)$")
_EMOJI_CLASSES = frozenset({"emoji", "wp-smiley", "emojione", "twemoji", "an1"})


def emoji(element: Element) -> str | None:
    """The character that an emoji picture stands for: clients show theirs, and better."""
    alt = element.attrs.get("alt", "")
    if alt and len(alt) <= 12 and not alt.isascii() and not _EMOJI_CLASSES.isdisjoint(element.classes):
        return alt
    return None


def source_of(element: Element) -> str:
    """The address to show, as written: the largest of a set up to what a dense screen needs."""
    src = element.attrs.get("src", "").strip()
    if not src or _PLACEHOLDER.search(src.partition("?")[0]):
        for name in _LAZY:
            value = element.attrs.get(name, "").strip()
            if value and not value.startswith(("data:", "{", "[")):
                return value
        for name in _LAZY_SETS:
            if best := best_of_set(element.attrs.get(name, "")):
                return best
    return src


def best_of_set(srcset: str) -> str:
    """The candidate nearest above 1,100 px, else the widest; densities count as multiples of 600 px."""
    candidates: list[tuple[float, str]] = []
    # A candidate is a URL, perhaps with commas in it, and a descriptor; candidates part at ", ".
    for url, number, unit in re.findall(r"([^\s,]\S*[^\s,])(?:\s+([\d.]+)([wx]))?\s*(?:,|$)", srcset.strip()):
        try:
            width = float(number) * (600 if unit == "x" else 1) if number else 600
        except ValueError:
            continue
        if not url.startswith("data:"):
            candidates.append((width, url))
    if not candidates:
        return ""
    enough = [candidate for candidate in candidates if candidate[0] >= 1100]
    return (min(enough) if enough else max(candidates))[1]


def of_picture(picture: Element) -> Element | None:
    """The one image of a ``<picture>``: its ``<img>``, or the first source in a format that all show."""
    image = picture.first("img")
    if image is not None and source_of(image):
        return image
    for source in picture.elements():
        url = best_of_set(source.attrs.get("srcset", "")) if source.tag == "source" else ""
        if url and (_SHOWABLE.search(urlsplit_path(url)) or image is None):
            attrs = dict(image.attrs) if image is not None else {}
            return Element("img", {**attrs, "src": url})
    return image


def urlsplit_path(url: str) -> str:
    """The path of a URL, unquoted; empty where it cannot be split."""
    try:
        return unquote(urlsplit(url).path)
    except ValueError:
        return ""


def sized(element: Element, src: str) -> dict[str, str]:
    """The attributes ``width`` and ``height``, where they are known or can be read from the address.

    Clients that know no CSS (Outlook for Windows) show an image as large as its file: a width protects
    them. An unknown height is left out, so that nothing is distorted.
    """
    width, height = _pixels(element, "width"), _pixels(element, "height")
    if width is None:
        width, height = _from_address(src) or (None, None)
    if width is None:
        return {}
    if width > SHOWN_WIDTH:
        height = round(height * SHOWN_WIDTH / width) if height else None
        width = SHOWN_WIDTH
    return {"width": str(width)} | ({"height": str(height)} if height else {})


def _pixels(element: Element, name: str) -> int | None:
    if found := re.search(rf"(?:^|;){name}:(\d{{1,5}})(?:\.\d+)?px", element.style):
        return int(found[1]) or None
    found = re.fullmatch(r"(\d{1,5})(?:\.\d+)?(?:px)?", element.attrs.get(name, "").strip())
    return (int(found[1]) or None) if found else None


def _from_address(src: str) -> tuple[int, int | None] | None:
    """Blogger writes ``/w640-h427/`` or ``=w640-h427``, WordPress ``-640x427.jpg``, many ``?w=640``."""
    if found := re.search(r"[/=]w(\d{2,4})-h(\d{2,4})(?=[-/?]|$)", src):
        return int(found[1]), int(found[2])
    if found := re.search(r"-(\d{2,4})x(\d{2,4})\.(?:jpe?g|png|gif|webp)(?:\?|$)", src, re.I):
        return int(found[1]), int(found[2])
    return None
