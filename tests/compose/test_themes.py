from __future__ import annotations

import io
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from newsletter.approve.contrast import poor_pairs
from newsletter.compose import Compiler, Themes, compose, page, text_page
from newsletter.compose.places import shipped
from newsletter.compose.view import PostView
from newsletter.errors import ConfigError, TemplateProblem
from newsletter.model.artefact import SLOTS
from tests.compose.samples import LINKS, a_newsletter, a_post, an_issue

THEMES = ("bulletin", "letter", "studio")


def composed(compiler: Compiler, theme: str = "letter", folder: Path | None = None, **post: object) -> str:
    posts = [a_post(1, **post), a_post(2)]
    newsletter = a_newsletter(theme=theme, theme_folder=str(folder or ""))
    return page(compose(newsletter, an_issue(posts), posts, compiler=compiler, themes=Themes()), LINKS)


def test_three_themes_ship(themes: Themes) -> None:
    assert themes.names() == THEMES


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("palette", ["light", "dark"])
def test_every_colour_of_a_shipped_theme_can_be_read(theme: str, palette: str, themes: Themes) -> None:
    assert list(poor_pairs(getattr(themes.get(theme), palette))) == []


@pytest.mark.parametrize("theme", THEMES)
def test_every_theme_has_a_dark_palette_and_keeps_the_order_of_headings(
    theme: str, compiler: Compiler
) -> None:
    html = composed(compiler, theme, html="<h2>Part</h2><p>x</p>")
    assert "prefers-color-scheme: dark" in html
    assert html.count("<h1") == 1
    assert html.index("<h1") < html.index("<h2") < html.index("<h3")


def test_an_author_changes_one_colour_in_a_folder_of_their_own(compiler: Compiler, tmp_path: Path) -> None:
    (tmp_path / "theme.toml").write_text('[light]\nlink = "#123456"\n')
    html = composed(compiler, folder=tmp_path, html="<p><a href='https://example.org/'>x</a></p>")
    assert "#123456" in html


def test_a_change_is_seen_at_once(compiler: Compiler, tmp_path: Path) -> None:
    masthead = tmp_path / "masthead.mjml.j2"
    masthead.write_text("<mj-text>First</mj-text>")
    assert "First" in composed(compiler, folder=tmp_path)
    masthead.write_text("<mj-text>Second!</mj-text>")
    assert "Second!" in composed(compiler, folder=tmp_path)


def test_an_author_replaces_one_file(compiler: Compiler, tmp_path: Path) -> None:
    (tmp_path / "masthead.mjml.j2").write_text("<mj-text>From the desk of {{ newsletter.title }}</mj-text>")
    assert "From the desk of Field Notes" in composed(compiler, folder=tmp_path)


def test_an_author_replaces_the_plain_text(compiler: Compiler, tmp_path: Path) -> None:
    (tmp_path / "text.txt.j2").write_text("{{ posts[0].title }}: {{ slot('unsubscribe_url') }}\n")
    posts = [a_post(title="Ä < b")]
    newsletter = a_newsletter(theme_folder=str(tmp_path))
    artefact = compose(newsletter, an_issue(posts), posts, compiler=compiler, themes=Themes())
    assert text_page(artefact, LINKS) == "Ä < b: https://news.example.org/u/token\n"


