"""What polling needs from outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from newsletter.guard.http import Response
from newsletter.model.entry import FeedDocument


class Http(Protocol):
    """:class:`newsletter.guard.http.HttpClient`, as far as polling uses it."""

    def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] = ...,
        max_bytes: int = ...,
        deadline_s: float = ...,
        max_redirects: int = ...,
    ) -> Response: ...

    def post(
        self,
        url: str,
        *,
        data: Mapping[str, str],
        headers: Mapping[str, str] = ...,
        max_bytes: int = ...,
        deadline_s: float = ...,
    ) -> Response: ...


class Parse(Protocol):
    """:class:`newsletter.poll.parser.Parser`."""

    def parse(self, body: bytes, *, url: str, content_type: str = "") -> FeedDocument: ...
