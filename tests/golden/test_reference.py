"""The same MJML through the JavaScript original, where that is installed: the same skeleton comes out.

Compared as a stream of tags, with Outlook's conditional comments opened up: what every client acts on. The
few differences between the two compilers that no client sees are named in :func:`_settled`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from newsletter.compose import Compiler, Themes, compose_notice
from newsletter.model.notice import NoticeKind
from tests.golden.library import digest, golden, names, newsletter_for, single
from tests.support.not_run import COMPARISON

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("MJML_REFERENCE") or ROOT / ".venv" / "reference")
SCRIPT = Path(__file__).with_name("reference.cjs")
THEMES = ("letter", "bulletin", "studio")


class Recording(Compiler):
    """Remembers what it was asked and what it answered."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: dict[str, str] = {}

    def compile(self, mjml: str, *, file: str = "layout.mjml.j2") -> str:
        html = super().compile(mjml, file=file)
        self.asked[mjml] = html
        return html


@pytest.fixture(scope="module")
def reference() -> Path:
    """The folder in which the npm package ``mjml`` lies."""
    if shutil.which("node") is None or not (FOLDER / "node_modules" / "mjml").is_dir():
        pytest.skip(f"{COMPARISON}the npm package mjml is not installed (sh .ci/mjml)")
    return FOLDER


def _asked() -> dict[str, str]:
    """Every kind of document that the themes make: each theme's single post, digest and notice, and every
    sample once."""
    compiler = Recording()
    with compiler:
        for theme in THEMES:
            samples = [golden(name, number) for number, name in enumerate(("ldn", "recipe", "arabic"), 1)]
            digest(samples, compiler, theme, note="Dear all,\n\nread *this*.")
            for name in ("ldn", "one-liner"):
                single(golden(name), compiler, theme)
            for kind in (NoticeKind.CONFIRM, NoticeKind.DRAFT_WAITING):
                compose_notice(
                    newsletter_for(golden("arabic"), theme),
                    kind,
                    {"action_url": "https://news.example.org/x", "subject": "A", "excerpt": "B"},
                    compiler=compiler,
                    themes=Themes(),
                )
        for name in names():
            single(golden(name), compiler)
    return compiler.asked


def _compiled(documents: list[str], folder: Path) -> list[dict[str, Any]]:
    done = subprocess.run(
        ["node", str(SCRIPT), str(folder)],
        input=json.dumps(documents),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    results: list[dict[str, Any]] = json.loads(done.stdout)
    return results


def test_the_javascript_compiler_makes_the_same_skeleton(reference: Path) -> None:
    asked = _asked()
    results = _compiled(list(asked), reference)

    for ours, theirs in zip(asked.values(), results, strict=True):
        assert theirs["problems"] == []
        assert _skeleton(ours) == _skeleton(theirs["html"])


def test_a_difference_would_be_seen() -> None:
    compiler = Recording()
    with compiler:
        single(golden("one-liner"), compiler)
    (html,) = compiler.asked.values()

    assert _skeleton(html) != _skeleton(html.replace("text-align:left", "text-align:right", 1))
    assert _skeleton(html) != _skeleton(
        html.replace("<!--[if mso | IE]></td></tr></table><![endif]-->", "", 1)
    )


class _Stream(HTMLParser):
    """Tags and words in the order in which they are written."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[object] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.out.append((tag, _settled(tag, {name: value or "" for name, value in attrs})))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("br", "img", "meta", "hr"):
            self.out.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        if words := "".join(data.split()):
            self.out.append(words)


def _skeleton(html: str) -> list[object]:
    stream = _Stream()
    # What stands in conditional comments is markup to Outlook. Between two of them nothing is written.
    stream.feed(re.sub(r"<!--\[if [^\]]*\]>(?:<!-->)?|(?:<!--)?<!\[endif\]-->", "", html))
    stream.close()
    return _joined(stream.out)


def _joined(out: list[object]) -> list[object]:
    """Words side by side are one word: where a token ends is no difference."""
    joined: list[object] = []
    for part in out:
        if isinstance(part, str) and part[0] != "/" and joined and isinstance(joined[-1], str):
            if joined[-1][0] != "/":
                joined[-1] += part
                continue
        joined.append(part)
    return joined


def _settled(tag: str, attrs: dict[str, str]) -> frozenset[tuple[str, object]]:
    """Attributes without order and without what is empty, and without the differences that we know of."""
    if tag == "body" or attrs.get("role") == "article":
        attrs.pop("class", None)  # ours puts the body's class on the division within; the theme names both
        attrs["style"] = attrs.get("style", "").replace("word-spacing:normal;", "")
    attrs.pop("vertical-align", None)  # ours writes it on cells, where HTML has no such attribute
    found: set[tuple[str, object]] = set()
    for name, value in attrs.items():
        if name == "style":
            declared = (one.strip() for one in value.split(";"))
            found.add((name, frozenset(re.sub(r"\s*:\s*", ":", one) for one in declared if one)))
        elif name == "class":
            found.add((name, frozenset(value.split())))
        elif value:
            found.add((name, value))
    return frozenset((name, value) for name, value in found if value)