@pytest.mark.parametrize(
    ("file", "content", "line", "reason"),
    [
        ("masthead.mjml.j2", "<mj-text>a</mj-text>\n<mj-txet>b</mj-txet>", 2, "no tag <mj-txet>"),
        ("masthead.mjml.j2", "\n<mj-text colour='red'>b</mj-text>", 2, "no attribute 'colour'"),
        ("masthead.mjml.j2", "\n\n<mj-text color='blurple!'>b</mj-text>", 3, "is no colour"),
        ("masthead.mjml.j2", "\n<mj-text>{{ newsletter.titel }}</mj-text>", 2, "titel"),
        ("masthead.mjml.j2", "<mj-text>\n{% if %}</mj-text>", 2, "Expected an expression"),
        ("masthead.mjml.j2", "\n<mj-text>{{ newsletter.title | safe }}</mj-text>", 2, "safe"),
        ("masthead.mjml.j2", "\n<mj-text>b", 2, "<mj-text> is not closed before </mj-column>"),
        ("masthead.mjml.j2", "\n<mj-section></mj-section>", 2, "belongs into"),
        ("masthead.mjml.j2", "\n<mj-text>\n<p>a\n</mj-text>", 3, "<p> is never closed"),
        ("masthead.mjml.j2", "<mj-text>\n<b><i>a</b></i></mj-text>", 2, "<i> is not closed before </b>"),
        ("masthead.mjml.j2", "<mj-text>a\n</div></mj-text>", 2, "</div> closes what is not open"),
        ("masthead.mjml.j2", "<mj-text>\nI <3 you</mj-text>", 2, "“<” stands alone"),
        ("masthead.mjml.j2", "<mj-text>\n<a href=x>a</a></mj-text>", 2, "an attribute lacks its quotes"),
        ("masthead.mjml.j2", "<mj-text>\na<BR>b</mj-text>", 2, "<BR> must be written in small letters"),
        ("masthead.mjml.j2", "<mj-text>\n<!-- a -- b --></mj-text>", 2, "must not hold “--”"),
        ("masthead.mjml.j2", "<mj-text>\n<![CDATA[a]]></mj-text>", 2, "Only tags and comments"),
        ("masthead.mjml.j2", "<mj-text>a</mj-text>\n<p>b</p>", 2, "“<p>b</p>” stands in <mj-column>"),
        ("style.css.j2", "a {}\n@media (width < 480px) {}", 2, "A style sheet must not hold “<”"),
        ("masthead.mjml.j2", "\n{% include 'masthead.mjml.j2' %}", 2, "includes itself"),
        ("masthead.mjml.j2", "\n<mj-text>{{ 'a' * 10**15 }}</mj-text>", 2, "too much memory"),
        ("theme.toml", "[digest]\n\nshows = 'all'\n", 3, "is 'full' or 'excerpt'"),
        ("theme.toml", "[logo]\nurl = 'https://e.org/a.png'\nhight = 5\n", 3, "logo.hight"),
        ("masthead.mjml.j2", "\n<mj-text>{{ ''.__class__ }}</mj-text>", 2, "unsafe|undefined"),
        ("masthead.mjml.j2", "\n{% include 'missing.mjml.j2' %}", 2, "missing.mjml.j2 does not exist"),
        ("text.txt.j2", "\n{{ post.titel }}", 2, "undefined"),
        ("article.css.j2", "a {}\np { color: {{ theme.light.ink }}; }", 2, "ink"),
        ("words/en.toml", '\nunsubscribe = "Enough\n', 2, "cannot be read"),
        ("words/en.toml", 'view = "See"\nunsubscrib = "Enough"\n', 2, "nothing says"),
        ("words/en.toml", "view = 3\n", 1, "is no text"),
        ("theme.toml", '[light]\n\ntext = "red"\n', 3, "cannot be used"),
        ("theme.toml", '[light]\nlinks = "#123456"\n', 2, "does not exist"),
        ("theme.toml", "[light\n", 1, "cannot be read"),
        ("theme.toml", "[colours]\nx = 1\n", 1, "means nothing"),
        ("theme.toml", "[type]\nbody = 'x\"><script>'\n", 2, "cannot be used"),
    ],
)
def test_a_wrong_file_is_told_with_its_line_and_reason(
    compiler: Compiler, tmp_path: Path, file: str, content: str, line: int, reason: str
) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(content)
    with pytest.raises(TemplateProblem, match=reason) as caught:
        composed(compiler, folder=tmp_path)
    assert (caught.value.line, caught.value.file) == (line, str(tmp_path / file))


def test_a_file_in_another_encoding_is_told_with_its_line(compiler: Compiler, tmp_path: Path) -> None:
    file = tmp_path / "masthead.mjml.j2"
    file.write_bytes("<mj-text>\nGrüße</mj-text>".encode("latin-1"))
    with pytest.raises(TemplateProblem, match="UTF-8") as caught:
        composed(compiler, folder=tmp_path)
    assert (caught.value.line, caught.value.file) == (2, str(file))


@pytest.mark.parametrize("name", ["theme.toml", "masthead.mjml.j2", "words/en.toml"])
def test_a_file_that_cannot_be_read_is_told(
    compiler: Compiler, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / name).write_text("view = 'See'" if name.startswith("words") else "")
    given = io.open

    def guarded(file: Any, *rest: Any, **more: Any) -> Any:
        if str(file) == str(tmp_path / name):
            raise PermissionError(13, "Permission denied", str(file))
        return given(file, *rest, **more)

    monkeypatch.setattr("io.open", guarded)
    monkeypatch.setattr("builtins.open", guarded)
    with pytest.raises(TemplateProblem, match="permission denied") as caught:
        composed(compiler, folder=tmp_path)
    assert caught.value.file == str(tmp_path / name)


def test_what_editors_leave_in_a_theme_folder_does_no_harm(compiler: Compiler, tmp_path: Path) -> None:
    (tmp_path / ".#masthead.mjml.j2").symlink_to("nobody@nowhere")
    (tmp_path / "masthead.mjml.j2").mkdir()
    assert "<html" in composed(compiler, folder=tmp_path)


def test_a_sign_of_less_than_in_a_templates_own_conditions_is_none_of_markup(
    compiler: Compiler, tmp_path: Path
) -> None:
    (tmp_path / "masthead.mjml.j2").write_text(
        "{% if posts|length <9 %}\n<mj-text>{{ '<few>' if posts|length < 9 else '' }}</mj-text>{% endif %}"
    )
    assert "&lt;few&gt;" in composed(compiler, folder=tmp_path)


def test_a_template_cannot_reach_outside_its_folders(compiler: Compiler, tmp_path: Path) -> None:
    (tmp_path / "masthead.mjml.j2").write_text("{% include '../words/en.toml' %}")
    with pytest.raises(TemplateProblem, match="does not exist"):
        composed(compiler, folder=tmp_path)


