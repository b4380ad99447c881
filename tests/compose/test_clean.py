# ruff: noqa: E501 - markup as blogs write it reads best unbroken
from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from newsletter.compose import Compiler, Themes, compose, page, text_page
from newsletter.compose.clean import clean
from newsletter.compose.clean.tree import inner
from newsletter.compose.plaintext import plain_text
from tests.compose.samples import LINKS, a_newsletter, a_post, an_issue

BASE = "https://blog.example.org/2026/post.html"


def words(name: str, **values: object) -> str:
    return " ".join([name, *map(str, values.values())])


def cleaned(html: str, title: str = "") -> str:
    return clean(html, base_url=BASE, title=title, words=words).html


@pytest.mark.parametrize(
    ("given_html", "expected"),
    [
        # Blogger
        (
            '<div class="separator" style="clear: both;"><a href="b.jpg"><img src="a.jpg" width="320"></a></div>',
            '<p><a href="https://blog.example.org/2026/b.jpg">'
            '<img src="https://blog.example.org/2026/a.jpg" width="320"></a></p>',
        ),
        ("<div>One</div><div><br /></div><div>Two</div>", "<p>One</p><p>Two</p>"),
        ("one<br /><br />two<br />three", "<p>one</p><p>two<br>three</p>"),
        (
            '<table class="tr-caption-container"><tr><td><a href="/b.jpg"><img src="/a.jpg" alt="A"></a></td></tr>'
            '<tr><td class="tr-caption">At sea</td></tr></table>',
            '<figure><a href="https://blog.example.org/b.jpg"><img src="https://blog.example.org/a.jpg" alt="A">'
            "</a><figcaption>At sea</figcaption></figure>",
        ),
        # Word
        (
            '<p class="MsoNormal"><span style="font-family:Calibri">Text<o:p></o:p></span></p>'
            '<p class="MsoNormal"><o:p>&nbsp;</o:p></p>',
            "<p>Text</p>",
        ),
        (
            "<p class=MsoListParagraphCxSpFirst><!--[if !supportLists]--><span style='mso-list:Ignore'>3."
            "<span>&nbsp;</span></span><!--[endif]-->Three</p><p class=MsoListParagraphCxSpLast>"
            "<span style='mso-list:Ignore'>4.</span>Four</p><p>After</p>",
            '<ol start="3"><li>Three</li><li>Four</li></ol><p>After</p>',
        ),
        (
            '<p><span lang="EN-US">A <b style="mso-bidi-font-weight: normal;">bold</b> word</span></p>',
            "<p>A <b>bold</b> word</p>",
        ),
        # Google Docs
        (
            '<b style="font-weight:normal;"><p><span style="font-weight:700">Bold</span> '
            '<span style="font-style:italic">it</span></p></b>',
            "<p><b>Bold</b> <i>it</i></p>",
        ),
        # lazy, responsive and picture
        (
            '<p><img src="data:image/gif;base64,R0" data-src="/real.jpg" alt="x"></p>',
            '<p><img src="https://blog.example.org/real.jpg" alt="x"></p>',
        ),
        (
            '<p><img src="blank.gif" data-src="/real.jpg"><noscript><img src="/real.jpg"></noscript></p>',
            '<p><img src="https://blog.example.org/real.jpg"></p>',
        ),
        (
            '<picture><source srcset="/a.webp" type="image/webp"><img srcset="/s.jpg 300w, /m.jpg 1200w, /l.jpg 4000w">'
            "</picture>",
            '<p><img src="https://blog.example.org/m.jpg"></p>',
        ),
        (
            '<p><img src="/x-1024x512.jpg"></p>',
            '<p><img src="https://blog.example.org/x-1024x512.jpg" width="552" height="276"></p>',
        ),
        # emoji, ruby, formulas
        ('<p>Fine <img class="emoji" alt="🎉" src="https://s.w.org/1f389.png"></p>', "<p>Fine 🎉</p>"),
        ("<p><ruby>漢<rp>(</rp><rt>かん</rt><rp>)</rp></ruby></p>", "<p>漢(かん)</p>"),
        (
            "<p><math><semantics><mi>x</mi><annotation encoding='application/x-tex'>x^2</annotation></semantics>"
            "</math></p>",
            "<p><code>x^2</code></p>",
        ),
        ('<p><script type="math/tex">a_b</script></p>', "<p><code>a_b</code></p>"),
        # code
        (
            '<pre><code><span class="k">if</span> a &lt; b:\n\n    <span>c</span>\n</code></pre>',
            "<pre>if a &lt; b:\n\n    c</pre>",
        ),
        (
            '<table class="rouge-table"><tr><td class="gutter"><pre class="lineno">1\n2</pre></td>'
            "<td><pre>a\nb</pre></td></tr></table>",
            "<pre>a\nb</pre>",
        ),
        # structure
        ("<h1>A</h1><h4>B</h4><h2>C</h2><h6>D</h6>", "<h2>A</h2><h3>B</h3><h3>C</h3><h4>D</h4>"),
        ("<h3></h3><h3>&nbsp;</h3><p>x</p>", "<p>x</p>"),
        ('<ol start="4" type="a"><li>x</li></ol>', '<ol start="4" type="a"><li>x</li></ol>'),
        ("<ul><li>a</li><ul><li>b</li></ul></ul>", "<ul><li>a<ul><li>b</li></ul></li></ul>"),
        ('<table><tr><td style="text-align: right">1</td><td class="has-text-align-center">2</td><td align="justify">3'
         "</td></tr></table>", '<table><tbody><tr><td align="right">1</td><td align="center">2</td><td>3</td></tr></tbody></table>'),
        ('<div class="wp-caption"><img src="https://e.org/a.jpg" alt="x"><p class="wp-caption-text">By <b>me</b></p></div>',
         '<figure><img src="https://e.org/a.jpg" alt="x"><figcaption>By <b>me</b></figcaption></figure>'),
        ("<blockquote>a<footer>— <cite>Ann</cite></footer></blockquote>",
         "<blockquote><p>a</p><p><cite>— <cite>Ann</cite></cite></p></blockquote>"),
        ('<blockquote class="instagram-media"><a href="https://www.instagram.com/p/a/">A post</a></blockquote>',
         '<p><a href="https://www.instagram.com/p/a/">A post</a></p>'),
        ("<details><summary>More</summary>inside</details>", "<p><b>More</b></p><p>inside</p>"),
        ('<p dir="rtl">شكرا</p>', '<p dir="rtl">شكرا</p>'),
        ('<div dir="rtl">شكرا</div>', '<p dir="rtl">شكرا</p>'),
        # links
        ('<p>As shown<sup><a href="#fn1">1</a></sup></p>', "<p>As shown<sup>1</sup></p>"),
        ('<p><a href="post.html#fn1">note</a></p>', "<p>note</p>"),
        ('<p><a href="javascript:alert(1)">x</a></p>', "<p>x</p>"),
        ('<p><a href="/a">x</a></p>', '<p><a href="https://blog.example.org/a">x</a></p>'),
        ('<a href="/a"><h2>x</h2><p>y</p></a>', '<h2><a href="https://blog.example.org/a">x</a></h2>'
         '<p><a href="https://blog.example.org/a">y</a></p>'),
        # what nobody came for
        ('<p>x</p><img src="https://pixel.wp.com/b.gif?x" width="1" height="1">', "<p>x</p>"),
        ('<p>x</p><img src="https://blog.example.org/a.gif" width="1" height="1">', "<p>x</p>"),
        ('<p>x</p><div class="sharedaddy"><a href="https://t.co/x">Tweet</a></div>', "<p>x</p>"),
        ('<p>x</p><div style="display:none">hidden</div><p hidden>also</p>', "<p>x</p>"),
        ("<p>x</p><style>p{}</style><script>y</script>", "<p>x</p>"),
        ("", ""),
        ("   \n ", ""),
    ],
)  # fmt: skip
def test_it_comes_out_tidy(given_html: str, expected: str) -> None:
    assert cleaned(given_html) == expected


