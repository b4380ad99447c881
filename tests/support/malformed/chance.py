"""Cut anywhere, and wounded by chance."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from tests.support.malformed.parts import FORMS, ITEM, Sample, item, rss


def truncated(parts: int = 12) -> Iterator[Sample]:
    for name, text in FORMS.items():
        body = text.encode()
        for part in range(1, parts):
            yield Sample(f"{name}, {part}/{parts} of it", body[: len(body) * part // parts])


_TOKENS = (
    b"<",
    b">",
    b"&",
    b'"',
    b"'",
    b"]]>",
    b"<![CDATA[",
    b"<!--",
    b"-->",
    b"</item>",
    b"<item>",
    b"<entry>",
    b"</",
    b"/>",
    b"&#",
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b"<?xml ?>",
    b"xmlns=",
    b"<!DOCTYPE x [",
    b"]>",
    b"&x;",
    b"{",
    b"}",
    b"\r",
    b"=",
    b"\xe2\x82",
    b"<title>",
    b"</channel>",
    b"encoding='utf-16'",
)


def damaged(count: int) -> Iterator[Sample]:
    """Documents of every form with one to eight random wounds. The same numbers give the same documents."""
    bodies = [text.encode() for text in FORMS.values()]
    bodies += [rss(item(ITEM, f"<description><![CDATA[<p>{ITEM}]]></description>") * 3).encode("iso-8859-1")]
    for number in range(count):
        chance = Random(number)
        body = bytearray(chance.choice(bodies))
        for _ in range(chance.randint(1, 8)):
            at, to = sorted(chance.randrange(len(body) + 1) for _ in range(2))
            match chance.randrange(6):
                case 0:
                    body[at:at] = chance.choice(_TOKENS)
                case 1:
                    del body[at : min(to, at + 40)]
                case 2:
                    body[at:at] = body[at:to]
                case 3 if at < len(body):
                    body[at] = chance.randrange(256)
                case 4:
                    body[at:to] = body[at:to][::-1]
                case _:
                    body[at:at] = bytes(chance.randrange(256) for _ in range(6))
        yield Sample(f"wounds {number}", bytes(body))
