"""What malformed documents are made of."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

ITEM = "Ein Stück über Käse"
Make = Callable[[str], str]


@dataclass(frozen=True)
class Sample:
    """``titles``: exactly these entries must come; ``refused``: none may. Neither: either will do."""

    name: str
    body: bytes
    titles: tuple[str, ...] | None = None
    refused: bool = False
    content_type: str = ""


def rss(item: str, *, head: str = '<?xml version="1.0"?>', more: str = "", version: str = "2.0") -> str:
    return (
        f'{head}<rss version="{version}" {more}><channel><title>The blog</title>'
        f"<link>http://blog.example/</link><description>d</description>{item}</channel></rss>"
    )


def item(title: str = "E", inside: str = "", number: int = 1) -> str:
    return (
        f"<item><title>{title}</title><link>http://blog.example/{number}</link>"
        f"<guid>g{number}</guid>{inside}</item>"
    )


def atom(entry: str, *, head: str = '<?xml version="1.0"?>', ns: str = "http://www.w3.org/2005/Atom") -> str:
    return f'{head}<feed xmlns="{ns}"><title>The blog</title><id>f</id>{entry}</feed>'


def entry(title: str = "E", inside: str = "", number: int = 1) -> str:
    return (
        f'<entry><title>{title}</title><link href="http://blog.example/{number}"/>'
        f"<id>tag:{number}</id>{inside}</entry>"
    )


RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
FORMS: dict[str, str] = {
    "rss 0.90": f'<rdf:RDF xmlns:rdf="{RDF}" xmlns="http://my.netscape.com/rdf/simple/0.9/">'
    f"<channel><title>The blog</title></channel>{item()}</rdf:RDF>",
    "rss 0.91 of Netscape": rss(
        item(),
        version="0.91",
        head='<?xml version="1.0"?><!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" '
        '"http://my.netscape.com/publish/formats/rss-0.91.dtd">',
    ),
    **{
        f"rss {version}": rss(item(), version=version)
        for version in ("0.91", "0.92", "0.93", "0.94", "2.0.1")
    },
    "rss 1.0": f'<rdf:RDF xmlns:rdf="{RDF}" xmlns="http://purl.org/rss/1.0/"><channel rdf:about="x">'
    f"<title>The blog</title><items><rdf:Seq><rdf:li resource='1'/></rdf:Seq></items></channel>"
    f"<item rdf:about='1'><title>E</title><link>http://blog.example/1</link></item></rdf:RDF>",
    "rss 2.0": rss(item()),
    "rss without a version": rss(item()).replace(' version="2.0"', ""),
    "rss in capitals": rss(item())
    .replace("rss", "RSS")
    .replace("channel", "CHANNEL")
    .replace("item", "ITEM"),
    "rss with its items after the channel": rss("").replace("</channel>", f"</channel>{item()}"),
    "rss in two channels": rss(item()).replace(
        "</channel>", f"</channel><channel>{item('F', '', 2)}</channel>"
    ),
    "atom 0.3": atom(
        "<entry><title>E</title><link rel='alternate' href='http://blog.example/1'/><id>tag:1</id>"
        "<issued>2026-05-01T09:00:00Z</issued><modified>2026-05-01T09:00:00Z</modified>"
        "<content mode='escaped' type='text/html'>&lt;p&gt;x&lt;/p&gt;</content></entry>",
        ns="http://purl.org/atom/ns#",
    ),
    "atom 1.0": atom(entry()),
    "atom with a prefix": f'<a:feed xmlns:a="http://www.w3.org/2005/Atom"><a:title>t</a:title>'
    f"{entry().replace('<', '<a:').replace('<a:/', '</a:')}</a:feed>",
    "atom with xhtml": atom(
        entry("E", '<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>x</p></div></content>')
    ),
    "atom with base64": atom(entry("E", '<content type="image/png" mode="base64">aGVsbG8=</content>')),
    "cdf": "<CHANNEL HREF='http://blog.example/'><TITLE>The blog</TITLE><ITEM HREF='http://blog.example/1'>"
    "<TITLE>E</TITLE><ABSTRACT>a</ABSTRACT></ITEM></CHANNEL>",
    "json feed 1": json.dumps(
        {"version": "https://jsonfeed.org/version/1", "title": "t", "items": [{"id": "1", "title": "E"}]}
    ),
    "json feed 1.1": json.dumps(
        {"version": "https://jsonfeed.org/version/1.1", "title": "t", "items": [{"id": 1, "title": "E"}]}
    ),
}


PLACES: dict[str, Make] = {
    "an rss title": lambda text: rss(item(f"a {text} b")),
    "a description": lambda text: rss(item("E", f"<description>a {text} b</description>")),
    "an address": lambda text: rss(item("E", f"<comments>http://blog.example/?a={text}</comments>")),
    "an attribute": lambda text: atom(entry("E", f'<category term="a {text} b"/>')),
    "a guid": lambda text: rss(item("E", f"<guid>{text}</guid>")),
    "an author": lambda text: rss(item("E", f"<author>{text}</author>")),
    "an atom title of html": lambda text: atom(entry("E")).replace(
        "<title>E", f'<title type="html">E {text}'
    ),
    "character data": lambda text: rss(item("E", f"<description><![CDATA[a {text} b]]></description>")),
}
