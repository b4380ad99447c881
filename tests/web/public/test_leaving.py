from __future__ import annotations

import re
from dataclasses import replace

import pytest

from newsletter.model.delivery import DeliveryFlag
from newsletter.web.public.look import Look
from subscribers.model import SubscriberState
from subscribers.tokens import Purpose
from tests.web.public.conftest import House, Web

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def _link(house: House, id: int, issue: int = 5) -> str:
    return f"/u/{house.tokens.sign(Purpose.UNSUBSCRIBE, id, issue)}"


def _undo(page: str) -> str:
    found = re.search(r'name="undo" value="([^"]+)"', page)
    assert found
    return found[1]


def test_looking_at_the_page_changes_nothing(house: House, web: Web) -> None:
    ann = house.join()

    page = web.get(_link(house, ann.id))

    assert page.status_code == 200 and "Stop receiving Low Notes &amp; Co?" in page.text
    assert house.find(ann.id) == ann


@pytest.mark.parametrize("as_form", ["urlencoded", "multipart", "nothing"])
def test_one_click_unsubscribes_before_it_answers(house: House, web: Web, as_form: str) -> None:
    ann = house.join()
    link = _link(house, ann.id)

    if as_form == "urlencoded":
        answer = web.post(link, data=ONE_CLICK)
    elif as_form == "multipart":
        answer = web.post(link, files={"List-Unsubscribe": (None, "One-Click")})
    else:
        answer = web.post(link)

    assert answer.status_code == 200 and "location" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert house.find(ann.id).state is SubscriberState.UNSUBSCRIBED
    assert house.ledger.flags == [(5, ann.id, DeliveryFlag.UNSUBSCRIBED)]


def test_a_second_click_says_the_same_and_counts_nothing(house: House, web: Web) -> None:
    ann = house.join()
    link = _link(house, ann.id)
    web.post(link)
    house.later(days=4000)

    again = web.post(link)

    assert again.status_code == 200 and "You are unsubscribed" in again.text
    assert len(house.ledger.flags) == 1
    assert 'name="undo"' not in again.text


def test_a_link_from_outside_any_issue_counts_for_none(house: House, web: Web) -> None:
    ann = house.join()
    web.post(_link(house, ann.id, issue=0))

    assert house.ledger.flags == []
    assert house.find(ann.id).state is SubscriberState.UNSUBSCRIBED


def test_a_good_link_to_somebody_gone_is_answered_like_any_other(house: House, web: Web) -> None:
    answer = web.post(_link(house, 4711))

    assert answer.status_code == 200 and "You are unsubscribed" in answer.text


def _forged(house: House, id: int) -> list[str]:
    good = house.tokens.sign(Purpose.UNSUBSCRIBE, id, 5)
    return [
        good[:-1],
        good + "A",
        ("B" if good[0] != "B" else "C") + good[1:],
        house.tokens.sign(Purpose.PREFERENCES, id),
        house.tokens.sign(Purpose.UNSUBSCRIBE, id),
        "x",
        "%00",
    ]


def test_forged_truncated_and_swapped_links_do_nothing_and_tell_nothing(house: House, web: Web) -> None:
    ann = house.join()
    answers = {
        (answer.status_code, answer.text)
        for bad in _forged(house, ann.id)
        for answer in (web.get(f"/u/{bad}"), web.post(f"/u/{bad}", data=ONE_CLICK))
    }

    assert [status for status, _ in answers] == [400]
    assert house.find(ann.id).state is SubscriberState.ACTIVE


def test_the_page_shows_a_mask_and_never_the_address(house: House, web: Web) -> None:
    ann = house.join("ann.lovelace@example.com")
    link = _link(house, ann.id)

    for page in (web.get(link), web.post(link)):
        assert "a•••@example.com" in page.text and "lovelace" not in page.text


def test_whoever_just_left_can_take_it_back(house: House, web: Web) -> None:
    ann = house.join()
    link = _link(house, ann.id)
    undo = _undo(web.post(link).text)
    house.later(minutes=59)

    answer = web.post(f"{link}/undo", data={"undo": undo})

    assert answer.status_code == 200 and "still subscribed" in answer.text
    assert house.find(ann.id).state is SubscriberState.ACTIVE
    with house.read() as unit:
        assert unit.subscribers.claimable([ann.id], house.now).recipients


