from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.detect.content import TEXT_WORDS, Content

LONG = " ".join(f"word{number}" for number in range(TEXT_WORDS))


def _content(html: str, title: str = "T", url: str = "http://blog.example/post") -> Content:
    return Content(title, url, html)


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("<p>One <b>tw</b>o</p><p>three</p>", ("One", "two", "three")),
        ("a<br>b<o:p></o:p>c", ("a", "bc")),
        ("<!-- no --><style>no</style>yes<script>no<b></script> too", ("yes", "too")),
        ("1 &lt; 2 &amp; 3 < 4", ("1", "<", "2", "&", "3", "<", "4")),
        ("soft\u00adhyphen zero\u200bwidth", ("softhyphen", "zerowidth")),
        ("open <p", ("open",)),
        ("seen<script>never closed", ("seen",)),
        ("open <!-- comment", ("open",)),
        ("&#" + "9" * 6_000 + ";end", (";end",)),
    ],
)
def test_words_are_what_a_reader_sees(html: str, words: tuple[str, ...]) -> None:
    assert _content(html).words == words


@pytest.mark.parametrize(
    "html",
    [
        '<p class="MsoNormal" style="x">Same <i>words</i>, <img src="https://lh3.example/s1600/cat.png?sig=9"></p>',
        "<div>Same\n words,\u200b</div><IMG alt='a' SRC='http://other.example/w640/cat.png'>",
    ],
)
def test_markup_and_picture_hosts_are_not_content(html: str) -> None:
    plain = _content('<p>Same words, <img src="/cat.png"></p>')
    assert _content(html).sha == plain.sha


@pytest.mark.parametrize(
    "other",
    [
        Content("Other", "http://blog.example/post", "<p>a</p>"),
        Content("T", "http://blog.example/other", "<p>a</p>"),
        Content("T", "http://blog.example/post", "<p>b</p>"),
        Content("T", "http://blog.example/post", '<p>a</p><img src="x.png">'),
    ],
)
def test_title_link_words_and_pictures_are_content(other: Content) -> None:
    assert _content("<p>a</p>").sha != other.sha


def test_only_a_long_text_names_a_post() -> None:
    assert _content(LONG).text_sha
    assert _content(LONG.rpartition(" ")[0]).text_sha == ""


def test_similar_texts_share_most_of_their_words() -> None:
    assert _content(LONG).similarity(_content(f"{LONG} and more")) > 0.9
    assert _content(LONG).similarity(_content("quite " * 30)) == 0
    assert _content("few words").similarity(_content("few words")) == 0


def test_the_beginning_of_a_text_is_a_cut_of_it() -> None:
    start = " ".join(LONG.split()[:20])
    assert _content(f"{start} Read more here").is_cut_of(_content(LONG))
    assert not _content(LONG).is_cut_of(_content(LONG))
    assert not _content("other words entirely than those").is_cut_of(_content(LONG))


@given(st.text(alphabet="<>!-/abimgsrc=\"' &#;x1", max_size=200))
def test_any_markup_has_content(html: str) -> None:
    content = _content(html)
    assert content.sha and all(word.strip() for word in content.words)


def test_a_picture_whose_address_is_none_is_told_apart_all_the_same() -> None:
    one, other = (_content(f'<p>a</p><img src="http://[{name}">') for name in ("x", "y"))
    assert one.sha != other.sha
    assert one.sha == _content('<p>a</p><img src="http://[x">').sha
