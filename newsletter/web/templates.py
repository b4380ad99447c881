"""Where the templates lie, and the Jinja environment that every page is made with."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

import newsletter


def templates_folder() -> Path:
    """The folder with ``email/`` and ``web/``: in the installed package, else in the checkout beside it."""
    package = Path(newsletter.__file__).resolve().parent
    carried = package / "_templates"
    return carried if carried.is_dir() else package.parent / "templates"


def environment() -> Environment:
    """Everything is escaped, and a name that does not exist is a mistake, not an empty string."""
    return Environment(
        loader=FileSystemLoader(templates_folder() / "web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
