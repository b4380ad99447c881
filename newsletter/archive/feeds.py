"""The newsletter's own feeds: which issues were sent, for feed readers. Atom (RFC 4287) and JSON Feed 1.1.

They tell of each issue what everybody may know: its subject, its preview line, when sending began, and its
public page. Never touches the database or the network.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from xml.etree import ElementTree

from newsletter.model.issue import Issue
from newsletter.model.publication import Newsletter
from newsletter.model.times import rfc3339

SHOWN: Final = 30
"""Issues that a feed holds at most."""

_ATOM: Final = "http://www.w3.org/2005/Atom"
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML document may contain (XML 1.0, production 2)."""


def atom_feed(newsletter: Newsletter, issues: Sequence[Issue]) -> str:
    """An Atom document of issues that were sent, newest first. Each needs its ``started_at``."""
    ElementTree.register_namespace("", _ATOM)
    address = f"{newsletter.base_url}/feed.xml"
    feed = ElementTree.Element(f"{{{_ATOM}}}feed", {"xml:lang": newsletter.language})
    _add(feed, "id", address)
    _add(feed, "title", newsletter.title)
    _add(feed, "updated", rfc3339(max(map(_sent, issues), default=datetime.fromtimestamp(0, UTC))))
    _add(feed, "link", rel="self", type="application/atom+xml", href=address)
    _add(feed, "link", rel="alternate", href=_home(newsletter))
    _add(ElementTree.SubElement(feed, f"{{{_ATOM}}}author"), "name", newsletter.title)
    for issue in issues:
        page = _page(newsletter, issue)
        entry = ElementTree.SubElement(feed, f"{{{_ATOM}}}entry")
        _add(entry, "id", page)
        _add(entry, "title", issue.subject)
        _add(entry, "updated", rfc3339(_sent(issue)))
        _add(entry, "published", rfc3339(_sent(issue)))
        _add(entry, "link", rel="alternate", type="text/html", href=page)
        _add(entry, "summary", issue.preheader)
    return ElementTree.tostring(feed, encoding="unicode", xml_declaration=False)


def json_feed(newsletter: Newsletter, issues: Sequence[Issue]) -> str:
    """The same as a JSON Feed document (jsonfeed.org, version 1.1)."""
    return json.dumps(
        {
            "version": "https://jsonfeed.org/version/1.1",
            "title": newsletter.title,
            "home_page_url": _home(newsletter),
            "feed_url": f"{newsletter.base_url}/feed.json",
            "language": newsletter.language,
            "items": [
                {
                    "id": _page(newsletter, issue),
                    "url": _page(newsletter, issue),
                    "title": issue.subject,
                    "content_text": issue.preheader,
                    "date_published": rfc3339(_sent(issue)),
                }
                for issue in issues
            ],
        },
        ensure_ascii=False,
    )


def _add(parent: ElementTree.Element, tag: str, text: str = "", **attributes: str) -> None:
    ElementTree.SubElement(parent, f"{{{_ATOM}}}{tag}", attributes).text = _NO_XML.sub("", text) or None


def _page(newsletter: Newsletter, issue: Issue) -> str:
    return f"{newsletter.base_url}/i/{issue.id}"


def _home(newsletter: Newsletter) -> str:
    return newsletter.site_url or f"{newsletter.base_url}/subscribe"


def _sent(issue: Issue) -> datetime:
    assert issue.started_at is not None
    return issue.started_at
