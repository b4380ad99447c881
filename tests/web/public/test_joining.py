from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from newsletter.model.notice import NoticeKind
from newsletter.store.tables import form_hits
from newsletter.web.public import public_router
from newsletter.web.public.front import Practice
from newsletter.web.public.joining import TRAP
from newsletter.web.public.limits import (
    ALTOGETHER,
    UNPROVEN_FROM_ONE,
    FormLimits,
    Unproven,
    neighbourhood,
    truncated,
)
from subscribers.errors import TooMany
from subscribers.model import Cadence, ConsentKind, SubscriberState, SuppressionCause
from subscribers.tokens import Purpose
from tests.web.public.conftest import NOW, House, Web

ADDRESS = "ann@example.com"


def _confirm_link(house: House, at: int = -1) -> str:
    request_id = int(house.notices.to(NoticeKind.CONFIRM)[at].data["request"])
    return f"/c/{house.tokens.sign(Purpose.CONFIRM, request_id)}"


def _state(house: House, address: str = ADDRESS) -> SubscriberState | None:
    with house.read() as unit:
        found = unit.subscribers.by_address(address)
    return found.state if found else None


def test_the_form_says_who_sends_what_and_how_to_leave(house: House, web: Web) -> None:
    page = web.get("/subscribe")

    assert page.status_code == 200 and "x-robots-tag" not in page.headers
    for said in (
        "Low Notes &amp; Co",
        "Ada",
        "<span><bdi>1 Mill Lane</bdi></span> <span><bdi>York</bdi></span>",
        "ada@blog.example",
        "/privacy",
        "leave",
    ):
        assert said in page.text


def test_signing_up_asks_the_address_and_subscribes_nobody_yet(house: House, web: Web) -> None:
    answer = web.post("/subscribe", data={"address": ADDRESS})

    assert answer.status_code == 200 and "a•••@example.com" in answer.text
    assert _state(house) is SubscriberState.UNCONFIRMED
    (notice,) = house.notices.queued.values()
    assert (notice.kind, notice.to) == (NoticeKind.CONFIRM, ADDRESS)
    assert set(notice.data) == {"request"}


def test_looking_at_the_confirmation_confirms_nobody(house: House, web: Web) -> None:
    web.post("/subscribe", data={"address": ADDRESS})

    page = web.get(_confirm_link(house))

    assert page.status_code == 200 and page.text.count("<button") == 1 and "<a " not in page.text
    assert _state(house) is SubscriberState.UNCONFIRMED


def test_the_button_confirms_keeps_the_proof_and_welcomes_once(house: House, web: Web) -> None:
    web.post("/subscribe", data={"address": ADDRESS, "source": "embed"})
    link = _confirm_link(house)
    web.address = "198.51.100.77"

    first = web.post(link)
    second = web.post(link)

    assert first.status_code == second.status_code == 200 and first.text == second.text
    assert "You are subscribed" in web.get(link).text
    assert _state(house) is SubscriberState.ACTIVE
    assert len(house.notices.to(NoticeKind.WELCOME)) == 1
    with house.read() as unit:
        person = unit.subscribers.by_address(ADDRESS)
        assert person is not None
        (proof,) = unit.subscribers.consents(person.id)
    assert (proof.kind, proof.source, proof.origin) == (
        ConsentKind.EXPRESS,
        "form: embed",
        "198.51.100.0/24",
    )
    assert "Low Notes & Co" in proof.wording and "withdraw" in proof.wording


def test_an_old_confirmation_does_not_bring_back_who_left(house: House, web: Web) -> None:
    web.post("/subscribe", data={"address": ADDRESS})
    house.later(days=1, seconds=1)
    web.post("/subscribe", data={"address": ADDRESS})
    used, unused = _confirm_link(house, 1), _confirm_link(house, 0)
    web.post(used)
    with house.begin() as unit:
        person = unit.subscribers.by_address(ADDRESS)
        assert person is not None
        unit.subscribers.unsubscribe(person.id, house.now)

    for link in (used, unused):
        assert web.get(link).status_code == web.post(link).status_code == 410
    assert _state(house) is SubscriberState.UNSUBSCRIBED


def test_a_confirmation_ends_after_thirty_days(house: House, web: Web) -> None:
    web.post("/subscribe", data={"address": ADDRESS})
    house.later(days=30)

    assert web.post(_confirm_link(house)).status_code == 410
    assert _state(house) is SubscriberState.UNCONFIRMED


@pytest.mark.parametrize("cause", [SuppressionCause.UNSUBSCRIBED, SuppressionCause.BOUNCED])
def test_who_left_comes_back_by_confirming(house: House, web: Web, cause: SuppressionCause) -> None:
    person = house.join()
    with house.begin() as unit:
        unit.subscribers.suppress(ADDRESS, cause, house.now)

    web.post("/subscribe", data={"address": ADDRESS})
    assert house.find(person.id).state is not SubscriberState.ACTIVE
    web.post(_confirm_link(house))

    assert house.find(person.id).state is SubscriberState.ACTIVE
    with house.read() as unit:
        assert unit.subscribers.claimable([person.id], house.now).recipients


