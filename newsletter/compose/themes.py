"""Themes: a folder each, of templates and ``theme.toml``; an author's own folder lies on top.

A file is looked for in the author's folder, then in the theme's, then in ``shared``. Tokens of an
author's ``theme.toml`` replace the theme's one by one.
"""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from newsletter.compose.places import line_in, line_of, own_folder, shipped, unreadable
from newsletter.compose.slots import Raw
from newsletter.errors import ConfigError, TemplateProblem
from newsletter.guard.addresses import safe_link

_NAME = re.compile(r"[a-z][a-z0-9-]{0,40}")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_FAMILY = re.compile(r"[A-Za-z0-9 ,'_-]{1,300}")
_NUMBER = re.compile(r"\d{1,4}(?:\.\d{1,3})?")

PALETTE: Final = ("page", "paper", "text", "muted", "line", "link", "title", "accent", "code", "on_accent")
"""Every colour of a palette, all of them ``#rrggbb``. ``code`` is the ground behind code."""


@dataclass(frozen=True, kw_only=True)
class Logo:
    """A picture above the newsletter's title. ``width`` in pixels."""

    url: str
    alt: str
    width: Raw


@dataclass(frozen=True, kw_only=True)
class Theme:
    """A theme's tokens, validated, and the folders where its files are looked for, in order."""

    name: str
    folders: tuple[Path, ...]
    light: Mapping[str, Raw] = field(hash=False)
    dark: Mapping[str, Raw] = field(hash=False)
    type: Mapping[str, Raw] = field(hash=False)
    layout: Mapping[str, Raw] = field(hash=False)
    logo: Logo | None
    digest: str = "full"  #: what a digest shows of each post: "full" or "excerpt"
    version: str = field(default="")  #: hash of every file


class Themes:
    """Finds themes. Looks at the author's own files each time it is asked, so that a change is seen at once;
    those that ship stay as they are while the product runs."""

    def names(self) -> tuple[str, ...]:
        """The themes that ship."""
        return tuple(sorted(path.parent.name for path in shipped().glob("*/theme.toml")))

    def get(self, name: str, folder: str = "") -> Theme:
        """The theme with the author's folder on top.

        Raises ConfigError for a theme or folder that does not exist, TemplateProblem naming the file
        for one that is wrong.
        """
        base = shipped(name) if _NAME.fullmatch(name) else shipped() / "none"
        if not (base / "theme.toml").is_file():
            raise ConfigError(
                f"There is no theme named {name!r}.", hint=f"Choose from: {', '.join(self.names())}."
            )
        folders = [base, shipped("shared")]
        signature = _shipped_signature(base, folders[1])
        if folder:
            own = own_folder(folder)
            try:
                if not own.is_dir():
                    raise ConfigError(
                        f"The theme folder {folder} does not exist.",
                        hint="Mend THEME_FOLDER or leave it empty.",
                    )
                return _loaded(name, (own, *folders), (*_signature(own), *signature))
            except OSError as error:
                raise unreadable(error, own) from error
        return _loaded(name, tuple(folders), signature)


_Signature = tuple[tuple[str, int, int], ...]


def _signature(folder: Path) -> _Signature:
    """What changes when a file in a folder does: names, times and sizes."""
    return tuple(
        (entry.path, status.st_mtime_ns, status.st_size)
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name)
        if entry.is_file() or entry.is_dir()  # editors leave links to nowhere as locks
        for status in (entry.stat(),)
    )


@cache
def _shipped_signature(base: Path, shared: Path) -> _Signature:
    return _signature(base) + _signature(shared)


@lru_cache(maxsize=8)
def _loaded(name: str, folders: tuple[Path, ...], signature: _Signature) -> Theme:
    """The theme in these folders; read again when ``signature`` says that a file has changed."""
    *own, base, _ = folders
    data = _read(base / "theme.toml")
    if own and (own[0] / "theme.toml").is_file():
        data = _merged(data, _read(own[0] / "theme.toml"), own[0] / "theme.toml")
    file = str(folders[0] / "theme.toml")
    return Theme(
        name=name,
        folders=folders,
        light=_checked(data, "light", dict.fromkeys(PALETTE, _COLOUR), file),
        dark=_checked(data, "dark", dict.fromkeys(PALETTE, _COLOUR), file),
        type=_checked(data, "type", _TYPE, file),
        layout=_checked(data, "layout", _LAYOUT, file),
        logo=_logo(data, file),
        digest=_digest(data, file),
        version=_version(folders),
    )


