"""Lists of feeds as OPML 2.0 (http://opml.org/spec2.opml), which every feed reader reads and writes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from lxml import etree

from newsletter.errors import Invalid
from newsletter.model.feed import Feed
from newsletter.poll.text import one_line, web_url

SIZE_LIMIT = 5_000_000
FEEDS_LIMIT = 1_000


@dataclass(frozen=True, kw_only=True)
class Outline:
    """One feed of an OPML file."""

    url: str
    title: str
    site_url: str


def read_opml(data: bytes) -> list[Outline]:
    """The feeds in an OPML file, each once, in its order; folders are looked into.

    Raises Invalid for what is no OPML, or too much of it. Never resolves an entity.
    """
    if len(data) > SIZE_LIMIT:
        raise Invalid(
            f"The file is larger than {SIZE_LIMIT // 1_000_000} MB.", hint="That is no list of feeds."
        )
    reader = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
    try:
        root = etree.fromstring(data, reader)
    except (etree.XMLSyntaxError, ValueError):
        root = None
    if root is None or etree.QName(root).localname.lower() != "opml":
        raise Invalid("The file is no OPML.", hint="Export it from your feed reader as OPML.")
    found: dict[str, Outline] = {}
    for node in root.iter("outline"):
        attributes = {name.lower(): value for name, value in node.attrib.items()}
        url = web_url("", attributes.get("xmlurl"))
        if url:
            title = one_line(attributes.get("title") or attributes.get("text"))
            site_url = web_url("", attributes.get("htmlurl"))
            found.setdefault(url, Outline(url=url, title=title, site_url=site_url))
    if len(found) > FEEDS_LIMIT:
        raise Invalid(
            f"The file names {len(found):,} feeds.", hint=f"At most {FEEDS_LIMIT:,} can be imported."
        )
    return list(found.values())


def write_opml(feeds: Iterable[Feed], *, title: str, now: datetime) -> bytes:
    """An OPML document (UTF-8) of these feeds."""
    root = etree.Element("opml", version="2.0")
    head = etree.SubElement(root, "head")
    etree.SubElement(head, "title").text = one_line(title)
    etree.SubElement(head, "dateCreated").text = format_datetime(now, usegmt=True)
    body = etree.SubElement(root, "body")
    for feed in feeds:
        name = feed.title or feed.url
        outline = etree.SubElement(body, "outline", type="rss", text=name, title=name, xmlUrl=feed.url)
        if feed.site_url:
            outline.set("htmlUrl", feed.site_url)
    document: bytes = etree.tostring(root, encoding="utf-8", xml_declaration=True, pretty_print=True)
    return document
