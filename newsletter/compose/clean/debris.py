"""What blog editors leave behind and no reader should meet: scripts, share buttons, tracking pixels,
Word's markup. Each question is answered from the element alone."""

from __future__ import annotations

import re
from typing import Final

from newsletter.compose.clean.tree import Element, Node

SILENT: Final = frozenset(
    """
    script style template head title meta link base map area input track source param colgroup col dialog
    datalist progress meter
    """.split()
)
"""Elements that show no words of the author's. A mathematical script is asked for before."""

_WIDGETS = frozenset(
    """
    sharedaddy sd-sharing sd-block jp-relatedposts addtoany_share_save_container addtoany_content
    post-share-buttons share-buttons social-share feedflare a2a_kit mc4wp-form subscription-widget-wrap
    subscription-widget wp-block-jetpack-subscriptions wp-block-jetpack-sharing-buttons kg-signup-card
    heateor_sss_sharing_container shareaholic-canvas essb_links swp_social_panel
    """.split()
)
"""Share and sign-up widgets, by the class that their makers give them."""


def silent(element: Element) -> bool:
    """Whether the element shows nothing on the blog, or only a share or sign-up widget."""
    if element.tag in SILENT:
        return True
    if "hidden" in element.attrs:
        return True
    given = element.attrs.get("style", "").lower()
    if ("none" in given or "hid" in given) and _HIDES.search(element.style):
        return True
    return "class" in element.attrs and not _WIDGETS.isdisjoint(element.classes)


_HIDES = re.compile(r"(?:^|;)(?:display:none|visibility:hidden|mso-hide:all)")


def meaning_of_style(element: Element) -> tuple[str, ...]:
    """The tags that say what an inline style shows: Google Docs and Word write bold as a style."""
    given = element.attrs.get("style", "").lower()
    return tuple(tag for word, tag, says in _MEANINGS if word in given and says.search(element.style))


_MEANINGS: Final = (
    ("font-weight", "b", re.compile(r"(?:^|;)font-weight:(?:bold|bolder|[6-9]00)(?:;|$)")),
    ("font-style", "i", re.compile(r"(?:^|;)font-style:(?:italic|oblique)")),
    ("line-through", "s", re.compile(r"(?:^|;)text-decoration(?:-line)?:[^;]*line-through")),
    ("vertical-align", "sub", re.compile(r"(?:^|;)vertical-align:sub(?:;|$)")),
    ("vertical-align", "sup", re.compile(r"(?:^|;)vertical-align:super(?:;|$)")),
)
"""A word that must be in a style, the tag, and what exactly the style must say."""


def means_nothing(element: Element) -> bool:
    """``<b style="font-weight:normal">`` is how Google Docs wraps a whole document. Word's
    ``mso-bidi-font-weight`` says nothing of the kind."""
    if "style" not in element.attrs or (name := _EMPHASIS.get(element.tag)) is None:
        return False
    return re.search(rf"(?:^|;)font-{name}:normal", element.style) is not None


_EMPHASIS: Final = {"b": "weight", "strong": "weight", "i": "style", "em": "style"}

_LIST_CLASS = re.compile(r"(?:^|\s)MsoListParagraph|mso-list:l\d", re.I)
_NUMBER = re.compile(r"^\(?(\d{1,4}|[a-zA-Z]|[ivxIVX]{1,6})[.)]$")


def word_list_item(element: Element) -> tuple[str, str] | None:
    """Whether a paragraph is an item of a list as Word writes it: the list's tag and its marker.

    Word puts the marker into ``<span style='mso-list:Ignore'>``, which browsers show and which a real
    list would show a second time.
    """
    if element.tag != "p" or not ("class" in element.attrs or "style" in element.attrs):
        return None
    about = f"{element.attrs.get('class', '')} {element.attrs.get('style', '')}".lower()
    if "mso" not in about or not _LIST_CLASS.search(f"{element.attrs.get('class', '')} {element.style}"):
        return None
    for part in element.elements():
        if "mso-list:ignore" in part.style:
            marker = part.text().replace("\xa0", " ").strip()
            return ("ol" if _NUMBER.match(marker) else "ul"), marker
    return None


def without_marker(element: Element) -> list[Node]:
    """The children of a Word list item without its marker."""

    def keep(node: Node) -> Node | None:
        if isinstance(node, str):
            return node
        if "mso-list:ignore" in node.style:
            return None
        copy = Element(node.tag, node.attrs)
        copy.children = [kept for child in node.children if (kept := keep(child)) is not None]
        return copy

    return [kept for child in element.children if (kept := keep(child)) is not None]


_PIXEL_URL = re.compile(
    r"""(?ix) ^https?://
      (?: [^/]*feedburner\.com/~r/ | feeds\.feedburner\.com/~ff/ | medium\.com/_/stat | pixel\.wp\.com/
        | stats\.wordpress\.com/ | b\.scorecardresearch\.com/ | [^/]*\.doubleclick\.net/
        | (?:www|ssl)\.google-analytics\.com/ | blogger\.googleusercontent\.com/tracker/
        | (?:www\.)?facebook\.com/tr | feeds\.wordpress\.com/1\.0/ | analytics\.[^/]+/ | pixel\.[^/]+/
        | rss-tracker\.[^/]+/ | track\.[^/]+/open )"""
)


def tracking(element: Element, src: str) -> bool:
    """Whether an image is there to be counted rather than seen."""
    sizes = [element.attrs.get(name, "").removesuffix("px").strip() for name in ("width", "height")]
    if any(size in ("0", "1") for size in sizes):
        return True
    if re.search(r"(?:^|;)(?:max-)?(?:width|height):[01](?:px)?(?:;|$)", element.style):
        return True
    return _PIXEL_URL.match(src) is not None
