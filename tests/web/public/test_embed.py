from __future__ import annotations

from dataclasses import replace

from selectolax.lexbor import LexborHTMLParser

from newsletter.web.public.embed import embed_form
from subscribers.model import SubscriberState
from tests.web.public.conftest import NEWSLETTER, House, Web


def test_what_is_copied_is_a_form_that_signs_up(house: House, web: Web) -> None:
    form = LexborHTMLParser(embed_form(NEWSLETTER)).css_first("form")
    assert form is not None
    fields = {
        field.attributes["name"] or "": field.attributes.get("value") or "" for field in form.css("input")
    }
    action = form.attributes["action"] or ""

    answer = web.post(action.removeprefix(NEWSLETTER.base_url), data={**fields, "address": "ann@example.com"})

    assert answer.status_code == 200
    with house.read() as unit:
        found = unit.subscribers.by_address("ann@example.com")
    assert found is not None and found.state is SubscriberState.UNCONFIRMED


def test_nothing_in_it_can_break_out(house: House) -> None:
    odd = replace(NEWSLETTER, title='"><script>x</script>', base_url="https://news.example")

    assert "<script" not in embed_form(odd)
    assert 'action="https://news.example/subscribe"' in embed_form(odd)


def test_it_says_who_sends_from_where_and_how_to_leave() -> None:
    form = embed_form(NEWSLETTER)

    for said in ("Ada", "1 Mill Lane, York.", "ada@blog.example", "leave at any time", "every new post"):
        assert said in form
