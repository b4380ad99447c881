from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from selectolax.lexbor import LexborHTMLParser, LexborNode

from newsletter.compose import Compiler
from newsletter.compose.wrapping import columns
from tests.golden.library import EXPECTED, article, digest, golden, names, single, text

RENEW = "look at the difference, then: python -m tests.golden.renew"


@pytest.fixture(scope="module")
def compiler() -> Iterator[Compiler]:
    with Compiler() as compiler:
        yield compiler


def structure(html: str) -> list[object]:
    """Tags with their attributes, styles declaration by declaration, and words: what a reader's client
    acts on, whatever the order of attributes and the spaces between them."""
    out: list[object] = []

    def walk(node: LexborNode) -> None:
        child = node.first_child
        while child is not None:
            if child.tag == "-text":
                if words := (child.text_content or "").split():
                    out.append(" ".join(words))
            elif child.tag and child.tag[0] != "-":
                attributes = {
                    name: frozenset(re.split(r"\s*;\s*", (value or "").strip("; ")))
                    if name == "style"
                    else value
                    for name, value in child.attributes.items()
                }
                out.append((child.tag, attributes))
                walk(child)
            child = child.next

    body = LexborHTMLParser(html).body
    assert body is not None
    walk(body)
    return out


def test_there_are_samples_of_at_least_25_very_different_blogs() -> None:
    assert len(names()) >= 25
    assert {path.stem for path in EXPECTED.iterdir()} == set(names())


@pytest.mark.parametrize("name", names())
def test_a_sample_becomes_what_was_looked_at(name: str, compiler: Compiler) -> None:
    artefact = single(golden(name), compiler)
    expected = (EXPECTED / f"{name}.html").read_text("utf-8")
    assert structure(article(artefact)) == structure(expected), RENEW
    assert text(artefact) == (EXPECTED / f"{name}.txt").read_text("utf-8"), RENEW


@pytest.mark.parametrize("name", names())
def test_plain_text_has_lines_of_at_most_78_columns_unless_an_address_or_code_is_longer(
    name: str, compiler: Compiler
) -> None:
    for line in text(single(golden(name), compiler)).splitlines():
        longest = max(line.split(), key=len, default="")
        assert columns(line) <= 78 or len(longest) > 40 or line.startswith("    "), line


def test_every_sample_fits_into_one_digest_of_each_theme(compiler: Compiler) -> None:
    samples = [golden(name, number) for number, name in enumerate(names(), 1)]
    for theme in ("letter", "bulletin", "studio"):
        artefact = digest(samples, compiler, theme)
        assert len(artefact.blocks) == len(samples)
        assert sum(segment.slot for segment in artefact.html) >= 3


@pytest.mark.parametrize("theme", ["letter", "bulletin", "studio"])
def test_a_box_keeps_as_much_room_on_one_side_as_on_the_other(theme: str, compiler: Compiler) -> None:
    boxes = [
        box
        for name in ("ghost-cards", "static-site-code", "medium", "wordpress-blocks")
        for box in LexborHTMLParser(article(single(golden(name), compiler, theme))).css("td.box")
    ]
    assert {"callout", "card", "code", "action"} <= {
        word for box in boxes for word in (box.attributes["class"] or "").split()
    }
    for box in boxes:
        left, right = _sides(box.attributes["style"] or "")
        assert left == right, box.attributes["style"]


def _sides(style: str) -> tuple[str, str]:
    """What a client takes for the padding on the left and on the right: of declarations, the last."""
    left = right = ""
    for declaration in style.split(";"):
        name, _, value = declaration.partition(":")
        if name.strip() == "padding":
            left = right = value.split()[1 if len(value.split()) == 2 else 0]
        elif name.strip() == "padding-left":
            left = value.strip()
        elif name.strip() == "padding-right":
            right = value.strip()
    return left, right
