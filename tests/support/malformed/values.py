"""JSON Feed and dates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.support.malformed.parts import Sample, atom, entry, item, rss


def json_feeds() -> Iterator[Sample]:
    whole = {"id": "1", "title": "E", "url": "http://blog.example/1", "content_html": "<p>x</p>"}
    odd: list[Any] = [
        None,
        True,
        0,
        -1.5,
        1e400,
        "",
        "x",
        [],
        [[]],
        {},
        {"a": {}},
        [None, 5, "x"],
        "\ud800",
        "\x00",
    ]
    names = [
        "id",
        "url",
        "external_url",
        "title",
        "content_html",
        "content_text",
        "summary",
        "image",
        "banner_image",
        "date_published",
        "date_modified",
        "author",
        "authors",
        "tags",
        "language",
        "attachments",
    ]
    for name in names:
        for value in odd:
            body = json.dumps({"items": [{**whole, name: value}, {**whole, "id": "2", "title": "F"}]})
            yield Sample(f"json {name} = {str(value)[:12]!r}", body.encode("utf-8", "surrogatepass"))
    for name in (
        "title",
        "home_page_url",
        "feed_url",
        "next_url",
        "hubs",
        "language",
        "description",
        "authors",
        "version",
    ):
        for value in odd:
            body = json.dumps({name: value, "items": [whole]})
            yield Sample(
                f"json feed's {name} = {str(value)[:12]!r}", body.encode("utf-8", "surrogatepass"), ("E",)
            )
    cases: tuple[Any, ...] = (
        [None],
        [5],
        [[]],
        ["x"],
        [{}],
        [{"id": "1"}],
        [[whole]],
        {"1": whole},
        "x",
        None,
        5,
    )
    for items in cases:
        yield Sample(f"json items {str(items)[:20]}", json.dumps({"items": items}).encode())
    text = json.dumps({"items": [whole]})
    yield Sample("json with a comma too many", text.replace("}]", "},]").encode(), refused=True)
    yield Sample("json with a remark", ("/* x */" + text).encode(), refused=True)
    yield Sample("json in single quotation marks", text.replace('"', "'").encode(), refused=True)
    yield Sample("json that is cut", text[:-9].encode(), refused=True)
    yield Sample("json twice", (text + text).encode(), refused=True)
    yield Sample("json in a call", f"callback({text});".encode(), refused=True)
    yield Sample(
        "json in Latin-1",
        json.dumps({"items": [{**whole, "title": "Käse"}]}, ensure_ascii=False).encode("latin-1"),
    )
    yield Sample(
        "json in UTF-8",
        json.dumps({"items": [{**whole, "title": "Käse"}]}, ensure_ascii=False).encode(),
        ("Käse",),
    )
    for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"):
        yield Sample(f"json in {name}", text.encode(name), ("E",))
    yield Sample("json with not a number", b'{"items":[{"id":NaN,"title":"E"}]}')
    yield Sample("json with a huge number", b'{"items":[{"id":' + b"9" * 6_000 + b',"title":"E"}]}')
    yield Sample("json with a huge exponent", b'{"items":[{"id":1e999999,"title":"E"}]}')
    yield Sample("json with names twice", b'{"items":[{"id":"1","id":"2","title":"E","title":"F"}]}', ("F",))
    yield Sample("json of another kind", b'{"data":{"posts":[]}}', refused=True)
    yield Sample("a list", b"[1,2]", refused=True)


DATES = (
    "Fri, 01 May 2026 09:30:00 GMT",
    "Fri, 1 May 2026 09:30:00 +0200",
    "1 May 2026 09:30 EST",
    "Fri, 01 May 26 09:30:00 Z",
    "Friday, 01-May-26 09:30:00 GMT",
    "Fri May  1 09:30:00 2026",
    "2026-05-01",
    "2026-05-01T09:30:00Z",
    "20260501T093000Z",
    "2026-05-01T09:30:00.123456+02:00",
    "2026-05-01 09:30:00",
    "2026-05",
    "2026",
    "2026-121",
    "2026-W18-5",
    "--05-01",
    "01/05/2026",
    "05/01/2026 09:30",
    "2026/05/01 09:30:00",
    "1.5.2026",
    "1777627800",
    "1777627800000",
    "0",
    "-1",
    "2026-13-45",
    "2026-02-30T00:00:00Z",
    "2026-05-01T25:61:61Z",
    "2026-05-01T24:00:00Z",
    "2026-06-30T23:59:60Z",
    "Fri, 31 Feb 2026 09:30:00 GMT",
    "Fri, 01 Mai 2026 09:30:00 GMT",
    "ven, 01 mai 2026 09:30:00 +0200",
    "пт, 01 май 2026 09:30:00 +0300",
    "2026년 5월 1일 금요일 오전 09:30:00",
    "2004-05-28 오후 11:31:58",
    "Πεμ, 08 Ιούλ 2004 10:00:00 EST",
    "csütörtök, 2026-május-01T09:30",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "Fri, 01 Jan 9999 00:00:00 GMT",
    "Fri, 01 Jan 10000 00:00:00 GMT",
    "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:59+14:00",
    "0001-01-01T00:00:00-14:00",
    "2026-05-01T09:30:00+99:99",
    "Fri, 01 May 2026 09:30:00 +9999",
    "Fri, 01 May 2026 99:99:99 GMT",
    "now",
    "yesterday",
    "",
    " ",
    "null",
    "NaN",
    "Invalid date",
    "{{ post.date }}",
    "1 2 3",
    "١ مايو ٢٠٢٦",  # noqa: RUF001
    "2026-05-01T09:30:00Z" * 50,
    "0" * 5_000,
    "-" * 5_000,
    ":" * 5_000,
    "2026-" * 2_000,
    "Fri, " * 2_000,
    " " * 5_000 + "2026-05-01",
    "²026-05-01",
    "2026-05-01T09:30:00\u221202:00",
)


def dates() -> Iterator[Sample]:
    for date in DATES:
        yield Sample(f"pubDate {date[:40]!r}", rss(item("E", f"<pubDate>{date}</pubDate>")).encode(), ("E",))
        yield Sample(
            f"published {date[:40]!r}", atom(entry("E", f"<published>{date}</published>")).encode(), ("E",)
        )
        whole = {"id": "1", "title": "E", "date_published": date}
        yield Sample(f"date_published {date[:40]!r}", json.dumps({"items": [whole]}).encode(), ("E",))