def test_a_macro_without_context_is_told_rather_than_trusted(compiler: Compiler, tmp_path: Path) -> None:
    (tmp_path / "macros.j2").write_text("{% macro name(n) %}{{ n }}{% endmacro %}")
    (tmp_path / "masthead.mjml.j2").write_text(
        "{% from 'macros.j2' import name %}<mj-text>{{ name(newsletter.title) }}</mj-text>"
    )
    with pytest.raises(TemplateProblem, match="with context"):
        composed(compiler, folder=tmp_path)


def test_a_macro_with_context_writes_values_like_any_template(compiler: Compiler, tmp_path: Path) -> None:
    (tmp_path / "macros.j2").write_text("{% macro name(n) %}<b>{{ n }}</b>{% endmacro %}")
    (tmp_path / "masthead.mjml.j2").write_text(
        "{% from 'macros.j2' import name with context %}<mj-text>{{ name(posts[0].title) }}</mj-text>"
    )
    assert "<b>&lt;i&gt; ❤️ &amp;</b>" in composed(compiler, folder=tmp_path, title="<i> ❤️ &")


def test_a_post_is_never_template_source(compiler: Compiler) -> None:
    html = composed(compiler, title="{{ 7 * 7 }} {% raise %}", html="<p>{{ slot('name') }} <mj-text></p>")
    assert "{{ 7 * 7 }} {% raise %}" in html
    assert "{{ slot('name') }}" in html
    assert "49" not in html.partition("<body")[2].partition("Field Notes")[0]


def test_a_theme_that_drops_a_posts_block_is_told(compiler: Compiler, tmp_path: Path) -> None:
    layout = shipped("letter") / "layout.mjml.j2"
    shutil.copy(layout, tmp_path)
    text = layout.read_text("utf-8").replace("<mj-raw>{{ post.end }}</mj-raw>", "")
    (tmp_path / "layout.mjml.j2").write_text(text)
    with pytest.raises(TemplateProblem, match="block"):
        composed(compiler, folder=tmp_path)


def test_an_author_adds_a_logo(compiler: Compiler, tmp_path: Path) -> None:
    (tmp_path / "theme.toml").write_text(
        '[logo]\nurl = "https://e.example/l.png"\nalt = "Café"\nwidth = 90\n'
    )
    html = composed(compiler, folder=tmp_path)
    assert re.search(r'<img[^>]*alt="Café"[^>]*src="https://e.example/l.png"', html)


def test_a_logo_that_nobody_could_load_is_told(compiler: Compiler, tmp_path: Path) -> None:
    (tmp_path / "theme.toml").write_text('[logo]\nurl = "http://localhost/l.png"\n')
    with pytest.raises(TemplateProblem, match="public url") as caught:
        composed(compiler, folder=tmp_path)
    assert caught.value.line == 1


def test_an_author_says_it_in_their_own_words(compiler: Compiler, tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "en.toml").write_text('unsubscribe = "Enough of this"\n')
    html = composed(compiler, folder=tmp_path)
    assert "Enough of this" in html
    assert "Change how often" in html


def test_a_text_that_nothing_says_is_told(compiler: Compiler, tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "en.toml").write_text('unsubscribed = "x"\n')
    with pytest.raises(TemplateProblem, match="unsubscribed"):
        composed(compiler, folder=tmp_path)


def test_a_post_in_another_language_says_so(compiler: Compiler) -> None:
    html = composed(compiler, html="<p>صباح الخير</p>", language="ar")
    assert '<div lang="ar" dir="rtl" style="text-align:right">' in html
    assert 'lang="en-GB"' not in composed(compiler, language="en-GB")


def test_a_theme_or_folder_that_does_not_exist_is_told(themes: Themes) -> None:
    with pytest.raises(ConfigError, match=r"no theme named 'nope'.*bulletin, letter, studio"):
        themes.get("nope")
    with pytest.raises(ConfigError):
        themes.get("../letter")
    with pytest.raises(ConfigError, match="does not exist"):
        themes.get("letter", "/nowhere/at/all")


def test_every_token_and_every_slot_is_documented(themes: Themes) -> None:
    text = (Path(__file__).parents[2] / "docs" / "themes.md").read_text("utf-8")
    theme = themes.get("letter")
    for token in (*theme.light, *theme.type, *theme.layout, *SLOTS):
        assert f"{token}`" in text or f"{token}'" in text, token
    for name in PostView.__dataclass_fields__.keys() - {"heading", "begins"}:
        assert f"`{name}`" in text, name


@pytest.mark.parametrize("theme", THEMES)
def test_an_imprint_in_place_of_a_postal_address_is_a_link(theme: str, compiler: Compiler) -> None:
    newsletter = a_newsletter(theme=theme, postal_address="Rosa Fell\nhttps://blog.example.org/imprint?a=1&b")
    posts = [a_post()]
    html = page(compose(newsletter, an_issue(posts), posts, compiler=compiler, themes=Themes()), LINKS)
    assert re.search(
        r'<a href="https://blog\.example\.org/imprint\?a=1&amp;b"[^>]*>https://blog\.example', html
    )
