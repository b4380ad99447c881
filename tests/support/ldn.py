"""What must survive of the sample blog's long post, read from its feed without any of the product's code."""

from __future__ import annotations

import html
import re
from importlib.resources import files

TITLE = "Low-Dose Naltrexone (LDN)"


def _words(markup: str) -> str:
    """The words of a piece of markup: no tags, one space between words."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", markup)).split())


def _post() -> str:
    feed = (files("newsletter.demo") / "blog" / "feed.xml").read_text(encoding="utf-8")
    entry = next(part for part in feed.split("<entry>")[1:] if TITLE in part)
    content = re.search(r"<content type='html'>(.*?)</content>", entry, re.DOTALL)
    assert content is not None
    return html.unescape(content[1])


_MARKUP = _post()

PARAGRAPHS: tuple[str, ...] = tuple(
    words for found in re.findall(r"<p\b[^>]*>(.*?)</p>", _MARKUP, re.DOTALL) if (words := _words(found))
)
"""The seven paragraphs of prose, as plain words."""

LINKS: tuple[str, ...] = tuple(re.findall(r'<li\b.*?<a href="([^"]+)"', _MARKUP, re.DOTALL))
"""The addresses of the six linked studies, in order."""

QUOTATIONS: tuple[str, ...] = tuple(
    _words(found) for found in re.findall(r"<blockquote\b[^>]*>(.*?)</blockquote>", _MARKUP, re.DOTALL)
)
"""The two quotations with their sources, as plain words."""

PICTURE = "/img/s640/ldn.jpg"
"""The path of the picture in the post; the full-size version it links to is at the same path under s1600."""
