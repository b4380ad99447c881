from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from newsletter.approve import checklist
from newsletter.errors import ExtraMissing
from newsletter.model.artefact import Artefact, Block, Segment
from newsletter.model.checklist import CheckLine, Level
from newsletter.model.picture import Picture, Pictured
from newsletter.model.publication import Newsletter, Sender

NEWSLETTER = Newsletter(
    title="Field Notes",
    sender=Sender(name="Rosa", address="rosa@example.org"),
    postal_address="PO Box 12",
    base_url="https://news.example.org",
)


def an_artefact(body: str = "<h1>T</h1><p>Some words.</p>", **changes: Any) -> Artefact:
    unsubscribe = Segment("unsubscribe_url", slot=True)
    given: dict[str, Any] = {
        "subject": "A subject",
        "preheader": "A preview line",
        "sender": Sender(name="Rosa", address="rosa@example.org"),
        "reply_to": "",
        "language": "en",
        "title": "Field Notes",
        "html": (
            Segment("<body>"),
            Segment(body, block=0),
            Segment("<a href='"),
            unsubscribe,
            Segment("'>x</a>"),
        ),
        "text": (Segment("Some words.", block=0), unsubscribe),
        "blocks": (Block(number=0, post_id=1, title="The post"),),
    }
    return Artefact(**given | changes)


def codes(
    level: Level, artefact: Artefact | None, newsletter: Newsletter = NEWSLETTER, **facts: Any
) -> set[str]:
    return {line.code for line in checklist(newsletter, artefact, **facts).lines if line.level is level}


def test_a_good_draft_has_nothing_that_blocks_and_no_advice() -> None:
    assert codes(Level.BLOCKING, an_artefact()) == set()
    assert codes(Level.ADVICE, an_artefact()) == set()


@pytest.mark.parametrize(
    ("code", "newsletter", "artefact"),
    [
        ("from", replace(NEWSLETTER, sender=None), an_artefact()),
        ("postal_address", replace(NEWSLETTER, postal_address=" \n"), an_artefact()),
        ("base_url", replace(NEWSLETTER, base_url="http://localhost:8000"), an_artefact()),
        ("unsubscribe", NEWSLETTER, an_artefact(html=(Segment("<h1>T</h1>", block=0),))),
        ("unsubscribe", NEWSLETTER, an_artefact(text=(Segment("only words"),))),
        ("empty", NEWSLETTER, an_artefact("<div> </div>")),
        ("empty", NEWSLETTER, an_artefact(blocks=())),
        ("subject", NEWSLETTER, an_artefact(subject="")),
        ("size", NEWSLETTER, an_artefact("<h1>T</h1>" + "<p>word</p>" * 10_000)),
        ("private_link", NEWSLETTER, an_artefact("<h1>T</h1><a href='http://192.168.1.4/x'>x</a>")),
        ("private_link", NEWSLETTER, an_artefact("<h1>T</h1>x<img alt='y' src='http://nas.local/x.png'>")),
    ],
)
def test_what_blocks(code: str, newsletter: Newsletter, artefact: Artefact) -> None:
    assert codes(Level.BLOCKING, artefact, newsletter) == {code}


def test_a_theme_that_cannot_be_compiled_blocks_with_its_reason() -> None:
    found = checklist(NEWSLETTER, None, problem="layout.mjml.j2, line 4: there is no tag <mj-colum>.")
    assert [line.code for line in found.blocking] == ["template"]
    assert "line 4" in found.blocking[0].text


def test_every_blocking_line_says_how_to_mend_it() -> None:
    bad = replace(NEWSLETTER, sender=None, postal_address="")
    assert all(line.mend for line in checklist(bad, an_artefact(subject="")).blocking)


@pytest.mark.parametrize(
    ("code", "artefact"),
    [
        ("subject", an_artefact(subject="word " * 20)),
        ("preheader", an_artefact(preheader="")),
        ("preheader", an_artefact(preheader="word " * 40)),
        ("http_images", an_artefact("<h1>T</h1>x<img alt='y' src='http://blog.example.org/a.png'>")),
        ("shortener", an_artefact("<h1>T</h1><a href='https://bit.ly/x'>x</a>")),
        ("headings", an_artefact("<h1>T</h1><h3>x</h3>")),
        ("clients", an_artefact("<h1>T</h1><p style='position:absolute'>x</p>")),
        ("size", an_artefact("<h1>T</h1>" + "<p>words words</p>" * 5_000)),
        ("style", an_artefact("<style>" + "a{color:red}" * 1_500 + "</style><h1>T</h1><p>x</p>")),
    ],
)
def test_what_is_advised(code: str, artefact: Artefact) -> None:
    assert codes(Level.ADVICE, artefact) == {code}


PICTURE = Pictured(source="https://blog.example.org/a.png", post_id=1, alt=None)


