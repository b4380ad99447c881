"""The images of a post as an email shows them: described by the author, and from where every client can
show them. Pure: never touches the network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from newsletter.compose.clean.images import SHOWN_WIDTH
from newsletter.compose.clean.tree import Element
from newsletter.compose.slots import BASE
from newsletter.model.issue import Issue
from newsletter.model.picture import Picture, Pictured
from newsletter.model.post import Post

FOLDER: Final = "/media/"
"""Where our copies are served, under the newsletter's own address."""


def described(root: Element, alts: Mapping[str, str]) -> None:
    """Sets the author's descriptions in a cleaned tree; an empty one makes a picture decoration."""
    for image in _images(root) if alts else ():
        if (alt := alts.get(image.attrs.get("src", ""))) is not None:
            image.attrs["alt"] = alt


def placed(root: Element, pictures: Mapping[str, Picture]) -> None:
    """Shows our copies instead of their sources in a cleaned tree, and writes down the sizes that we know."""
    for image in _images(root) if pictures else ():
        known = pictures.get(image.attrs.get("src", ""))
        if known is None:
            continue
        if known.copy:
            image.attrs["src"] = f"{BASE}{FOLDER}{known.copy}"
        if known.width and known.height:
            width = min(int(image.attrs.get("width", known.width)), SHOWN_WIDTH)
            height = max(round(known.height * width / known.width), 1)
            image.attrs |= {"width": str(width), "height": str(height)}


def pictured(issue: Issue, shown: Sequence[tuple[Post, Element]]) -> list[Pictured]:
    """The images of an issue, in order, each address once; ``shown`` are its posts' cleaned trees."""
    alts = dict(issue.alts)
    found: dict[str, Pictured] = {}
    for post, root in shown:
        named = _within_words(root)
        for image in _images(root):
            source = image.attrs.get("src", "")
            given = alts.get(source)
            if source and source not in found:
                found[source] = Pictured(
                    source=source,
                    post_id=post.id,
                    alt=image.attrs.get("alt") if given is None else given,
                    decorative=given == "",
                    named=image in named,
                )
    return list(found.values())


def _images(root: Element) -> Iterator[Element]:
    return (element for element in root.elements() if element.tag == "img")


def _within_words(root: Element) -> list[Element]:
    """The images whose link holds words too."""
    links = (element for element in root.elements() if element.tag == "a" and element.text().strip())
    return [image for link in links for image in _images(link)]
