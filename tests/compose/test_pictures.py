"""Pictures: described by the author, sized, and shown from where every program can show them."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from newsletter.compose import Compiler, Themes, compose, page, pictures_of, text_page
from newsletter.compose.shrink import shrink
from newsletter.compose.shrink_child import HEAVY
from newsletter.model.artefact import Artefact, carried
from newsletter.model.picture import Picture
from newsletter.model.post import Post
from tests.compose.samples import LINKS, NOW, a_newsletter, a_post, an_issue

A, B = "https://blog.example.org/a.webp", "https://blog.example.org/b.png"
POST = a_post(html=f'<p>Look:</p><p><img src="{A}" alt="The blog\'s words"></p><p><img src="{B}"></p>')


def drawn(form: str, size: tuple[int, int] = (40, 30), mode: str = "RGB", **how: Any) -> bytes:
    out = BytesIO()
    Image.effect_noise(size, 90).convert(mode).save(out, form, **how)
    return out.getvalue()


def composed(compiler: Compiler, *posts: Post, **issue: Any) -> Artefact:
    known = issue.pop("pictures", {})
    return compose(
        a_newsletter(), an_issue(posts, **issue), posts, compiler=compiler, themes=Themes(), pictures=known
    )


def test_the_authors_description_stands_in_the_mail_and_in_its_text(compiler: Compiler) -> None:
    artefact = composed(compiler, POST, alts=((A, 'A "heron" & <reeds>'),))
    assert 'alt="A &quot;heron&quot; &amp; &lt;reeds&gt;"' in page(artefact, LINKS)
    assert 'A "heron" & <reeds>' in text_page(artefact, LINKS)
    assert "The blog's words" not in text_page(artefact, LINKS)


def test_decoration_is_passed_over_in_silence(compiler: Compiler) -> None:
    artefact = composed(compiler, POST, alts=((A, ""),))
    assert "The blog's words" not in page(artefact, LINKS) + text_page(artefact, LINKS)


def test_the_pictures_of_an_issue_are_told_with_what_describes_them() -> None:
    linked = a_post(2, html='<p><a href="https://e.example"><img src="https://e.example/c.png">Go</a></p>')
    issue = an_issue((POST, linked), alts=((B, ""),))
    found = pictures_of(a_newsletter(), issue, [POST, linked], excerpts=False)
    assert [(one.source[-6:], one.alt, one.silent) for one in found] == [
        ("a.webp", "The blog's words", False),
        ("/b.png", "", False),
        ("/c.png", None, False),
    ]
    assert pictures_of(a_newsletter(), an_issue((POST,)), [POST], excerpts=False)[1].silent


def test_a_copy_is_shown_from_the_newsletters_own_address_whichever_it_is(compiler: Compiler) -> None:
    copy = Picture(source=A, width=2400, height=1200, copy=f"{'a' * 32}.jpg", looked_at=NOW)
    artefact = composed(compiler, POST, pictures={A: copy})
    html = page(artefact, LINKS)
    assert f'src="https://news.example.org/media/{copy.copy}"' in html
    assert A not in html
    moved = page(artefact, LINKS | {"base_url": "https://moved.example"})
    assert f'src="https://moved.example/media/{copy.copy}"' in moved
    assert [s for s in carried(artefact.html, 0) if s.slot and s.text == "base_url"] == []


def test_a_measured_picture_has_its_width_and_height_and_no_more_than_fits(compiler: Compiler) -> None:
    known = {
        A: Picture(source=A, width=2400, height=1200, copy=f"{'a' * 32}.jpg", looked_at=NOW),
        B: Picture(source=B, width=300, height=200, looked_at=NOW),
    }
    html = page(composed(compiler, POST, pictures=known), LINKS)
    assert 'width="552" height="276"' in html
    assert 'width="300" height="200"' in html
    assert B in html


def test_no_text_of_a_post_can_pass_for_a_place_of_ours(compiler: Compiler) -> None:
    html = page(composed(compiler, a_post(html="<p>x\ufdd2/media/y</p>")), LINKS)
    assert "x/media/y" in html


@pytest.mark.parametrize(
    ("body", "ending"),
    [
        (drawn("WEBP"), "jpg"),
        (drawn("AVIF"), "jpg"),
        (drawn("WEBP", mode="RGBA"), "jpg"),  # an alpha channel that hides nothing
    ],
)
def test_of_what_some_programs_cannot_show_a_copy_is_made(body: bytes, ending: str) -> None:
    found = shrink(body)
    assert (found.width, found.height, found.refused) == (40, 30, "")
    assert found.name.endswith(f".{ending}")
    assert Image.open(BytesIO(found.body)).size == (40, 30)


def test_a_see_through_picture_stays_see_through() -> None:
    out = BytesIO()
    Image.new("RGBA", (20, 10), (200, 0, 0, 90)).save(out, "WEBP")
    found = shrink(out.getvalue())
    assert found.name.endswith(".png")
    assert Image.open(BytesIO(found.body)).mode == "RGBA"


def test_what_everybody_shows_is_measured_and_left_where_it_is() -> None:
    for form in ("JPEG", "PNG", "GIF"):
        found = shrink(drawn(form))
        assert (found.width, found.height, found.name, found.body) == (40, 30, "", b"")


def test_a_heavy_photograph_becomes_1200_wide_upright_and_without_its_exif() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    exif[0x010E] = "Taken at home, 48.2N 16.4E"
    body = drawn("JPEG", (2400, 1600), quality=98, exif=exif)
    assert len(body) > HEAVY
    found = shrink(body)
    copy = Image.open(BytesIO(found.body))
    assert (found.width, found.height) == (1600, 2400)
    assert copy.size == (1200, 1800)
    assert len(found.body) <= HEAVY
    assert not copy.getexif()
    assert b"Taken at home" not in found.body


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (drawn("PNG", (1, 1)) + b"\0" * (5 * 1024 * 1024), "weighs more than 5 MB"),
        (b"<p>not found</p>", "cannot be read"),
        (b"", "cannot be read"),
        (drawn("JPEG")[:200], "cannot be read"),
    ],
)
def test_what_is_no_picture_for_mail_is_refused_with_its_reason(body: bytes, why: str) -> None:
    assert shrink(body).refused == why


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_a_bomb_of_a_few_kilobytes_is_refused_before_it_is_unpacked(form: str) -> None:
    out = BytesIO()
    Image.new("L" if form == "PNG" else "RGB", (9000, 9000)).save(out, form)
    assert len(out.getvalue()) < 300_000
    assert shrink(out.getvalue()).refused == "has 81 million pixels"


def test_the_same_picture_always_has_the_same_name() -> None:
    body = drawn("WEBP")
    assert shrink(body).name == shrink(body).name
