"""Settings in the studio: what may be chosen, what is refused in whose words, what counts when empty."""

from __future__ import annotations

import re

import pytest

from newsletter import config
from newsletter.errors import Invalid
from tests.web.conftest import Studio


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("THEME", "baroque", "there is no theme baroque; choose bulletin, letter or studio"),
        ("THEME", "../etc", "choose bulletin, letter or studio"),
        ("LANGUAGE", "zz", "no language has the code zz; write one such as en, de or pt-BR"),
        ("LANGUAGE", "en-XX", "no language has the code en-XX"),
        ("FLOOD", "many", "write a whole number from 1 to 1000"),
        ("TRANSPORT", "pigeon", "choose outbox, smtp or sendgrid"),
        ("DOUBLE_OPT_IN", "perhaps", "write true or false"),
        ("DKIM_SELECTOR", "-", "write the selector as it stands in DNS"),
    ],
)
def test_what_cannot_be_right_is_refused_in_human_words(
    studio: Studio, name: str, value: str, says: str
) -> None:
    with pytest.raises(Invalid) as refused:
        studio.house.desk.set_setting(name, value)
    assert refused.value.message.startswith(f"{name} cannot be used: ")
    assert says in refused.value.message


@pytest.mark.parametrize(
    "name", sorted(set(config.FIELDS) - {config.public_name(one) for one in config.BOOT})
)
def test_no_refusal_of_a_setting_speaks_like_a_validator(name: str) -> None:
    for value in ("-", "x" * 2000, "\x00", "-1", "9" * 30, "[]"):
        try:
            config.parse_one(name, value)
        except Invalid as refused:
            assert not re.search(r"(?i)string should|input should|unable to parse|pattern", refused.message)


@pytest.mark.parametrize("tag", ["en", "en-GB", "pt-BR", "zh-Hant", "ar", "sr-Latn"])
def test_a_real_language_is_taken(studio: Studio, tag: str) -> None:
    assert studio.house.desk.set_setting("LANGUAGE", tag).value == tag


def test_the_studio_refuses_by_the_fields_label(studio: Studio) -> None:
    with studio.visitor() as visitor:
        text = visitor.post("/studio/settings/rhythm", data={"FLOOD": "many"}).text
    assert "“More new posts at once than this are held” cannot be used: write a whole number" in text
    assert "FLOOD cannot" not in text


def test_language_and_time_zone_are_chosen_from_lists(studio: Studio) -> None:
    studio.house.desk.set_setting("LANGUAGE", "pt-BR")
    with studio.visitor() as visitor:
        text = visitor.get("/studio/settings/newsletter").text
    assert '<option value="de">German</option>' in text
    assert '<option value="pt-BR" selected>pt-BR</option>' in text  # one that is set is never lost
    assert 'list="f-TIMEZONE-list"' in text and '<option value="Europe/Madrid">' in text


def test_an_empty_setting_shows_what_is_used_instead(studio: Studio) -> None:
    studio.draft()
    studio.house.desk.set_setting("TITLE", "")
    newsletter = studio.house.desk.newsletter()
    with studio.visitor() as visitor:
        text = visitor.get("/studio/settings/newsletter").text
    assert f'name="TITLE" value="" placeholder="{newsletter.title}"' in text
    assert newsletter.title != "Newsletter"
    assert not newsletter.disclaimer and "I am not a doctor" not in text, "a blog's subtitle is no disclaimer"


@pytest.mark.parametrize("empty", ["FROM_address", "POSTAL_ADDRESS"])
def test_emptying_what_every_mail_needs_says_that_nothing_can_be_sent(studio: Studio, empty: str) -> None:
    whole = {"FROM_name": "", "FROM_address": "marian@notebook.example", "POSTAL_ADDRESS": "PO Box 7"}
    with studio.visitor() as visitor:
        saved = visitor.post("/studio/settings/newsletter", data=whole).headers["location"]
        assert saved.endswith("?done=settings")
        lacking = visitor.post("/studio/settings/newsletter", data={**whole, empty: ""}).headers["location"]
        assert (
            "Nothing can be sent until From and the postal address are both set." in visitor.get(lacking).text
        )


def test_a_restored_database_is_accepted_where_it_is_told_of(studio: Studio) -> None:
    studio.house.tools.high_water.rise(7)  # an issue went out that this database does not know of
    with studio.visitor() as visitor:
        told = visitor.post("/studio/settings/check").text
        assert "it looks like a restored copy" in told
        assert 'action="/studio/settings/accept-database"' in told
        done = visitor.post("/studio/settings/accept-database").headers["location"]
        assert "taken for the right one" in visitor.get(done).text
        assert "accept-database" not in visitor.post("/studio/settings/check").text


def test_each_theme_says_in_a_sentence_how_it_looks(studio: Studio) -> None:
    with studio.visitor() as visitor:
        text = visitor.get("/studio/settings/look").text
    assert "A serif and one column, as a letter from one person" in text
    assert text.count('name="THEME"') == 3


def test_the_welcome_message_is_written_and_looked_at(studio: Studio) -> None:
    with studio.visitor() as author:
        page = author.get("/studio/settings/joining")
        assert "Their address is asked first" in page.text and "/studio/settings/joining/welcome" in page.text
        answer = author.post(
            "/studio/settings/joining",
            data={
                "DOUBLE_OPT_IN": "true",
                "WELCOME_SUBJECT": "So glad",
                "WELCOME": "Hello.\r\n\r\nAnd <b>more</b>.",
            },
        )
        assert answer.status_code == 303
        shown = author.get("/studio/settings/joining/welcome")
    assert "So glad" in shown.text and "And &lt;b&gt;more&lt;/b&gt;." in shown.text
    assert "sandbox" in shown.headers["content-security-policy"]
