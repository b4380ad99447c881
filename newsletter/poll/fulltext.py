"""The whole text of a post whose feed carries only a summary, taken from its page.

What comes out is as foreign as what comes from a feed, and is sanitised where that is: when it is composed.
"""

from __future__ import annotations

import importlib.util
import re

from newsletter.errors import ExtraMissing, RequestProblem
from newsletter.poll.page_child import extract_in_child
from newsletter.poll.ports import Http

MAX_BYTES = 5 * 1024 * 1024
DEADLINE_S = 20.0
NEEDED = ("trafilatura", "lxml_html_clean")
_TAGS = re.compile(r"<[^>]{0,2000}>")


def has_fulltext() -> bool:
    """Whether the packages that find the text of a page are installed."""
    return all(importlib.util.find_spec(name) is not None for name in NEEDED)


def require_fulltext() -> None:
    """Raises ExtraMissing where they are not."""
    if not has_fulltext():
        raise ExtraMissing(feature="Fetching the full text of posts", extra="fulltext")


def full_text(url: str, summary: str, http: Http) -> str | None:
    """The text of the page at ``url`` as HTML; the summary where the page gives no more than that.

    None where the page cannot be fetched now. Raises ExtraMissing. Never touches the database.
    """
    require_fulltext()
    try:
        response = http.get(url, headers={"Accept": "text/html"}, max_bytes=MAX_BYTES, deadline_s=DEADLINE_S)
    except RequestProblem:
        return None
    if response.status != 200:
        return None
    if "html" not in response.headers.get("content-type", "html"):
        return summary
    html = extract_in_child(response.body, url=response.url)
    return html if _length(html) > _length(summary) else summary


def _length(html: str) -> int:
    return len(" ".join(_TAGS.sub(" ", html).split()))
