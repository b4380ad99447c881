"""What somebody with bad intentions tries on the public pages."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from newsletter.model.notice import NoticeKind
from newsletter.web.public import public_router
from newsletter.web.public.evenly import Evenly
from newsletter.web.public.limits import ALTOGETHER, UNPROVEN_ALTOGETHER, FormLimits
from subscribers.errors import TooMany
from subscribers.model import SubscriberState
from subscribers.tables import subscribers
from subscribers.tokens import Purpose, Tokens
from tests.web.public.conftest import House, Web

MANY = 10_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("victim", "mails"),
    [("victim@example.com", 1), ("victim+{n}@gmail.com", 3), ("victim{n}@example.com", UNPROVEN_ALTOGETHER)],
    ids=["one address", "one mailbox", "many"],
)
def test_ten_thousand_sign_ups_from_everywhere_send_a_handful_of_messages(
    house: House, victim: str, mails: int
) -> None:
    """From ten thousand networks, so that only what holds for all of them together is left."""
    app = FastAPI()
    app.include_router(public_router(house.front(), limits=FormLimits(), answer_after_s=0))

    async def attack() -> set[int]:
        statuses = set()
        for n in range(MANY):
            transport = ASGITransport(app, client=(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", 40_000))
            async with AsyncClient(transport=transport, base_url="http://localhost") as client:
                answer = await client.post("/subscribe.json", json={"address": victim.format(n=n)})
            statuses.add(answer.status_code)
        return statuses

    with ThreadPoolExecutor(1) as thread:
        statuses = thread.submit(asyncio.run, attack()).result()

    assert statuses == {202, 429}
    assert len(house.notices.to(NoticeKind.CONFIRM)) == mails
    with house.database.read() as conn:
        assert conn.execute(select(func.count()).select_from(subscribers)).scalar_one() <= UNPROVEN_ALTOGETHER


def test_whoever_solves_challenges_gets_no_further_than_all_may(house: House) -> None:
    limits, passed = FormLimits(), 0
    for n in range(MANY):
        try:
            limits.take(house.front(), f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", house.now, proven=True)
            passed += 1
        except TooMany:
            continue
    assert passed == ALTOGETHER


@given(taken=st.floats(0, 10), step=st.sampled_from([0.05, 0.3, 1.0]))
def test_an_answer_comes_on_a_step_however_long_it_took(taken: float, step: float) -> None:
    """What takes longer for some addresses than for others is told by no time but a whole step."""
    evenly = Evenly(step, clock=lambda: taken)
    total = taken + evenly.left_s(0.0)
    assert taken - 1e-9 <= total <= taken + step + 1e-9
    assert min(total % step, step - total % step) < 1e-6  # a whole multiple


def _links(house: House, id: int, request_id: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Every kind of link, with what its token signs."""
    return {
        "u": (house.tokens.sign(Purpose.UNSUBSCRIBE, id, 5), (id, 5)),
        "p": (house.tokens.sign(Purpose.PREFERENCES, id), (id,)),
        "c": (house.tokens.sign(Purpose.CONFIRM, request_id), (request_id,)),
        "m": (house.tokens.sign(Purpose.PERSONAL, id, expires_at=house.now + timedelta(minutes=30)), (id,)),
    }


ACTS = {"u": ("",), "p": ("", "/link"), "c": ("",), "m": ("/name", "/address", "/copy", "/erase")}
FIELDS = {"name": "Mallory", "address": "mallory@example.org", "sure": "yes", "often": "monthly"}


@pytest.mark.parametrize("kind", ACTS)
def test_no_forged_truncated_or_swapped_token_opens_anything(house: House, web: Web, kind: str) -> None:
    ann, bob = house.join(), house.join("bob@example.com")
    web.post("/subscribe", data={"address": "cid@example.com"})
    request_id = int(house.notices.to(NoticeKind.CONFIRM)[0].data["request"])
    mine, his = _links(house, ann.id, request_id), _links(house, bob.id, request_id + 1)
    good, others = mine[kind][0], [token for name, (token, _) in mine.items() if name != kind]
    stranger = Tokens([b"the key of somebody else, 32 byte"])
    swapped = ("B" if good[3] != "B" else "C").join((good[:3], good[4:]))
    bad = [
        *(good[:length] for length in range(1, len(good))),  # truncated
        good + "A",
        good + "=",
        good.swapcase(),
        swapped,
        good[:8] + his[kind][0][8:],  # the beginning of one, the seal of another
        *others,  # for another purpose
        stranger.sign(
            Purpose[{"u": "UNSUBSCRIBE", "p": "PREFERENCES", "c": "CONFIRM", "m": "PERSONAL"}[kind]], 1
        ),
        "x" * 5000,
    ]
    before = (house.find(ann.id), house.find(bob.id), dict(house.notices.queued))

    answers = set()
    for token in bad:
        answers.add(web.get(f"/{kind}/{token}").status_code)
        for act in ACTS[kind][:1] if len(token) > 9 else ACTS[kind]:
            answers.add(web.post(f"/{kind}/{token}{act}", data=FIELDS).status_code)

    assert answers <= {400, 404, 410}
    assert (house.find(ann.id), house.find(bob.id), dict(house.notices.queued)) == before


def test_a_link_to_ones_data_ends_and_outlives_nobody(house: House, web: Web) -> None:
    ann = house.join()
    link = f"/m/{_links(house, ann.id, 1)['m'][0]}"
    assert web.get(link).status_code == 200

    house.later(minutes=30)
    assert web.get(link).status_code == 410
    assert web.post(f"{link}/erase", data={"sure": "yes"}).status_code == 410
    assert house.find(ann.id).state is SubscriberState.ACTIVE

    link = f"/m/{_links(house, ann.id, 1)['m'][0]}"
    web.post(f"{link}/erase", data={"sure": "yes"})
    for act in ACTS["m"]:
        assert web.post(f"{link}{act}", data=FIELDS).status_code == 410


def test_a_forwarded_mail_opens_the_preferences_but_nothing_that_tells_who_it_is(
    house: House, web: Web
) -> None:
    ann = house.join("ann.lovelace@example.com")
    with house.begin() as unit:
        unit.subscribers.rename(ann.id, "Ann Lovelace", house.now)
    links = _links(house, ann.id, 1)
    for path in (f"/u/{links['u'][0]}", f"/p/{links['p'][0]}"):
        assert "ovelace" not in web.get(path).text
    assert "ovelace" not in web.post(f"/p/{links['p'][0]}/link").text