@pytest.mark.parametrize("silent", [PICTURE, replace(PICTURE, alt="")])
def test_a_picture_that_nobody_described_is_asked_for(silent: Pictured) -> None:
    assert codes(Level.ADVICE, an_artefact(), pictured=[silent]) == {"alt"}


@pytest.mark.parametrize(
    "fine",
    [
        replace(PICTURE, alt="A capsule"),
        replace(PICTURE, alt="", decorative=True),
        replace(PICTURE, alt="", named=True),
    ],
)
def test_a_picture_described_decorative_or_named_by_its_link_is_fine(fine: Pictured) -> None:
    assert "alt" in codes(Level.GOOD, an_artefact(), pictured=[fine])


def test_a_copy_that_could_not_be_kept_is_told_with_its_reason() -> None:
    drawing = Picture(
        source="https://blog.example.org/a.svg", problem="is a drawing (SVG)", looked_at=datetime.now(UTC)
    )
    copied = replace(drawing, source="https://blog.example.org/b.webp", problem="", copy="b.jpg")
    lines = checklist(NEWSLETTER, an_artefact(), pictures={"a": drawing, "b": copied}).lines
    (line,) = (line for line in lines if line.code == "copies")
    assert (line.level, "a.svg, is a drawing (SVG)" in line.text) == (Level.ADVICE, True)
    assert "copies" in codes(Level.GOOD, an_artefact(), pictures={"b": copied})


def test_a_missing_extra_is_told_with_the_command_that_adds_it() -> None:
    missing = str(ExtraMissing(feature="Keeping copies of pictures", extra="images"))
    (line,) = (x for x in checklist(NEWSLETTER, an_artefact(), missing=missing).lines if x.code == "copies")
    assert "[images], which is not installed." in line.text
    assert "pip install 'newsletter-pipeline[images]'" in line.mend


def test_the_size_line_names_where_gmail_cuts_and_what_weighs_most() -> None:
    blocks = tuple(Block(number=n, post_id=n, title=f"Post {n}") for n in range(3))
    weights = {0: 30_000, 1: 90_000, 2: 1_000}
    html = (
        Segment("unsubscribe_url", slot=True),
        *(Segment("x" * weight, block=n) for n, weight in weights.items()),
    )
    (line,) = (
        found
        for found in checklist(NEWSLETTER, an_artefact(html=html, blocks=blocks)).lines
        if found.code == "size"
    )
    assert "cut it off within “Post 1”" in line.text
    assert "“Post 1” weighs most, 88 KB" in line.text


def test_private_links_pass_where_they_are_allowed() -> None:
    home = replace(NEWSLETTER, base_url="http://localhost:8000")
    artefact = an_artefact("<h1>T</h1><a href='http://127.0.0.1:1/x'>x</a>")
    assert codes(Level.BLOCKING, artefact, home, private_links=True) == set()


def test_colours_that_can_hardly_be_told_apart_are_named() -> None:
    palettes = {"dark": {"text": "#777777", "paper": "#666666"}}
    (line,) = (
        found
        for found in checklist(NEWSLETTER, an_artefact(), palettes=palettes).lines
        if found.code == "contrast"
    )
    assert line.level is Level.ADVICE
    assert "dark" in line.text


def test_a_size_that_beginnings_could_mend_offers_them_unless_they_are_shown_already() -> None:
    large = an_artefact("<h1>T</h1>" + "<p>word</p>" * 10_000)

    def mend(excerpts: bool) -> str:
        (line,) = (
            line for line in checklist(NEWSLETTER, large, excerpts=excerpts).lines if line.code == "size"
        )
        return line.mend

    assert "--excerpts" in mend(False)
    assert "--excerpts" not in mend(True)


def test_lines_found_later_take_the_place_of_older_ones_in_order() -> None:
    known = checklist(replace(NEWSLETTER, sender=None), an_artefact())
    dead = CheckLine(level=Level.ADVICE, code="links", text="One of 2 links does not open.", mend="Mend it.")
    alive = CheckLine(level=Level.GOOD, code="links", text="All 2 links open.")
    once = known.renewed([dead])
    assert [line.level for line in once.lines] == sorted(
        (line.level for line in once.lines), key=list(Level).index
    )
    assert once.renewed([alive]).renewed([dead]) == once
    assert once.blocking == known.blocking


def test_a_sender_that_sendgrid_does_not_take_is_told_before_anything_is_approved() -> None:
    spanish = replace(NEWSLETTER, sender=Sender(name="José", address="jose@news.example"))
    for ascii_sender, newsletter, blocking in (
        (True, spanish, True),
        (True, NEWSLETTER, False),
        (False, spanish, False),
    ):
        found = checklist(newsletter, an_artefact(), ascii_sender=ascii_sender)
        assert ("sender" in {line.code for line in found.blocking}) is blocking
