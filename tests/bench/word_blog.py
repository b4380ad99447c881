"""A generator of Blogger feeds whose posts were pasted from Word, as those of many non-technical authors
are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import escape
from random import Random

_WORDS = (
    "patients trial dose naltrexone low pain study evening receptor week immune sleep placebo report doctor "
    "pharmacy tablet month symptom effect research author journal result question answer letter reader"
).split()
_START = datetime(2015, 1, 5, 9, 0, 17, tzinfo=UTC)


def feed(count: int, *, first: int = 0, size: int = 15_000) -> bytes:
    """An Atom document of ``count`` posts, the newest first, of about ``size`` bytes each.

    Post numbers run from ``first``; the same number always gives the same bytes.
    """
    numbers = range(first + count - 1, first - 1, -1)
    return b"".join([_HEAD, *(_entry(number, size) for number in numbers), b"</feed>"])


_HEAD = (
    b"<?xml version='1.0' encoding='UTF-8'?>"
    b'<?xml-stylesheet href="http://www.blogger.com/styles/atom.css" type="text/css"?>'
    b'<feed xmlns="http://www.w3.org/2005/Atom" xmlns:thr="http://purl.org/syndication/thread/1.0">'
    b"<id>tag:blogger.com,1999:blog-1</id><title type='text'>A blog</title><generator>Blogger</generator>"
    b"<link rel='alternate' type='text/html' href='https://blog.example/'/>"
)


def _entry(number: int, size: int) -> bytes:
    date = (_START + timedelta(hours=20 * number)).isoformat()
    link = f"https://blog.example/{date[:4]}/{date[5:7]}/post-{number}.html"
    title = f"Post number {number}"
    parts = (
        f"<entry><id>tag:blogger.com,1999:blog-1.post-{number}</id><published>{date}</published>",
        f"<updated>{date}</updated><category scheme='http://www.blogger.com/atom/ns#' term='Health'/>",
        f"<title type='text'>{title}</title><content type='html'>{escape(_word(number, size))}</content>",
        f"<link rel='alternate' type='text/html' href='{link}' title='{title}'/>",
        f"<link rel='replies' type='text/html' href='{link}#comment-form' title='0 Comments'/>",
        "<author><name>An author</name><email>noreply@blogger.com</email></author>",
        "<thr:total>0</thr:total></entry>",
    )
    return "".join(parts).encode()


def _word(number: int, size: int) -> str:
    """Markup as Word leaves it; its escaped form is about ``size`` bytes long."""
    return "".join(_paragraphs(Random(number), round(size * 0.72)))


def _paragraphs(choose: Random, size: int) -> Iterator[str]:
    yield (
        "<div class='separator' style='clear: both; text-align: center;'>"
        "<a href='https://img.example/s1600/a.jpg'><img border='0' height='240' "
        "src='https://img.example/s320/a.jpg' width='320' /></a></div><a name='more'></a>"
    )
    written = 250
    while written < size:
        text = " ".join(choose.choices(_WORDS, k=45))
        paragraph = (
            '<p class="MsoNormal" style="margin-bottom: 0.0001pt; line-height: normal;"><span '
            'style="font-family: &quot;Times New Roman&quot;, serif; font-size: 12pt;">'
            f"{text}<o:p></o:p></span></p>\n"
        )
        written += len(paragraph)
        yield paragraph
