"""Encodings and entities: declared, undeclared and wrong."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tests.support.malformed.parts import PLACES, Sample, atom, entry, item, rss

WORDS = {
    "utf-8": "Käse € 日本 Ж",
    "iso-8859-1": "Käse für Zoë",
    "iso-8859-15": "Käse € Œuvre",
    "windows-1252": "Käse “für” 5 €",
    "iso-8859-2": "Žluťoučký kůň",
    "windows-1250": "Žluťoučký „kůň“",
    "iso-8859-5": "Новости сегодня",
    "windows-1251": "Новости — сегодня",
    "koi8-r": "Новости сегодня",
    "koi8-u": "Новини з Києва",
    "iso-8859-7": "Καλημέρα κόσμε",
    "windows-1253": "Καλημέρα κόσμε",
    "iso-8859-9": "Günaydın İstanbul",  # noqa: RUF001
    "windows-1254": "Günaydın İstanbul",  # noqa: RUF001
    "windows-1255": "שלום עולם",
    "windows-1256": "مرحبا بالعالم",
    "windows-1257": "Ąžuolas ėjo",
    "windows-1258": "Xin chào",
    "iso-8859-13": "Ąžuolas ėjo",
    "iso-8859-8": "שלום עולם",
    "tis-620": "สวัสดี",
    "gb2312": "今天的新闻",
    "gbk": "今天的新聞",
    "gb18030": "今天的新闻",
    "big5": "今天的新聞",
    "euc-jp": "今日のニュース",
    "shift_jis": "今日のニュース",
    "iso-2022-jp": "今日のニュース",
    "euc-kr": "오늘의 소식",
    "mac-roman": "Käse für Zoë",
    "cp437": "Käse für Zoë",
    "utf-16-le": "Käse € 日本",
    "utf-16-be": "Käse € 日本",
    "utf-32-le": "Käse € 日本",
    "utf-32-be": "Käse € 日本",
}
_BOM = {
    "utf-8": b"\xef\xbb\xbf",
    "utf-16-le": b"\xff\xfe",
    "utf-16-be": b"\xfe\xff",
    "utf-32-le": b"\xff\xfe\x00\x00",
    "utf-32-be": b"\x00\x00\xfe\xff",
}
_ONE_BYTE_ASCII = [name for name in WORDS if not name.startswith(("utf-16", "utf-32", "iso-2022"))]


def _titled(form: str, title: str, head: str) -> str:
    return rss(item(title), head=head) if form == "rss" else atom(entry(title), head=head)


def encodings() -> Iterator[Sample]:
    for name, words in WORDS.items():
        for form in ("rss", "atom"):
            make = partial(_titled, form)
            told = f'<?xml version="1.0" encoding="{name}"?>'
            yield Sample(f"{form} in {name}, told by itself", make(words, told).encode(name), (words,))
            yield Sample(
                f"{form} in {name}, told by the server",
                make(words, "").encode(name),
                (words,),
                content_type=f"application/xml; charset={name}",
            )
            yield Sample(
                f"{form} in {name}, told by both",
                make(words, told).encode(name),
                (words,),
                content_type=f'application/rss+xml; charset="{name.upper()}"',
            )
            wrong = '<?xml version="1.0" encoding="utf-8"?>'
            yield Sample(f"{form} in {name}, taken for UTF-8", make(words, wrong).encode(name))
            yield Sample(f"{form} in {name}, told by nobody", make(words, "").encode(name))
            if name in _BOM:
                mark = _BOM[name]
                yield Sample(
                    f"{form} in {name}, told by a mark", mark + make(words, "").encode(name), (words,)
                )
                other = '<?xml version="1.0" encoding="iso-8859-1"?>'
                yield Sample(
                    f"{form} in {name}, told by a mark and denied by itself",
                    mark + make(words, other).encode(name),
                    (words,),
                )
    for lie in (
        "x-nonsense",
        "",
        " ",
        "utf8",
        "UTF_8",
        "unicode",
        "rot13",
        "base64",
        "idna",
        "punycode",
        "hex",
        "zlib",
        "utf-7",
        "../../etc/passwd",
        "a" * 5_000,
        "ütf",
        "utf-16",
        "ascii",
        "none",
        "unknown",
    ):
        yield Sample(
            f"declared as {lie[:20]!r}",
            rss(item("E"), head=f'<?xml version="1.0" encoding="{lie}"?>').encode(),
        )
        yield Sample(
            f"served as {lie[:20]!r}",
            rss(item("E"), head="").encode(),
            content_type=f"text/xml; charset={lie}".encode("ascii", "replace").decode(),
        )
    for name in _ONE_BYTE_ASCII[:12]:
        yield Sample(
            f"utf-8 served as {name}",
            rss(item("E"), head='<?xml version="1.0" encoding="utf-8"?>').encode(),
            ("E",),
            content_type=f"text/xml; charset={name}",
        )
    mixed = rss(item("%s"), head="").encode()
    yield Sample(
        "two encodings in one document", mixed.replace(b"%s", "Käse".encode() + "Käse".encode("latin-1"))
    )
    yield Sample("half a character", mixed.replace(b"%s", b"K\xc3"))
    yield Sample("overlong UTF-8", mixed.replace(b"%s", b"a\xc0\xafb"))
    yield Sample("surrogates in UTF-8", mixed.replace(b"%s", b"a\xed\xa0\x80b"))
    yield Sample("UTF-16 with an odd byte", rss(item("E")).encode("utf-16") + b"x")
    yield Sample("UTF-16 that is cut", rss(item("E")).encode("utf-16")[:-31])
    yield Sample("two byte order marks", b"\xef\xbb\xbf\xef\xbb\xbf" + rss(item("E")).encode())
    yield Sample("a byte order mark of another width", b"\xff\xfe" + rss(item("E")).encode())


def entities() -> Iterator[Sample]:
    good = {
        "&amp;": "&",
        "&lt;b&gt;": "<b>",
        "&#228;": "ä",
        "&#xe4;": "ä",
        "&#x1F9C0;": "🧀",
        "&apos;": "'",
        "&amp;amp;": "&",
        "&quot;": '"',
    }
    for text, read in good.items():
        if text != "&lt;b&gt;":  # markup in a title is taken away
            yield Sample(
                f"atom text with {text}", atom(entry(f"a {text} b")).encode(), (f"a {_plain(read, text)} b",)
            )
    for name, character in {
        "eacute": "é",
        "hellip": "…",
        "rsquo": "’",  # noqa: RUF001
        "mdash": "—",
        "euro": "€",
        "auml": "ä",
    }.items():
        yield Sample(
            f"&{name}; that nobody defined, in rss", rss(item(f"a&{name};b")).encode(), (f"a{character}b",)
        )
        yield Sample(
            f"&{name}; that nobody defined, in atom", atom(entry(f"a&{name};b")).encode(), (f"a{character}b",)
        )
    odd = [
        "&",
        "& ",
        "&;",
        "&#;",
        "&#x;",
        "&#0;",
        "&#x110000;",
        "&#xD800;",
        "&#55296;",
        "&#xFFFF;",
        "&#8;",
        "&#1114112;",
        "&#99999999999999999999;",
        "&#x" + "f" * 400 + ";",
        "&" + "a" * 5_000 + ";",
        "&amp",
        "&#228",
        "&undefined;",
        "&nbsp",
        "&a.b-c_d;",
        "&%;",
        "%x;",
        "&#-5;",
        "&#+5;",
        "&# 5;",
        "&&amp;&",
        "&lt;![CDATA[",
        "]]>",
        "&amp;#0;",
        "&amp;#x110000;",
        "&amp;undefined;",
        "&amp;#xD800;",
    ]
    for text in odd:
        for place, make in PLACES.items():
            yield Sample(f"{text[:30]} in {place}", make(text).encode())
    internal = '<!DOCTYPE rss [<!ENTITY cheese "Käse"><!ENTITY two "&cheese;&cheese;">]>'
    yield Sample("an entity of its own", rss(item("a &cheese; b"), head=internal).encode())
    yield Sample("an entity of entities", rss(item("a &two; b"), head=internal).encode())
    for name, head in {
        "a file": '<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        "an address": '<!DOCTYPE rss [<!ENTITY x SYSTEM "http://127.0.0.1:9/">]>',
        "a public name": '<!DOCTYPE rss [<!ENTITY x PUBLIC "p" "http://127.0.0.1:9/">]>',
        "a parameter": '<!DOCTYPE rss [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p; <!ENTITY x "%p;">]>',
        "itself": '<!DOCTYPE rss [<!ENTITY x "&x;">]>',
        "each other": '<!DOCTYPE rss [<!ENTITY x "&y;"><!ENTITY y "&x;">]>',
        "a document type elsewhere": '<!DOCTYPE rss SYSTEM "http://127.0.0.1:9/x.dtd">',
    }.items():
        yield Sample(f"an entity that is {name}", rss(item("a &x; b"), head=head).encode())


def _plain(read: str, text: str) -> str:
    return "&amp;" if text == "&amp;amp;" else read