@pytest.mark.parametrize(
    ("html", "link", "label"),
    [
        ('<iframe src="//www.youtube.com/embed/dQw4w9WgXcQ?rel=0"></iframe>', "https://www.youtube.com/watch?v=dQw4w9WgXcQ", "watch_on YouTube"),
        ('<iframe src="https://player.vimeo.com/video/76979871" title="A film"></iframe>', "https://vimeo.com/76979871", "watch_on Vimeo: A film"),
        ('<iframe src="https://open.spotify.com/embed/episode/4x"></iframe>', "https://open.spotify.com/episode/4x", "listen_on Spotify"),
        ('<iframe src="https://w.soundcloud.com/player/?url=x"></iframe>', "https://w.soundcloud.com/player/?url=x", "listen_on SoundCloud"),
        ('<iframe src="https://www.youtube.com/embed/videoseries?list=PL12"></iframe>', "https://www.youtube.com/playlist?list=PL12", "watch_on YouTube"),
        ('<iframe src="https://www.youtube.com/embed/dQw4w9WgXcQ" title="YouTube video player"></iframe>', "https://www.youtube.com/watch?v=dQw4w9WgXcQ", "watch_on YouTube"),
        ('<lite-youtube videoid="dQw4w9WgXcQ"></lite-youtube>', "https://www.youtube.com/watch?v=dQw4w9WgXcQ", "watch_on YouTube"),
        ('<div class="rll-youtube-player" data-id="dQw4w9WgXcQ"></div>', "https://www.youtube.com/watch?v=dQw4w9WgXcQ", "watch_on YouTube"),
        ('<figure><div class="wp-block-embed__wrapper">\nhttps://vimeo.com/76979871\n</div></figure>', "https://vimeo.com/76979871", "watch_on Vimeo"),
        ('<iframe src="https://open.spotify.com/embed/show/4x" title="Spotify Embed: A show"></iframe>', "https://open.spotify.com/show/4x", "listen_on Spotify: A show"),
        ('<iframe src="https://platform.twitter.com/embed/Tweet.html?id=123"></iframe>', "https://x.com/i/status/123", "read_on X"),
        ('<blockquote class="instagram-media" data-instgrm-permalink="https://www.instagram.com/p/Ab/"></blockquote>', "https://www.instagram.com/p/Ab/", "see_on Instagram"),
        ('<div class="fb-post" data-href="https://www.facebook.com/x/posts/1"></div>', "https://www.facebook.com/x/posts/1", "see_on Facebook"),
        ('<script src="https://gist.github.com/ann/abc123.js"></script>', "https://gist.github.com/ann/abc123", "see_on GitHub"),
        ('<iframe src="https://example.com/map"></iframe>', "https://example.com/map", "open_on example.com"),
        ('<audio controls><source src="/a.mp3"></audio>', "https://blog.example.org/a.mp3", "listen_audio"),
        ('<video src="/a.mp4" poster="/a.jpg"></video>', "https://blog.example.org/a.mp4", "watch_video"),
    ],
)  # fmt: skip
def test_what_mail_cannot_play_becomes_a_link_that_says_where_it_leads(
    html: str, link: str, label: str
) -> None:
    result = cleaned(f"<p>before</p>{html}")
    assert re.search(
        rf'<a href="{re.escape(link)}">(<img [^>]*alt=""[^>]*><br>)?{re.escape(label)}</a>', result
    )


