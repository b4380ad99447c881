"""What codes mean, in words."""

from __future__ import annotations

import pytest

from newsletter.learn.words import explained


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("550 5.1.1", "There is no such mailbox."),
        ("552 5.2.2", "The mailbox is full."),
        ("5.1.99", "Something is wrong with the address."),
        ("451 4.7.1", "The server wants to see it later or more slowly."),
        ("451", "The mail server had a problem of its own."),
        ("499", "The server asked to try later."),
        ("broken", "The connection broke before the message was handed over."),
        ("", ""),
        ("bounced_address", ""),
    ],
)
def test_a_code_is_explained(code: str, words: str) -> None:
    assert explained(code) == words
