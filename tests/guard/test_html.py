from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser, LexborNode

from newsletter.guard import html as guard_html
from newsletter.guard import vocabulary
from newsletter.guard.html import plain, sanitise
from tests.guard.hostile import HOSTILE
from tests.support.chromium import FLAGS

BASE = "https://blog.example/2024/05/post.html"
ALLOWED = tuple(sorted(vocabulary.TAGS))
STRANGE = (
    "font", "section", "form", "button", "o:p", "nobr", "html", "body", "math", "mi", "object", "xmp",
    "marquee", "label", "frameset", "head", "x-y", "int", "path", "g", "set", "text", "nonsense",
)  # fmt: skip


def clean(html: str) -> str:
    return sanitise(html, base_url=BASE)


def elements(html: str) -> Iterator[LexborNode]:
    """Every element, as a parser other than the sanitiser's reads it."""
    body = LexborHTMLParser(f"<!doctype html><body>{html}").body
    assert body is not None
    for node in body.traverse():
        if node.tag and node.tag != "body" and not node.tag.startswith("-"):
            yield node


def assert_inert(html: str) -> None:
    for node in elements(html):
        tag = node.tag or ""
        assert tag in vocabulary.TAGS
        allowed = vocabulary.ATTRIBUTES.get(tag, frozenset()) | vocabulary.ATTRIBUTES["*"]
        for name, value in node.attributes.items():
            assert name in allowed, (tag, name)
            if name in ("href", "src"):
                assert urlsplit(value or "").scheme.lower() in vocabulary.SCHEMES, value


def depth_of(html: str) -> int:
    deepest = depth = 0
    for slash, name in re.findall(r"<(/?)([a-z0-9]+)", html):
        if name not in vocabulary.VOID:
            depth += -1 if slash else 1
            deepest = max(deepest, depth)
    return deepest


@st.composite
def markup(draw: st.DrawFn, *, noise: bool = True) -> str:
    """Tags in any order, opened and closed or not, with words between them."""
    names = st.sampled_from(ALLOWED + STRANGE)
    kinds = [
        names.map(lambda name: f"<{name}>"),
        names.map(lambda name: f"<{name} dir=rtl title='a b' href=\"/x?y\">"),
        names.map(lambda name: f"</{name}>"),
        st.just("word "),
    ]
    if noise:
        values = st.text(alphabet="ab<>&\" =/'", max_size=8)
        kinds.append(st.builds(lambda name, value: f"<{name} title={value} href=/{value!r}>", names, values))
        kinds.append(st.text(max_size=8))
        kinds.append(st.sampled_from(["<!--", "-->", "<![CDATA[", "<", ">", "&", "&#0;", '"', "<script>"]))
    return "".join(draw(st.lists(st.one_of(kinds), max_size=60)))


@pytest.mark.parametrize("html", HOSTILE)
def test_nothing_hostile_is_left_in_the_eyes_of_another_parser(html: str) -> None:
    for wrapped in (html, f"<p>a{html}b</p>", f"<table><tr><td>{html}", f"<pre>{html}", html * 3):
        cleaned = clean(wrapped)
        assert_inert(cleaned)
        assert clean(cleaned) == cleaned


@pytest.mark.browser
def test_no_hostile_markup_runs_a_script_in_a_browser(chromium: str, tmp_path: Path) -> None:
    def page_after_scripts(name: str, pieces: list[str]) -> str:
        page = tmp_path / name
        page.write_text("<!doctype html><meta charset=utf-8><body>" + "\n".join(pieces), encoding="utf-8")
        result = subprocess.run(
            [chromium, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=3000",
             "--dump-dom", page.as_uri()],
            capture_output=True, timeout=90, check=True,
        )  # fmt: skip
        return result.stdout.decode()

    assert 'data-fired="1"' in page_after_scripts("raw.html", list(HOSTILE[:20])), "the bait works"
    cleaned = page_after_scripts("clean.html", [clean(piece) for piece in HOSTILE])
    assert "<body>" in cleaned
    assert "data-fired=" not in cleaned.split("<body>")[0]


@settings(max_examples=300, deadline=None)
@given(st.one_of(markup(), st.text(), st.lists(st.sampled_from(HOSTILE), max_size=4).map("".join)))
@example("<a><svg><a>")
@example("<p><button><p><button>")
@example("<b>" + "<div>" * 40 + "</b>x")
@example("<pre>\n\n\nx</pre>")
@example("\ud800&#xd800;&#0;&#x80;\r\n")
def test_sanitising_twice_changes_nothing_and_what_is_left_is_inert(html: str) -> None:
    once = clean(html)
    assert clean(once) == once
    assert sanitise(once, base_url=None) == once
    assert_inert(once)
    assert re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", once) is None


