"""Pictures of a draft: described on its page, and copies of those that mail cannot show."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from newsletter.errors import ExtraMissing, Invalid
from newsletter.pipeline import Step
from tests.web.conftest import AUTHOR, Studio, opened
from tests.web.test_draft import form_of


def drawn(form: str, size: tuple[int, int]) -> bytes:
    out = BytesIO()
    Image.new("RGB", size, (30, 90, 60)).save(out, form)
    return out.getvalue()


FILES = {
    "/a.webp": drawn("WEBP", (1600, 800)),
    "/b.png": drawn("PNG", (300, 200)),
    "/bomb.png": drawn("PNG", (8000, 8000)),
    "/drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
}
POST = (
    '<p>Two.</p><p><img src="/a.webp" alt="The heron"></p><p><img src="/b.png"></p>'
    '<p><img src="/bomb.png" alt="x"><img src="/drawing.svg" alt="y"><img src="/gone.png" alt="z"></p>'
)
FEED = (
    "<rss version='2.0'><channel><title>Birds</title><link>/</link><item><title>Herons</title><link>/1</link>"
    f"<guid>1</guid><description>{escape(POST)}</description></item></channel></rss>"
)


class Blog(BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        if self.path == "/feed":
            body, kind = FEED.encode(), "application/rss+xml"
        else:
            type(self).asked.append(self.path)
            body, kind = FILES.get(self.path, b""), "image/png"
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Tests print nothing."""


@pytest.fixture
def blog() -> Iterator[str]:
    Blog.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Blog)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    with opened(tmp_path, sender=AUTHOR, postal_address="PO Box 7, Leith") as studio:
        yield studio


def draft(studio: Studio, blog: str) -> int:
    studio.house.desk.add_feed(f"{blog}/feed")
    studio.house.turn([Step.POLL, Step.DETECT, Step.COMPOSE])
    return studio.house.desk.today().drafts[0].issue.id


def line(studio: Studio, issue: int, code: str) -> str:
    return next(one.text for one in studio.house.desk.issue(issue).checklist.lines if one.code == code)


def test_a_picture_is_described_or_called_decoration_on_the_draft_page(studio: Studio, blog: str) -> None:
    issue = draft(studio, blog)
    sources = [picture.source for picture in studio.house.desk.pictures(issue)]
    assert sources[1] == f"{blog}/b.png"
    assert "1 picture without a description, the first in “Herons”" in line(studio, issue, "alt")
    with studio.visitor() as visitor:
        shown = visitor.get(f"/studio/issues/{issue}")
        assert "5 pictures, 1 without a description" in shown.text
        assert "img-src 'self' https: http: data:" in shown.headers["content-security-policy"]
        typed = {
            "picture": sources,
            "alt": ["The heron", "Reeds\r\nat dawn", "x", "", ""],
            "decorative": sources[3],
        }
        visitor.post(f"/studio/issues/{issue}/edit", data=form_of(visitor, issue) | typed)
        email = visitor.get(f"/studio/issues/{issue}/preview").text
        assert 'alt="Reeds at dawn"' in email and 'alt="The heron"' in email and 'alt="z"' in email
        assert 'alt="y"' not in email
        assert line(studio, issue, "alt") == "5 pictures, all described; 1 only decoration."
        assert dict(studio.house.desk.issue(issue).issue.alts) == {
            sources[1]: "Reeds at dawn",
            sources[3]: "",
        }
        back = {"picture": sources, "alt": ["The heron", "", "x", "", ""]}
        visitor.post(f"/studio/issues/{issue}/edit", data=form_of(visitor, issue) | back)
    assert studio.house.desk.issue(issue).issue.alts == ()


def test_no_picture_is_asked_for_unless_the_author_wants_copies(studio: Studio, blog: str) -> None:
    draft(studio, blog)
    assert Blog.asked == []


def test_a_copy_is_kept_served_to_everybody_and_shown_in_the_mail(studio: Studio, blog: str) -> None:
    studio.house.desk.set_setting("IMAGES", "copied")
    issue = draft(studio, blog)
    email = studio.house.desk.preview(issue)
    assert f"{blog}/a.webp" not in email
    name = email.partition("/media/")[2].partition('"')[0]
    with studio.visitor(signed_in=False) as visitor:
        answer = visitor.get(f"/media/{name}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert Image.open(BytesIO(answer.content)).size == (1200, 600)
        for wrong in (f"{'0' * 32}.jpg", "..%2f..%2fetc%2fpasswd", f"{'0' * 32}.svg", "x"):
            assert visitor.get(f"/media/{wrong}").status_code == 404
        drawing = next(name for name in re.findall(r"/media/(\w+\.\w+)", email) if name.endswith(".png"))
        assert visitor.get(f"/media/{drawing}").headers["content-type"] == "image/png"
    assert f'src="{blog}/b.png" width="300" height="200"' in email.replace(' alt=""', "")
    assert "No copy of 2 pictures could be kept" in line(studio, issue, "copies")
    assert f"{blog}/bomb.png" in email and f"{blog}/drawing.svg" not in email


def test_each_picture_is_asked_for_once(studio: Studio, blog: str) -> None:
    studio.house.desk.set_setting("IMAGES", "copied")
    issue = draft(studio, blog)
    first = sorted(Blog.asked)
    assert len(first) == len(set(first)) == 5
    studio.house.desk.edit_issue(issue, note="Hello")
    studio.house.desk.approve_issue(issue)
    assert sorted(Blog.asked) == first


def test_a_draft_is_composed_again_when_the_author_wants_copies_after_all(studio: Studio, blog: str) -> None:
    issue = draft(studio, blog)
    studio.house.desk.set_setting("IMAGES", "copied")
    studio.house.turn([Step.COMPOSE])
    assert "/media/" in studio.house.desk.preview(issue)


def test_without_the_extra_the_setting_says_what_is_missing_and_drafts_go_on(
    studio: Studio, blog: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.house.desk.set_setting("IMAGES", "copied")
    monkeypatch.setattr("newsletter.compose.shrink.importlib.util.find_spec", lambda name: None)
    with pytest.raises(ExtraMissing, match=r"pip install 'newsletter-pipeline\[images\]'"):
        studio.house.desk.set_setting("IMAGES", "copied")
    issue = draft(studio, blog)
    assert "which is not installed" in line(studio, issue, "copies")
    assert f"{blog}/a.webp" in studio.house.desk.preview(issue)


def test_a_picture_that_the_issue_does_not_show_cannot_be_described(studio: Studio, blog: str) -> None:
    issue = draft(studio, blog)
    with pytest.raises(Invalid, match=r"shows no picture https://e\.example/x\.png"):
        studio.house.desk.edit_issue(issue, alts={"https://e.example/x.png": "x"})
