"""Which links of an email are counted, and how its HTML reads then."""

from __future__ import annotations

from dataclasses import replace
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.model.artefact import Artefact, Segment, carried, filled_html, settled
from newsletter.model.links import links_of, mailed, target
from newsletter.model.publication import Sender
from newsletter.model.tracking import Link, is_sealed, seal

KEY = b"k" * 32
VALUES = {"base_url": "https://news.example.org", "unsubscribe_url": "https://news.example.org/u/x"}


def an_artefact(*html: Segment, text: str = "") -> Artefact:
    urls = ("", *links_of(html))
    return Artefact(
        subject="s",
        preheader="",
        sender=Sender(name="", address="a@example.org"),
        reply_to="",
        language="en",
        title="t",
        html=html,
        text=(Segment(text),),
        blocks=(),
        links=tuple(Link(seal(KEY, 7, url), url) for url in urls),
    )


def as_mailed(*html: Segment, mask: int = 0) -> str:
    return filled_html(carried(mailed(an_artefact(*html)), mask), VALUES)


def test_links_are_led_through_tokens_and_nothing_else_changes() -> None:
    html = '<body><a class="b" href="https://a.example/x?y=1&amp;z=2" style="color:red">A &gt; B</a></body>'
    token = seal(KEY, 7, "https://a.example/x?y=1&z=2")
    sent = as_mailed(Segment(html))
    picture = sent.partition("<img")[2].partition(">")[0]
    assert f"/o/{seal(KEY, 7, '')}" in picture and 'alt=""' in picture
    assert sent.replace(f"<img{picture}>", "") == html.replace(
        "https://a.example/x?y=1&amp;z=2", f"https://news.example.org/l/{token}"
    )


@pytest.mark.parametrize(
    "html",
    [
        '<a href="mailto:ann@example.org">write</a>',
        '<a href="tel:+4412">call</a>',
        '<a href="#top">up</a>',
        '<img src="https://a.example/x.png" alt="">',
        '<link rel="stylesheet" href="https://a.example/x.css">',
        '<p title="a href=&quot;https://a.example/&quot;">&lt;a href="https://a.example/"&gt;</p>',
        '<abbr href="https://a.example/">no link</abbr>',
        '<a name="x">https://a.example/</a>',
    ],
)
def test_what_is_no_link_to_a_page_stays_as_it_is(html: str) -> None:
    assert links_of([Segment(html)]) == ()
    assert as_mailed(Segment(f"{html}</body>")).startswith(html)


def test_a_subscribers_own_links_are_never_counted() -> None:
    html = (Segment('<a href="'), Segment("unsubscribe_url", slot=True), Segment('">Leave</a></body>'))
    assert links_of(html) == ()
    assert 'href="https://news.example.org/u/x"' in as_mailed(*html)


def test_a_button_of_outlook_leads_the_same_way_as_the_link_beside_it() -> None:
    html = '<!--[if mso]><v:rect href="https://a.example/"></v:rect><![endif]--><a href="https://a.example/">b</a>'
    assert links_of([Segment(html)]) == ("https://a.example/",)
    assert as_mailed(Segment(f"{html}</body>")).count(seal(KEY, 7, "https://a.example/")) == 2


def test_a_link_stays_in_the_block_of_its_post() -> None:
    html = (
        Segment("<p>", block=-1),
        Segment('<a href="https://a.example/">a</a>', block=3),
        Segment("</body>"),
    )
    assert "/l/" not in as_mailed(*html, mask=0) and "/o/" in as_mailed(*html, mask=0)
    assert "/l/" in as_mailed(*html, mask=1 << 3)


def test_a_preview_goes_without_the_picture_that_counts() -> None:
    artefact = an_artefact(Segment('<a href="https://a.example/">a</a></body>'))
    seen = filled_html(mailed(artefact, picture=False), VALUES)
    assert "/l/" in seen and "<img" not in seen


def test_without_counting_the_html_is_the_very_same() -> None:
    artefact = replace(an_artefact(Segment('<a href="https://a.example/">a</a></body>')), links=())
    assert mailed(artefact) is artefact.html


def test_the_approved_hash_covers_where_every_link_leads() -> None:
    artefact = an_artefact(Segment('<a href="https://a.example/">a</a></body>'))
    assert Artefact.from_json(artefact.to_json()) == artefact
    elsewhere = replace(
        artefact, links=(artefact.links[0], replace(artefact.links[1], url="https://evil.example/"))
    )
    assert elsewhere.content_hash != artefact.content_hash


@pytest.mark.parametrize(
    ("written", "leads"),
    [
        ("https://a.example/x?a=1&amp;b=2#c", "https://a.example/x?a=1&b=2#c"),
        ("https://bücher.example/Käse?q=é", "https://xn--bcher-kva.example/K%C3%A4se?q=%C3%A9"),
        ("https://a.example/100%25/%D8%A7", "https://a.example/100%25/%D8%A7"),
        ("https://مثال.example:8080/م", "https://xn--mgbh0fb.example:8080/%D9%85"),
        ("https://", ""),
        ("https://[::1", ""),
        ("https://a.example/x y", ""),
        ("https://a.example/\r\nSet-Cookie: a=b", ""),
        ("https://a.example/é\r\nSet-Cookie: a=b", "https://a.example/%C3%A9Set-Cookie:%20a=b"),
        ("javascript:alert(1)", ""),
        ("https:///nowhere", ""),
        ("https://" + "é" * 80 + ".example/", ""),
        ("https://a.example/" + "x" * 9000, ""),
    ],
)
def test_an_address_is_what_a_location_header_takes_or_not_counted(written: str, leads: str) -> None:
    assert target(written) == leads


@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_an_address_says_its_target_can_do_nothing_but_lead(path: str, query: str) -> None:
    found = target(escape(f"https://a.example/{path}?{query}"))
    assert found == "" or (found.isascii() and found.isprintable() and " " not in found)
    assert found == "" or found.startswith("https://a.example/")


def test_a_token_is_sealed_for_one_address_of_one_issue() -> None:
    link = Link(seal(KEY, 7, "https://a.example/"), "https://a.example/")
    assert is_sealed([b"n" * 32, KEY], 7, link), "a former key verifies still"
    assert not is_sealed([KEY], 8, link)
    assert not is_sealed([KEY], 7, replace(link, url="https://evil.example/"))
    assert not is_sealed([b"n" * 32], 7, link)


def test_what_is_the_same_for_everybody_is_filled_once_and_escaped() -> None:
    html = (Segment('<a href="'), Segment("base_url", slot=True), Segment('/x">'), Segment("name", slot=True))
    filled = settled(html, {"base_url": "https://a.example/?a&b"}, html=True)
    assert filled == (Segment('<a href="https://a.example/?a&amp;b/x">'), Segment("name", slot=True))
