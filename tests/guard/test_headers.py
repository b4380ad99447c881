from __future__ import annotations

import email.policy
import re
from datetime import UTC, datetime, timedelta, timezone
from email.header import decode_header, make_header
from email.parser import BytesParser
from email.utils import getaddresses, parsedate_to_datetime

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from newsletter.errors import Invalid
from newsletter.guard.headers import (
    address_header,
    date_header,
    header,
    message_id,
    needs_smtputf8,
    subject,
    vet_address,
)

FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
HIDDEN = "=?utf-8?q?Hello=0D=0ABcc:_everybody@example.org?="

any_text = st.one_of(
    st.text(),
    st.text(alphabet="=?utf-8qb_0AD\r\n: Bc@<>\"'\\,;", max_size=60),
    st.text(alphabet=st.characters(min_codepoint=0x20), max_size=300),
    st.lists(st.sampled_from(["\r", "\n", "Bcc: x@y.example", HIDDEN, "Größe", "日本語", " ", "x" * 80])).map(
        "".join
    ),
)
names = st.sampled_from(
    ["Subject", "Comments", "List-Unsubscribe", "List-Id", "Feedback-ID", "X-Any", "Message-ID"]
)


def parse_back(block: bytes) -> list[str]:
    """The header names that the most gullible reader finds in ``block``, in order.

    Such a reader takes CR, LF and CRLF each for a line end. Raises ValueError for a line that is neither a
    header nor the continuation of one, and for an empty line before the end.
    """
    names: list[str] = []
    lines = re.split(rb"\r\n|\r|\n", block)
    for line in lines[:-1] if not lines[-1] else lines:
        if line[:1] in (b" ", b"\t") and line.strip() and names:
            continue
        name, colon, _ = line.partition(b":")
        if not colon or not re.fullmatch("[A-Za-z0-9-]+", name.decode("latin-1")):
            raise ValueError("a line that belongs to no header")
        names.append(name.decode("ascii"))
    return names


def reread(line: bytes) -> str:
    """The value as a mail program shows it: unfolded and decoded."""
    value = BytesParser(policy=email.policy.compat32).parsebytes(line + b"\r\n")[line.split(b":")[0].decode()]
    return str(make_header(decode_header(re.sub(r"\r?\n", "", str(value)))))


def assert_one_line_of(name: str, block: bytes) -> None:
    assert parse_back(block) == [name]
    assert block.endswith(b"\r\n")
    assert all(len(line) <= 998 for line in block.split(b"\r\n"))
    for policy in (email.policy.compat32, email.policy.default, email.policy.SMTP):
        message = BytesParser(policy=policy).parsebytes(block + b"\r\nbody")
        assert message.keys() == [name]
    # What software does that reads mail and writes it again, which is where CVE-2024-6923 bites.
    message = BytesParser(policy=email.policy.default).parsebytes(block + b"\r\nbody")
    again = message.as_bytes(policy=email.policy.SMTP).partition(b"\r\n\r\n")[0]
    assert parse_back(again + b"\r\n") == [name]


@settings(max_examples=400, deadline=None)
@given(names, any_text)
@example("Subject", HIDDEN)
@example("Subject", "=?utf-8?b?QQ0KQmNjOiB4?=")
@example("Subject", "=?utf-7?q?+AA0ACg-Bcc:_x?=")
@example("X-Any", "=?utf-8?q?a?=")
def test_no_text_in_any_header_adds_a_header(name: str, text: str) -> None:
    try:
        block = header(name, text)
    except Invalid:
        return
    assert_one_line_of(name, block)


@settings(max_examples=400, deadline=None)
@given(any_text)
@example("A post about =?utf-8?q?encoded_words?= and nothing else")
@example("x" * 1500)
@example("e\u0301" * 200)
@example("👩‍👩‍👧 " * 30)
@example("")
def test_a_subject_reads_back_as_it_was_meant(text: str) -> None:
    try:
        block = subject(text)
    except Invalid:
        assert FORBIDDEN.search(text) or "=?" in text or len(text) > 2000
        return
    assert reread(block) == re.sub(" +", " ", text).strip(" ")
    assert max(map(len, block.split(b"\r\n"))) <= 998


@settings(deadline=None)
@given(
    st.text(
        alphabet=st.characters(exclude_categories=["Cc", "Cs", "Zl"], exclude_characters="\u2029"), min_size=1
    )
)
def test_lines_of_encoded_text_keep_to_76_octets(text: str) -> None:
    assume("=?" not in text and not text.isascii())
    assert all(len(line) <= 76 for line in subject(text).split(b"\r\n"))


