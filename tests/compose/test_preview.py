from __future__ import annotations

import re
from html import unescape

import pytest

from newsletter.compose import Compiler, Mode, Themes, compose, on_a_phone, page, preview_html
from newsletter.model.artefact import Artefact
from tests.compose.samples import LINKS, a_newsletter, a_post, an_issue


@pytest.fixture
def artefact(compiler: Compiler, themes: Themes) -> Artefact:
    post = a_post(html='<p>x</p><p><img src="https://e.example/a.jpg" alt="A &gt; b" width="300"></p>')
    return compose(a_newsletter(), an_issue([post]), [post], compiler=compiler, themes=themes)


def test_light_differs_from_what_is_sent_only_in_what_it_says_of_dark(artefact: Artefact) -> None:
    sent = page(artefact, LINKS)
    light = preview_html(artefact, LINKS)
    assert "@media not all" in light
    restored = light.replace("@media not all", "@media (prefers-color-scheme: dark)")
    assert restored.replace("light", "") == sent.replace("light dark", "").replace("light", "")


def test_dark_applies_the_dark_rules_whatever_the_browser_prefers(artefact: Artefact) -> None:
    dark = preview_html(artefact, LINKS, mode=Mode.DARK)
    assert "@media all" in dark
    assert "prefers-color-scheme" not in dark


def test_without_images_their_descriptions_stay(artefact: Artefact) -> None:
    for mode in Mode:
        html = preview_html(artefact, LINKS, mode=mode, images=False)
        assert "https://e.example/a.jpg" not in html
        assert 'alt="A &gt; b"' in html


def test_forced_dark_turns_the_light_palette_around(artefact: Artefact) -> None:
    html = preview_html(artefact, LINKS, mode=Mode.FORCED_DARK)
    assert "invert(" in html
    assert "prefers-color-scheme" not in html


def test_a_preview_of_some_blocks_leaves_the_others_out(compiler: Compiler, themes: Themes) -> None:
    posts = [a_post(1), a_post(2)]
    artefact = compose(a_newsletter(), an_issue(posts), posts, compiler=compiler, themes=themes)
    html = preview_html(artefact, LINKS, mask=0b10)
    assert "The words of post 2." in html
    assert "The words of post 1." not in html


def test_a_phone_is_a_narrow_frame_around_the_same_bytes(artefact: Artefact) -> None:
    sent = page(artefact, LINKS)
    phone = on_a_phone(sent)
    frame = re.search(r'<iframe sandbox width="375" height="812"[^>]* srcdoc="([^"]*)"></iframe>', phone)
    assert frame and unescape(frame[1]) == sent
