"""The draft as the author looks at it: the very bytes that will be sent, seen through other eyes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from html import escape
from typing import Final

from newsletter.compose.letter import page
from newsletter.model.artefact import ALL_BLOCKS, Artefact


class Mode(StrEnum):
    """How a preview is seen. ``FORCED_DARK`` only approximates what Gmail and Outlook do by rules that
    they do not publish."""

    LIGHT = "light"
    DARK = "dark"
    FORCED_DARK = "forced-dark"


PHONE: Final = (375, 812)
"""What is called a phone: its width and height in pixels of CSS."""

_DARK_QUERY = re.compile(r"@media\s*\(prefers-color-scheme:\s*dark\)")
_SCHEMES = re.compile(r'(<meta name="(?:supported-color-schemes|color-scheme)" content=")[^"]*(")')
_IMAGE = re.compile(r"<img\b[^>]*>")


def preview_html(
    artefact: Artefact,
    values: Mapping[str, str],
    *,
    mode: Mode = Mode.LIGHT,
    images: bool = True,
    mask: int = ALL_BLOCKS,
) -> str:
    """The HTML body with these blocks as one kind of client shows it, whatever the looking browser itself
    prefers."""
    return seen_as(page(artefact, values, mask), mode, images=images)


def seen_as(html: str, mode: Mode, *, images: bool = True) -> str:
    """Any email's HTML as one kind of client shows it."""
    if not images:
        html = _IMAGE.sub(_without_image, html)
    if mode is Mode.DARK:
        return _scheme(_DARK_QUERY.sub("@media all", html), "dark")
    html = _scheme(_DARK_QUERY.sub("@media not all", html), "light")
    if mode is Mode.FORCED_DARK:
        # Turning lightness upside down and hues back is what such clients come closest to.
        return html.replace("</head>", f"<style>{_FORCED}</style></head>", 1)
    return html


def on_a_phone(html: str) -> str:
    """A page that shows an email's HTML in a frame as wide as a phone, where nothing runs."""
    return (
        '<!doctype html><meta charset="utf-8"><title>On a phone</title>'
        '<body style="margin:24px;background:#8a8f94;text-align:center">'
        f'<iframe sandbox width="{PHONE[0]}" height="{PHONE[1]}" style="border:0;background:#ffffff" '
        f'title="The email" srcdoc="{escape(html)}"></iframe>'
    )


_FORCED = (
    "html{background:#121212}body{filter:invert(.93) hue-rotate(180deg)}"
    "img{filter:invert(1.0) hue-rotate(180deg)}"
)


def _scheme(html: str, scheme: str) -> str:
    html = _SCHEMES.sub(rf"\g<1>{scheme}\g<2>", html)
    return re.sub(r"(color-schemes?): light dark", rf"\1: {scheme}", html)


def _without_image(match: re.Match[str]) -> str:
    """The image's place with its alternative text in a thin frame, as clients draw it."""
    image = re.sub(r"""\s(?:src|srcset)=(?:"[^"]*"|'[^']*')""", "", match[0])
    return re.sub(r"^<img", '<img src="data:,"', image)
