"""SendGrid's official client, kept from what it does by itself.

By itself it has no time-out, loses one when the EU region is chosen (which makes its client anew), follows
redirects with the API key to any host, and logs the key and every recipient.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

import sendgrid
from python_http_client.client import Client, Response

# Its debug lines hold the API key and every recipient.
logging.getLogger("python_http_client.client").setLevel(logging.WARNING)


class _NoRedirect(HTTPRedirectHandler):
    """A redirect would carry the API key to another host."""

    def redirect_request(self, *_: Any) -> None:
        return None


class _Client(Client):  # type: ignore[misc]  # the library has no type information
    """The official client, which follows no redirect and gives every answer back as it came."""

    def _build_client(self, name: str | None = None) -> _Client:
        return _Client(
            host=self.host,
            version=self._version,
            request_headers=dict(self.request_headers),
            url_path=[*self._url_path, name] if name else self._url_path,
            timeout=self.timeout,
        )

    def _make_request(self, opener: OpenerDirector, request: Request, timeout: float | None = None) -> Any:
        try:
            return build_opener(_NoRedirect).open(request, timeout=timeout or self.timeout)
        except HTTPError as answer:
            return answer


class Api:
    """The client for one host, which never waits longer than ``timeout_s`` for a sign of life."""

    def __init__(self, api_key: str, host: str, timeout_s: float) -> None:
        api = sendgrid.SendGridAPIClient(api_key=api_key, host=host)
        headers = api._default_headers
        self.client = _Client(host=host, request_headers=headers, version=3, timeout=timeout_s)

    def post(self, body: bytes) -> Response:
        """Posts JSON to Mail Send as it is: by itself the client would write it once more, from objects that
        take longer to make than the text does."""
        place = self.client._("mail")._("send")
        headers = {**place.request_headers, "Content-Type": "application/json"}
        request = Request(place._build_url(None), headers=headers, data=body, method="POST")
        return Response(place._make_request(None, request))
