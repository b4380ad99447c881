"""What mail programs cannot show, by the tests of caniemail.com.

The data is a compact snapshot (``clients.json``: its source, licence and date are in it). What the shipped
themes use themselves is left out: their fallbacks were designed; what an author's post or theme adds was not.
A hit is a hint: most tests of caniemail are some years old.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final
from urllib.parse import urlsplit

from selectolax.lexbor import LexborHTMLParser

PROGRAMS: Final[Mapping[str, str]] = {
    "gmail.desktop-webmail": "Gmail",
    "gmail.android": "Gmail on Android",
    "gmail.ios": "Gmail on iPhone",
    "outlook.windows": "Outlook for Windows (classic)",
    "outlook.outlook-com": "Outlook.com",
    "outlook.ios": "Outlook on iPhone",
    "apple-mail.macos": "Apple Mail",
    "apple-mail.ios": "Mail on iPhone",
    "yahoo.desktop-webmail": "Yahoo Mail",
    "samsung-email.android": "Samsung Email",
    "protonmail.desktop-webmail": "Proton Mail",
}
"""The programs that are told about, by their name in the data."""

_GROUPS: Final = {
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), "html-h1-h6"),
    **dict.fromkeys(("ul", "ol", "li", "dl", "dt", "dd"), "html-lists"),
    **dict.fromkeys(("article", "section", "header", "footer", "nav", "main", "aside"), "html-semantics"),
}
_FUNCTIONS: Final = {
    "css-unit-calc": r"\bcalc\(",
    "css-variables": r"\bvar\(",
    "css-linear-gradient": r"\blinear-gradient\(",
    "css-radial-gradient": r"\bradial-gradient\(",
    "css-function-clamp": r"\bclamp\(",
    "css-display-flex": r"\bdisplay\s*:\s*(?:inline-)?flex\b",
    "css-display-grid": r"\bdisplay\s*:\s*(?:inline-)?grid\b",
    "css-display-none": r"\bdisplay\s*:\s*none\b",
    "css-pseudo-class-hover": r":hover\b",
    "css-pseudo-element-before": r"::?before\b",
    "css-pseudo-element-after": r"::?after\b",
}


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """``support`` says by feature and program: ``n`` no, ``a`` partly (yes and unknown are left out)."""

    date: str
    titles: Mapping[str, str]
    support: Mapping[str, Mapping[str, str]]
    baseline: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Unsupported:
    feature: str
    title: str
    programs: tuple[str, ...]


@cache
def snapshot() -> Snapshot:
    data: dict[str, Any] = json.loads(files("newsletter.approve").joinpath("clients.json").read_text("utf-8"))
    return Snapshot(
        date=data["date"],
        titles={slug: given["title"] for slug, given in data["features"].items()},
        support={slug: given["support"] for slug, given in data["features"].items()},
        baseline=frozenset(data["baseline"]),
    )


def unsupported(html: str) -> tuple[Unsupported, ...]:
    """The features of an email that some program does not support at all, beyond the shipped themes'."""
    data = snapshot()
    found = []
    for feature in sorted(set(features(html)) - data.baseline):
        programs = tuple(
            name for key, name in PROGRAMS.items() if data.support.get(feature, {}).get(key) == "n"
        )
        if programs:
            found.append(Unsupported(feature=feature, title=data.titles[feature], programs=programs))
    return tuple(found)


def features(html: str) -> Iterator[str]:
    """The names, as caniemail gives them, of what an email uses. May repeat; some have no data."""
    tree = LexborHTMLParser(html)
    styles = re.findall(r"<style[^>]*>(.*?)</style>", html, re.S)
    for node in tree.css("body *"):
        tag = node.tag or ""
        yield _GROUPS.get(tag, f"html-{tag}")
        for name, value in node.attributes.items():
            if name == "style" and value:
                styles.append(value)
            elif name == "src" and tag == "img":
                yield from _image(value or "")
            else:
                yield f"html-{name}"
    css = "\n".join(styles)
    yield from (f"css-{name}" for name in set(re.findall(r"(?:^|[;{\s])([a-z-]+)\s*:", css)))
    yield from (f"css-at-{name}" for name in set(re.findall(r"@([a-z-]+)", css)))
    yield from (f"css-at-media-{name}" for name in set(re.findall(r"@media[^{]*\(([a-z-]+)", css)))
    yield from (
        f"css-unit-{unit}" for unit in set(re.findall(r"\d(rem|vw|vh|vmin|vmax|ch|ex|cm|mm|in|pc)\b", css))
    )
    yield from (feature for feature, pattern in _FUNCTIONS.items() if re.search(pattern, css))


def _image(src: str) -> Iterator[str]:
    if src.startswith("data:"):
        yield "image-base64"
        return
    ending = urlsplit(src).path.rpartition(".")[2].lower()
    yield f"image-{ {'jpeg': 'jpg', 'tif': 'tiff', 'heic': 'heif', 'svgz': 'svg'}.get(ending, ending) }"
