"""The tags of a web page, scanned in linear time: a parser can be made to work on a page for minutes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

_LIMIT = 2_000_000  #: characters of a page that are looked at
_TAG_LIMIT = 8_000
_ATTRIBUTE = re.compile(r"""([a-zA-Z][\w:-]{0,40})\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_CHARSET = re.compile(rb"""charset\s*=\s*["']?([\w-]{2,30})""", re.I)
_HIDDEN = {name: re.compile(f"</{name}", re.I) for name in ("script", "style", "template")}


def decoded(body: bytes, content_type: str = "") -> str:
    """A page's text, by the charset that its header or itself names, else UTF-8; what cannot be read is
    marked."""
    named = _CHARSET.search(content_type.encode("ascii", "ignore")) or _CHARSET.search(body[:2_000])
    try:
        return body.decode(named[1].decode() if named else "utf-8", "replace")
    except (LookupError, UnicodeError):  # no charset of that name, or none that marks what it cannot read
        return body.decode("utf-8", "replace")


def tags(html: str, *names: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Opening tags of these names, outside comments and scripts, with their attributes in lower case."""
    html = html[:_LIMIT]
    opened = re.compile(r"<(!--|(?:" + "|".join((*names, *_HIDDEN)) + r")\b)", re.I)
    at = 0
    while found := opened.search(html, at):
        name = found[1].lower()
        at = html.find("-->" if name == "!--" else ">", found.end()) + 1
        if at == 0:
            return
        if name in _HIDDEN:
            closed = _HIDDEN[name].search(html, at)
            if closed is None:
                return
            at = closed.end()
        elif name != "!--":
            yield name, _attributes(html[found.end() : min(at, found.end() + _TAG_LIMIT)])


def _attributes(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(text):
        value = next((group for group in match.groups()[1:] if group is not None), "")
        found.setdefault(match[1].lower(), unescape(value[:2_000]))
    return found
