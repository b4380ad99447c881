"""The first run: blog, sender, sending, rhythm; answers live in the database."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.send.rate import parse
from newsletter.web.studio.fields import PRESETS
from tests.web.conftest import Studio, opened


def settings(studio: Studio) -> dict[str, str]:
    return {shown.name: shown.value for shown in studio.house.desk.settings()}


def test_today_offers_the_first_run_until_it_is_done(bare: Studio) -> None:
    with bare.visitor() as visitor:
        assert 'href="/studio/setup"' in visitor.get("/studio/").text


def test_four_steps_from_a_blogs_address_to_the_end(bare: Studio) -> None:
    with bare.visitor() as visitor:
        blog = visitor.post("/studio/setup", data={"url": bare.blog.url})
        assert blog.headers["location"] == "/studio/setup/newsletter"
        step = visitor.get("/studio/setup/newsletter").text
        assert 'name="TITLE" value="The Patient Notebook"' in step  # as the blog says
        assert 'name="FROM_name" value="The Patient Notebook"' in step
        who = visitor.post(
            "/studio/setup/newsletter",
            data={
                "TITLE": "Notes & Letters",
                "FROM_name": "Marian Holt",
                "FROM_address": "marian@notebook.example",
                "POSTAL_ADDRESS": "PO Box 7\r\nLeith",
                "DISCLAIMER": "I am not a doctor.",
            },
        )
        assert who.headers["location"] == "/studio/setup/sending"
        sending = visitor.post(
            "/studio/setup/sending",
            data={
                "TRANSPORT": "smtp",
                "SMTP_host": "smtp.relay.example",
                "SMTP_port": "465",
                "SMTP_user": "marian@notebook.example",
                "SMTP_password": "p@ss/word:1",
                "RATE": "500/day",
            },
        )
        assert sending.headers["location"] == "/studio/setup/rhythm"
        rhythm = visitor.post("/studio/setup/rhythm", data={"CADENCE": "weekly", "APPROVAL": "auto"})
        assert rhythm.headers["location"] == "/studio/?done=set-up"
        assert "That is all." in visitor.get("/studio/?done=set-up").text
    found = settings(bare)
    assert found["TITLE"] == "Notes & Letters"
    assert found["POSTAL_ADDRESS"] == "PO Box 7\nLeith"
    assert (found["TRANSPORT"], found["RATE"], found["SMTP_URL"]) == ("smtp", "500/day", "set")
    assert (found["CADENCE"], found["APPROVAL"]) == ("weekly", "auto")
    sender = bare.house.desk.newsletter().sender
    assert sender is not None
    assert (sender.name, sender.address) == ("Marian Holt", "marian@notebook.example")
    url = bare.house.settings().smtp_url.get_secret_value()
    assert url == "smtps://marian%40notebook.example:p%40ss%2Fword%3A1@smtp.relay.example:465"


def test_no_page_shows_a_stored_password(bare: Studio) -> None:
    bare.house.desk.set_setting("SMTP_URL", "smtp://user:hunter2hunter2@smtp.relay.example:587")
    bare.house.desk.set_setting("SENDGRID_API_KEY", "SG.very-secret")
    with bare.visitor() as visitor:
        for page in ("/studio/settings/sending", "/studio/setup/sending", "/studio/settings"):
            text = visitor.get(page).text
            assert "hunter2" not in text and "very-secret" not in text


def test_an_empty_secret_keeps_the_stored_one(bare: Studio) -> None:
    bare.house.desk.set_setting("SENDGRID_API_KEY", "SG.very-secret")
    with bare.visitor() as visitor:
        visitor.post("/studio/settings/sending", data={"TRANSPORT": "sendgrid", "SENDGRID_API_KEY": ""})
    assert bare.house.settings().sendgrid_api_key.get_secret_value() == "SG.very-secret"


def test_an_address_without_a_feed_is_told_in_words(bare: Studio) -> None:
    with bare.visitor() as visitor:
        answer = visitor.post("/studio/setup", data={"url": "http://127.0.0.1:9/"})
    assert answer.status_code == 400
    assert 'value="http://127.0.0.1:9/"' in answer.text
    assert 'role="alert"' in answer.text


def test_what_cannot_be_used_stands_beside_its_field_and_the_rest_is_kept(bare: Studio) -> None:
    with bare.visitor() as visitor:
        answer = visitor.post("/studio/settings/newsletter", data={"TITLE": "Kept", "LANGUAGE": "Martian!"})
    assert answer.status_code == 400
    assert "“Language” cannot be used" in answer.text
    assert 'value="Martian!"' in answer.text
    assert settings(bare)["TITLE"] == "Kept"


def test_a_setting_of_the_environment_is_shown_as_fixed_and_left_alone(tmp_path: Path) -> None:
    with opened(tmp_path, title="From the environment") as studio:
        with studio.visitor() as visitor:
            text = visitor.get("/studio/settings/newsletter").text
            assert "Fixed by NEWSLETTER_TITLE" in text
            answer = visitor.post("/studio/settings/newsletter", data={"TITLE": "Other"})
            assert answer.status_code == 303
        assert settings(studio)["TITLE"] == "From the environment"


@pytest.mark.parametrize("key", PRESETS)
def test_a_known_relay_fills_the_form_in(bare: Studio, key: str) -> None:
    with bare.visitor() as visitor:
        text = visitor.get(f"/studio/setup/sending?preset={key}").text
    preset = PRESETS[key]
    assert f'name="SMTP_host" value="{preset.host}"' in text
    assert f'name="SMTP_port" value="{preset.port}"' in text
    assert f'name="RATE" value="{preset.rate}"' in text
    assert str(parse(preset.rate)) == preset.rate and "/day" in preset.rate
    assert 'value="smtp" checked' in text


@pytest.mark.parametrize(
    "typed",
    [
        {"FROM_name": 'Eve" <eve@evil.example>', "FROM_address": "a@example.org"},
        {"FROM_name": "Eve\r\nBcc: all@example.org", "FROM_address": "a@example.org"},
        {"FROM_name": "Only a name", "FROM_address": ""},
        {"FROM_name": "", "FROM_address": "no address"},
        {"FROM_name": "Ann", "FROM_address": "ann@example"},
    ],
)
def test_a_sender_that_is_none_is_refused(bare: Studio, typed: dict[str, str]) -> None:
    with bare.visitor() as visitor:
        answer = visitor.post("/studio/setup/newsletter", data=typed)
    assert answer.status_code == 400
    assert bare.house.desk.newsletter().sender is None


@pytest.mark.parametrize(
    "typed",
    [
        {"SMTP_host": "evil.example/path"},
        {"SMTP_host": "user@evil.example"},
        {"SMTP_host": "smtp.example.org", "SMTP_port": "many"},
        {"SMTP_host": "smtp.example.org", "SMTP_port": "70000"},
    ],
)
def test_a_mail_server_that_is_none_is_refused(bare: Studio, typed: dict[str, str]) -> None:
    with bare.visitor() as visitor:
        answer = visitor.post("/studio/setup/sending", data={"TRANSPORT": "smtp", **typed})
    assert answer.status_code == 400
    assert not bare.house.settings().smtp_url.get_secret_value()


@pytest.mark.parametrize(
    ("way", "needed", "given"),
    [
        ("smtp", "Name the server", {"SMTP_host": "smtp.relay.example", "SMTP_port": "587"}),
        ("sendgrid", "Paste your key", {"SENDGRID_API_KEY": "SG.a-key"}),
    ],
)
def test_the_first_run_asks_for_what_sending_cannot_do_without(
    bare: Studio, way: str, needed: str, given: dict[str, str]
) -> None:
    with bare.visitor() as visitor:
        answer = visitor.post("/studio/setup/sending", data={"TRANSPORT": way})
        assert answer.status_code == 400
        assert needed in answer.text
        assert visitor.post("/studio/setup/sending", data={"TRANSPORT": way, **given}).status_code == 303


def test_a_waiting_draft_follows_what_was_set(bare: Studio) -> None:
    issue = bare.draft()
    with bare.visitor() as visitor:
        assert "There is no postal address." in visitor.get(f"/studio/issues/{issue}").text
        visitor.post(
            "/studio/settings/newsletter",
            data={
                "FROM_name": "Marian",
                "FROM_address": "marian@notebook.example",
                "POSTAL_ADDRESS": "PO Box 7, Leith",
            },
        )
        text = visitor.get(f"/studio/issues/{issue}").text
        assert "There is no postal address." not in text
        assert "PO Box 7" in visitor.get(f"/studio/issues/{issue}/preview").text


def test_the_theme_is_chosen_among_those_that_are_there(bare: Studio) -> None:
    with bare.visitor() as visitor:
        assert 'name="THEME" value="letter" checked' in visitor.get("/studio/settings/look").text
