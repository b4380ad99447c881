# ruff: noqa: E501, RUF001 - a table of samples in many scripts
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.compose.plaintext import plain_text
from newsletter.compose.wrapping import columns, wrap


def text(html: str) -> str:
    return plain_text(html, links="Links:", image="Image: {alt}")


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>One</p><p>two<br>three</p>", "One\n\ntwo\nthree"),
        ("<h2>Part</h2><p>x</p><h3>Less</h3>", "Part\n----\n\nx\n\nLess"),
        ("<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>", "* a\n* b\n  * c"),
        ("<ul><li><p>a</p><p>b</p></li><li>c</li></ul>", "* a\n\n  b\n\n* c"),
        ('<ol start="9"><li>a</li><li>b</li></ol>', " 9. a\n10. b"),
        ('<ol reversed><li>a</li><li>b</li></ol>', "2. a\n1. b"),
        ('<ol type="i"><li>a</li><li value="4">b</li></ol>', " i. a\niv. b"),
        ('<ol type="A" start="26"><li>a</li><li>b</li></ol>', " Z. a\nAA. b"),
        ("<blockquote><p>a</p><p>b</p></blockquote>", "> a\n>\n> b"),
        ("<blockquote>a<blockquote>b</blockquote></blockquote>", "> a\n>\n> > b"),
        ("<pre>if x:\n\n    y  =  1</pre>", "    if x:\n\n        y  =  1"),
        ("<p>a</p><hr><p>b</p>", "a\n\n* * *\n\nb"),
        ("<dl><dt>Term</dt><dd>what it means</dd></dl>", "Term\n    what it means"),
        (
            "<table><tr><th>A</th><th>Bee</th></tr><tr><td>one</td><td>2</td></tr></table>",
            "A     Bee\n---   ---\none   2",
        ),
        ('<p>See <a href="https://e.org/a">this</a>.</p>', "See this [1].\n\nLinks:\n[1] https://e.org/a"),
        ('<p><a href="https://e.org/a">https://e.org/a</a></p>', "https://e.org/a"),
        ('<p><a href="https://e.org/a">e.org/a</a></p>', "e.org/a"),
        ('<p><a href="mailto:a@e.org">a@e.org</a></p>', "a@e.org"),
        ('<p><a href="mailto:a@e.org">write</a></p>', "write (a@e.org)"),
        ('<p><a href="https://e.org/l.jpg"><img src="https://e.org/s.jpg" alt="A hill"></a></p>', "Image: A hill"),
        ('<p><img src="https://e.org/s.jpg" alt=""></p>', ""),
        ("<p>H<sub>2</sub>O, m<sup>3</sup>, a<sup>b</sup></p>", "H₂O, m³, a[b]"),
        ("<p>the <del>moon</del> sun</p>", "the ~moon~ sun"),
        ("<blockquote><p>a</p><p><cite>Ann</cite></p></blockquote>", "> a\n>\n> — Ann"),
        ("<p><b>so</b> <em>it</em> <q>goes</q></p>", "*so* _it_ “goes”"),
        ("<figure><img src='https://e.org/s.jpg' alt='A'><figcaption>By me</figcaption></figure>", "Image: A\nBy me"),
        ("<p>See <img src='https://e.org/s.png' alt='x' width='20'>, or<img src='https://e.org/s.png' alt='y' width='20'>so</p>", "See Image: x, or Image: y so"),
        ("<p><img src='https://e.org/s.jpg' alt='A hill' width='300'>Seen from the road.</p>", "Image: A hill\nSeen from the road."),
        ("<p><b><img src='https://e.org/s.jpg' alt='A hill' width='300'>Bold</b></p>", "Image: A hill\nBold"),
        (
            "<p><a href='https://e.org/shop'><img src='https://e.org/s.jpg' alt='The shop' width='300'></a></p>",
            "Image: The shop [1]\n\nLinks:\n[1] https://e.org/shop",
        ),
        (
            "<figure class='card'><p><a href='https://e.org/a'>Name</a></p><p><a href='https://e.org/a'>About</a></p></figure>",
            "Name [1]\nAbout\n\nLinks:\n[1] https://e.org/a",
        ),
        ("<ul><li>\u2611 done</li><li>\u2610 to do</li></ul>", "\u2611 done\n\u2610 to do"),
        (
            "<table><tr><th>A</th><th align='right'>Sum</th></tr><tr><td>one</td><td align='right'>2.50</td></tr></table>",
            "A      Sum\n---   ----\none   2.50",
        ),
        ("", ""),
    ],
)  # fmt: skip
def test_it_reads_as_if_typed(html: str, expected: str) -> None:
    assert text(html) == expected


def test_a_table_that_is_too_wide_becomes_lines_with_their_headings() -> None:
    cells = "".join(f"<td>{'word ' * 5}{n}</td>" for n in range(4))
    heads = "".join(f"<th>Column {n}</th>" for n in range(4))
    lines = text(f"<table><tr>{heads}</tr><tr>{cells}</tr></table>").splitlines()
    assert lines[0] == "Column 0: word word word word word 0"
    assert len(lines) == 4


def test_an_address_is_never_broken() -> None:
    url = "https://example.org/" + "x" * 100
    assert url in wrap(f"before {url} after")


def test_scripts_without_spaces_break_between_characters_but_not_before_a_full_stop() -> None:
    lines = wrap("あ" * 38 + "い。" + "う" * 10)
    assert all(columns(line) <= 78 for line in lines)
    assert not any(line.startswith("。") for line in lines)


@given(st.text(st.sampled_from("ab cé漢字。、，\u0301👍 \n"), max_size=300))
def test_wrapping_loses_nothing_but_spaces_and_keeps_to_its_width(given_text: str) -> None:
    lines = wrap(given_text, 30)
    assert "".join("".join(lines).split()) == "".join(given_text.split())
    for line in lines:
        assert columns(line) <= 30 or " " not in line.strip()
