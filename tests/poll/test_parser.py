"""The real parser in its real child, on documents of every kind, honest and hostile."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime
from threading import Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.errors import FeedUnparsable
from newsletter.model.entry import FeedDocument
from newsletter.poll.parser import Parser
from tests.intake.blog import articles, atom
from tests.support.malformed import COMPUTES_FOR_EVER, traps

URL = "http://blog.example/feed"
RSS = b"""<?xml version="1.0"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:media="http://search.yahoo.com/mrss/">
<channel><title>The blog</title><link>http://blog.example/</link><description>About</description>
<language>de</language><ttl>90</ttl>
<item><title>One &amp; two</title><link>/post</link><guid isPermaLink="false">g1</guid>
<pubDate>Fri, 01 May 2026 09:30:17 GMT</pubDate><dc:creator>Ann</dc:creator>
<category>Health</category><comments>/post#comments</comments><description>Short</description>
<content:encoded><![CDATA[<p>Long <img src="a.png"></p>]]></content:encoded>
<media:content url="/big.jpg" type="image/jpeg"/></item></channel></rss>"""


def _parse(parser: Parser, body: bytes) -> FeedDocument:
    return parser.parse(body, url=URL)


def test_an_rss_document_is_read_whole(parser: Parser) -> None:
    document = _parse(parser, RSS)
    entry = document.entries[0]
    assert (document.kind, document.language, document.ttl_s) == ("rss", "de", 5400)
    assert document.site_url == "http://blog.example/"
    assert (entry.guid, entry.url, entry.title) == ("g1", "http://blog.example/post", "One & two")
    assert entry.html == '<p>Long <img src="a.png"></p>'
    assert (entry.summary, entry.truncated, entry.author, entry.topics) == (
        "Short",
        False,
        "Ann",
        ("Health",),
    )
    assert entry.comments_url == "http://blog.example/post#comments"
    assert entry.image_url == "http://blog.example/big.jpg"
    assert entry.published_at == datetime(2026, 5, 1, 9, 30, 17, tzinfo=UTC)


@pytest.mark.parametrize(
    ("says", "seconds"),
    [
        ("<ttl>²</ttl>", None),
        ("<ttl>١٢</ttl>", None),
        (f"<ttl>{'9' * 5_000}</ttl>", None),
        ("<ttl>999999999</ttl>", 7 * 86_400),
        ("<ttl> 60 </ttl>", 3_600),
        ("<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>²</sy:updateFrequency>", None),
        ("<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>0</sy:updateFrequency>", 86_400),
        ("<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>2</sy:updateFrequency>", 43_200),
        ("<sy:updatePeriod>daily</sy:updatePeriod>", 86_400),
    ],
)
def test_how_often_to_look_is_believed_only_where_it_is_a_number(
    parser: Parser, says: str, seconds: int | None
) -> None:
    spaced = 'xmlns:sy="http://purl.org/rss/1.0/modules/syndication/" version="2.0"'
    body = RSS.decode().replace('version="2.0"', spaced).replace("<ttl>90</ttl>", says)
    document = _parse(parser, body.encode())
    assert (document.ttl_s, len(document.entries)) == (seconds, 1)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (
            "rss",
            b"<rss version='0.91'><channel><title>T</title><item><title>E</title></item></channel></rss>",
        ),
        ("rss", b"<rss><channel><title>T</title><item><title>E</title></item></channel></rss>"),
        (
            "rdf",
            b"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns='http://purl.org/rss/1.0/'>"
            b"<channel><title>T</title></channel><item rdf:about='x'><title>E</title></item></rdf:RDF>",
        ),
        (
            "atom",
            b"<feed xmlns='http://www.w3.org/2005/Atom'><title>T</title><entry><title>E</title></entry></feed>",
        ),
        (
            "json",
            b'{"version":"https://jsonfeed.org/version/1.1","title":"T","items":[{"id":"1","title":"E"}]}',
        ),
        (
            "cdf",
            b"<CHANNEL HREF='http://x/'><TITLE>T</TITLE><ITEM HREF='http://x/1'><TITLE>E</TITLE></ITEM></CHANNEL>",
        ),
    ],
)
def test_every_kind_of_feed_is_read(parser: Parser, kind: str, body: bytes) -> None:
    document = _parse(parser, body)
    assert (document.kind, [entry.title for entry in document.entries]) == (kind, ["E"])


def test_a_summary_alone_is_marked_as_cut_off_when_it_ends_so(parser: Parser) -> None:
    items = b"<item><title>a</title><description>It begins [...]</description></item><item><title>b</title>" \
            b"<description>All there is.</description></item>"  # fmt: skip
    document = _parse(parser, b"<rss version='2.0'><channel>" + items + b"</channel></rss>")
    assert [entry.truncated for entry in document.entries] == [True, False]


def test_an_atom_entry_with_a_summary_only_is_cut_off(parser: Parser) -> None:
    entry = b"<entry><title>a</title><summary>All there is.</summary></entry>"
    document = _parse(parser, b"<feed xmlns='http://www.w3.org/2005/Atom'>" + entry + b"</feed>")
    assert (document.entries[0].html, document.entries[0].truncated) == ("<p>All there is.</p>", True)


def test_a_long_document_is_read_in_parts_with_the_same_result(parser: Parser) -> None:
    document = _parse(parser, atom(articles(*range(1, 451))))
    assert [entry.position for entry in document.entries] == list(range(450))
    assert document.entries[449].guid == "tag:blog.example,2026:post-1"
    assert len({entry.raw_sha for entry in document.entries}) == 450


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the answer is empty"),
        (b"<!doctype html><html><body>Hello</body></html>", "it is a web page"),
        (b"\x00\x01\x02", "it is neither RSS, Atom nor JSON Feed"),
        (b'{"a": 1}', "it is JSON, but no JSON Feed"),
        (b"[" * 100_000, "it is damaged JSON"),
    ],
)
def test_what_is_no_feed_is_named(parser: Parser, body: bytes, reason: str) -> None:
    with pytest.raises(FeedUnparsable, match=reason):
        _parse(parser, body)


def _rss(item: bytes, head: bytes = b"") -> bytes:
    return head + b"<rss version='2.0'><channel><item>" + item + b"</item></channel></rss>"


_ENTITIES = b"".join(b'<!ENTITY e%d "%s">' % (n, b"&e%d;" % (n - 1) * 10) for n in range(1, 10))
_FILE = b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
HOSTILE = {
    "entities that multiply": _rss(
        b"<title>&e9;</title>", b'<!DOCTYPE r [<!ENTITY e0 "boom">' + _ENTITIES + b"]>"
    ),
    "an external entity": _rss(b"<title>&x;</title>", _FILE),
    "markup nested deeply": b"<rss version='2.0'><channel><item><description>" + b"<a>" * 60_000,
    "comments never closed": b"<rss version='2.0'><channel>" + b"<!--" * 70_000,
    "nested html": _rss(b"<description><![CDATA[" + b"<div>" * 100_000 + b"]]></description>"),
    "control characters": _rss(b"<title>" + bytes(range(32)) + b"</title>"),
    "a wrong charset": _rss(b"<title>\xe9</title>", b'<?xml version="1.0" encoding="utf-16"?>'),
    "an unknown charset": _rss(b"<title>a</title>", b'<?xml version="1.0" encoding="x-nonsense"?>'),
    "numbers for ids": b'{"items":[{"id":' + b"9" * 5_000 + b',"title":"\\ud800"}]}',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_document_gives_entries_or_one_problem_and_the_next_feed_is_read(
    parser: Parser, name: str
) -> None:
    try:
        entries = _parse(parser, HOSTILE[name]).entries
        assert all("root:" not in entry.title and len(entry.title) <= 500 for entry in entries)
    except FeedUnparsable as problem:
        assert str(problem).startswith(f"The feed {URL} cannot be read: ")
    assert len(_parse(parser, atom(articles(1, 2))).entries) == 2


@pytest.mark.slow
def test_a_document_that_is_read_for_hours_is_stopped(parser: Parser) -> None:
    trap = next(sample for sample in traps(600_000) if sample.name == COMPUTES_FOR_EVER)
    with pytest.raises(FeedUnparsable, match=r"computing time|longer than 20 seconds"):
        _parse(parser, trap.body)
    assert len(_parse(parser, atom(articles(1))).entries) == 1


def test_a_child_that_does_not_answer_is_killed() -> None:
    with Parser(wall_s=0.5) as parser:
        with pytest.raises(FeedUnparsable, match=r"longer than 0\.5 seconds"):
            _parse(parser, b"<rss version='2.0'><channel>" + b"<item><title>x</title></item>" * 9_000)
        parser._wall_s = 20  # another child has to start first
        assert _parse(parser, RSS).entries


def test_a_child_killed_from_outside_is_replaced(parser: Parser) -> None:
    _parse(parser, RSS)
    for child in list(parser._idle.queue):
        if child._process is not None:
            os.kill(child._process.pid, signal.SIGKILL)
            child._process.wait()
    assert _parse(parser, RSS).entries


def test_many_threads_may_parse_at_once(parser: Parser) -> None:
    counts: list[int] = []
    threads = [
        Thread(
            target=lambda size: counts.append(len(_parse(parser, atom(articles(*range(size)))).entries)),
            args=(n,),
        )
        for n in range(1, 9)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts) == list(range(1, 9))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cut=st.integers(0, len(RSS)),
    junk=st.binary(max_size=40),
    encoding=st.sampled_from(["utf-8", "utf-16", "utf-32", "latin-1", "cp1252"]),
)
def test_a_damaged_document_gives_entries_or_one_problem(
    parser: Parser, cut: int, junk: bytes, encoding: str
) -> None:
    body = (
        (RSS[:cut].decode() + "é€"[: 1 if encoding == "latin-1" else 2]).encode(encoding) + junk + RSS[cut:]
    )
    try:
        document = _parse(parser, body)
        assert isinstance(document, FeedDocument)
    except FeedUnparsable as problem:
        assert problem.url == URL