def _new(house: House) -> None:
    pass


def _active(house: House) -> None:
    house.join()


def _suppressed(cause: SuppressionCause) -> Callable[[House], None]:
    def before(house: House) -> None:
        house.join()
        with house.begin() as unit:
            unit.subscribers.suppress(ADDRESS, cause, house.now)

    return before


BEFORE = {
    "new": _new,
    "active": _active,
    **{cause.value: _suppressed(cause) for cause in SuppressionCause if cause is not SuppressionCause.ERASED},
}


def test_the_answer_is_the_same_whoever_the_address_is(house: House, web: Web) -> None:
    answers = []
    for before in BEFORE.values():
        with house.database.write() as conn:
            for table in ("requests", "consents", "suppressions", "subscribers"):
                conn.exec_driver_sql(f"DELETE FROM {table}")
        before(house)
        for _ in range(2):
            answer = web.post("/subscribe", data={"address": ADDRESS})
            answers.append((answer.status_code, answer.text, sorted(answer.headers.items())))
            answer = web.post("/subscribe.json", json={"address": ADDRESS})
            assert (answer.status_code, answer.json()) == (202, {"state": "asked"})

    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize("cause", [SuppressionCause.COMPLAINED, SuppressionCause.MANUAL])
def test_who_complained_is_not_even_asked(house: House, web: Web, cause: SuppressionCause) -> None:
    _suppressed(cause)(house)

    web.post("/subscribe", data={"address": ADDRESS})

    assert house.notices.queued == {}


def test_an_answer_takes_its_time(house: House) -> None:
    app = FastAPI()
    app.include_router(public_router(house.front(), limits=house.limits, answer_after_s=0.2))

    started = time.monotonic()
    Web(app).post("/subscribe", data={"address": ADDRESS})

    assert time.monotonic() - started >= 0.2


def test_without_double_opt_in_a_new_address_is_welcomed_at_once(house: House, web: Web) -> None:
    house.double = False

    answer = web.post("/subscribe", data={"address": ADDRESS})

    assert "From now on" in answer.text
    assert _state(house) is SubscriberState.ACTIVE
    assert [n.kind for n in house.notices.queued.values()] == [NoticeKind.WELCOME]


def test_even_without_double_opt_in_who_left_must_confirm(house: House, web: Web) -> None:
    house.double = False
    person = house.join()
    with house.begin() as unit:
        unit.subscribers.unsubscribe(person.id, house.now)

    web.post("/subscribe", data={"address": ADDRESS})

    assert house.find(person.id).state is SubscriberState.UNSUBSCRIBED
    assert [n.kind for n in house.notices.queued.values()] == [NoticeKind.CONFIRM]


@pytest.mark.parametrize("written", ["", "nobody", "a@b", "x" * 900 + "@example.com", "<script>@x.com"])
def test_what_is_no_address_is_told_beside_the_field(house: House, web: Web, written: str) -> None:
    answer = web.post("/subscribe", data={"address": written})

    assert answer.status_code == 400 and 'aria-invalid="true"' in answer.text
    assert "<script>" not in answer.text
    assert house.notices.queued == {}


def test_a_slip_is_asked_about_and_can_be_kept(house: House, web: Web) -> None:
    answer = web.post("/subscribe", data={"address": "ann@gmial.com"})
    assert "Did you mean ann@gmail.com?" in answer.text and house.notices.queued == {}

    web.post("/subscribe", data={"address": "ann@gmial.com", "sure": "ann@gmial.com"})
    assert _state(house, "ann@gmial.com") is SubscriberState.UNCONFIRMED


def test_the_trap_is_told_and_never_silent(house: House, web: Web) -> None:
    page = web.get("/subscribe").text
    hidden = (
        rf'aria-hidden="true"><label>[^<]+<input type="text" name="{TRAP}" tabindex="-1" autocomplete="off"'
    )
    assert re.search(hidden, page)

    answer = web.post("/subscribe", data={"address": ADDRESS, TRAP: "x"})

    assert answer.status_code == 400 and "leave the field" in answer.text
    # Whoever's browser filled it in sees it now, with its label, and can empty it.
    assert f'<label class="field" for="{TRAP}">Leave this field empty</label>' in answer.text
    assert "aria-hidden" not in answer.text
    assert _state(house) is None


def test_without_a_solution_one_place_may_send_two_forms_an_hour(house: House, web: Web) -> None:
    house.limits.unproven_from_one = UNPROVEN_FROM_ONE
    answers = [web.post("/subscribe", data={"address": f"p{n}@example.com"}) for n in range(3)]
    web.address = "192.0.2.1"
    elsewhere = web.post("/subscribe", data={"address": ADDRESS}).status_code

    assert ([answer.status_code for answer in answers], elsewhere) == ([200, 200, 429], 200)
    assert 'value="p2@example.com"' in answers[2].text and "Press the button once more" in answers[2].text
    assert _state(house, "p2@example.com") is None


