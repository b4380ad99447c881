"""Serves the sample blog on loopback, as Blogger would: its feed, its pages and its pictures."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from importlib.resources import files
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

from newsletter.demo.loopback import HttpThread
from newsletter.demo.pages import render

FEED_PATH = "/feeds/posts/default"
PLACEHOLDER = "http://blog.example"
"""What stands in the feed for the address under which the blog happens to be served."""

_ATOM = "{http://www.w3.org/2005/Atom}"


@dataclass(frozen=True, kw_only=True)
class Document:
    """One answer: its bytes, what they are, and the validators that let a client keep them (RFC 9110 8.8)."""

    body: bytes
    content_type: str
    modified: datetime

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.body).hexdigest()[:20]}"'

    def unchanged(self, *, if_none_match: str | None, if_modified_since: str | None) -> bool:
        """Whether the client has these bytes; its ETag, when it sends one, decides (RFC 9110 13.2.2)."""
        if if_none_match is not None:
            known = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
            return "*" in known or self.etag in known
        if if_modified_since is not None:
            try:
                return self.modified.replace(microsecond=0) <= parsedate_to_datetime(if_modified_since)
            except (TypeError, ValueError):
                return False
        return False


def build_site(base_url: str) -> dict[str, Document]:
    """Every path of the blog and what it answers, served at ``base_url`` (without a final slash)."""
    folder = files("newsletter.demo") / "blog"
    feed = (folder / "feed.xml").read_text(encoding="utf-8").replace(PLACEHOLDER, base_url)
    root = ElementTree.fromstring(feed)
    modified = datetime.fromisoformat(_text(root, "updated")).astimezone(UTC)
    blog = {"title": _text(root, "title"), "subtitle": _text(root, "subtitle"), "url": base_url}
    posts = [_post(entry, base_url) for entry in root.iter(f"{_ATOM}entry")]

    def page(name: str, **values: Any) -> Document:
        html = render(name, blog=blog, feed_url=base_url + FEED_PATH, **values)
        return Document(body=html.encode(), content_type="text/html; charset=utf-8", modified=modified)

    site = {
        FEED_PATH: Document(
            body=feed.encode(), content_type="application/atom+xml; charset=UTF-8", modified=modified
        ),
        "/": page("blog.html.j2", posts=posts),
        **{post["path"]: page("post.html.j2", post=post) for post in posts},
    }
    for size in ("s1600", "s640", "s72-c"):
        picture = (folder / "img" / size / "ldn.jpg").read_bytes()
        site[f"/img/{size}/ldn.jpg"] = Document(body=picture, content_type="image/jpeg", modified=modified)
    return site


def _text(element: ElementTree.Element, name: str) -> str:
    return element.findtext(f"{_ATOM}{name}") or ""


def _post(entry: ElementTree.Element, base_url: str) -> dict[str, Any]:
    links = {link.get("rel"): link for link in entry.iter(f"{_ATOM}link")}
    return {
        "title": _text(entry, "title"),
        "content": _text(entry, "content"),
        "published": datetime.fromisoformat(_text(entry, "published")),
        "path": (links["alternate"].get("href") or "").removeprefix(base_url),
        "comments": links["replies"].get("title"),
        "labels": [category.get("term") for category in entry.iter(f"{_ATOM}category")],
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "SampleBlog"
    sys_version = ""

    def __init__(self, site: dict[str, Document], *args: Any) -> None:
        self._site = site
        super().__init__(*args)

    def do_GET(self) -> None:
        document = self._site.get(urlsplit(self.path).path)
        if document is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        unchanged = document.unchanged(
            if_none_match=self.headers["If-None-Match"], if_modified_since=self.headers["If-Modified-Since"]
        )
        self.send_response(HTTPStatus.NOT_MODIFIED if unchanged else HTTPStatus.OK)
        self.send_header("ETag", document.etag)
        self.send_header("Last-Modified", format_datetime(document.modified, usegmt=True))
        self.send_header("Cache-Control", "private, max-age=0")
        if not unchanged:
            self.send_header("Content-Type", document.content_type)
            self.send_header("Content-Length", str(len(document.body)))
        self.end_headers()
        if not unchanged and self.command == "GET":
            self.wfile.write(document.body)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """The demonstration tells its own story."""


class SampleBlog:
    """The sample blog while the ``with`` block lasts; on a free port when the wanted one is taken."""

    def __init__(self, *, port: int = 0) -> None:
        self._wanted_port = port
        self._site: dict[str, Document] = {}
        self._server: HttpThread | None = None

    @property
    def url(self) -> str:
        """The blog's home page."""
        if self._server is None:
            raise RuntimeError("the sample blog is not being served")
        return self._server.url

    @property
    def feed_url(self) -> str:
        """The blog's Atom feed."""
        return self.url + FEED_PATH

    def __enter__(self) -> SampleBlog:
        self._server = HttpThread(partial(_Handler, self._site), port=self._wanted_port)
        self._site.update(build_site(self._server.url))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
            self._site.clear()
