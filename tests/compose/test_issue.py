from __future__ import annotations

import re
from dataclasses import replace

import pytest

from newsletter.compose import Compiler, Themes, compose, letter_of, page, text_page
from newsletter.model.artefact import Artefact, carried, filled_html, filled_text
from newsletter.model.issue import IssuePost
from newsletter.model.post import Post
from newsletter.model.publication import Newsletter
from tests.compose.samples import LINKS, NOW, a_newsletter, a_post, an_issue


def composed(
    *posts: Post,
    compiler: Compiler,
    themes: Themes,
    newsletter: Newsletter | None = None,
    **issue: object,
) -> Artefact:
    return compose(
        newsletter or a_newsletter(),
        an_issue(posts, **issue),
        posts,
        compiler=compiler,
        themes=themes,
    )


def test_an_issue_shows_the_posts_words_the_footer_and_the_subscribers_own_links(
    compiler: Compiler, themes: Themes
) -> None:
    post = a_post(
        title="On <walking>", html="<p>Slowly &amp; far.</p>", comments_url="https://blog.example.org/1#c"
    )
    artefact = composed(post, compiler=compiler, themes=themes)
    for body in (page(artefact, LINKS), text_page(artefact, LINKS)):
        assert "far." in body
        assert "PO Box 12" in body
        assert "I am not a doctor." in body
        assert "https://news.example.org/u/token" in body
        assert "https://news.example.org/p/token" in body
        assert "https://news.example.org/i/1" in body
        assert "https://blog.example.org/1#c" in body
    assert "On &lt;walking&gt;" in page(artefact, LINKS)
    assert "On <walking>" in text_page(artefact, LINKS)


def test_the_title_is_the_one_main_heading_and_links_to_the_post(compiler: Compiler, themes: Themes) -> None:
    html = page(composed(a_post(html="<h1>Part</h1><p>x</p>"), compiler=compiler, themes=themes), LINKS)
    assert len(re.findall(r"<h1\b", html)) == 1
    assert re.search(r'<h1[^>]*><a href="https://blog.example.org/1"[^>]*>Post 1</a></h1>', html)
    assert re.search(r"<h2[^>]*>Part</h2>", html)


def test_the_same_arguments_give_the_same_bytes(compiler: Compiler, themes: Themes) -> None:
    post = a_post(html="<p>Ein Gruß ❤️ नमस्ते</p>")
    one = composed(post, compiler=compiler, themes=themes)
    with Compiler() as another:
        other = composed(post, compiler=another, themes=Themes())
    assert one.to_json() == other.to_json()


def test_what_a_reader_does_not_see_leaves_the_hash_alone(compiler: Compiler, themes: Themes) -> None:
    seen_later = replace(a_post(), last_seen_at=NOW.replace(hour=23))
    one = composed(a_post(), compiler=compiler, themes=themes)
    other = composed(seen_later, compiler=compiler, themes=themes)
    assert one.content_hash == other.content_hash


def test_a_changed_word_changes_the_hash(compiler: Compiler, themes: Themes) -> None:
    one = composed(a_post(html="<p>four</p>"), compiler=compiler, themes=themes)
    other = composed(a_post(html="<p>five</p>"), compiler=compiler, themes=themes)
    assert one.content_hash != other.content_hash


def test_a_digest_is_cut_into_one_block_for_each_post(compiler: Compiler, themes: Themes) -> None:
    artefact = composed(a_post(1), a_post(2), a_post(3), compiler=compiler, themes=themes)
    some = filled_html(carried(artefact.html, 0b101), LINKS)
    assert "The words of post 1." in some
    assert "The words of post 2." not in some
    assert "The words of post 3." in some
    assert "Post 2" not in filled_text(carried(artefact.text, 0b101), LINKS)
    assert some.count("<table") == some.count("</table>")
    assert some.count("<!--[if ") == some.count("<![endif]-->")


