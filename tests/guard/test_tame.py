from __future__ import annotations

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from newsletter.guard import vocabulary
from newsletter.guard.calm import _KNOWN, _is_calm, is_wild
from newsletter.guard.html import _cleaner
from newsletter.guard.tame import tame
from tests.guard.test_html import depth_of, markup


def parsed(html: str) -> str:
    return _cleaner(None).clean(html)


def tree(names: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Elements that are closed in order."""
    leaf = st.sampled_from(["word ", "a &amp; b", "<br>", "<img src=https://x.example/ alt=y>"])

    def element(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.builds(
            lambda name, content: f"<{name} lang=en>{''.join(content)}</{name}>",
            st.sampled_from(names),
            st.lists(inner, max_size=4),
        )

    return st.lists(st.recursive(leaf, element, max_leaves=25), max_size=4).map("".join)


TREES = tree(
    tuple("p div b i a span ul li blockquote h2 pre code sub q table tr td dl dt dd ruby rt".split())
)


@settings(max_examples=300, deadline=None)
@given(TREES)
def test_calm_markup_means_the_same_to_the_parser_tamed_or_not(html: str) -> None:
    assume(_is_calm(html))
    tamed = parsed(tame(html))
    # Formatting loses its language when tamed, since a parser may copy it into every later block.
    formatting = "|".join(vocabulary.FORMATTING - {"a"})
    assert tamed == re.sub(rf'<({formatting}) lang="en">', r"<\1>", parsed(html))


@settings(max_examples=300, deadline=None)
@given(TREES)
def test_a_parser_neither_deepens_nor_multiplies_calm_markup(html: str) -> None:
    assume(_is_calm(html))
    implied = 2 * html.count("<table") + html.count("<tr")
    assert parsed(html).count("<") <= html.count("<") + 2 * implied
    assert depth_of(parsed(html)) <= depth_of(html) + 2 * html.count("<table")


@pytest.mark.parametrize(
    "html",
    [
        "<p>one<p>two<p>three",
        "<ul><li>a<li>b<ul><li>c<li>d</ul><li>e</ul>",
        "<dl><dt>a<dd>b<dt>c<dd>d</dl>",
        "<table><tr><td>1<td>2<tr><th>3<th>4</table>after",
        "<table><caption>c<colgroup><col><thead><tr><td>1<tbody><tr><td>2</table>",
        "<table><tr><td><table><tr><td>inner</table>still</table>after",
        "<b>one<i>two</b>three</i>four",
        "<p><b>one</p><p>two</b>three</p>",
        "<b><p>one</b>two</p>",
        "<div><span>one</div>two</span>",
        "<p>one</div>two</p></p>three",
        "<h2>one</h3>two",
        "<p>one<div>two</div>three</p>",
        "<ruby>a<rt>b<rp>c</ruby>",
        "<!-- <p> --><p title=\"a > b\" lang='x'>c<br/>d</br>e<hr>f",
        "<A HREF=https://x.example/?a=b&c=d>X</A><IMG SRC=https://x.example/i.png>",
        "1 < 2 <3 & x <",
        "<pre>\n\n a\n  b</pre>",
        "<p>a<![CDATA[b]]>c<?php d ?>e</>f</ g>h",
        "<script>var a = '<p>';</script>a<style>p > b {}</style>b<title>c</title>d",
        "<xmp><b>x</b> &amp;</xmp>a<plaintext><b>y &lt;",
        "<svg><path d=x /><text>t</text></svg>a<svg/>b<svg><g><p>c",
        "<video><p>no video</p></video>a<div><audio>b</div>c",
        "<select><option>a</select>b<textarea><p></textarea>c",
    ],
)  # fmt: skip
def test_sloppy_markup_of_real_blogs_means_the_same_to_the_parser_tamed_or_not(html: str) -> None:
    assert parsed(tame(html)) == parsed(html)


ATTACKS = {
    "nest": "<div>",
    "nest of two": "<blockquote><p>",
    "lists": "<ul><li>",
    "tables": "<table><tr><td>",
    "formatting": "<b>",
    "formatting in paragraphs": "<p><b lang={}>x",
    "links in paragraphs": "<p><a href=https://x.example/{}>x",
    "end tags in comments": "<div><!--</div>-->",
    "end tags in values": "<div title='></div>'>",
    "end tags in script": "<div><script></div></script>",
    "end tags in a drawing": "<div><svg></div></svg>",
    "end tags out of scope": "<div><table></div>",
    "crossed": "<b lang={}><div></b>",
    "leaking": "<strong><p lang={}><h1><dd></strong></dd>x",
    "leaking from rows": "x<tr><u lang={}></dd><dd><tr><table lang={}><em></u>",
    "four alike": "<code><code>x</code>x</code>x<div></code></code><code></div></code>x<code><code>xx",
    "selects": "<select><div></select>",
    "unknown": "<x{}>",
    "references": "&amp;<",
    "open tags": "<a x='",
    "open comments": "<!--",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_no_attack_makes_the_parser_nest_deep_or_write_much(name: str) -> None:
    html = "".join(ATTACKS[name].replace("{}", str(number)) for number in range(4000))
    if name != "references":
        html = "<p>" + "".join(f"<i lang={number}>" for number in range(300)) + "</p>" + html
    tamed = tame(html)
    result = parsed(tamed)
    assert len(tamed) <= 6 * len(html)
    assert len(result) <= 6 * len(html) + 2000
    assert depth_of(result) <= 3 * vocabulary.DEPTH


@settings(max_examples=200, deadline=None)
@given(markup(), st.integers(1, 200))
def test_no_repetition_of_anything_makes_the_parser_nest_deep_or_write_much(html: str, times: int) -> None:
    result = parsed(tame(html * times))
    assert depth_of(result) <= 3 * vocabulary.DEPTH
    assert len(result) <= 20 * len(html) * times + 5000


def test_beyond_a_hundred_thousand_tags_only_text_is_left() -> None:
    tamed = tame("<i>a</i>" * 50_000 + "<b>end</b>")
    assert tamed.endswith("</i>end")


def test_a_value_that_could_end_itself_is_quoted_anew() -> None:
    assert (
        tame('<a title=\'"><b x="\' href=`">x</a>')
        == '<a title="&quot;&gt;&lt;b x=&quot;" href="`&quot;">x</a>'
    )


@pytest.mark.parametrize(
    ("html", "wild"),
    [
        ("<p>short</p>" * 100, False),
        ("<p>long and <b>in</b> order</p>\n" * 5000, False),
        ("<p>long and not in order\n" * 5000, True),
        ("<!-- note --><div class='a b' id=x><img src=\"y\"/></div>" * 3000, False),
        ("<table><tr><td><p>x</p></td></tr></table><ul><li>a<ul><li>b</li></ul></li></ul>" * 1000, False),
        ("<h2><h3>x</h3></h2>" * 3000, True),
        ("<p><div>x</div></p>" * 3000, True),
        ("<a title='>'>x</a>" * 3000, True),
        ("x" * 300_000, True),
        ("<p>a vector<int> of <path></p>", True),
        ("<MATH><mi>x</mi></MATH>", True),
    ],
)
def test_only_markup_that_could_hurt_is_tamed(html: str, wild: bool) -> None:
    assert is_wild(html) is wild


def test_of_the_names_that_need_no_taming_the_sanitiser_drops_the_content_of_none_but_the_listed() -> None:
    dropped = {name for name in _KNOWN if "word" not in parsed(f"<{name}>word</{name}>")}
    assert dropped == vocabulary.CONTENT_DROPPED