def test_with_solutions_one_place_may_send_five_forms_an_hour(house: House) -> None:
    limits, front = FormLimits(), house.front()
    for _ in range(5):
        limits.take(front, "203.0.113.9", NOW, proven=True)
    with pytest.raises(TooMany) as refused:
        limits.take(front, "203.0.113.9", NOW, proven=True)
    assert not isinstance(refused.value, Unproven)
    limits.take(front, "203.0.113.9", NOW + timedelta(hours=1), proven=True)


def test_forms_without_a_solution_leave_room_for_those_with_one(house: House) -> None:
    limits, front = FormLimits(), house.front()
    for n in range(20):
        limits.take(front, f"10.0.{n}.1", NOW)
    for n in range(20, 1000):
        with pytest.raises(Unproven):
            limits.take(front, f"10.{n >> 8}.{n & 255}.2", NOW)
    limits.take(front, "203.0.113.9", NOW, proven=True)


def test_a_restart_forgets_no_limit_and_nothing_says_where_a_form_came_from(house: House) -> None:
    """Another process, or the same one started again, looks into the same table."""
    for _ in range(2):
        FormLimits().take(house.front(), "203.0.113.9", NOW)
    with pytest.raises(Unproven):
        FormLimits().take(house.front(), "203.0.113.9", NOW)
    with house.read() as unit:
        rows = unit.subscribers.conn.execute(select(form_hits)).all()
    assert len(rows) == 2 and "203.0.113" not in str(rows)
    # What no limit counts any more is gone with the next form.
    FormLimits().take(house.front(), "203.0.113.9", NOW + timedelta(hours=2))
    with house.read() as unit:
        assert len(unit.subscribers.conn.execute(select(form_hits)).all()) == 1


def test_all_together_may_send_a_hundred_an_hour(house: House, web: Web) -> None:
    house.limits.altogether = ALTOGETHER
    for n in range(100):
        house.limits.take(house.front(), f"10.0.{n}.1", house.now, proven=True)

    answer = web.post("/subscribe.json", json={"address": ADDRESS})

    assert answer.status_code == 429 and answer.json()["error"]["code"] == "too_many"
    assert _state(house) is None


def test_addresses_of_one_network_count_as_one() -> None:
    assert neighbourhood("2001:db8::1") == neighbourhood("2001:db8::ffff") == "2001:db8::/64"
    assert neighbourhood("192.0.2.1") != neighbourhood("192.0.2.2")
    assert neighbourhood("testclient") == "unknown"
    assert (truncated("192.0.2.9"), truncated("2001:db8:1:2::9"), truncated("x")) == (
        "192.0.2.0/24",
        "2001:db8:1::/48",
        "",
    )


def test_the_json_door_tells_what_is_wrong(house: House, web: Web) -> None:
    answer = web.post("/subscribe.json", json={"address": "nobody"})

    assert answer.status_code == 400 and answer.json()["error"]["code"] == "invalid"
    assert answer.headers["access-control-allow-origin"] == "*"
    for body in (b'{"x": 1}', b"not json", b"\xff", b"[" * 10_000, b'{"address": 1}'):
        answer = web.post("/subscribe.json", content=body)
        assert answer.status_code == 400 and answer.json()["error"]["code"] == "invalid"
        assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("token", ["x", "", "%00", "../u/x"])
def test_forged_confirmations_are_refused(house: House, web: Web, token: str) -> None:
    assert web.post(f"/c/{token}").status_code in {400, 404}


def test_a_link_of_another_kind_confirms_nobody(house: House, web: Web) -> None:
    web.post("/subscribe", data={"address": ADDRESS})
    for purpose in set(Purpose) - {Purpose.CONFIRM}:
        assert web.post(f"/c/{house.tokens.sign(purpose, 1)}").status_code == 400
    assert _state(house) is SubscriberState.UNCONFIRMED


def test_the_privacy_notice_is_made_from_the_settings(house: House, web: Web) -> None:
    page = web.get("/privacy").text

    assert "Ada" in page and "1 Mill Lane, York" in page and "ada@blog.example" in page
    assert "own mail server" in page and "before anything else is sent" in page

    house.double, house.practice = False, Practice(provider="SendGrid")
    page = web.get("/privacy").text
    assert "SendGrid" in page and "United States" in page and "subscribed at once" in page

    house.practice = Practice(provider="SendGrid", in_europe=True)
    page = web.get("/privacy").text
    assert "SendGrid" in page and "European Union" in page and "United States" not in page


def test_a_digest_is_not_promised_as_every_post(house: House, web: Web) -> None:
    assert "every new post" in web.get("/subscribe").text
    house.newsletter = replace(house.newsletter, cadence=Cadence.WEEKLY)
    assert "every new post" not in web.get("/subscribe").text