@settings(max_examples=200, deadline=None)
@given(markup(noise=False), st.integers(1, 40))
def test_every_word_survives_whatever_the_tags_around_it(html: str, times: int) -> None:
    html = html * times
    numbers = iter(range(10**6))
    html = re.sub("word", lambda _: f"word{next(numbers)}", html)
    words = re.findall(r"word\d+", re.sub(r"<[^>]*>", "", html))
    assert sorted(re.findall(r"word\d+", clean(html))) == sorted(words)


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>A &amp; B &lt;c&gt; &nbsp;</p>", "<p>A &amp; B &lt;c&gt; &nbsp;</p>"),
        ("1 < 2 && 3 > 2, <3", "1 &lt; 2 &amp;&amp; 3 &gt; 2, &lt;3"),
        ("<h2 id=x class=y style=z>T</h2>", "<h2>T</h2>"),
        ("<section><o:p>a</o:p><font color=red>b</font></section>", "ab"),
        ("<form><label>name</label><input><button>Go</button></form>", "nameGo"),
        ("<p dir=rtl lang=ar>سلام</p>", '<p dir="rtl" lang="ar">سلام</p>'),
        ("<ol start=3 type=a reversed><li value=7>x</ol>",
         '<ol start="3" type="a" reversed=""><li value="7">x</li></ol>'),
        ("<table border=1 width='100%'><tr><td colspan=2 rowspan=3 align=right>x</table>",
         '<table border="1" width="100%"><tbody><tr>'
         '<td colspan="2" rowspan="3" align="right">x</td></tr></tbody></table>'),
        ("<ruby>漢<rp>(</rp><rt>かん</rt></ruby>", "<ruby>漢<rp>(</rp><rt>かん</rt></ruby>"),
        ("<math><mi>x</mi><mo>=</mo><annotation>x=</annotation></math>!", "x=x=!"),
        ("<pre>\n\n  indented\n</pre>", "<pre>\n\n  indented\n</pre>"),
        ("Use vector<int> and <path> or <x-y>, then go on", "Use vector and  or , then go on"),
        ("<script>a</script><style>b</style><svg>c</svg><iframe>d</iframe><select><option>e</select>z", "z"),
        ("a\x00b\x07c\x85d\x9fe&#7;f\u2028g", "abc def\u2028g"),
        ("line\r\nline\rline", "line\nline\nline"),
        ("", ""),
    ],
)  # fmt: skip
def test_what_is_kept_and_what_goes(html: str, expected: str) -> None:
    assert clean(html) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://x.example/a?b=c&amp;d", "https://x.example/a?b=c&amp;d"),
        ("/a", "https://blog.example/a"),
        ("a.png", "https://blog.example/2024/05/a.png"),
        ("//cdn.example/a", "https://cdn.example/a"),
        ("#note", BASE + "#note"),
        ("?p=1", BASE + "?p=1"),
        ("mailto:a@b.example", "mailto:a@b.example"),
        ("tel:+491", "tel:+491"),
    ],
)
def test_a_relative_url_is_resolved_and_an_absolute_one_kept(url: str, expected: str) -> None:
    assert clean(f'<a href="{url}">x</a>') == f'<a href="{expected}">x</a>'


@pytest.mark.parametrize(
    "base", [None, "", "blog", "/blog", "javascript:1", "file:///etc", "http://", "http://["]
)
def test_without_a_usable_base_a_relative_url_is_removed(base: str | None) -> None:
    assert sanitise('<a href="/a">x</a><img src="i.png" alt="y">', base_url=base) == '<a>x</a><img alt="y">'


@pytest.mark.parametrize("scheme", ["ftp", "data", "javascript", "file", "cid", "blob", "about", "x-apple"])
def test_other_schemes_are_removed(scheme: str) -> None:
    assert clean(f'<a href="{scheme}:x">y</a>') == "<a>y</a>"


@pytest.mark.parametrize("name", ["div", "b", "span", "blockquote", "ul><li", "table><tr><td", "a href=/x"])
@pytest.mark.parametrize("count", [250, 20_000, 100_000])
def test_a_deep_nest_is_flattened_and_keeps_its_text(name: str, count: int) -> None:
    cleaned = clean(f"<p>before</p>{f'<{name}>' * count}inside{'</div>' * count}<p>after</p>")
    assert depth_of(cleaned) <= vocabulary.DEPTH
    assert re.findall("before|inside|after", cleaned) == ["before", "inside", "after"]
    assert clean(cleaned) == cleaned


def test_a_nest_of_exactly_the_cap_is_left_alone() -> None:
    html = "<div>" * vocabulary.DEPTH + "x" + "</div>" * vocabulary.DEPTH
    assert clean(html) == html


def test_markup_that_would_never_settle_ends_as_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_html, "_ROUNDS", 0)
    text = clean("<p>A &amp; B&nbsp;<b>c</b></p><script>d</script> &lt;e&gt;")
    assert text == "A &amp; B&nbsp;c &lt;e&gt;"
    monkeypatch.undo()
    assert clean(text) == text


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Plain title", "Plain title"),
        ("  Two\n\t lines \u2028 here ", "Two lines here"),
        ("<b>Bold</b> &amp; <i>brave</i>", "Bold & brave"),
        ("1 < 2 &amp; I <3 you", "1 < 2 & I <3 you"),
        ("One<br>two<p>three</p>four", "One two three four"),
        ("Tom &#38; Jerry &mdash; &#x1F600;", "Tom & Jerry — 😀"),
        ("a\x00b\x08c\x7fd\x9be", "abcde"),
        ("a\r\nBcc: x@y.example", "a Bcc: x@y.example"),
        ("a&#13;&#10;b&#0;c", "a b\ufffdc"),
        ("invoice\u202efdp.exe\u2066x\u2069", "invoicefdp.exex"),
        ("<script>alert(1)</script>Title<style>x</style>", "Title"),
        ("&lt;div&gt; explained", "<div> explained"),
        ("سلم \u200fعلم", "سلم \u200fعلم"),
        ("", ""),
    ],
)
def test_a_title_becomes_one_plain_line(title: str, expected: str) -> None:
    assert plain(title) == expected


@settings(deadline=None)
@given(st.one_of(st.text(), markup()), st.integers(1, 50))
def test_a_plain_line_never_breaks_and_never_passes_its_limit(text: str, limit: int) -> None:
    line = plain(text, limit=limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1
    assert re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", line) is None
    assert line == line.strip()


def test_what_is_cut_says_so() -> None:
    assert plain("one two three", limit=9) == "one two…"


def test_a_monstrous_title_is_read_only_in_part() -> None:
    assert plain("<b>" * 1_000_000 + "x") == ""
    assert plain("word " * 1_000_000, limit=9) == "word wor…"
