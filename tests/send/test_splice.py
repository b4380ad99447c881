from __future__ import annotations

import email
import email.policy
import quopri
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.model.artefact import Segment
from newsletter.model.delivery import Envelope, MessageKey
from newsletter.send.message import mime
from newsletter.send.splice import Spliced, quoted, quoted_value
from tests.send.world import letter

# Line ends are normalised to CRLF on the way, as mail demands; everything else must survive.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x85"), max_size=300)
values = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=200)
pieces = st.lists(texts | st.sampled_from(["name", "base_url"]).map(lambda name: ("slot", name)), max_size=8)


def segments_of(drawn: list[str | tuple[str, str]]) -> tuple[Segment, ...]:
    return tuple(Segment(one) if isinstance(one, str) else Segment(one[1], slot=True) for one in drawn)


def body_of(drawn: list[str | tuple[str, str]], filled: dict[str, str]) -> bytes:
    made = replace(letter(), text=segments_of(drawn), html=(Segment("<p>x</p>"),))
    return b"".join(Spliced(made).body(filled))


def text_part(body: bytes) -> bytes:
    return body.split(b"\r\n\r\n", 1)[1].split(b"\r\n--=_", 1)[0]


@given(drawn=pieces, name=values, base=values)
def test_decoding_gives_back_segments_and_values_as_they_were(
    drawn: list[str | tuple[str, str]], name: str, base: str
) -> None:
    filled = {"name": name, "base_url": base}
    expected = "".join(one if isinstance(one, str) else filled[one[1]] for one in drawn)
    decoded = quopri.decodestring(text_part(body_of(drawn, filled)))
    assert decoded.decode().replace("\r\n", "\n") == expected


@given(drawn=pieces, name=values, base=values)
def test_no_line_is_long_or_begins_with_a_dot_or_ends_in_white_space(
    drawn: list[str | tuple[str, str]], name: str, base: str
) -> None:
    body = body_of(drawn, {"name": name, "base_url": base})
    assert body.isascii()
    lines = body.split(b"\r\n")
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    assert max(map(len, lines)) <= 76
    assert not any(line.startswith((b".", b"From ")) for line in lines)
    assert not any(line.endswith((b" ", b"\t")) for line in lines)


@given(text=texts)
def test_a_whole_text_survives_quoting(text: str) -> None:
    assert quopri.decodestring(quoted(text, fenced=False)).decode().replace("\r\n", "\n") == text


@pytest.mark.parametrize(
    "value", ["", ".", "..", "From ", "=", "a" * 75, "a" * 76, "é" * 40, " ", "x ", "\t"]
)
def test_a_value_stands_on_lines_of_its_own(value: str) -> None:
    raw = quoted_value(value)
    assert raw.endswith(b"=\r\n")
    assert quopri.decodestring(raw + b"\r\n").decode().rstrip("\r\n") == value


def envelope(**changes: Any) -> Envelope:
    made = Envelope(
        key=MessageKey(1, 2),
        to="reader@readers.example",
        letter=letter(),
        message_id="<1.2.abc@news.example>",
        values={"name": "Zoë <b>", "unsubscribe_url": "https://news.example/u/abc?x=1&y=2"},
        headers=(("List-Unsubscribe", "<https://news.example/u/" + "t" * 90 + ">"),),
    )
    return made._replace(**changes)


MOMENT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def test_a_message_reads_back_as_it_was_meant() -> None:
    message = email.message_from_bytes(mime(envelope(), date=MOMENT), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    assert message["Date"].datetime == MOMENT
    text, html = message.get_body(["plain"]), message.get_body(["html"])
    assert isinstance(text, EmailMessage) and isinstance(html, EmailMessage)
    assert "Zoë <b>" in text.get_content()
    assert "Zoë &lt;b&gt;" in html.get_content()
    assert "https://news.example/u/abc?x=1&amp;y=2" in html.get_content()


def test_a_long_unsubscribe_link_is_never_an_encoded_word() -> None:
    raw = mime(envelope(), date=MOMENT)
    assert b"List-Unsubscribe: <https://news.example/u/" + b"t" * 90 + b">\r\n" in raw


def test_the_boundary_derives_from_the_letter() -> None:
    assert mime(envelope(), date=MOMENT) == mime(envelope(), date=MOMENT)
    assert Spliced(letter(1)).boundary != Spliced(letter(2)).boundary


def test_a_slot_without_a_value_is_an_error_and_not_a_gap() -> None:
    with pytest.raises(KeyError):
        mime(envelope(values={"name": "Zoë"}), date=MOMENT)
