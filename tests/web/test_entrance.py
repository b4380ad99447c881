"""Coming in by the one-time link and by password, and going out again."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.web.doors import local_path
from tests.web.conftest import Studio, opened

PASSWORD = "a quiet garden at noon"


def link_of(studio: Studio) -> str:
    return "/studio/login/" + studio.house.desk.doors.new_login()


def test_nobody_comes_in_without_signing_in(bare: Studio) -> None:
    paths = ["/studio/", "/studio/issues", "/studio/subscribers", "/studio/subscribers/form"]
    with bare.visitor(signed_in=False) as visitor:
        for path in [
            *paths,
            "/studio/settings",
            "/studio/settings/people",
            "/studio/setup",
            "/studio/welcome",
        ]:
            answer = visitor.get(path)
            assert answer.status_code == 303, path
            assert answer.headers["location"].startswith("/studio/login"), path
        for path in (
            "/studio/subscribers/add",
            "/studio/subscribers/export",
            "/studio/setup/newsletter",
            "/studio/issues/1/approve",
        ):
            assert visitor.post(path, data={"address": "ann@example.org"}).status_code == 303, path
    assert not bare.house.desk.subscribers()


def test_looking_at_a_one_time_link_does_not_use_it_up(bare: Studio) -> None:
    link = link_of(bare)
    with bare.visitor(signed_in=False) as visitor:
        for _ in range(3):
            assert visitor.get(link).status_code == 200
        assert not bare.house.desk.doors.sessions()
        answer = visitor.post(link)
        assert answer.headers["location"] == "/studio/welcome"
        assert visitor.get("/studio/").status_code == 200


def test_a_one_time_link_works_once(bare: Studio) -> None:
    link = link_of(bare)
    with bare.visitor(signed_in=False) as first, bare.visitor(signed_in=False) as second:
        first.post(link)
        answer = second.post(link)
        assert answer.status_code == 400
        assert "newsletter login" in answer.text
        assert second.get("/studio/").status_code == 303


def test_the_cookie_is_secure_and_bound_to_the_host_on_https_only(tmp_path: Path) -> None:
    with opened(tmp_path, trusted_proxies="127.0.0.1,::1") as studio:
        with studio.visitor(signed_in=False) as visitor:
            plain = visitor.post(link_of(studio)).headers["set-cookie"]
            https = visitor.post(link_of(studio), headers={"X-Forwarded-Proto": "https"}).headers[
                "set-cookie"
            ]
    assert plain.startswith("session=") and "Secure" not in plain
    assert https.startswith("__Host-session=") and "; Secure" in https and "Path=/" in https
    assert all("HttpOnly" in cookie and "SameSite=lax" in cookie for cookie in (plain, https))


def test_a_proxy_that_is_not_trusted_cannot_claim_https(bare: Studio) -> None:
    with bare.visitor(signed_in=False) as visitor:
        answer = visitor.post(link_of(bare), headers={"X-Forwarded-Proto": "https"})
    assert answer.headers["set-cookie"].startswith("session=")


def test_a_password_opens_the_page_that_was_asked_for(studio: Studio) -> None:
    studio.house.desk.doors.set_password(PASSWORD)
    with studio.visitor(signed_in=False) as visitor:
        asked = visitor.get("/studio/subscribers")
        assert asked.headers["location"] == "/studio/login?next=%2Fstudio%2Fsubscribers"
        answer = visitor.post("/studio/login", data={"password": PASSWORD, "next": "/studio/subscribers"})
        assert answer.headers["location"] == "/studio/subscribers"
        assert visitor.get("/studio/subscribers").status_code == 200


def test_five_wrong_passwords_from_one_address_make_it_wait(studio: Studio) -> None:
    studio.house.desk.doors.set_password(PASSWORD)
    with studio.visitor(signed_in=False) as visitor:
        statuses = [visitor.post("/studio/login", data={"password": "wrong"}).status_code for _ in range(6)]
        assert statuses == [403] * 5 + [429]
        right = visitor.post("/studio/login", data={"password": PASSWORD})
        assert right.status_code == 429
        link = visitor.post(link_of(studio))
        assert link.status_code == 303  # nobody is locked out for good


def test_a_visitor_cannot_choose_the_address_that_wrong_passwords_count_for(studio: Studio) -> None:
    studio.house.desk.doors.set_password(PASSWORD)
    with studio.visitor(signed_in=False) as visitor:
        statuses = [
            visitor.post(
                "/studio/login", data={"password": "wrong"}, headers={"X-Forwarded-For": f"203.0.113.{n}"}
            ).status_code
            for n in range(6)
        ]
    assert statuses[-1] == 429


def test_without_a_password_the_page_says_how_to_get_a_link(bare: Studio) -> None:
    with bare.visitor(signed_in=False) as visitor:
        assert "newsletter login" in visitor.get("/studio/login").text


def test_a_short_password_is_refused_in_words(bare: Studio) -> None:
    with bare.visitor() as visitor:
        answer = visitor.post("/studio/welcome", data={"password": "short"})
    assert answer.status_code == 400
    assert "between 12 and 128" in answer.text
    assert not bare.house.desk.doors.has_password()


def test_the_first_password_is_set_once_and_never_over_another(bare: Studio) -> None:
    doors = bare.house.desk.doors
    with bare.visitor() as visitor:
        assert visitor.get("/studio/welcome").status_code == 200
        visitor.post("/studio/welcome", data={"password": PASSWORD})
        answer = visitor.get("/studio/welcome")
        assert (answer.status_code, answer.headers["location"]) == (303, "/studio/")
        refused = visitor.post("/studio/welcome", data={"password": "somebody else was here"})
        assert refused.status_code == 409 and "password already" in refused.text
        assert visitor.get("/studio/").status_code == 200
    assert doors.sign_in("somebody else was here", "") is None
    assert doors.sign_in(PASSWORD, "") is not None


def test_a_new_password_signs_every_other_browser_out(studio: Studio) -> None:
    studio.house.desk.doors.set_password(PASSWORD)
    with studio.visitor() as here, studio.visitor() as elsewhere:
        refused = here.post("/studio/settings/people/password", data={"current": "no", "new": PASSWORD + "!"})
        assert refused.status_code == 400
        assert elsewhere.get("/studio/").status_code == 200
        here.post("/studio/settings/people/password", data={"current": PASSWORD, "new": PASSWORD + "!"})
        assert here.get("/studio/").status_code == 200
        assert elsewhere.get("/studio/").status_code == 303


def test_checking_the_current_password_leaves_no_session_behind(studio: Studio) -> None:
    studio.house.desk.doors.set_password(PASSWORD)
    with studio.visitor() as here:
        here.post("/studio/settings/people/password", data={"current": PASSWORD, "new": PASSWORD + "!"})
    assert len(studio.house.desk.doors.sessions()) == 1


def test_a_browser_can_be_signed_out_from_another(studio: Studio) -> None:
    with studio.visitor() as here, studio.visitor() as elsewhere:
        page = here.get("/studio/settings/people").text
        which = page.split('name="which" value="')[1].split('"')[0]
        here.post("/studio/settings/people/sessions/close", data={"which": which})
        assert here.get("/studio/").status_code == 200
        assert elsewhere.get("/studio/").status_code == 303


def test_signing_out_ends_the_session_and_takes_the_cookie(studio: Studio) -> None:
    with studio.visitor() as visitor:
        cookie = visitor.cookies["session"]
        answer = visitor.post("/studio/logout")
        assert 'session=""' in answer.headers["set-cookie"]
    assert studio.house.desk.doors.check_session(cookie) is None


@pytest.mark.parametrize(
    "text",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/studio/\\evil",
        "/studio//evil",
        "/a/x",
        "",
    ],
)
def test_signing_in_leads_nowhere_but_the_studio(text: str) -> None:
    assert local_path(text) == "/studio/"


def test_whoever_is_at_the_machine_may_forget_the_password_and_choose_another(studio: Studio) -> None:
    studio.house.desk.doors.set_password(PASSWORD)
    with studio.visitor(signed_in=False) as visitor, studio.visitor(signed_in=False) as stranger:
        stranger.post("/studio/login", data={"password": PASSWORD})
        studio.house.desk.doors.forget_password()
        assert stranger.get("/studio/subscribers").status_code == 303
        assert visitor.post("/studio/login", data={"password": PASSWORD}).status_code == 403
        assert visitor.post(link_of(studio)).headers["location"] == "/studio/welcome"
        chosen = visitor.post("/studio/welcome", data={"password": "a new and long one"})
        assert chosen.headers["location"] == "/studio/"
        assert studio.house.desk.doors.has_password()
