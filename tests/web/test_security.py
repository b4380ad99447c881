"""Which hosts are answered, who may write, how much, and what every answer says to the browser."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from newsletter.web.security import UPLOAD, body_limit, host_of, is_local, is_own_write
from tests.web.conftest import Studio, opened


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("localhost:8000", "localhost"),
        ("LOCALHOST", "localhost"),
        ("news.example.org.", "news.example.org"),
        ("[::1]:8000", "::1"),
        ("[::1", ""),
        ("", ""),
        ("evil.example@localhost", "localhost"),
    ],
)
def test_the_host_of_a_host_header(header: str, host: str) -> None:
    assert host_of(header) == host


@pytest.mark.parametrize("host", ["localhost", "studio.localhost", "127.0.0.1", "192.168.1.5", "::1"])
def test_names_that_no_attacker_can_point_at_us_are_local(host: str) -> None:
    assert is_local(host)


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", ""])
def test_other_names_are_not_local(host: str) -> None:
    assert not is_local(host)


@given(st.text(max_size=60))
def test_any_host_header_has_an_answer(header: str) -> None:
    is_local(host_of(header))


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "http://home:8000"}, False),
        ({"origin": "http://home:8000"}, True),
        ({"origin": "https://news.example.org"}, True),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://["}, False),
        ({}, True),
    ],
)
def test_a_write_is_judged_by_where_the_browser_says_it_comes_from(
    headers: dict[str, str], own: bool
) -> None:
    assert is_own_write(Headers({"host": "home:8000", **headers}), "https://news.example.org") is own


def test_a_foreign_host_name_gets_a_page_that_says_what_to_do(bare: Studio) -> None:
    with bare.visitor(headers={"Host": "rebound.evil.example"}) as visitor:
        answer = visitor.get("/studio/")
    assert answer.status_code == 421
    assert "NEWSLETTER_BASE_URL" in answer.text


def test_the_base_url_is_answered_to(tmp_path: Path) -> None:
    with opened(tmp_path, base_url="https://news.example.org") as studio:
        with studio.visitor(headers={"Host": "news.example.org"}) as visitor:
            assert visitor.get("/studio/").status_code == 200


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
def test_a_write_from_another_site_changes_nothing(studio: Studio, headers: dict[str, str]) -> None:
    with studio.visitor(headers=headers) as visitor:
        answer = visitor.post("/studio/subscribers/add", data={"address": "ann@example.org"})
    assert answer.status_code == 403
    assert not studio.house.desk.subscribers()


def test_a_body_beyond_the_limit_is_refused_whether_its_length_is_told_or_not(bare: Studio) -> None:
    size = body_limit("/studio/login") + 1
    with bare.visitor() as visitor:
        told = visitor.post("/studio/login", content=b"x" * size)
        assert told.status_code == 413
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        untold = visitor.post(
            "/studio/login", content=(b"x" * 4096 for _ in range(size // 4096 + 1)), headers=form
        )
        assert untold.status_code in {400, 413}


def test_an_endless_body_is_refused_where_no_form_is_read(bare: Studio) -> None:
    """Neither a page of its own nor a trace in the log: anybody can send one."""
    endless = (b"x" * 65_536 for _ in range(100))
    with bare.visitor(signed_in=False) as visitor:
        assert visitor.post("/hooks/sendgrid", content=endless).status_code == 413


@pytest.mark.parametrize("told", [True, False])
def test_only_the_author_may_send_a_large_file(bare: Studio, told: bool) -> None:
    rows = b"email\n" + b"somebody.with.a.long.name@example.org\n" * 20_000
    start = b'--x\r\nContent-Disposition: form-data; name="file"; filename="l.csv"\r\n\r\n'
    body = start + rows + b"\r\n--x--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    sent = body if told else (body[at : at + 65_536] for at in range(0, len(body), 65_536))
    with bare.visitor(signed_in=False, headers=headers) as stranger:
        assert stranger.post(UPLOAD, content=sent).status_code in ({401} if told else {400, 413})
    with bare.visitor(headers=headers) as author:
        assert author.post(f"{UPLOAD}/1/run", content=body).status_code == 413, "only the upload itself"
        assert author.post(UPLOAD, content=body).status_code == 303
    assert len(bare.house.desk.open_imports()) == 1


def test_every_page_of_the_studio_carries_the_headers(bare: Studio) -> None:
    with bare.visitor() as visitor:
        answer = visitor.get("/studio/")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "same-origin"


def test_no_page_needs_an_inline_script_or_style(studio: Studio) -> None:
    issue = studio.draft()
    pages = [
        "/studio/",
        "/studio/issues",
        f"/studio/issues/{issue}",
        "/studio/subscribers",
        "/studio/settings",
    ]
    with studio.visitor() as visitor:
        for page in pages:
            text = visitor.get(page).text
            assert "style=" not in text and "<style" not in text and " onclick" not in text, page


def test_an_unforeseen_fault_is_a_calm_page_and_keeps_its_details_to_the_log(
    bare: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(bare.house.desk, "today", broken)
    with bare.visitor() as visitor:
        answer = visitor.get("/studio/")
    assert answer.status_code == 500
    assert "the secret inside" not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_what_is_not_there_is_said_in_a_page(bare: Studio) -> None:
    with bare.visitor() as visitor:
        for path in ("/studio/issues/99", "/nothing", "/studio/settings/nothing", "/studio/setup/nothing"):
            answer = visitor.get(path)
            assert answer.status_code == 404, path
            assert answer.headers["content-type"].startswith("text/html"), path


def test_health_answers_whoever_asks(bare: Studio) -> None:
    answer = httpx.get(f"{bare.base}/healthz", headers={"Host": "10-0-0-1.pods.internal"})
    assert (answer.status_code, answer.text) == (200, "ok\n")


def test_static_files_are_kept_for_a_year_under_a_name_of_their_content(bare: Studio) -> None:
    with bare.visitor() as visitor:
        page = visitor.get("/studio/login").text
        href = page.split('rel="stylesheet" href="')[1].split('"')[0]
        answer = visitor.get(href)
        assert "immutable" in answer.headers["cache-control"]
        again = visitor.get(href, headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304
        assert visitor.get(href.replace("/studio.css", "/../../pyproject.toml")).status_code == 404
        assert visitor.get("/static/0000000000000000/studio.css").status_code == 404
