"""What the public pages say, in the newsletter's language where there is a file of its words."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from newsletter.web.templates import templates_folder

Words = dict[str, dict[str, str]]

FALLBACK = "en"


def known(language: str) -> str:
    """The language that the words will be in: ``de`` for ``de-AT``, ``en`` where there is none."""
    for tag in (language.lower(), language.lower().partition("-")[0]):
        if tag.replace("-", "").isalnum() and _file(tag).is_file():
            return tag
    return FALLBACK


@cache
def words(language: str) -> Words:
    """Every sentence, by section and name. What a language lacks is said in English."""
    mine: Words = {section: dict(said) for section, said in _read(FALLBACK).items()}
    if language != FALLBACK:
        for section, said in _read(language).items():
            mine[section] |= said
    return mine


def _read(language: str) -> Words:
    loaded: Words = tomllib.loads(_file(language).read_text(encoding="utf-8"))
    return loaded


def _file(language: str) -> Path:
    return templates_folder() / "web" / "public" / "words" / f"{language}.toml"
