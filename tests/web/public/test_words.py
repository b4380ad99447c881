from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from string import Formatter

import pytest

from newsletter.web.public import words
from newsletter.web.templates import templates_folder
from subscribers.tokens import Purpose
from tests.web.public.conftest import House, Web

FOLDER: Path = templates_folder() / "web" / "public" / "words"
LANGUAGES = sorted(path.stem for path in FOLDER.glob("*.toml"))


def _said(language: str) -> dict[str, str]:
    sections = words._read(language)
    return {f"{section}.{name}": text for section, said in sections.items() for name, text in said.items()}


def _places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_everything_with_the_same_places_to_fill(language: str) -> None:
    english, here = _said("en"), _said(language)

    assert here.keys() == english.keys()
    for name, text in english.items():
        assert _places(here[name]) <= _places(text) | {"newsletter"}, name
        assert here[name].strip() == here[name] and here[name]


def test_every_word_is_used_somewhere() -> None:
    code = Path(words.__file__).parent
    pages = FOLDER.parent
    sources = [path.read_text() for path in (*code.glob("*.py"), *pages.glob("*.html"))]
    built = ("cadence.", "leave.why_", "problem.")  # their names are put together

    for name in _said("en"):
        assert name.startswith(built) or any(name in source for source in sources), name


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_speak_the_newsletters_language(house: House, web: Web, language: str) -> None:
    house.newsletter = replace(house.newsletter, language=f"{language}-XX")

    page = web.get(f"/u/{house.tokens.sign(Purpose.UNSUBSCRIBE, house.join().id, 0)}").text

    assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in page
    assert words.words(language)["leave"]["button"] in page


def test_a_language_lacking_a_sentence_says_it_in_english() -> None:
    assert words.known("tlh") == words.known("../en") == words.known("") == "en"
    assert words.words("de")["leave"].keys() == words.words("en")["leave"].keys()


def test_the_languages_of_the_emails_are_those_of_the_pages() -> None:
    emails = {path.stem for path in (templates_folder() / "email" / "words").glob("*.toml")}

    assert set(LANGUAGES) == emails >= {"ar", "de", "en", "es", "fr"}


def test_an_arabic_page_keeps_a_latin_title_and_its_signs_together(house: House, web: Web) -> None:
    house.newsletter = replace(house.newsletter, language="ar", title="Mercy (new)")

    page = web.get(f"/u/{house.tokens.sign(Purpose.UNSUBSCRIBE, house.join().id, 0)}").text

    assert "\u2068Mercy (new)\u2069" in page


def test_a_date_is_written_as_in_the_newsletters_country(house: House, web: Web) -> None:
    link = f"/p/{house.tokens.sign(Purpose.PREFERENCES, house.join().id)}"
    web.post(link, data={"often": "weekly", "pause": "2026-04-01"})
    for language, day in (("en-GB", "1 April 2026"), ("en", "April 1, 2026"), ("fr", "1 avril 2026")):
        house.newsletter = replace(house.newsletter, language=language)
        assert day in web.get(f"{link}?saved=1").text
