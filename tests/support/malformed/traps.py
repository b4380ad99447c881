"""Bombs, deep nests and traps: documents that ask for far more work or memory than their length."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape

from tests.support.malformed.parts import Make, Sample, atom, entry, item, rss

COMPUTES_FOR_EVER = "very many attributes in the description"  #: from some 300 KB on


def traps(size: int) -> Iterator[Sample]:
    """Documents of about ``size`` bytes that ask for far more work or memory than their length."""
    n = size
    levels = "".join(f'<!ENTITY e{k} "{f"&e{k - 1};" * 10}">' for k in range(1, 10))
    yield Sample(
        "entities that multiply",
        rss(item("&e9;"), head=f'<!DOCTYPE r [<!ENTITY e0 "boom">{levels}]>').encode(),
    )
    long = f'<!DOCTYPE r [<!ENTITY e "{"x" * (n // 2)}">]>'
    yield Sample("a long entity many times", rss(item("&e;" * (n // 6)), head=long).encode())
    attributes = " ".join(f'a{k}="{k}"' for k in range(n // 10))
    deep = n // 8
    inside = {
        "tags never closed": "<a>" * (n // 3),
        "tags nested deep": "<b>" * (n // 7) + "</b>" * (n // 7),
        "tags closed and never opened": "</b>" * (n // 4),
        "remarks never closed": "<!--" * (n // 4),
        "character data never closed": "<![CDATA[" * (n // 9),
        "ends of character data": "]]>" * (n // 3),
        "instructions never closed": "<?x" * (n // 3),
        "declarations never closed": "<!DOCTYPE x [" * (n // 13),
        "opening brackets": "<" * n,
        "closing brackets": ">" * n,
        "ampersands": "&" * n,
        "ends of entities": "&#" * (n // 2),
        "a long entity name": "&" + "a" * n + ";",
        "quotation marks": "<a b='" + "\"'" * (n // 2) + ">",
        "an attribute never closed": '<a b="' + "x" * n,
        "very many attributes": f"<a {attributes}>x</a>",
        "one attribute again and again": "<a " + "a='1' " * (n // 6) + ">x</a>",
        "equals signs": "<a " + "=" * n + ">",
        "a long tag name": "<" + "a" * n + ">x",
        "colons": "<" + "a:" * (n // 2) + ">x",
        "slashes": "<" + "/" * n + ">",
        "white space": " " * n,
        "white space inside a tag": "<a" + " " * n + "b",
        "line ends": "\r\n" * (n // 2),
        "one long word": "a" * n,
        "control characters": "\x01" * n,
        "replacement characters": "\ufffd" * (n // 3),
        "combining marks": "e" + "\u0301" * (n // 2),
        "directions": "\u202e" * (n // 3),
        "addresses": "http://" * (n // 7),
        "at signs": "a@" * (n // 2),
        "brackets around names": "(" * (n // 2) + ")" * (n // 2),
        "per cent signs": "%" * n,
    }
    places: dict[str, Make] = {
        "the title": lambda text: rss(item(text)),
        "the description": lambda text: rss(item("E", f"<description>{text}</description>")),
        "hidden markup": lambda text: rss(
            item("E", f"<description>{escape(text, quote=False)}</description>")
        ),
        "character data": lambda text: rss(item("E", f"<description><![CDATA[{text}]]></description>")),
        "xhtml": lambda text: atom(entry("E", f'<content type="xhtml"><div>{text}</div></content>')),
        "the author": lambda text: rss(item("E", f"<author>{escape(text)}</author>")),
        "the date": lambda text: rss(item("E", f"<pubDate>{escape(text)}</pubDate>")),
        "the address": lambda text: rss(item("E", f"<comments>{escape(text)}</comments>")),
        "the category": lambda text: atom(entry("E", f"<category term='{escape(text)}'/>")),
        "the front": lambda text: text + rss(item()),
    }
    for place, make in places.items():
        for name, text in inside.items():
            yield Sample(f"{name} in {place}", make(text).encode("utf-8", "surrogatepass"))
    words = {
        "letters and spaces": "a " * (n // 2),
        "numbers": "1" * n,
        "numbers and colons": "1:" * (n // 2),
        "days": "Fri, " * (n // 5),
        "dashes": "2026-" * (n // 5),
        "letters and dots": "a." * (n // 2),
        "an author's name": "a" * n,
        "an author and brackets": "a (" * (n // 3),
        "an address and names": "a@b.c " * (n // 6),
    }
    for name, text in words.items():
        yield Sample(f"{name} as author", rss(item("E", f"<author>{text}</author>")).encode())
        yield Sample(f"{name} as date", rss(item("E", f"<pubDate>{text}</pubDate>")).encode())
        yield Sample(f"{name} as creator", rss(item("E", f"<dc:creator>{text}</dc:creator>")).encode())
        yield Sample(f"{name} as category", rss(item("E", f"<category>{text}</category>")).encode())
        yield Sample(
            f"{name} as editor",
            rss(item("E"), more="")
            .replace("<description>d", f"<managingEditor>{text}</managingEditor><description>d")
            .encode(),
        )
    yield Sample(
        "namespaces declared again and again",
        rss("".join(f'<x xmlns:n{k}="n">' for k in range(n // 20))).encode(),
    )
    yield Sample("very many items", rss("<item><title>x</title></item>" * (n // 29)).encode())
    yield Sample("very many empty items", rss("<item/>" * (n // 7)).encode())
    yield Sample("very many categories", rss(item("E", "<category>x</category>" * (n // 22))).encode())
    yield Sample("very many contents", atom(entry("E", "<content>x</content>" * (n // 20))).encode())
    yield Sample("very many links", atom(entry("E", '<link href="/x"/>' * (n // 17))).encode())
    yield Sample("very many titles", rss(item("E", "<title>x</title>" * (n // 16))).encode())
    yield Sample("very many enclosures", rss(item("E", '<enclosure url="/x"/>' * (n // 21))).encode())
    yield Sample("elements nested deep", rss("<x>" * deep + item() + "</x>" * deep).encode())
    yield Sample("items nested deep", rss("<item>" * (n // 13) + "</item>" * (n // 13)).encode())
    yield Sample("bases nested deep", rss("".join(f"<x xml:base='{k}/'>" for k in range(n // 20))).encode())
    yield Sample("json nested deep", b'{"items":' + b"[" * n)
    yield Sample("json objects nested deep", b'{"a":' * (n // 5))
    yield Sample("json with a long number", b'{"items":[{"id":' + b"9" * n + b',"title":"E"}]}')
    yield Sample("json with very many items", json.dumps({"items": [{"id": "x"}] * (n // 13)}).encode())
    yield Sample(
        "json with very many tags", json.dumps({"items": [{"id": "x", "tags": ["t"] * (n // 5)}]}).encode()
    )