def test_a_quoted_post_of_another_service_keeps_its_words_and_link() -> None:
    html = (
        '<blockquote class="twitter-tweet"><p lang="en" dir="ltr">Look at this</p>&mdash; Ada (@ada) '
        '<a href="https://twitter.com/ada/status/1">May 1</a></blockquote><script src="https://platform.twitter.com/w.js"></script>'
    )
    result = cleaned(html)
    assert "Look at this" in result
    assert "https://twitter.com/ada/status/1" in result


@pytest.mark.parametrize(
    "base", ["https://e.org:99999/", "https://xn--/", "https://[v1.x]/", "https://e. .org/"]
)
def test_a_base_address_that_nobody_could_open_loses_links_only(base: str) -> None:
    html = '<p>Word <a href="b">link</a> <a href="https://e.org/a">whole</a></p>'
    assert '<a href="https://e.org/a">whole</a>' in clean(html, base_url=base, words=words).html


def test_a_first_heading_that_repeats_the_title_is_left_out() -> None:
    assert cleaned("<h1>On Walking!</h1><p>x</p>", "On walking") == "<p>x</p>"
    assert cleaned("<p>x</p><h1>On walking</h1>", "On walking") == "<p>x</p><h2>On walking</h2>"


@pytest.mark.parametrize(
    "break_",
    ["<!--more-->", "<a name='more'></a>", "<p><!--more--></p>", '<span id="more-12"></span>'],
)
def test_the_opening_ends_at_the_authors_break(break_: str) -> None:
    result = clean(f"<p>before</p>{break_}<p>after</p>", base_url=BASE, words=words)
    opening = "" if result.opening is None else inner(result.opening)
    assert opening == ("" if "span" in break_ else "<p>before</p>")
    assert result.html == "<p>before</p><p>after</p>"


