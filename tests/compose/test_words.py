from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from newsletter.compose.places import shipped
from newsletter.compose.words import language, read_texts, zone
from newsletter.errors import TemplateProblem

LANGUAGES = sorted(path.stem for path in shipped("words").glob("*.toml"))
ENGLISH = read_texts(shipped("words") / "en.toml")


def names(texts: dict[str, str]) -> set[str]:
    """Plural forms differ from language to language."""
    return {name.partition(".")[0] for name in texts}


def test_five_languages_ship() -> None:
    assert LANGUAGES == ["ar", "de", "en", "es", "fr"]


@pytest.mark.parametrize("tag", LANGUAGES)
def test_every_language_says_everything(tag: str) -> None:
    texts = read_texts(shipped("words") / f"{tag}.toml")
    assert names(texts) == names(ENGLISH)
    assert all(f"{name}.other" in texts for name in names(texts) if name not in texts)


@pytest.mark.parametrize("tag", LANGUAGES)
def test_a_translation_leaves_no_placeholder_out(tag: str) -> None:
    texts = read_texts(shipped("words") / f"{tag}.toml")
    for name, text in texts.items():
        if "." not in name:
            assert sorted(re.findall(r"{\w+}", text)) == sorted(re.findall(r"{\w+}", ENGLISH[name])), name


def test_a_language_that_we_do_not_speak_says_english_and_writes_its_own_dates() -> None:
    swedish = language("sv")
    assert swedish("unsubscribe") == "Unsubscribe"
    assert swedish.date(datetime(2026, 3, 4, tzinfo=UTC), UTC) == "4 mars 2026"
    assert swedish.tag == "sv"


@pytest.mark.parametrize("tag", ["", "x", 'en" onload="', "nonsense-tag-that-is-much-too-long"])
def test_nonsense_is_english(tag: str) -> None:
    assert language(tag).tag == "en"


def test_numbers_take_the_form_that_the_language_has_for_them() -> None:
    arabic = language("ar")
    assert arabic.count("reading_minutes", 2) == "تُقرأ في دقيقتين"
    assert arabic.count("reading_minutes", 3) == "تُقرأ في 3 دقائق"
    assert language("de-AT").count("reading_minutes", 1) == "1 Minute Lesezeit"


def test_arabic_and_hebrew_run_from_right_to_left() -> None:
    assert [language(tag).direction for tag in ("ar", "he", "ur-PK", "en", "ja")] == [
        "rtl",
        "rtl",
        "rtl",
        "ltr",
        "ltr",
    ]


def test_values_are_filled_once_and_never_read_as_templates() -> None:
    assert language("en")("by", author="{title} %s {0}") == "By {title} %s {0}"


def test_an_unknown_text_is_a_problem() -> None:
    with pytest.raises(TemplateProblem, match="no_such_text"):
        language("en")("no_such_text")


def test_an_unknown_time_zone_is_utc() -> None:
    assert str(zone("Mars/Olympus")) == "UTC"
    assert str(zone("../etc/passwd")) == "UTC"
