from __future__ import annotations

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given, settings
from hypothesis import strategies as st

from subscribers.addresses import _PLAIN, is_role, masked, normalise, shown, suggestion
from subscribers.errors import Invalid


@pytest.mark.parametrize(
    ("written", "text", "key"),
    [
        (" Ann.B@Example.COM ", "Ann.B@example.com", "ann.b@example.com"),
        ("ann+blog@example.com", "ann+blog@example.com", "ann+blog@example.com"),
        ("Ann@BÜCHER.example", "Ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example"),
    ],
)
def test_an_address_has_one_form(written: str, text: str, key: str) -> None:
    address = normalise(written)

    assert (address.text, address.key) == (text, key)
    assert address.key.endswith("@" + address.domain)


@pytest.mark.parametrize(
    "written",
    ["", "ann", "ann@", "@example.com", "ann@localhost", "a@b@c.com", "ann@example.com\nBcc: bob@example.com",
     "Ann <ann@example.com>", "ann@[127.0.0.1]", "jörg@example.com", "a" * 5000 + "@example.com",
     "ann@exa mple.com", '"a b"@example.com', "ann@example..com"],
)  # fmt: skip
def test_what_mail_cannot_reach_is_refused(written: str) -> None:
    with pytest.raises(Invalid):
        normalise(written)


@given(st.emails())
def test_the_form_of_a_form_is_itself(written: str) -> None:
    try:
        once = normalise(written)
    except Invalid:
        return
    assert normalise(once.text) == once
    assert normalise(once.key).key == once.key
    assert normalise(shown(once.text)) == once


@settings(max_examples=500)
@given(st.from_regex(_PLAIN, fullmatch=True))
def test_the_short_way_says_what_the_validator_says(written: str) -> None:
    try:
        told = validate_email(written, check_deliverability=False, allow_smtputf8=False).ascii_email
    except EmailNotValidError:
        told = None
    try:
        short: str | None = normalise(written).text
    except Invalid:
        short = None
    assert short == told


def test_a_mask_shows_enough_to_recognise_ones_own() -> None:
    assert masked("ann.lovelace@gmail.com") == "a•••@gmail.com"
    assert masked("a@xn--bcher-kva.example") == "a•••@bücher.example"


def test_an_odd_punycode_domain_is_shown_as_it_is() -> None:
    assert shown("a@xn--999999999.example") == "a@xn--999999999.example"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Ann@gmial.com", "Ann@gmail.com"),
        ("ann@gmal.com", "ann@gmail.com"),
        ("ann@gmaill.com", "ann@gmail.com"),
        ("ann@gnail.com", "ann@gmail.com"),
        ("ann@hotmial.com", "ann@hotmail.com"),
        ("ann@outlook.con", "ann@outlook.com"),
        ("ann@gmail.co", "ann@gmail.com"),
        ("ann@gmail.com", ""),
        ("ann@ymail.com", ""),
        ("ann@mail.com", ""),
        ("ann@example.org", ""),
    ],
)
def test_slips_in_big_domains_are_suggested(written: str, meant: str) -> None:
    assert suggestion(normalise(written)) == meant


@pytest.mark.parametrize(
    ("written", "role"),
    [("Info@example.com", True), ("info+x@example.com", True), ("inform@example.com", False)],
)
def test_offices_are_told_from_people(written: str, role: bool) -> None:
    assert is_role(normalise(written)) is role
