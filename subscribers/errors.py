"""Every fault of the managed list that a person is told, as one tree.

    SubscribersError        a problem told in one sentence
    ├── Invalid             what was given cannot be used: an address, a file, a filter
    ├── Unknown             no such subscriber, batch or segment
    ├── Refused             the list's rules forbid it; the hint says who may do it
    ├── BadToken            a link that nobody signed, or that was meant for something else
    │   └── Expired         a link that was good once
    └── TooMany             a limit against abuse was reached; the answer depends on no address

Attributes are those of every problem in the product: ``message``, ``hint`` and the stable ``code``.
"""

from __future__ import annotations


class SubscribersError(Exception):
    """A problem told in one sentence.

    ``message`` says what happened and to what; ``hint`` says what to do next and may be empty.
    """

    code = "problem"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class Invalid(SubscribersError):
    code = "invalid"


class Unknown(SubscribersError):
    code = "not_found"


class Refused(SubscribersError):
    code = "conflict"


class BadToken(SubscribersError):
    """Never says which part was wrong."""

    code = "bad_token"

    def __init__(self, message: str = "This link is not valid.") -> None:
        super().__init__(message, hint="Use the link in the email as it is, or ask for a new one.")


class Expired(BadToken):
    code = "expired"

    def __init__(self) -> None:
        super().__init__("This link has expired or was used already.")


class TooMany(SubscribersError):
    code = "too_many"
