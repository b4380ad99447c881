from __future__ import annotations

import re

import pytest

from newsletter.compose.clean.tree import inner, parse
from newsletter.compose.dress import dress

CSS = "ol { padding-left: 1.4em; } ol.hundreds { padding-left: 2.3em; } ul.tasks { list-style-type: none; }"


def dressed(html: str) -> str:
    return str(dress(parse(html), CSS)).replace(": ", ":")


@pytest.mark.parametrize(
    "below",
    [
        '<figure><img src="https://e.org/a.jpg" width="552"></figure>',
        '<p><img src="https://e.org/a.jpg" width="552"></p>',
        "<table><tr><td>a</td><td>b</td></tr></table>",
        "<pre>code</pre>",
    ],
)
def test_a_heading_keeps_its_distance_from_what_has_no_line_height(below: str) -> None:
    html = dressed(f"<h2>Title</h2>{below}<p>end</p>")
    following = html.partition("</h2>")[2]
    assert "margin-top:16px" in following[: following.index(">")]


def test_words_follow_their_heading_as_the_style_sheet_says() -> None:
    assert "margin-top:16px" not in dressed("<h2>Title</h2><p>words</p><figure></figure>")


@pytest.mark.parametrize(
    ("first", "items", "name"),
    [
        ("1", 9, ""),
        ("1", 99, ""),
        ("98", 3, "hundreds"),
        ("990", 12, "thousands"),
        ("-5", 3, ""),
        ("--5", 3, ""),
        ("9" * 5000, 3, ""),
    ],
)
def test_long_numbers_get_the_room_that_they_need(first: str, items: int, name: str) -> None:
    html = dressed(f'<ol start="{first}">{"<li>x</li>" * items}</ol>')
    found = re.match(r'<ol class="(\w+)"', html)
    assert (found[1] if found else "") == name


def test_boxes_to_tick_stand_without_dots() -> None:
    assert "list-style-type:none" in dressed("<ul><li>\u2611 done</li><li>\u2610 not</li></ul>")
    assert "list-style-type:none" not in dressed("<ul><li>\u2611 done</li><li>a thought</li></ul>")


def test_a_quotation_and_whose_words_it_was_stand_together() -> None:
    html = dressed("<blockquote><p>Mend it.</p><p><cite>Grandmother</cite></p></blockquote>")
    assert re.search(r'<p style="margin-bottom:0.35em[^"]*">Mend it', html)
    assert "0.35em" not in dressed("<blockquote><p>Mend it.</p><p>So said <cite>she</cite></p></blockquote>")


def test_a_tree_is_dressed_without_losing_anything() -> None:
    html = '<h2>a</h2><ul><li>b</li></ul><blockquote><p>c</p></blockquote><ol start="x"><li>d</li></ol>'
    assert (
        re.sub("<[^>]*>", "", dressed(html))
        == parse(html).text()
        == re.sub("<[^>]*>", "", inner(parse(html)))
    )
