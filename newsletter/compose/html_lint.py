"""Our own look at the HTML between MJML tags: the compiler wants every tag closed in order, and says of what
it does not like only that there is something.

Everything that comes from a feed is a token here, so that this is the theme's own markup alone.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from newsletter.compose.clean.tree import VOID

_PART: Final = re.compile(
    r"<!--(?P<comment>.*?)-->"
    r"|<(?P<slash>/?)(?P<tag>[A-Za-z][\w:-]*)(?:\s+[^\s=>/\"'<]+(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'))?)*\s*"
    r"(?P<alone>/?)>"
    r"|(?P<stray><)",
    re.S,
)
_FOR_OUTLOOK: Final = ("[if", "<![endif", ">")


@lru_cache(maxsize=512)
def first_problem(html: str) -> tuple[str, int] | None:
    """What is wrong first, and where in the text; or None."""
    open_tags: list[tuple[str, int]] = []
    for part in _PART.finditer(html):
        at = part.start()
        if part["stray"]:
            return _stray(html[at : at + 2]), at
        if (comment := part["comment"]) is not None:
            if "--" in comment and not comment.startswith(_FOR_OUTLOOK):
                return "A comment must not hold “--”.", at
            continue
        tag = part["tag"]
        if tag != tag.lower():
            return f"<{tag}> must be written in small letters.", at
        if tag in VOID or part["alone"]:
            continue
        if not part["slash"]:
            open_tags.append((tag, at))
        elif open_tags and open_tags[-1][0] == tag:
            open_tags.pop()
        elif any(name == tag for name, _ in open_tags):
            return f"<{open_tags[-1][0]}> is not closed before </{tag}>.", open_tags[-1][1]
        else:
            return f"</{tag}> closes what is not open.", at
    return (f"<{open_tags[-1][0]}> is never closed.", open_tags[-1][1]) if open_tags else None


def _stray(start: str) -> str:
    if re.match(r"<[/A-Za-z]", start):
        return "This tag does not end, or an attribute lacks its quotes."
    if start in ("<!", "<?"):
        return f"Only tags and comments may begin with “<”, not “{start}”."
    return "“<” stands alone; write it as &lt;."
