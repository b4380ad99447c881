from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from newsletter.approve import check_images, check_links
from newsletter.guard.http import HttpClient
from newsletter.model.artefact import Artefact
from newsletter.model.checklist import Level
from tests.approve.test_checks import an_artefact

PAGES = {
    "/page": (200, "text/html", b"x"),
    "/members": (403, "text/html", b"x"),
    "/gone": (410, "text/html", b""),
    "/broken": (500, "text/html", b""),
    "/small.png": (200, "image/png", b"x" * 100),
    "/large.png": (200, "image/png", b"x" * 2_000_000),
    "/page.png": (200, "text/html", b"<p>not found, politely</p>"),
}


class Site(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        if self.path == "/only-get":
            self._answer(405, "text/html", b"", send=False)
        else:
            self._answer(*PAGES.get(self.path, (404, "text/html", b"")), send=False)

    def do_GET(self) -> None:
        self._answer(*PAGES.get("/page" if self.path == "/only-get" else self.path, (404, "text/html", b"")))

    def _answer(self, status: int, kind: str, body: bytes, send: bool = True) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if send:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Tests print nothing."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client() -> Iterator[HttpClient]:
    with HttpClient(allow_private=True, per_host=8) as client:
        yield client


def linking(site: str, *paths: str) -> Artefact:
    return an_artefact("".join(f"<a href='{site}{path}'>x</a>" for path in paths))


def showing(site: str, *paths: str) -> Artefact:
    return an_artefact("".join(f"<img src='{site}{path}' alt='x'>" for path in paths))


def test_links_that_open_are_a_good_line(site: str, client: HttpClient) -> None:
    (line,) = check_links(linking(site, "/page", "/members", "/only-get"), client)
    assert (line.level, line.text) == (Level.GOOD, "All 3 links open.")


def test_links_that_lead_nowhere_are_named(site: str, client: HttpClient) -> None:
    (line,) = check_links(linking(site, "/page", "/gone", "/missing", "/broken"), client)
    assert line.level is Level.ADVICE
    assert line.text.startswith("3 of 4 links do not open: ")
    assert f"{site}/gone (answers 410)" in line.text
    assert f"{site}/missing (answers 404)" in line.text


def test_of_many_that_lead_nowhere_the_rest_is_counted(site: str, client: HttpClient) -> None:
    (line,) = check_links(linking(site, *[f"/missing?{number}" for number in range(7)]), client)
    assert line.text.count("(answers 404)") == 5
    assert line.text.endswith("; and 2 more.")


def test_a_private_address_is_not_asked(site: str) -> None:
    with HttpClient() as guarded:
        (line,) = check_links(linking(site, "/page"), guarded)
    assert "a private address" in line.text


def test_images_that_are_missing_heavy_or_none_are_named(site: str, client: HttpClient) -> None:
    artefact = showing(site, "/small.png", "/large.png", "/page.png", "/missing.png")
    (line,) = check_images(artefact, client)
    assert line.text.startswith("3 of 4 images will not do: ")
    assert f"{site}/large.png (1.9 MB)" in line.text
    assert f"{site}/page.png (no image)" in line.text
    assert f"{site}/missing.png (answers 404)" in line.text


def test_light_images_are_a_good_line(site: str, client: HttpClient) -> None:
    (line,) = check_images(showing(site, "/small.png"), client)
    assert line.level is Level.GOOD


def test_without_links_and_images_nothing_is_said(client: HttpClient) -> None:
    assert check_links(an_artefact(), client) == ()
    assert check_images(an_artefact(), client) == ()


def test_of_very_many_links_it_says_how_many_were_asked(site: str, client: HttpClient) -> None:
    html = "".join(f'<a href="{site}/page#{n}">x</a>' for n in range(90))
    (line,) = check_links(an_artefact(html), client)
    assert line.text == "The first 80 of 90 links open."