def test_taking_back_works_once_for_an_hour_and_for_that_leaving_only(house: House, web: Web) -> None:
    ann = house.join()
    link = _link(house, ann.id)
    first = _undo(web.post(link).text)
    web.post(f"{link}/undo", data={"undo": first})
    house.later(minutes=5)
    second = _undo(web.post(link).text)

    assert web.post(f"{link}/undo", data={"undo": first}).status_code == 409
    house.later(minutes=60)
    assert web.post(f"{link}/undo", data={"undo": second}).status_code == 410
    assert house.find(ann.id).state is SubscriberState.UNSUBSCRIBED


def test_one_persons_undo_is_not_anothers(house: House, web: Web) -> None:
    ann, bob = house.join(), house.join("bob@example.com")
    web.post(_link(house, ann.id))
    undo = _undo(web.post(_link(house, bob.id)).text)

    assert web.post(f"{_link(house, ann.id)}/undo", data={"undo": undo}).status_code == 400
    assert house.find(ann.id).state is SubscriberState.UNSUBSCRIBED


def test_a_reason_is_kept_with_the_suppression(house: House, web: Web) -> None:
    ann = house.join()
    link = _link(house, ann.id)
    web.post(link)

    assert web.post(f"{link}/why", data={"reason": "often"}).status_code == 200
    assert web.post(f"{link}/why", data={"reason": "<script>"}).status_code == 200

    with house.read() as unit:
        assert [kept.reason for kept in unit.subscribers.suppressions_of("ann@example.com")] == ["often"]


def test_a_reason_alone_unsubscribes_nobody(house: House, web: Web) -> None:
    ann = house.join()

    web.post(f"{_link(house, ann.id)}/why", data={"reason": "often"})

    assert house.find(ann.id).state is SubscriberState.ACTIVE


def test_pages_allow_no_script_and_no_frame_and_are_not_kept(house: House, web: Web) -> None:
    headers = web.get(_link(house, house.join().id)).headers

    assert "default-src 'none'" in headers["content-security-policy"]
    assert "script" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store" and headers["x-robots-tag"] == "noindex"


def test_the_style_sheet_is_kept_for_as_long_as_it_is_the_same(house: House, web: Web) -> None:
    page = web.get(_link(house, house.join().id)).text
    found = re.search(r'href="(/public/[^"]+\.css)"', page)
    assert found

    css = web.get(found[1])

    assert css.status_code == 200 and css.headers["content-type"].startswith("text/css")
    assert web.get(found[1], headers={"if-none-match": css.headers["etag"]}).status_code == 304
    assert web.get("/public/0000.css").status_code == 404
    house.look = Look(light={"accent": "#123456", "page": "red;}"}, heading="x;y", body="Inter, 'Noto Sans'")
    assert web.get(found[1]).status_code == 404
    page = web.get(_link(house, house.join("b@example.com").id)).text
    found = re.search(r'href="(/public/[^"]+\.css)"', page)
    assert found
    style = web.get(found[1]).text
    assert "--accent: #123456; --body: Inter, 'Noto Sans'; }" in style
    assert "red" not in style and "x;y" not in style


def test_a_language_without_words_is_said_in_english(house: House, web: Web) -> None:
    ann = house.join()
    for language, html in (("tlh", "en"), ("../../x", "en"), ("en-GB", "en")):
        house.newsletter = replace(house.newsletter, language=language)
        assert f'<html lang="{html}" dir="ltr">' in web.get(_link(house, ann.id)).text


def test_a_blogs_address_that_would_run_script_is_no_link(house: House, web: Web) -> None:
    link = _link(house, house.join().id)
    house.newsletter = replace(house.newsletter, site_url="javascript:alert(1)")
    assert "javascript:" not in web.get(link).text

    house.newsletter = replace(house.newsletter, site_url="https://blog.example/")
    assert 'href="https://blog.example/"' in web.get(link).text
