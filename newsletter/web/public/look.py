"""The newsletter's look on its pages: the colours and type of its theme, laid over the pages' own. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Look:
    """A theme's palettes (see themes.toml) and its typefaces; empty ones change nothing."""

    light: Mapping[str, str] = field(default_factory=dict)
    dark: Mapping[str, str] = field(default_factory=dict)
    heading: str = ""
    heading_weight: str = ""
    body: str = ""


_COLOURS: Final = {
    "page": "--paper",
    "paper": "--card",
    "text": "--ink",
    "title": "--title",
    "muted": "--muted",
    "line": "--line",
    "accent": "--accent",
    "on_accent": "--on-accent",
}
_COLOUR: Final = re.compile(r"#[0-9A-Fa-f]{6}")
_TYPE: Final = re.compile(r"[\w ,.'\"-]+", re.ASCII)


def style_sheet(base: bytes, look: Look) -> bytes:
    """The pages' style sheet in this look. What is no colour or no list of typefaces is left out."""
    type_rules = [
        f"{name}: {value};"
        for name, value in (
            ("--heading", look.heading),
            ("--heading-weight", look.heading_weight),
            ("--body", look.body),
        )
        if _TYPE.fullmatch(value)
    ]
    rules = [f":root {{ {' '.join([*_colours(look.light), *type_rules])} }}"]
    if dark := _colours(look.dark):
        rules.append(f"@media (prefers-color-scheme: dark) {{ :root {{ {' '.join(dark)} }} }}")
    return base + "\n".join(["", "/* The newsletter's theme. */", *rules, ""]).encode()


def _colours(palette: Mapping[str, str]) -> list[str]:
    return [
        f"{ours}: {palette[theirs]};"
        for theirs, ours in _COLOURS.items()
        if _COLOUR.fullmatch(palette.get(theirs, ""))
    ]