@pytest.mark.parametrize(
    "end", ["\r", "\n", "\r\n", "\x00", "\x0b", "\x0c", "\x1b", "\x7f", "\x85", "\u2028", "\t", "\ud800"]
)
def test_a_control_character_is_refused_everywhere(end: str) -> None:
    for text in (f"a{end}Bcc: x@y.example", f"a{end} b", end, f"a{end}"):
        for name in ("Subject", "X-Any", "List-Id"):
            with pytest.raises(Invalid, match="line break or another control character"):
                header(name, text)
        with pytest.raises(Invalid):
            address_header("To", text, "a@b.example")
        with pytest.raises(Invalid):
            address_header("To", "A", f"a@b.example{text}")


@pytest.mark.parametrize(
    "hidden",
    [HIDDEN, "=?utf-8?b?QQ0KQmNjOiB4?=", "=?UTF-8?Q?=0A?=", "x =?iso-8859-1?q?=0dBcc?= y", "=?utf-8?q?=00?=",
     "=?utf-8?q?a?= =?utf-8?q?=0A?=", "=?utf-16?b?AAoACg==?=", "=?nonsense?q?=0A?="],
)  # fmt: skip
def test_a_line_end_hidden_in_an_encoded_word_is_refused(hidden: str) -> None:
    with pytest.raises(Invalid):
        subject(hidden)
    with pytest.raises(Invalid):
        address_header("From", hidden, "a@b.example")
    with pytest.raises(Invalid):
        header("X-Any", hidden)


def test_a_harmless_encoded_word_in_a_title_is_shown_as_the_author_wrote_it() -> None:
    title = "Why =?utf-8?q?caf=C3=A9?= breaks"
    block = subject(title)
    assert b"caf=C3=A9" not in block
    assert reread(block) == title


@pytest.mark.parametrize("name", ["", "Bad Name", "X\r\nY", "X:", "Ünicode", "-X", "X" * 80])
def test_a_header_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        header(name, "x")
    with pytest.raises(Invalid):
        address_header(name, "", "a@b.example")


def test_a_url_is_never_encoded_and_never_folded_inside() -> None:
    url = "https://news.example.org/u/" + "a1-_" * 200
    value = f"<{url}>, <mailto:leave@example.org?subject=unsubscribe>"
    block = header("List-Unsubscribe", value)
    assert f"<{url}>".encode() in block
    assert b"=?" not in block
    assert block.replace(b"\r\n ", b" ") == f"List-Unsubscribe: {value}\r\n".encode()


@pytest.mark.parametrize(
    "value", ["<https://x.example/a b>", "<https://x.example/ü>", "<https://x.example/" + "a" * 1000 + ">"]
)
def test_a_url_that_could_not_stay_whole_is_refused(value: str) -> None:
    with pytest.raises(Invalid):
        header("List-Unsubscribe", value)


def test_a_short_ascii_value_is_left_as_it_is() -> None:
    assert header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click") == (
        b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    )
    assert subject("Hello  there ") == b"Subject: Hello there\r\n"


def test_a_long_ascii_subject_is_folded_at_spaces() -> None:
    text = "word " * 40
    lines = subject(text).split(b"\r\n")
    assert len(lines) > 3 and all(len(line) <= 76 for line in lines)
    assert all(line.startswith(b" word") for line in lines[1:-1])


@settings(max_examples=300, deadline=None)
@given(any_text)
@example('O\'Brien, "Pat" \\ Co.')
@example("x" * 300)
@example("=?utf-8?q?a?=")
def test_a_display_name_reads_back_and_stands_before_one_address_only(name: str) -> None:
    try:
        block = address_header("From", name, "author@blog.example")
    except Invalid:
        assert FORBIDDEN.search(name) or "=?" in name or len(name) > 2000
        return
    assert_one_line_of("From", block)
    meant = re.sub(" +", " ", name).strip(" ")
    raw = str(BytesParser(policy=email.policy.compat32).parsebytes(block + b"\r\n")["From"])
    [(shown, address)] = getaddresses([re.sub(r"\r?\n", "", raw)])
    assert address == "author@blog.example"
    assert str(make_header(decode_header(shown))) == meant
    parsed = BytesParser(policy=email.policy.default).parsebytes(block + b"\r\n")["From"].addresses
    assert [each.addr_spec for each in parsed] == ["author@blog.example"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", b"To: a@b.example\r\n"),
        ("Ada Lovelace", b"To: Ada Lovelace <a@b.example>\r\n"),
        ("Lovelace, Ada", b'To: "Lovelace, Ada" <a@b.example>\r\n'),
        ('The "Blog"', b'To: "The \\"Blog\\"" <a@b.example>\r\n'),
        ("a@evil.example", b'To: "a@evil.example" <a@b.example>\r\n'),
        ("Café Anna", b"To: =?utf-8?q?Caf=C3=A9_Anna?= <a@b.example>\r\n"),
        ("日本", b"To: =?utf-8?b?5pel5pys?= <a@b.example>\r\n"),
    ],
)
def test_a_mailbox_is_written_as_mail_programs_expect_it(name: str, expected: bytes) -> None:
    assert address_header("To", name, "a@b.example") == expected