_TYPE = {
    "body": _FAMILY,
    "heading": _FAMILY,
    "interface": _FAMILY,
    "mono": _FAMILY,
    "size": _NUMBER,
    "line_height": _NUMBER,
    "title_size": _NUMBER,
    "title_size_phone": _NUMBER,
    "title_weight": _NUMBER,
    "digest_title_size": _NUMBER,
    "small": _NUMBER,
}
_LOGO = ("url", "alt", "width")
_LAYOUT = {"width": _NUMBER, "gutter": _NUMBER, "radius": _NUMBER}
_TABLES = {"light", "dark", "type", "layout", "logo", "digest", "name"}


def _read(path: Path) -> dict[str, dict[str, object]]:
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TemplateProblem(
            f"{path.name} cannot be read: {error}.", file=str(path), line=line_in(error)
        ) from error
    for name, value in data.items():
        if name not in _TABLES:
            raise TemplateProblem(
                f"{path.name} has a part {name!r} that means nothing.",
                file=str(path),
                line=line_of(path, name),
                hint=f"Its parts are: {', '.join(sorted(_TABLES))}.",
            )
        if not isinstance(value, dict) and name != "name":
            raise TemplateProblem(
                f"{path.name}: {name!r} must be a table.", file=str(path), line=line_of(path, name)
            )
    return data


def _merged(
    base: dict[str, dict[str, object]], own: dict[str, dict[str, object]], file: Path
) -> dict[str, dict[str, object]]:
    merged = dict(base)
    for table, values in own.items():
        if table == "name":
            continue
        for token in values:
            known = _LOGO if table == "logo" else tuple(base.get(table, {}))
            if token not in known:
                raise TemplateProblem(
                    f"theme.toml sets {table}.{token}, which does not exist.",
                    file=str(file),
                    line=line_of(file, token),
                    hint=f"[{table}] has: {', '.join(known)}.",
                )
        merged[table] = {**base.get(table, {}), **values}
    return merged


def _checked(
    data: Mapping[str, Mapping[str, object]], table: str, rules: Mapping[str, re.Pattern[str]], file: str
) -> dict[str, Raw]:
    given = data.get(table, {})
    checked: dict[str, Raw] = {}
    for token, rule in rules.items():
        value = str(given.get(token, ""))
        if not rule.fullmatch(value):
            raise TemplateProblem(
                f"theme.toml: {table}.{token} is {value!r}, which cannot be used.",
                file=file,
                line=line_of(Path(file), token) if Path(file).is_file() else 0,
                hint="Colours are written #rrggbb, sizes as numbers of pixels, fonts as names with commas.",
            )
        checked[token] = Raw(value)
    return checked


def _logo(data: Mapping[str, Mapping[str, object]], file: str) -> Logo | None:
    given = data.get("logo", {})
    url, width = str(given.get("url", "")), str(given.get("width", "120"))
    if not url:
        return None
    if not safe_link(url) or not _NUMBER.fullmatch(width):
        raise TemplateProblem(
            "theme.toml: the logo needs a public url and a width in pixels.",
            file=file,
            line=line_of(Path(file), "logo") if Path(file).is_file() else 0,
        )
    return Logo(url=url, alt=str(given.get("alt", "")), width=Raw(width))


def _digest(data: Mapping[str, Mapping[str, object]], file: str) -> str:
    shows = str(data.get("digest", {}).get("shows", "full"))
    if shows not in ("full", "excerpt"):
        raise TemplateProblem(
            f"theme.toml: digest.shows is {shows!r}; it is 'full' or 'excerpt'.",
            file=file,
            line=line_of(Path(file), "shows"),
        )
    return shows


def _version(folders: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.iterdir()):
            if path.suffix in (".j2", ".toml") and path.is_file():
                digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
