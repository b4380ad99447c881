"""Where the shipped email templates lie, and where in a file a problem is."""

from __future__ import annotations

import re
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


def own_folder(folder: str) -> Path:
    """The author's theme folder; a home directory that does not exist is taken literally."""
    try:
        return Path(folder).expanduser()
    except RuntimeError:
        return Path(folder)


def unreadable(error: OSError, path: Path) -> TemplateProblem:
    """A file or folder of the author's that the system does not give us."""
    reason = (error.strerror or str(error)).lower()
    return TemplateProblem(
        f"{path.name} cannot be read: {reason}.",
        file=str(error.filename or path),
        hint="Let the user that runs this read the theme folder.",
    )


def line_of(path: Path, word: str) -> int:
    """The first line of a TOML file that begins with a word, or ``[word``; 0 where there is none."""
    lines = path.read_text("utf-8", errors="replace").splitlines()
    return next((n for n, text in enumerate(lines, 1) if re.match(rf"\s*\[?{re.escape(word)}\b", text)), 0)


def line_in(error: Exception) -> int:
    """The line that a parser's own message names, else 0."""
    found = re.search(r"at line (\d+)", str(error))
    return int(found[1]) if found else 0
