"""Which themes, languages and time zones there are to choose from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from zoneinfo import available_timezones

from babel import Locale, UnknownLocaleError
from babel.localedata import locale_identifiers

from newsletter.errors import Invalid


@cache
def languages() -> Mapping[str, str]:
    """Every language that dates can be written in: its code and its English name, by that name."""
    names = Locale.parse("en").languages
    codes = [code for code in locale_identifiers() if "_" not in code and code in names]
    return dict(sorted(((code, names[code]) for code in codes), key=lambda pair: pair[1]))


@cache
def time_zones() -> Sequence[str]:
    """The zones that people live in, and UTC."""
    return [name for name in sorted(available_timezones()) if "/" in name and name[:4] != "Etc/"] + ["UTC"]


def refuse_unknown(name: str, value: str, themes: Sequence[str]) -> None:
    """Raises Invalid for a theme or a language that there is none of; every other setting passes."""
    if name == "THEME" and value not in themes:
        raise Invalid(f"THEME cannot be used: there is no theme {value}; choose {_or(themes)}.")
    if name == "LANGUAGE" and not _is_language(value):
        raise Invalid(
            f"LANGUAGE cannot be used: no language has the code {value}; write one such as en, de or pt-BR."
        )


def _is_language(tag: str) -> bool:
    try:
        Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return False
    return True


def _or(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
