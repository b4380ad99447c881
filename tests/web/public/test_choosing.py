from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from newsletter.model.notice import NoticeKind
from subscribers.addresses import masked
from subscribers.model import Cadence, SubscriberState, SuppressionCause
from subscribers.tokens import Purpose
from tests.web.public.conftest import House, Web


def _link(house: House, id: int) -> str:
    return f"/p/{house.tokens.sign(Purpose.PREFERENCES, id)}"


def test_the_page_shows_a_mask_the_choices_and_the_way_out(house: House, web: Web) -> None:
    ann = house.join()

    page = web.get(_link(house, ann.id))

    assert page.status_code == 200 and ann.address not in page.text
    for said in ("a•••@example.com", "Once a week", "Diet", "Pause", 'href="/u/'):
        assert said in page.text


def test_what_is_chosen_is_kept(house: House, web: Web) -> None:
    ann = house.join()
    form = {"often": "weekly", "shown": ["Diet", "News"], "topic": ["News"], "pause": "2026-04-01"}

    answer = web.post(_link(house, ann.id), data=form)
    chosen = house.find(ann.id)

    assert answer.status_code == 303 and answer.headers["location"] == f"{_link(house, ann.id)}?saved=1"
    assert (chosen.cadence, chosen.topics_off) == (Cadence.WEEKLY, ("Diet",))
    # Midnight in Berlin, where the newsletter is at home; summer time began three days before.
    assert chosen.paused_until == datetime(2026, 3, 31, 22, 0, tzinfo=UTC)
    page = web.get(answer.headers["location"]).text
    assert "Nothing comes before April 1, 2026" in page and 'value="2026-04-01"' in page


def test_everything_can_be_taken_back(house: House, web: Web) -> None:
    ann = house.join()
    link = _link(house, ann.id)
    web.post(link, data={"often": "weekly", "shown": ["Diet", "News"], "pause": "2026-04-01"})
    web.post(link, data={"often": "", "shown": ["Diet", "News"], "topic": ["Diet", "News"], "pause": ""})

    chosen = house.find(ann.id)
    assert (chosen.cadence, chosen.topics_off, chosen.paused_until) == (None, (), None)


def test_a_topic_that_came_up_since_stays_as_it_was(house: House, web: Web) -> None:
    ann = house.join()
    link = _link(house, ann.id)
    web.post(link, data={"shown": ["Diet", "News"], "topic": ["News"]})
    house.topics = ["News", "Sleep"]

    assert "Diet" in web.get(link).text
    web.post(link, data={"shown": ["News"], "topic": ["News"]})
    assert house.find(ann.id).topics_off == ("Diet",)


def test_what_is_no_topic_is_not_kept(house: House, web: Web) -> None:
    ann = house.join()

    web.post(_link(house, ann.id), data={"shown": ["Diet", "x" * 10_000], "often": "hourly"})

    assert house.find(ann.id).topics_off == ("Diet",)
    assert house.find(ann.id).cadence is None


@pytest.mark.parametrize(
    "day", ["2026-03-01", "2020-01-01", "2028-01-01", "soon", "0001-01-01", "9999-12-31"]
)
def test_a_pause_must_end_within_a_year(house: House, web: Web, day: str) -> None:
    ann = house.join()

    answer = web.post(_link(house, ann.id), data={"often": "weekly", "pause": day})

    assert answer.status_code == 400 and "Please choose a day" in answer.text
    assert house.find(ann.id) == ann


def test_who_is_not_subscribed_is_told_and_changes_nothing(house: House, web: Web) -> None:
    ann = house.join()
    with house.begin() as unit:
        unit.subscribers.unsubscribe(ann.id, house.now)
    link = _link(house, ann.id)

    assert "You are not subscribed" in web.get(link).text
    web.post(link, data={"often": "weekly"})
    assert house.find(ann.id).cadence is None
    assert house.find(ann.id).state is SubscriberState.UNSUBSCRIBED


def test_the_personal_link_goes_to_the_address_once_an_hour(house: House, web: Web) -> None:
    ann = house.join()
    link = f"{_link(house, ann.id)}/link"

    first, second = web.post(link), web.post(link)
    house.later(hours=1)
    web.post(link)

    assert first.status_code == 200 and first.text == second.text
    sent = house.notices.to(NoticeKind.SUBSCRIBER_LINK)
    assert [notice.to for notice in sent] == [ann.address] * 2


def test_links_of_other_kinds_and_to_nobody_open_nothing(house: House, web: Web) -> None:
    ann = house.join()
    for purpose in set(Purpose) - {Purpose.PREFERENCES}:
        assert web.get(f"/p/{house.tokens.sign(purpose, ann.id)}").status_code == 400
    assert web.get(_link(house, 4711)).status_code == 400
    assert web.post(_link(house, 4711), data={"often": "weekly"}).status_code == 400


def test_titles_and_topics_are_escaped(house: House, web: Web) -> None:
    house.newsletter = replace(house.newsletter, title="<b>Low</b> {x}", postal_address="<i>\n{y}")
    house.topics = ['"><script>alert(1)</script>']

    page = web.get(_link(house, house.join().id)).text

    assert "<script" not in page and "<b>" not in page and "<i>" not in page
    assert "&lt;b&gt;Low&lt;/b&gt; {x}" in page


@pytest.mark.parametrize(
    ("cause", "sent"),
    [(None, 1), (SuppressionCause.UNSUBSCRIBED, 1)]
    + [(cause, 0) for cause in SuppressionCause if cause.value in ("complained", "manual", "bounced")],
)
def test_no_link_is_mailed_to_whom_nothing_may_be_mailed(
    house: House, web: Web, cause: SuppressionCause | None, sent: int
) -> None:
    """Whoever left may still ask for what is kept of them; the page says the same to everybody."""
    ann, bob = house.join(), house.join("bob@example.com")
    if cause is not None:
        with house.begin() as unit:
            unit.subscribers.suppress(ann.address, cause, house.now)

    answers = [web.post(f"{_link(house, one.id)}/link") for one in (ann, bob)]

    links = house.notices.to(NoticeKind.SUBSCRIBER_LINK)
    assert len([one for one in links if one.subscriber_id == ann.id]) == sent
    assert [one.status_code for one in answers] == [200, 200]
    mine, theirs = (one.text for one in answers)
    assert mine.replace(masked(ann.address), "") == theirs.replace(masked(bob.address), "")
