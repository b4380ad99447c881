from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

from newsletter.compose import Compiler, Themes, compose, page
from tests.compose.samples import LINKS, a_newsletter, a_post, an_issue
from tests.golden.library import LINKS as SAMPLE_LINKS
from tests.golden.library import digest, golden, names, single

THEMES = ("letter", "bulletin", "studio")
WITHIN = 552


def made(compiler: Compiler, html: str, **more: Any) -> str:
    post = a_post(html=html, **more)
    return page(compose(a_newsletter(), an_issue([post]), [post], compiler=compiler, themes=Themes()), LINKS)


def test_a_blogs_button_is_a_padded_cell_with_a_ground_of_its_own(compiler: Compiler) -> None:
    html = made(compiler, '<p><a class="kg-btn" href="https://e.example/x">The list</a></p>')
    cell = re.search(r'<td class="box action" style="([^"]*)"><a href="https://e\.example/x"', html)

    assert cell and "background-color: #8a3a12" in cell[1] and "mso-padding-alt: 12px 22px" in cell[1]


def test_a_link_within_a_sentence_is_no_button_whatever_its_class(compiler: Compiler) -> None:
    html = made(compiler, '<p>See <a class="btn" href="https://e.example/x">the list</a>.</p>')
    assert "box action" not in html and ">the list</a>" in html


def test_what_a_blog_sets_apart_and_its_code_stand_on_a_ground(compiler: Compiler) -> None:
    html = made(compiler, '<div class="admonition"><p>Mind the gap.</p></div><pre>a\n  b</pre>')

    assert re.search(
        r'<td class="box callout"[^>]*background-color[^>]*><p[^>]*>Mind the gap\.</p></td>', html
    )
    assert re.search(r'<td class="box code"[^>]*background-color[^>]*><pre[^>]*>a\n  b</pre></td>', html)


def test_a_box_is_no_table_to_a_screen_reader(compiler: Compiler) -> None:
    html = made(compiler, "<pre>x</pre><table><tr><th>a</th></tr><tr><td>b</td></tr></table>")
    assert re.search(r'<table class="box"[^>]*role="presentation"', html)
    assert re.search(r"<table style=[^>]*><tbody><tr><th", html)


def test_a_wide_table_keeps_its_words_whole_and_scrolls(compiler: Compiler) -> None:
    row = "".join(f"<td>column{n}</td>" for n in range(8))
    html = made(compiler, f"<table><tr>{row}</tr><tr>{row}</tr></table>")
    assert 'class="scroll" style="max-width:552px;overflow-x:auto"' in html
    assert re.search(r'<td style="[^"]*word-break: normal', html)


def test_no_class_of_a_blogs_own_reaches_the_email(compiler: Compiler) -> None:
    html = made(compiler, '<p class="box">x</p><div class="paper">y</div><a class="title" href="/z">z</a>')
    assert not re.search(r'class="(?:[^"]* )?(?:box|paper)[" ][^>]*>[xy]', html)
    assert 'class="title" href' not in html


def test_a_picture_in_the_middle_of_a_sentence_stays_in_it(compiler: Compiler) -> None:
    html = made(compiler, '<p>Since <img src="https://e.example/f.png" alt="x²"> is never negative.</p>')
    image = re.search(r"<img [^>]*f\.png[^>]*>", html)
    assert image and "inline-block" in image[0] and " width=" not in image[0]


@pytest.mark.parametrize(("language", "side"), [("ar", "right"), ("en", "left")])
def test_a_quotation_stands_on_the_side_where_its_language_begins(
    language: str, side: str, compiler: Compiler
) -> None:
    html = made(compiler, "<blockquote><p>x</p></blockquote>", language=language)
    quotation = re.search(r"<blockquote style=\"([^\"]*)\"", html)
    assert quotation and f"border-{side}: 3px" in quotation[1]
    assert ("italic" in quotation[1]) is (language == "en")


def test_a_post_without_a_title_is_not_called_by_its_first_words_twice(compiler: Compiler) -> None:
    html = made(compiler, "<p>The heron is back.</p>", title="")
    assert html.count("The heron is back.") == 4  # the title bar, the preview line, the label, the text
    assert html.count("<h1") == 1


# --- Outlook for Windows: what it lays out is what stands in its comments


class _Widths(HTMLParser):
    """The widths that Outlook goes by, with the widths of the tables around them."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, float]] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        room = self.open[-1][1] if self.open else 1e9
        width = _pixels(given.get("width") or "") or room
        if width > room:
            self.wrong.append(f"<{tag} width={given.get('width')}> within {room:g}")
        if tag not in ("img", "br", "hr", "meta", "link", "col"):
            self.open.append((tag, min(width, room) - _padding(given.get("style") or "", tag)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1][0] != tag:
            self.wrong.append(f"</{tag}> closes {self.open[-1:]}")
            return
        self.open.pop()


def _pixels(text: str) -> float:
    return float(text.removesuffix("px")) if re.fullmatch(r"[\d.]+(px)?", text) else 0.0


def _padding(style: str, tag: str) -> float:
    """What a cell's padding takes of the room on both sides."""
    found = re.findall(r"(?:^|;)\s*padding:\s*([^;]+)", style) if tag == "td" else []
    sides = [_pixels(size) if size != "0" else 0.0 for size in found[-1].split()] if found else [0.0]
    right = sides[1] if len(sides) > 1 else sides[0]
    return right + (sides[3] if len(sides) == 4 else right)


def _for_outlook(html: str) -> str:
    html = re.sub(r"<!--\[if !mso\]><!-->.*?<!--<!\[endif\]-->", "", html, flags=re.S)
    return re.sub(r"<!--\[if [^\]]*mso[^\]]*\]>|<!\[endif\]-->", "", html)


def _emails(compiler: Compiler) -> Iterator[tuple[str, str]]:
    for theme in THEMES:
        samples = [golden(name, number) for number, name in enumerate(("ldn", "recipe", "podcast"), 1)]
        yield f"{theme}: digest", page(digest(samples, compiler, theme, note="Dear *all*"), SAMPLE_LINKS)
        for name in names():
            if name not in ("very-long", "broken-markup"):
                yield f"{theme}: {name}", page(single(golden(name), compiler, theme), SAMPLE_LINKS)


def test_in_outlook_nothing_is_wider_than_what_it_stands_in(compiler: Compiler) -> None:
    for name, html in _emails(compiler):
        assert html.count("<!--[if") == html.count("<![endif]-->"), name
        seen = _Widths()
        seen.feed(_for_outlook(html[html.index("<body") : html.index("</html>")]).replace("<br />", "<br>"))
        assert seen.wrong == [], name
        assert 'width="600"' in html


def test_every_picture_tells_outlook_its_width(compiler: Compiler) -> None:
    for name, html in _emails(compiler):
        for image in re.findall(r"<img [^>]*>", html):
            width = re.search(r'\swidth="(\d+)"', image)
            assert (width and int(width[1]) <= WITHIN) or "inline-block" in image, (name, image)
