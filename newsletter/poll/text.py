"""Makes text from a feed storable: bounded, valid Unicode, no control characters, no markup in titles."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

from selectolax.lexbor import LexborHTMLParser

TITLE_LIMIT = 500
NAME_LIMIT = 200
URL_LIMIT = 2_000
HTML_LIMIT = 2_000_000

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_SPACE = re.compile(r"\s+")


def clean(text: object, limit: int = HTML_LIMIT) -> str:
    """``text`` without what a database or an XML parser refuses, cut at ``limit`` characters; "" for no
    text."""
    return _CONTROL.sub("", text[:limit]) if isinstance(text, str) else ""


def one_line(text: object, limit: int = TITLE_LIMIT) -> str:
    return _SPACE.sub(" ", clean(text, limit * 4)).strip()[:limit]


def without_markup(text: object, limit: int = TITLE_LIMIT) -> str:
    """The words of a piece of HTML, on one line."""
    markup = clean(text, limit * 8)
    if "<" not in markup and "&" not in markup:
        return one_line(markup, limit)
    body = LexborHTMLParser(markup).body
    return one_line(body.text(separator="") if body else "", limit)


def web_url(base: str, link: object) -> str:
    """``link`` made absolute; "" where it is no http or https address, or far too long."""
    text = one_line(link, URL_LIMIT + 1)
    if not text or len(text) > URL_LIMIT:
        return ""
    try:
        url = urljoin(base, text)
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return ""
    return url if usable and " " not in url else ""