@pytest.mark.parametrize(
    "address",
    [
        "a@b.example", "first.last+tag@sub.example.co.uk", "a..b@mobile.example", "o'brien@example.org",
        "a@localhost", "用户@例子.example", "josé@example.org", "a@bücher.example", "x" * 64 + "@example.org",
        "_@x1.example", "a@xn--bcher-kva.example",
    ],
)  # fmt: skip
def test_an_address_that_people_have_is_returned_as_it_is(address: str) -> None:
    assert vet_address(address) == address
    assert needs_smtputf8(address) is not address.isascii()
    assert parse_back(address_header("To", "", address)) == ["To"]


@pytest.mark.parametrize(
    "address",
    [
        "", "a", "@", "a@", "@b.example", "a b@c.example", "a@b example", "<a@b.example>", "a@b.example>",
        "A <a@b.example>", "a@b@c.example", '"a"@b.example', "a@b.example,c@d.example", "a@b.example;c",
        "a:b@c.example", "a@[127.0.0.1]", "a\\@b.example", "a(b)@c.example", "a@b..example", "a@.example",
        "a@b.example.", "a@-b.example", "a@b-.example", "a@b_c.example", "x" * 65 + "@example.org",
        "a@" + "b" * 64 + ".example", "a@" + "b." * 130 + "example", "a@b.example\r\nBcc: x",
        "a\x00@b.example", "a@b.example\n", "a@b\u3002example", "a\u00a0b@c.example",
        "a\uff1cb@c.example", "a\u200bb@c.example", "\u202ea@b.example", "=?utf-8?q?a?=@b.example",
        "a\ud800@b.example", "é" * 40 + "@example.org",
    ],
)  # fmt: skip
def test_an_address_that_could_do_something_else_is_refused(address: str) -> None:
    with pytest.raises(Invalid):
        vet_address(address)
    with pytest.raises(Invalid):
        address_header("To", "A", address)


@settings(deadline=None)
@given(st.one_of(any_text, st.from_regex(r"[^@]{1,20}@[^@]{1,20}", fullmatch=True)))
def test_no_address_that_passes_can_add_or_end_anything(text: str) -> None:
    try:
        vet_address(text)
    except Invalid:
        return
    assert not re.search(r"[\s<>()\[\],;:\\\"\x00-\x1f\x7f-\x9f]|=\?", text)
    assert text.count("@") == 1 and len(text.encode()) <= 254
    assert parse_back(address_header("To", "", text)) == ["To"]


def test_an_international_address_is_written_in_utf8() -> None:
    assert address_header("To", "José", "josé@example.org").endswith(b" <jos\xc3\xa9@example.org>\r\n")


def test_the_same_key_gives_the_same_message_id_and_nothing_else_fits_in() -> None:
    assert message_id("d12-3.4", domain="news.example.org") == "<d12-3.4@news.example.org>"
    assert header("Message-ID", message_id("7", domain="example.org")) == b"Message-ID: <7@example.org>\r\n"
    for key in ("", "a b", "a>", ".a", "a@", "a" * 200, "ü"):
        with pytest.raises(Invalid):
            message_id(key, domain="example.org")
    for domain in ("", "b\r\nc", "bücher.example", "a b", "a>"):
        with pytest.raises(Invalid):
            message_id("a", domain=domain)


@settings(deadline=None)
@given(st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC)), st.integers(-14, 14))
def test_a_date_reads_back_as_the_same_instant(moment: datetime, hours: int) -> None:
    moment = moment.replace(microsecond=0)
    assume(1970 <= moment.year < 9999)
    block = date_header(moment.astimezone(timezone(timedelta(hours=hours))))
    assert_one_line_of("Date", block)
    assert parsedate_to_datetime(block.decode()[6:].strip()) == moment


def test_a_date_is_written_in_utc_and_needs_a_zone() -> None:
    assert (
        date_header(datetime(2026, 3, 1, 9, 5, 7, tzinfo=UTC)) == b"Date: Sun, 01 Mar 2026 09:05:07 +0000\r\n"
    )
    with pytest.raises(ValueError, match="time zone"):
        date_header(datetime(2026, 3, 1))


def test_names_are_read_back_as_the_most_gullible_reader_does() -> None:
    assert parse_back(b"A: 1\r\n 2\r\nB: 3\r\n") == ["A", "B"]
    assert parse_back(b"A: 1\nBcc: 2\rTo: 3\r\n") == ["A", "Bcc", "To"]
    for broken in (
        b"A: 1\r\n\r\nB: 2\r\n",
        b" A: 1\r\n",
        b"A: 1\r\nno header\r\n",
        b"A: 1\r\n \r\n",
        b"\xff: 1\r\n",
    ):
        with pytest.raises(ValueError, match="belongs to no header"):
            parse_back(broken)
