"""Tell markup that the parser reads well from markup that could make it work unduly long or lose text.

Nearly all posts are short or properly nested, use known tags, and go straight to the parser. All others go
through ``guard.tame`` first.
"""

from __future__ import annotations

import re

from newsletter.guard.vocabulary import (
    CLOSES_P,
    CONTENT_DROPPED,
    DEPTH,
    FORMATTING,
    FORMATTING_DEPTH,
    HEADINGS,
    ROW_GROUPS,
    TABLE_PARTS,
    TAGS,
    VOID,
)

# A parser's work and its output stay within about this number of steps and bytes when tags times length does.
_WILD = 32_000_000
# Beyond this length a parser can be slow on one tag of many attributes, or one text of many references.
_LONG = 250_000

# Markup in which every "<" and ">" is what it seems to be.
_ATTRIBUTE = r"""[^\s"'<>/=]++(?:\s*+=\s*+(?:"[^"<>]*+"|'[^'<>]*+'|[^\s"'=<>]++))?+"""
_PLAIN_MARKUP = re.compile(
    rf"(?:[^<]++|</[a-z][a-z0-9:-]*+\s*+>|<[a-z][a-z0-9:-]*+(?:\s++{_ATTRIBUTE})*+\s*+/?>"
    r"|<!--(?!-?>)[^<>]*+(?<=--)>)*+",
    re.ASCII,
)
_TAG_NAME = re.compile(r"<(/?)([a-z][a-z0-9:-]*+)")
# Elements inside which a parser reads tags by other rules.
_OTHER_RULES = frozenset(
    """
    annotation-xml applet body button form frame frameset head html iframe input listing marquee math nobr
    noembed noframes noscript object optgroup option plaintext script select style svg template textarea title
    xmp
    """.split()
)
# Names that nh3 unwraps. Names that it takes for parts of formulas and drawings it removes with all that
# follows in the same parent, even from prose like "a vector<int> or a <path>".
_STARTED_NAME = re.compile(r"<([a-z][^\s/>]*)")
_UNWRAPPED = frozenset(
    """
    area base bdi bdo data datalist embed label legend link main map meta meter o:p output param picture
    progress rb rtc slot source time track wbr
    """.split()
)
_KNOWN = (
    TAGS | CLOSES_P | CONTENT_DROPPED | FORMATTING | _UNWRAPPED | _OTHER_RULES - {"annotation-xml", "math"}
)
_EMPTY = VOID | {"area", "base", "embed", "link", "meta", "param", "source", "track", "wbr"}
_ROWS = frozenset({"tr"})
_MAY_HOLD: dict[str, frozenset[str]] = {
    "table": ROW_GROUPS | {"caption", "col", "colgroup", "tr"},
    "colgroup": frozenset({"col"}),
    "tr": frozenset({"td", "th"}),
    **dict.fromkeys(ROW_GROUPS, _ROWS),
}
# What each of these ends, when one is open, unless a new list begins right before it.
_ENDS = {
    "li": ({"li"}, {"ol", "ul"}),
    "dd": ({"dd", "dt"}, {"dl"}),
    "dt": ({"dd", "dt"}, {"dl"}),
    "rp": ({"rp", "rt"}, {"ruby"}),
    "rt": ({"rp", "rt"}, {"ruby"}),
}
_CAREFUL = CLOSES_P | FORMATTING | TABLE_PARTS | _OTHER_RULES | _EMPTY | set(_ENDS)


def is_wild(html: str) -> bool:
    """Whether a parser could be made to work unduly long on this, or the sanitiser would lose text in it."""
    if len(html) > _LONG:
        return True
    lower = html.lower()
    if not _KNOWN.issuperset(_STARTED_NAME.findall(lower)):
        return True
    return html.count("<") * len(html) > _WILD and not _is_calm(lower)


def _is_calm(html: str) -> bool:
    """Whether all elements are closed in order, nest moderately, and none is closed or moved by the parser.

    ``html`` is in lower case. Then a parser's work grows with the length only. "No" is always a safe answer.
    """
    if _PLAIN_MARKUP.fullmatch(html) is None:
        return False
    open_: list[str] = []
    formatting = 0
    for slash, name in _TAG_NAME.findall(html):
        if slash:
            if not open_ or open_.pop() != name:
                return False
            formatting -= name in FORMATTING
            continue
        top = open_[-1] if open_ else ""
        if top in _MAY_HOLD and name not in _MAY_HOLD[top]:
            return False
        if name in _CAREFUL:
            if _is_moved(name, top, open_):
                return False
            if name in _EMPTY:
                continue
            formatting += name in FORMATTING
        open_.append(name)
        if len(open_) > DEPTH or formatting > FORMATTING_DEPTH:
            return False
    return not open_


def _is_moved(name: str, top: str, open_: list[str]) -> bool:
    """Whether a parser may close something, or ignore or move ``name``, when it begins here."""
    if name in _OTHER_RULES or (name in CLOSES_P and "p" in open_):
        return True
    if name in TABLE_PARTS:
        return top not in _MAY_HOLD
    if name in HEADINGS:
        return not HEADINGS.isdisjoint(open_)
    if name == "a":
        return "a" in open_
    ends, unless_after = _ENDS.get(name, (set(), set()))
    return top not in unless_after and not ends.isdisjoint(open_)
