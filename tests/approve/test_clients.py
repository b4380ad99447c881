from __future__ import annotations

import pytest

from newsletter.approve.clients import features, snapshot, unsupported
from newsletter.compose import Compiler, page
from tests.golden.library import LINKS, golden, single


def hits(body: str) -> dict[str, tuple[str, ...]]:
    return {found.feature: found.programs for found in unsupported(f"<html><body>{body}</body></html>")}


@pytest.mark.parametrize(
    ("body", "feature", "program"),
    [
        ("<img src='https://e.org/a.webp?w=1'>", "image-webp", "Outlook for Windows (classic)"),
        ("<img src='https://e.org/a.SVG'>", "image-svg", "Gmail"),
        ("<img src='data:image/png;base64,xx'>", "image-base64", "Gmail"),
        ("<ruby>a<rt>b</rt></ruby>", "html-ruby", "Gmail"),
        ("<p style='position:absolute'>x</p>", "css-position", "Gmail"),
        ("<style>p{display:flex}</style><p>x</p>", "css-display-flex", "Outlook for Windows (classic)"),
        ("<p style='width:2rem'>x</p>", "css-unit-rem", "Outlook for Windows (classic)"),
    ],
)
def test_what_a_program_cannot_show_is_found(body: str, feature: str, program: str) -> None:
    assert program in hits(body)[feature]


def test_what_the_shipped_themes_use_themselves_is_not_told() -> None:
    assert hits("<p style='max-width:10px;border-radius:2px'>x</p>") == {}


@pytest.mark.parametrize("theme", ["letter", "bulletin", "studio"])
@pytest.mark.parametrize("sample", ["ldn", "club-accounts", "ghost-cards", "wide-table"])
def test_a_plain_post_in_a_shipped_theme_has_nothing_to_tell(
    theme: str, sample: str, compiler: Compiler
) -> None:
    assert unsupported(page(single(golden(sample), compiler, theme), LINKS)) == ()


def test_what_everybody_shows_is_not_told() -> None:
    assert hits("<p>x<br><b>y</b> <img src='https://e.org/a.png'></p>") == {}


def test_words_are_no_styles() -> None:
    assert "css-position" not in set(features("<body><p>position: absolute; @media screen</p></body>"))


def test_the_snapshot_says_its_date_and_knows_what_it_leaves_out() -> None:
    data = snapshot()
    assert data.date == "2025-09-09"
    assert len(data.support) > 290
    assert data.baseline <= set(data.support)