def test_nesting_without_end_keeps_its_words() -> None:
    depth = 3_000
    html = "<div><b>" * depth + "deep" + "</b></div>" * depth + "<p>after</p>"
    result = cleaned(html)
    assert "deep" in result
    assert "after" in result
    assert result.count("<b>") < 200


def test_a_box_that_a_script_would_fill_keeps_the_words_that_are_in_it() -> None:
    assert "Our film" in cleaned('<div class="youtube-player" data-id="dQw4w9WgXcQ">Our film</div>')
    assert "See it" in cleaned('<div class="fb-post" data-href="https://www.facebook.com/x">See it</div>')
    assert cleaned('<div class="fb-like" data-href="https://blog.example.org/"></div><p>x</p>') == "<p>x</p>"


TAGS = (
    "p div span b i em strong ul ol li blockquote h1 h2 h3 h4 a pre code table tr td th section article font"
    " center footer figure figcaption details summary form label button fieldset legend dl dt dd sub sup u s mark small"
    " caption thead tbody tfoot select option canvas"
    " ins del cite q abbr time address main aside nav custom-tag ruby rt noscript marquee body html"
).split()


ATTRIBUTES = (
    *[""] * 8,
    " class='MsoNormal'",
    " class='MsoListParagraph' style='mso-list:l0 level1 lfo1'",
    " style='font-weight:bold;font-style:italic;vertical-align:super'",
    " dir='rtl' lang='ar'",
    " class='separator'",
    " class='tr-caption-container'",
    " class='tr-caption'",
    " class='footnote'",
    " class='footnote-ref' href='#fn1'",
    " class='wp-block-embed__wrapper'",
    " class='youtube-player' data-id='dQw4w9WgXcQ'",
    " class='wp-caption'",
    " class='wp-caption-text'",
    " class='tiktok-embed'",
    " class='has-text-align-right' style='text-align: center'",
    " class='instagram-media' data-instgrm-permalink='https://e.example/p'",
    " class='kg-card kg-callout-card'",
    " class='wp-block-button__link' href='https://e.example/b'",
    " class='highlight'",
    " start='4' type='i' reversed",
    " role='presentation'",
    " align='center' width='100%' colspan='2'",
    " href='https://e.example/'",
    " name='more'",
)
"""What editors and platforms write, each of which the cleaning looks at."""


@st.composite
def markup(draw: st.DrawFn) -> str:
    """Tags, opened and closed in any order, around words that each occur once."""
    parts: list[str] = []
    for number in range(draw(st.integers(1, 25))):
        for _ in range(draw(st.integers(0, 3))):
            tag = draw(st.sampled_from(TAGS))
            closes = draw(st.booleans())
            parts.append(f"</{tag}>" if closes else f"<{tag}{draw(st.sampled_from(ATTRIBUTES))}>")
        parts.append(draw(st.sampled_from([" ", "<br>", "<br><br>", "\n", "&nbsp;", "<hr>", "<!-- x -->"])))
        parts.append(f"word{number}x ")
    return "".join(parts)


@given(html=markup())
@settings(max_examples=300, deadline=None)
def test_no_word_of_the_authors_is_lost_or_doubled(html: str) -> None:
    expected = Counter(re.findall(r"word\d+x", html))
    result = clean(html, base_url=BASE, words=words)
    assert Counter(re.findall(r"word\d+x", result.html)) == expected
    text = plain_text(result.tree, links="Links:", image="[{alt}]")
    assert Counter(re.findall(r"word\d+x", text)) == expected


@given(html=markup())
@settings(max_examples=40, deadline=None)
def test_no_word_is_lost_on_the_way_into_the_mail_nor_said_twice(html: str, compiler: Compiler) -> None:
    post = a_post(html=f"<p>first</p>{html}<p>last</p>")
    artefact = compose(a_newsletter(), an_issue([post]), [post], compiler=compiler, themes=Themes())
    expected = Counter(re.findall(r"word\d+x", html))
    shown = LexborHTMLParser(
        re.sub(r'<div style="display:none.*?</div>', "", page(artefact, LINKS), flags=re.S)
    )
    assert shown.body is not None
    assert Counter(re.findall(r"word\d+x", shown.body.text())) == expected
    assert Counter(re.findall(r"word\d+x", text_page(artefact, LINKS))) == expected


@given(html=st.text(st.sampled_from("<>/=\"' abdipsxv&;#!-\x00\n"), max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_text_at_all_can_be_cleaned_and_comes_out_without_scripts(html: str) -> None:
    result = cleaned(html)
    assert "<script" not in result
    assert "\x00" not in result
