"""Drawings (SVG) become pictures of what they look like; nothing that they ask for is done."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image

from newsletter.compose import drawing_child
from newsletter.compose.drawing_child import draw
from newsletter.compose.shrink import shrink

NAMESPACES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
WHITE, BLUE = (255, 255, 255, 255), (0, 0, 255, 255)


def drawing(inside: str, size: str = 'width="40" height="30"') -> bytes:
    return f"<svg {NAMESPACES} {size}>{inside}</svg>".encode()


def seen(body: bytes) -> Any:
    told, png = draw(body)
    assert "refused" not in told, told
    return Image.open(BytesIO(png)).convert("RGBA")


def colours(body: bytes) -> set[Any]:
    return {colour for _, colour in seen(body).getcolors(maxcolors=1_000_000)}


def test_a_drawing_becomes_a_png_twice_as_large_as_it_is_shown() -> None:
    found = shrink(drawing('<rect width="40" height="30" fill="#00f"/>'))
    assert (found.width, found.height, found.refused) == (40, 30, "")
    assert found.name.endswith(".png")
    picture = Image.open(BytesIO(found.body)).convert("RGBA")
    assert picture.size == (80, 60)
    assert picture.getpixel((40, 30)) == BLUE


def test_it_stands_on_white_so_that_black_lines_show_on_a_dark_page() -> None:
    assert seen(drawing('<circle cx="20" cy="15" r="5"/>')).getpixel((1, 1)) == WHITE


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ('width="2in" height="1in"', (192, 96)),
        ('width="40px" viewBox="0 0 4 3"', (40, 30)),
        ('height="30" viewBox="0,0,4,3"', (40, 30)),
        ('viewBox="0 0 4 3"', (1200, 900)),
        ('width="100%" height="100%" viewBox="0 0 4 3"', (1200, 900)),
        ("", (300, 150)),
    ],
)
def test_its_size_is_what_a_page_would_give_it(size: str, expected: tuple[int, int]) -> None:
    told, _ = draw(drawing("", size))
    assert (told["width"], told["height"]) == expected


def test_a_tall_drawing_stays_within_bounds() -> None:
    _, png = draw(drawing("", 'viewBox="0 0 10 90"'))
    assert Image.open(BytesIO(png)).height <= drawing_child.TALLEST


@pytest.mark.parametrize("tag", ["image", "use", "feImage"])
@pytest.mark.parametrize("attribute", ["href", "xlink:href"])
def test_no_file_of_this_machine_is_shown(tag: str, attribute: str, tmp_path: Path) -> None:
    Image.new("RGB", (40, 30), "red").save(tmp_path / "secret.png")
    (tmp_path / "secret.svg").write_bytes(drawing('<rect id="a" width="40" height="30" fill="red"/>'))
    for name in ("secret.png", "secret.svg"):
        for address in (f"{tmp_path}/{name}", f"file://{tmp_path}/{name}", f" {tmp_path}/{name}#a"):
            inside = f'<{tag} {attribute}="{address}" width="40" height="30"/>'
            if tag == "feImage":
                inside = f'<filter id="f">{inside}</filter><rect width="40" height="30" filter="url(#f)"/>'
            assert not any(r > 200 and g < 50 for r, g, _, _ in colours(drawing(inside)))


def test_no_drawing_is_taken_from_within_a_drawing() -> None:
    nested = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'%3E%3C/svg%3E"
    root = ElementTree.fromstring(drawing(f'<image href="{nested}"/><a href="javascript:x"/>'))
    drawing_child._make_harmless(root)
    assert b"data:" not in ElementTree.tostring(root)
    assert b"javascript" not in ElementTree.tostring(root)


def test_what_stands_within_it_is_shown() -> None:
    inside = '<defs><rect id="a" width="40" height="30" fill="#00f"/></defs><use xlink:href="#a"/>'
    assert BLUE in colours(drawing(inside))


def test_a_script_and_foreign_markup_are_left_out() -> None:
    inside = "<script>alert(1)</script><foreignObject><p xmlns='http://www.w3.org/1999/xhtml'>x</p></foreignObject>"
    root = ElementTree.fromstring(drawing(inside))
    drawing_child._make_harmless(root)
    assert len(root) == 0


def _uses(levels: int) -> str:
    """A drawing that repeats itself ten times at each level."""
    groups = "".join(
        f'<g id="g{n}">' + f'<use href="#g{n - 1}"/>' * 10 + "</g>" for n in range(1, levels + 1)
    )
    return f'<defs><rect id="g0" width="1" height="1"/>{groups}</defs><use href="#g{levels}"/>'


_LAUGHS = "".join(f'<!ENTITY e{n} "' + f"&e{n - 1};" * 10 + '">' for n in range(1, 10))


@pytest.mark.parametrize(
    "body",
    [
        b"<svg></svg>",
        b"<svg xmlns='http://www.w3.org/2000/svg'>",
        b"\xef\xbb\xbf <?xml version='1.0'?><!-- --><html/>",
        drawing("", 'width="1e9" height="30"'),
        drawing("", 'width="0" height="30"'),
        drawing("", 'viewBox="a b c d"'),
        drawing("<g>" * 20_000 + "</g>" * 20_000),
        drawing(_uses(12)),
        f'<!DOCTYPE svg [<!ENTITY e0 "ha">{_LAUGHS}]>'.encode() + drawing("<text>&e9;</text>"),
        b'<!DOCTYPE svg [<!ENTITY e SYSTEM "file:///etc/hostname">]>' + drawing("<text>&e;</text>"),
    ],
    ids=[
        "no namespace",
        "cut off",
        "a page",
        "endless",
        "nothing",
        "no numbers",
        "deep",
        "uses",
        "laughs",
        "entity",
    ],
)
def test_a_hostile_drawing_is_refused_and_nothing_is_harmed(body: bytes) -> None:
    found = shrink(body)
    assert found.refused and not found.body


@pytest.mark.parametrize("family", ["Georgia", "no such family", "sans-serif", "monospace", ""])
def test_words_are_drawn_whatever_family_they_ask_for_or_the_drawing_is_refused(family: str) -> None:
    told, png = draw(drawing(f'<text x="2" y="20" font-family="{family}">Hi</text>'))
    if told.get("refused"):
        assert "no fonts" in str(told["refused"]) and not png
    else:
        assert len(colours(drawing(f'<text x="2" y="20" font-family="{family}">Hi</text>'))) > 1


def test_a_drawing_with_words_is_refused_where_there_are_no_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing_child, "_is_here", lambda family: False)
    told, png = draw(drawing('<text x="2" y="20">Hi</text>'))
    assert "no fonts" in str(told["refused"]) and not png


def test_a_machine_without_room_for_a_process_costs_the_copy_not_the_issue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("Cannot allocate memory")

    monkeypatch.setattr("newsletter.compose.shrink.subprocess.run", full)
    assert shrink(b"anything").refused == "could not be looked at"