def test_an_excluded_post_is_left_out_and_the_others_keep_their_blocks(
    compiler: Compiler, themes: Themes
) -> None:
    places = (
        IssuePost(post_id=1, block=0, included=False),
        IssuePost(post_id=2, block=1),
        IssuePost(post_id=3, block=2),
    )
    artefact = composed(a_post(1), a_post(2), a_post(3), compiler=compiler, themes=themes, posts=places)
    assert [(block.number, block.post_id) for block in artefact.blocks] == [(1, 2), (2, 3)]
    assert "post 1." not in page(artefact, LINKS)


def test_the_authors_subject_and_preview_line_win(compiler: Compiler, themes: Themes) -> None:
    artefact = composed(
        a_post(),
        compiler=compiler,
        themes=themes,
        subject="Mine\r\nBcc: x@example.org",
        subject_edited=True,
        preheader="Also mine",
        preheader_edited=True,
    )
    assert artefact.subject == "Mine Bcc: x@example.org"
    assert artefact.preheader == "Also mine"


def test_by_default_the_subject_is_the_title_and_the_preview_line_the_first_words(
    compiler: Compiler, themes: Themes
) -> None:
    artefact = composed(a_post(), compiler=compiler, themes=themes)
    assert artefact.subject == "Post 1"
    assert artefact.preheader == "The words of post 1."


def test_the_authors_note_is_markdown_and_html_in_it_is_text(compiler: Compiler, themes: Themes) -> None:
    note = "Dear *all*, see [this](https://example.org/a).\n\n<script>alert(1)</script>"
    artefact = composed(a_post(), compiler=compiler, themes=themes, note=note)
    html = page(artefact, LINKS)
    assert "<em>all</em>" in html
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "see this [1]." in text_page(artefact, LINKS)


def test_an_excerpt_ends_at_the_authors_own_break_and_names_the_post(
    compiler: Compiler, themes: Themes
) -> None:
    post = a_post(title="Long", html="<p>Before.</p><a name='more'></a><p>After.</p>")
    artefact = composed(
        post, compiler=compiler, themes=themes, excerpts=True, preheader="Mine", preheader_edited=True
    )
    for body in (page(artefact, LINKS), text_page(artefact, LINKS)):
        assert "Before." in body
        assert "After." not in body
        assert "Continue reading: Long" in body


def test_a_letter_is_the_join_of_the_carried_segments(compiler: Compiler, themes: Themes) -> None:
    artefact = composed(a_post(1), a_post(2), compiler=compiler, themes=themes)
    letter = letter_of(artefact, 0b10)
    assert letter.id != letter_of(artefact, 0b11).id
    assert filled_html(letter.html, LINKS) == filled_html(carried(artefact.html, 0b10), LINKS)
    assert letter.sender == artefact.sender


def test_slots_are_filled_escaped(compiler: Compiler, themes: Themes) -> None:
    artefact = composed(a_post(), compiler=compiler, themes=themes)
    html = page(artefact, LINKS | {"view_url": 'https://x.example/"><script>'})
    assert "<script>" not in html


@pytest.mark.parametrize("language", ["en", "ar"])
def test_language_and_direction_are_declared(compiler: Compiler, themes: Themes, language: str) -> None:
    artefact = composed(
        a_post(), compiler=compiler, themes=themes, newsletter=a_newsletter(language=language)
    )
    html = page(artefact, LINKS)
    direction = "rtl" if language == "ar" else "ltr"
    assert re.search(rf'<html[^>]* lang="{language}" dir="{direction}"', html)


def test_the_author_decides_over_the_theme_how_much_of_each_post_is_shown(
    compiler: Compiler, themes: Themes
) -> None:
    posts = [a_post(n, html="<p>Before.</p><a name='more'></a><p>After.</p>") for n in (1, 2)]
    shown = {
        (theme, choice): "After."
        in page(
            composed(
                *posts,
                compiler=compiler,
                themes=themes,
                newsletter=a_newsletter(theme=theme),
                excerpts=choice,
            ),
            LINKS,
        )
        for theme in ("letter", "bulletin")
        for choice in (None, True, False)
    }
    assert [shown["bulletin", choice] for choice in (None, True, False)] == [False, False, True]
    assert [shown["letter", choice] for choice in (None, True, False)] == [True, False, True]
