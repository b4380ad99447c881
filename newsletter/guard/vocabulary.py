"""The HTML that a post may use in mail and in the archive: tags, attributes, schemes.

Everything else is unwrapped (its text stays) or, for the few in ``CONTENT_DROPPED``, removed with its
content, which is code or a substitute for something that mail cannot show, never the author's text.
"""

from __future__ import annotations

TAGS = frozenset(
    """
    a abbr b blockquote br caption center cite code col colgroup dd del dfn div dl dt em figcaption figure
    h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q rp rt ruby s samp small span strong sub sup
    table tbody td tfoot th thead tr u ul var
    """.split()
)
VOID = frozenset({"br", "col", "hr", "img"})

CONTENT_DROPPED = frozenset(
    """
    audio canvas iframe noembed noframes noscript script select style svg template textarea title video
    """.split()
)

_CELL = frozenset({"align", "colspan", "height", "rowspan", "valign", "width"})
_ROW = frozenset({"align", "valign"})
ATTRIBUTES: dict[str, frozenset[str]] = {
    "*": frozenset({"dir", "lang"}),
    "a": frozenset({"href", "title"}),
    "abbr": frozenset({"title"}),
    "col": frozenset({"span", "width"}),
    "colgroup": frozenset({"span", "width"}),
    "dfn": frozenset({"title"}),
    "img": frozenset({"alt", "height", "src", "title", "width"}),
    "li": frozenset({"value"}),
    "ol": frozenset({"reversed", "start", "type"}),
    "table": frozenset({"align", "border", "cellpadding", "cellspacing", "width"}),
    "tbody": _ROW,
    "td": _CELL,
    "tfoot": _ROW,
    "th": _CELL | {"scope"},
    "thead": _ROW,
    "tr": _ROW,
    "ul": frozenset({"type"}),
}

CLASSES: dict[str, frozenset[str]] = {
    "a": frozenset({"button"}),
    "div": frozenset({"callout"}),
    "figure": frozenset({"card"}),
}
"""The classes that cleaning may leave, for what a theme shows in a box of its own. No other survives."""

SCHEMES = frozenset({"http", "https", "mailto", "tel"})

# How a parser treats elements, allowed or not (WHATWG HTML, "Tree construction").

DEPTH = 200
"""How deep elements may nest: no reader sees a difference beyond, and every compiler after us survives it."""
FORMATTING_DEPTH = 8
"""How many formatting elements may be open at once. A parser may open them again in every later block."""

FORMATTING = frozenset("a b big code em font i nobr s small strike strong tt u".split())
HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
CELLS = frozenset({"caption", "td", "th"})
ROW_GROUPS = frozenset({"tbody", "tfoot", "thead"})
TABLE_PARTS = CELLS | ROW_GROUPS | {"col", "colgroup", "tr"}
CLOSES_P = HEADINGS | frozenset(
    """
    address article aside blockquote center dd details dialog dir div dl dt fieldset figcaption figure footer
    form header hgroup hr li listing main menu nav ol p plaintext pre search section summary table ul xmp
    """.split()
)
