"""Forms, markup inside texts, nesting and namespaces."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape

from tests.support.malformed.parts import FORMS, PLACES, Sample, atom, entry, item, rss


def forms() -> Iterator[Sample]:
    for name, text in FORMS.items():
        titles = ("E", "F") if "two channels" in name else ("E",)
        yield Sample(name, text.encode(), titles)
        yield Sample(f"{name}, after white space", b" \r\n\t\n" + text.encode(), titles)
        yield Sample(f"{name}, after a byte order mark", b"\xef\xbb\xbf" + text.encode(), titles)
        yield Sample(f"{name}, in UTF-16", text.encode("utf-16"), titles)
        yield Sample(
            f"{name}, called a web page", text.encode(), titles, content_type="text/html; charset=utf-8"
        )
        yield Sample(f"{name}, called text", text.encode(), titles, content_type="text/plain")
        yield Sample(f"{name}, called nothing sensible", text.encode(), titles, content_type=";;=,\x7f")


def markup() -> Iterator[Sample]:
    titles = {
        "<![CDATA[Käse]]>": "Käse",
        "<![CDATA[Käse & Wein]]>": "Käse & Wein",
        "<![CDATA[<b>Käse</b>]]>": "Käse",
        "<![CDATA[Kä]]><![CDATA[se]]>": "Käse",
        "Kä<![CDATA[se]]>": "Käse",
        "&lt;b&gt;Käse&lt;/b&gt;": "Käse",
        "  Käse \n\t und   Wein ": "Käse und Wein",
        "<![CDATA[]]>Käse": "Käse",
        "Käse<!-- a remark -->": "Käse",
        "Käse<?php echo 1 ?>": "Käse",
    }
    for text, read in titles.items():
        yield Sample(f"the title {text!r}", rss(item(text)).encode(), (read,))
    for text in (
        "<b>Käse</b>",
        "<b>Kä<i>se</b></i>",
        "<b>Käse",
        "Käse</b>",
        "<br>",
        "<![CDATA[Käse",
        "Käse]]>",
        "<![CDATA[<![CDATA[Käse]]>]]>",
        "<![CDATA[a]]b]]>",
        "<![cdata[Käse]]>",
        "< ![CDATA[Käse]]>",
        "<script>x</script>",
        "<title>Käse</title>",
        "<item>",
        "</item>",
        "</title>",
        "</channel>",
        "</rss>",
        "<entry/>",
        "<!-- -- -->",
        "<!-->",
        "<!--",
        "-->",
        "<!DOCTYPE x>",
        "<?xml version='1.0'?>",
        "<?",
        "<!",
        "<",
        ">",
        "<>",
        "</>",
        "< b>",
        "<b",
        "<b a",
        "<b a=",
        "<b a='",
        "<1>",
        "<ä>",
        "<:>",
        "<a:b:c>x</a:b:c>",
        "<a a='1' a='2'>x</a>",
        "<a =x>",
        "<a b=c d>x</a>",
        '<a b="<">x</a>',
        "\x00",
        "\x07",
        "\x1b[31m",
        "\x85",
        "\u2028",
        "\ufeff",
        "\ufffe",
        "\U0001f9c0" * 50,
        "e" + "\u0301" * 3_000,
        "\u202e",
        "a\u200b" * 99,
    ):
        for place, make in PLACES.items():
            yield Sample(f"{text[:30]!r} in {place}", make(text).encode("utf-8", "surrogatepass"))
    for kind in (
        "text",
        "html",
        "xhtml",
        "text/html",
        "text/plain",
        "application/xhtml+xml",
        "image/png",
        "",
        "x",
        "TEXT",
    ):
        inside = f'<content type="{kind}">&lt;p&gt;Käse &amp;amp; Wein&lt;/p&gt;</content>'
        yield Sample(f"content of type {kind!r}", atom(entry("E", inside)).encode(), ("E",))
        inside = f'<content type="{kind}"><div xmlns="http://www.w3.org/1999/xhtml"><p>Käse<br/></p></div></content>'
        yield Sample(f"markup of type {kind!r}", atom(entry("E", inside)).encode(), ("E",))
        yield Sample(
            f"markup of type {kind!r} without a namespace",
            atom(entry("E", f'<content type="{kind}"><p>K<b>ä</p></b></content>')).encode(),
        )


def broken() -> Iterator[Sample]:
    for form, whole in (("rss", rss(item() + item("F", "", 2))), ("atom", atom(entry() + entry("F", "", 2)))):
        tags = _tags(whole)
        for number, (start, end) in enumerate(tags):
            tag = whole[start:end]
            yield Sample(f"{form} without tag {number} {tag[:20]}", (whole[:start] + whole[end:]).encode())
            yield Sample(f"{form} with tag {number} {tag[:20]} twice", (whole[:end] + whole[start:]).encode())
            upper = tag.upper().replace("HTTP", "http")
            yield Sample(
                f"{form} with tag {number} {tag[:20]} in capitals",
                (whole[:start] + upper + whole[end:]).encode(),
            )
            yield Sample(
                f"{form} with tag {number} {tag[:20]} unfinished", (whole[: end - 1] + whole[end:]).encode()
            )
            yield Sample(
                f"{form} with text before tag {number} {tag[:20]}",
                (whole[:start] + "&x<y" + whole[start:]).encode(),
            )
        yield Sample(f"{form} inside a web page", f"<html><body>{whole}</body></html>".encode())
        yield Sample(
            f"{form} after a warning",
            f"<br />\n<b>Warning</b>: something in <b>x.php</b><br />\n{whole}".encode(),
        )
        yield Sample(f"{form} before a remark", f"{whole}<!-- cached -->".encode())
        yield Sample(f"{form} before junk", f"{whole}<script>x</script>&&&".encode())
        yield Sample(f"{form} twice", (whole + whole).encode())
        yield Sample(
            f"{form} with an unclosed remark", whole.replace("</title>", "</title><!-- ", 1).encode()
        )
        yield Sample(f"{form} with carriage returns", whole.replace(">", ">\r").encode())
        yield Sample(f"{form} with a NUL after each tag", whole.replace(">", ">\x00").encode())
        yield Sample(f"{form} escaped whole", escape(whole).encode())
        yield Sample(f"{form} in quotation marks", json.dumps(whole).encode())
        yield Sample(f"{form} with typographic quotation marks", whole.replace('"', "”").encode())
        yield Sample(f"{form} without quotation marks", whole.replace('"', "").encode())
        yield Sample(f"{form} of XML 1.1", whole.replace('"1.0"', '"1.1"', 1).encode())
        yield Sample(f"{form} of XML 9.9", whole.replace('"1.0"', '"9.9"', 1).encode())
        yield Sample(f"{form} with its declaration twice", ('<?xml version="1.0"?>' + whole).encode())
    deep = "<item>" * 30 + "<title>E</title>" + "</item>" * 30
    yield Sample("items inside items", rss(deep).encode())
    yield Sample("entries inside entries", atom("<entry><title>a</title>" * 30 + "</entry>" * 30).encode())
    yield Sample(
        "a feed inside an entry", atom(entry("E", f"<content>{atom(entry(), head='')}</content>")).encode()
    )
    yield Sample(
        "an entry alone", entry().replace("<entry", '<entry xmlns="http://www.w3.org/2005/Atom"').encode()
    )
    yield Sample("items and entries", rss(item() + entry("F", "", 2)).encode())
    yield Sample("an empty rss feed", rss("").encode(), ())
    yield Sample("an empty atom feed", atom("").encode(), ())
    yield Sample("empty items", rss("<item/><item></item><item> </item>").encode())
    yield Sample(
        "a list of feeds",
        b"<opml version='2.0'><body><outline xmlUrl='http://x/'/></body></opml>",
        refused=True,
    )
    yield Sample("a site map", b"<urlset><url><loc>http://blog.example/</loc></url></urlset>", refused=True)
    yield Sample("a drawing", b"<svg xmlns='http://www.w3.org/2000/svg'><title>x</title></svg>", refused=True)
    yield Sample(
        "a web page",
        b"<!DOCTYPE html><html><head><title>x</title></head><body><p>y</body></html>",
        refused=True,
    )
    yield Sample("nothing", b"", refused=True)
    yield Sample("white space", b" \n\t ", refused=True)
    yield Sample("a byte order mark alone", b"\xef\xbb\xbf", refused=True)
    yield Sample("a picture", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, refused=True)
    yield Sample("a packed file", b"\x1f\x8b\x08\x00" + bytes(range(256)) * 20, refused=True)
    yield Sample("a document of another kind", b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj", refused=True)
    yield Sample("the address of a file", b"/etc/passwd", refused=True)
    yield Sample("an address", b"http://127.0.0.1:9/feed", refused=True)


def _tags(text: str) -> list[tuple[int, int]]:
    found, at = [], 0
    while (start := text.find("<", at)) >= 0:
        at = text.index(">", start) + 1
        found.append((start, at))
    return found


def namespaces() -> Iterator[Sample]:
    known = {
        "content": ("http://purl.org/rss/1.0/modules/content/", "<content:encoded>x</content:encoded>"),
        "dc": (
            "http://purl.org/dc/elements/1.1/",
            "<dc:creator>Ann</dc:creator><dc:date>2026-05-01</dc:date>",
        ),
        "media": ("http://search.yahoo.com/mrss/", '<media:content url="/a.jpg" type="image/jpeg"/>'),
        "itunes": ("http://www.itunes.com/dtds/podcast-1.0.dtd", "<itunes:summary>x</itunes:summary>"),
        "atom": ("http://www.w3.org/2005/Atom", '<atom:link rel="self" href="/f"/>'),
        "slash": ("http://purl.org/rss/1.0/modules/slash/", "<slash:comments>5</slash:comments>"),
        "georss": ("http://www.georss.org/georss", "<georss:point>45 -71</georss:point>"),
        "feedburner": (
            "http://rssnamespace.org/feedburner/ext/1.0",
            "<feedburner:origLink>http://blog.example/o</feedburner:origLink>",
        ),
        "xhtml": ("http://www.w3.org/1999/xhtml", "<xhtml:div><xhtml:p>x</xhtml:p></xhtml:div>"),
        "thr": ("http://purl.org/syndication/thread/1.0", "<thr:total>5</thr:total>"),
    }
    for prefix, (uri, inside) in known.items():
        for name, more in {
            "as it should be": f'xmlns:{prefix}="{uri}"',
            "that nobody declared": "",
            "with a wrong address": f'xmlns:{prefix}="http://wrong.example/"',
            "with an empty address": f'xmlns:{prefix}=""',
            "with capitals in its address": f'xmlns:{prefix}="{uri.upper()}"',
            "without a last slash": f'xmlns:{prefix}="{uri.rstrip("/")}"',
            "over https": f'xmlns:{prefix}="{uri.replace("http:", "https:")}"',
            "declared twice": f'xmlns:{prefix}="{uri}" xmlns:{prefix}="{uri}"',
            "as the default": f'xmlns="{uri}"',
        }.items():
            yield Sample(f"{prefix} {name}", rss(item("E", inside), more=more).encode(), ("E",))
        renamed = inside.replace(f"{prefix}:", "q:")
        yield Sample(
            f"{prefix} under another name", rss(item("E", renamed), more=f'xmlns:q="{uri}"').encode(), ("E",)
        )
    for uri in (
        "",
        "http://www.w3.org/2005/atom",
        "https://www.w3.org/2005/Atom",
        "http://www.w3.org/2005/Atom/",
        "http://example.org/",
        "http://purl.org/atom/ns#",
        "http://purl.org/atom/ns",
        "http://backend.userland.com/rss2",
    ):
        yield Sample(f"atom in the namespace {uri!r}", atom(entry(), ns=uri).encode(), ("E",))
    yield Sample(
        "atom without a namespace",
        atom(entry()).replace(' xmlns="http://www.w3.org/2005/Atom"', "").encode(),
        ("E",),
    )
    for uri in (
        "http://backend.userland.com/rss2",
        "http://blogs.law.harvard.edu/tech/rss",
        "http://purl.org/rss/1.0/",
        "",
    ):
        yield Sample(f"rss in the namespace {uri!r}", rss(item(), more=f'xmlns="{uri}"').encode(), ("E",))
    yield Sample("a prefix for the prefix", rss(item("<a:b:c/>E"), more='xmlns:a="x"').encode())
    yield Sample(
        "many namespaces",
        rss(item(), more=" ".join(f'xmlns:n{n}="http://n.example/{n}"' for n in range(500))).encode(),
        ("E",),
    )
