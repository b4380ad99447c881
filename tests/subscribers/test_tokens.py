from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.errors import BadToken, Expired
from subscribers.tokens import Purpose, Tokens, _seal
from tests.subscribers.people import DAY, NOW

OLD, NEW = b"0" * 32, b"1" * 32
TOKENS = Tokens([NEW])
ids = st.lists(st.integers(min_value=0, max_value=2**63 - 1), max_size=4)


@given(purpose=st.sampled_from(Purpose), numbers=ids, lasts=st.none() | st.integers(1, 10**9))
def test_what_was_signed_comes_back(purpose: Purpose, numbers: list[int], lasts: int | None) -> None:
    expires = None if lasts is None else NOW + timedelta(seconds=lasts)

    token = TOKENS.sign(purpose, *numbers, expires_at=expires)

    assert TOKENS.verify(purpose, token, NOW) == tuple(numbers)
    if expires is not None:
        with pytest.raises(Expired):
            TOKENS.verify(purpose, token, expires)


@given(purpose=st.sampled_from(Purpose), other=st.sampled_from(Purpose), numbers=ids)
def test_a_link_is_good_for_its_purpose_only(purpose: Purpose, other: Purpose, numbers: list[int]) -> None:
    token = TOKENS.sign(purpose, *numbers)
    if other is not purpose:
        with pytest.raises(BadToken):
            TOKENS.verify(other, token, NOW)


@given(numbers=ids, data=st.data())
def test_no_other_spelling_of_a_token_is_accepted(numbers: list[int], data: st.DataObject) -> None:
    token = TOKENS.sign(Purpose.UNSUBSCRIBE, *numbers)
    at = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.sampled_from("ABab01-_=. \n"))
    changed = data.draw(
        st.sampled_from(
            [token[:at] + letter + token[at + 1 :], token[:at], token + letter, letter + token, token + "="]
        )
    )
    if changed != token:
        with pytest.raises(BadToken):
            TOKENS.verify(Purpose.UNSUBSCRIBE, changed, NOW)


@given(junk=st.text(max_size=300))
def test_junk_is_no_token(junk: str) -> None:
    with pytest.raises(BadToken):
        TOKENS.verify(Purpose.UNSUBSCRIBE, junk, NOW)


def test_the_first_key_signs_and_all_verify() -> None:
    before = Tokens([OLD]).sign(Purpose.CONFIRM, 5)
    after = Tokens([NEW, OLD])

    assert after.verify(Purpose.CONFIRM, before, NOW) == (5,)
    with pytest.raises(BadToken):
        Tokens([OLD]).verify(Purpose.CONFIRM, after.sign(Purpose.CONFIRM, 5), NOW)


def test_an_unsubscribe_link_never_expires_and_fits_its_header_line() -> None:
    token = TOKENS.sign(Purpose.UNSUBSCRIBE, 1_000_000, 5_000)

    assert len(token) <= 36
    assert TOKENS.verify(Purpose.UNSUBSCRIBE, token, NOW + 36_500 * DAY) == (1_000_000, 5_000)


def test_a_good_seal_over_nonsense_is_still_no_token() -> None:
    for body in (b"", b"\x01", b"\x01\x05\x00", b"\x01\x00\x80"):
        token = base64.urlsafe_b64encode(body + _seal(NEW, body)).rstrip(b"=").decode()
        with pytest.raises(BadToken):
            TOKENS.verify(Purpose.UNSUBSCRIBE, token, NOW)


@pytest.mark.parametrize("keys", [[], [b"short"]])
def test_weak_keys_are_refused(keys: list[bytes]) -> None:
    with pytest.raises(ValueError):
        Tokens(keys)


def test_a_negative_id_is_a_mistake() -> None:
    with pytest.raises(ValueError):
        TOKENS.sign(Purpose.CONFIRM, -1)
