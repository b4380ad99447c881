"""The canonical form of a link: the same for every way of writing the address of one page."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode, urlsplit

_TRACKING = re.compile(
    r"utm_\w+|fbclid|gclid|dclid|msclkid|yclid|mc_cid|mc_eid|_hsenc|_hsmi|igshid|ref_src|xtor|cmpid|m"
)
_PERCENT = re.compile(r"%[0-9a-fA-F]{2}")
_INDEX = re.compile(r"/index\.(?:html?|php)$")


def canonical_link(url: str) -> str:
    """``example.org/2026/01/post`` for ``http://www.Example.org/2026/01/post/?utm_source=rss#more``.

    Scheme, ``www.``, default port, fragment, trailing slash and tracking parameters say nothing about which
    page it is (``m`` is Blogger's phone view). "" for a front page or no web address: it names no post.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not host:
        return ""
    host = host.removeprefix("www.")
    if port not in {None, 80, 443}:
        host = f"{host}:{port}"
    path = _shortest(_PERCENT.sub(lambda code: code[0].upper(), parts.path))
    query = [
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if not _TRACKING.fullmatch(name.lower())
    ]
    fragment = f"#{parts.fragment}" if parts.fragment.startswith("!") else ""  # an address inside a script
    if not path and not query and not fragment:
        return ""
    return f"{host}{path}{'?' + urlencode(query) if query else ''}{fragment}"


def _shortest(path: str) -> str:
    """Without what may stand at the end of a path and names nothing, however often it does."""
    while (shorter := _INDEX.sub("", path.rstrip().rstrip("/"))) != path:
        path = shorter
    return path
