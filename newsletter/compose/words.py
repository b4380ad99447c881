"""What the email says by itself, in the newsletter's language; and how dates are written there."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time

from newsletter.compose.places import line_in, line_of, own_folder, shipped, unreadable
from newsletter.errors import TemplateProblem

_FALLBACK: Final = "en"
_RIGHT_TO_LEFT: Final = frozenset({"ar", "arc", "ckb", "dv", "fa", "he", "ks", "ps", "sd", "ug", "ur", "yi"})
_UPRIGHT: Final = frozenset(
    """
    ar bn ckb dv fa gu he hi ja km kn ko ks lo ml mr my ne pa ps sd si ta te th ug ur yi zh
    """.split()
)
"""Languages whose scripts have no italics: what programs slant for them is only bent, and hard to read.
Their signs are also taller or denser, and want more room between lines."""


_PLACE: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Language:
    """A language as email needs it: its tag for ``lang``, its direction, its texts."""

    tag: str
    texts: Mapping[str, str]
    locale: Locale

    def __call__(self, name: str, **values: object) -> str:
        """The text ``name`` with ``{placeholders}`` filled. Raises TemplateProblem for a text that
        does not exist."""
        text = self.texts.get(name)
        if text is None:
            raise TemplateProblem(f"There is no text named {name!r}.", file=f"words/{self.tag}.toml")
        return _PLACE.sub(lambda m: str(values.get(m[1], m[0])), text) if "{" in text else text

    def count(self, name: str, number: int, **values: object) -> str:
        """The text for a number: ``name.one``, ``name.few`` and so on, as the language's plural rule
        (CLDR, by Babel) says; ``name.other`` where it has no form of its own."""
        form = f"{name}.{self.locale.plural_form(number)}"
        return self(form if form in self.texts else f"{name}.other", number=number, **values)

    @property
    def direction(self) -> str:
        return "rtl" if self.locale.language in _RIGHT_TO_LEFT else "ltr"

    @property
    def upright(self) -> bool:
        """Whether its script has no italics."""
        return self.locale.language in _UPRIGHT

    def date(self, moment: datetime, zone: tzinfo) -> str:
        return _long_date(moment.astimezone(zone).date(), self.locale)

    def date_time(self, moment: datetime, zone: tzinfo) -> str:
        local = moment.astimezone(zone)
        return f"{_long_date(local.date(), self.locale)}, {format_time(local, 'short', locale=self.locale)}"


@lru_cache(maxsize=256)
def _long_date(day: date, locale: Locale) -> str:
    """A day as it is written; posts of one issue share theirs."""
    return format_date(day, format="long", locale=locale)


def zone(name: str) -> tzinfo:
    """The time zone of an IANA name; UTC for a name that is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def language(tag: str, folder: str = "") -> Language:
    """The language of a BCP 47 tag. Texts of a language that we do not speak are English; dates and
    direction are the language's own where Babel knows it.

    ``folder`` is the author's own: texts in its ``words/<language>.toml`` replace ours one by one. Raises
    TemplateProblem for a wrong file there.
    """
    clean = tag.strip().replace("_", "-")
    if not re.fullmatch(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}", clean):
        clean = _FALLBACK
    found = _language(clean)
    own = own_folder(folder) / "words" / f"{clean.split('-')[0].lower()}.toml" if folder else None
    if own is not None and own.is_file():
        return replace(found, texts=_with_own(found.texts, own))
    return found


def _with_own(texts: Mapping[str, str], file: Path) -> dict[str, str]:
    own = read_texts(file)
    for name in own:
        if name.partition(".")[0] not in {known.partition(".")[0] for known in texts}:
            raise TemplateProblem(
                f"{file.name} has a text {name!r}, which nothing says.",
                file=str(file),
                line=line_of(file, name.partition(".")[0]),
            )
    return {**texts, **own}


@lru_cache(maxsize=64)
def _language(tag: str) -> Language:
    base = tag.split("-")[0].lower()
    texts = read_texts(shipped("words") / f"{_FALLBACK}.toml")
    own = shipped("words") / f"{base}.toml"
    spoken = own.is_file()
    if spoken and base != _FALLBACK:
        texts = texts | read_texts(own)
    try:
        locale = Locale.parse(tag.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        try:
            locale = Locale.parse(base)
        except (UnknownLocaleError, ValueError):
            locale = Locale.parse(_FALLBACK)
    return Language(tag=tag, texts=texts, locale=locale)


def read_texts(path: Path) -> dict[str, str]:
    """A file of texts: one level of tables for plural forms. Raises TemplateProblem for a wrong file."""
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise unreadable(error, path) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TemplateProblem(
            f"The texts cannot be read: {error}.", file=str(path), line=line_in(error)
        ) from error
    texts: dict[str, str] = {}
    for name, value in data.items():
        forms = value if isinstance(value, dict) else {"": value}
        for form, text in forms.items():
            if not isinstance(text, str):
                raise TemplateProblem(
                    f"The text {name!r} is no text.", file=str(path), line=line_of(path, name)
                )
            texts[f"{name}.{form}" if form else name] = text
    return texts
