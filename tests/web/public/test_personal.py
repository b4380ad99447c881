from __future__ import annotations

import json
from datetime import timedelta

from newsletter.model.notice import NoticeKind
from subscribers.model import SubscriberState, SuppressionCause
from subscribers.tokens import Purpose
from tests.web.public.conftest import House, Web


def _link(house: House, id: int) -> str:
    token = house.tokens.sign(Purpose.PERSONAL, id, expires_at=house.now + timedelta(minutes=30))
    return f"/m/{token}"


def test_the_link_works_for_thirty_minutes(house: House, web: Web) -> None:
    link = _link(house, house.join().id)

    assert web.get(link).status_code == 200
    house.later(minutes=30)
    assert web.get(link).status_code == web.post(f"{link}/copy").status_code == 410


def test_the_preferences_link_opens_nothing_personal(house: House, web: Web) -> None:
    ann = house.join()
    token = house.tokens.sign(Purpose.PREFERENCES, ann.id)

    for path in ("", "/name", "/address", "/copy", "/erase"):
        ask = web.post if path else web.get
        assert ask(f"/m/{token}{path}").status_code == 400
    assert house.find(ann.id) == ann


def test_a_name_is_changed(house: House, web: Web) -> None:
    ann = house.join()

    page = web.post(f"{_link(house, ann.id)}/name", data={"name": " Ann\nB. "})

    assert "Your name is saved" in page.text and 'value="Ann B."' in page.text
    assert house.find(ann.id).name == "Ann B."


def test_an_address_changes_when_the_new_one_agrees(house: House, web: Web) -> None:
    ann = house.join()

    web.post(f"{_link(house, ann.id)}/address", data={"address": "new@example.com"})
    assert house.find(ann.id).address == ann.address
    (notice,) = house.notices.to(NoticeKind.ADDRESS_CHANGE)
    link = f"/c/{house.tokens.sign(Purpose.CONFIRM, int(notice.data['request']))}"

    assert notice.to == "new@example.com"
    assert "n•••@example.com" in web.get(link).text
    assert house.find(ann.id).address == ann.address
    assert "new address is in use" in web.post(link).text
    assert house.find(ann.id).address == "new@example.com"
    assert web.post(link).status_code == 200


def test_whether_an_address_is_taken_or_suppressed_is_not_told(house: House, web: Web) -> None:
    ann = house.join()
    house.join("bob@example.com")
    with house.begin() as unit:
        unit.subscribers.suppress("cid@example.com", SuppressionCause.MANUAL, house.now)

    pages = {
        web.post(f"{_link(house, ann.id)}/address", data={"address": address}).text
        for address in ("bob@example.com", "cid@example.com", "new@example.com")
    }

    assert len(pages) == 1
    assert [n.to for n in house.notices.to(NoticeKind.ADDRESS_CHANGE)] == ["new@example.com"]
    assert web.post(f"{_link(house, ann.id)}/address", data={"address": "x"}).status_code == 400


def test_an_address_taken_meanwhile_is_refused_at_the_button(house: House, web: Web) -> None:
    ann = house.join()
    web.post(f"{_link(house, ann.id)}/address", data={"address": "new@example.com"})
    (notice,) = house.notices.to(NoticeKind.ADDRESS_CHANGE)
    house.join("new@example.com")

    link = f"/c/{house.tokens.sign(Purpose.CONFIRM, int(notice.data['request']))}"

    assert web.post(link).status_code == 409
    assert house.find(ann.id).address == ann.address


def test_everything_that_is_kept_can_be_taken_along(house: House, web: Web) -> None:
    ann = house.join()

    answer = web.post(f"{_link(house, ann.id)}/copy")

    document = json.loads(answer.text)
    assert "attachment" in answer.headers["content-disposition"]
    assert document["address"] == ann.address and document["consents"] and document["deliveries"] == []


def test_erasing_needs_the_tick_and_leaves_nothing(house: House, web: Web) -> None:
    ann = house.join()
    link = _link(house, ann.id)
    web.post(f"/p/{house.tokens.sign(Purpose.PREFERENCES, ann.id)}/link")

    assert web.post(f"{link}/erase").status_code == 400
    assert house.find(ann.id) == ann

    assert "You are forgotten" in web.post(f"{link}/erase", data={"sure": "yes"}).text
    assert (house.find(ann.id).state, house.find(ann.id).address) == (SubscriberState.ERASED, "")
    assert house.notices.queued == {}
    assert web.get(link).status_code == 410
