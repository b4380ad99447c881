"""Where the shipped email templates lie."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import newsletter
from newsletter.errors import TemplateProblem


@cache
def shipped(name: str = "") -> Path:
    """A folder of shipped templates. The wheel carries them inside the package; a checkout beside it."""
    package = Path(newsletter.__file__).parent
    for folder in (package / "_templates" / "email", package.parent / "templates" / "email"):
        if folder.is_dir():
            return folder / name if name else folder
    raise TemplateProblem("The email templates are missing from this installation.", file="templates/email")
