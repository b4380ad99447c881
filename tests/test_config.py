"""Settings: where they come from, what they may be, and what is never shown."""

from __future__ import annotations

from datetime import time, timedelta
from email.headerregistry import Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter import config
from newsletter.errors import ConfigError, Invalid
from newsletter.keys import Keys, new_secret
from subscribers.model import Cadence


def test_the_environment_wins_over_the_database_which_wins_over_the_default() -> None:
    settings = config.load({"title": "From the environment"}, {"title": "Stored", "theme": "bulletin"})
    assert (settings.title, settings.theme, settings.flood) == ("From the environment", "bulletin", 3)


def test_the_environment_wins_over_the_file_and_empty_values_count_as_absent() -> None:
    found = config.environment(
        {"NEWSLETTER_TITLE": "Env", "NEWSLETTER_FROM": "", "SENDGRID_API_KEY": "SG.x"},
        {"NEWSLETTER_TITLE": "File", "NEWSLETTER_FROM": "Ann <ann@example.org>", "OTHER": "x"},
    )
    assert found == {"title": "Env", "sender": "Ann <ann@example.org>", "sendgrid_api_key": "SG.x"}


def test_what_must_exist_before_the_database_is_never_read_from_it() -> None:
    assert config.load({}, {"port": "1234"}).port == 8000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FROM", "no address"),
        ("FROM", "Ann\nBcc: x@example.org <ann@example.org>"),
        ("RATE", "0/minute"),
        ("RATE", "often"),
        ("DOMAINS_AT_ONCE", "gmail.com"),
        ("DOMAINS_AT_ONCE", "gmail.com=0"),
        ("DOMAINS_AT_ONCE", "gmail.com=²"),
        ("SETTLE", "a while"),
        ("SEND_WINDOW", "8-20"),
        ("TIMEZONE", "Mars/Olympus"),
        ("BASE_URL", "ftp://example.org"),
        ("LANGUAGE", "en'><script>"),
        ("THEME", "../etc"),
        ("FLOOD", "0"),
        ("TITLE", "Two\nlines"),
        ("SMTP_URL", "smtp+plain://mail.example.org:25"),
        ("SMTP_URL", "smtp://mail.example.org:abc"),
        ("SMTP_URL", "smtp://mail.example.org:99999"),
        ("SMTP_URL", "smtp://["),
        ("SMTP_URL", "smtp://me:a/b@mail.example.org"),
        ("SMTP_URL", "smtp://me:1/b@mail.example.org"),
        ("SMTP_URL", "smtp://me:1#b@mail.example.org"),
        ("SMTP_URL", "smtp://me:1?b@mail.example.org"),
        ("TRANSPORT", "pigeon"),
    ],
)
def test_a_value_it_cannot_have_is_told_by_name(name: str, value: str) -> None:
    with pytest.raises(Invalid, match=f"^{name} cannot be used"):
        config.parse_one(name, value)


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("FROM", " Ann  <ann@example.org> ", "Ann <ann@example.org>"),
        ("FROM", '"Holt, Marian" <m@example.org>', '"Holt, Marian" <m@example.org>'),
        ("FROM", "Zoë <zoe@bücher.example>", "Zoë <zoe@xn--bcher-kva.example>"),
        ("FROM", "Zoë Ångström <z@example.org>", "Zoë Ångström <z@example.org>"),
        ("newsletter_settle", "90 min", "90 minutes"),
        ("SETTLE", "0", "0"),
        ("RATE", "100 / Day", "100/day"),
        ("DOMAINS_AT_ONCE", "Gmail.com = 20,outlook.com=5", "gmail.com=20, outlook.com=5"),
        ("BASE_URL", "https://news.example.org/", "https://news.example.org"),
        ("CADENCE", "weekly", "weekly"),
        ("ALLOW_PRIVATE_ADDRESSES", "yes", "true"),
    ],
)
def test_a_value_is_stored_in_one_spelling(name: str, value: str, stored: str) -> None:
    assert config.parse_one(name, value) == stored


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=40))
def test_a_senders_name_survives_being_stored(name: str) -> None:
    try:
        stored = config.parse_one("FROM", str(Address(display_name=name.strip(), addr_spec="a@example.org")))
    except Invalid:
        return
    assert config.parse_one("FROM", stored) == stored
    assert config.load({}, {"sender": stored}).newsletter.sender is not None


def test_an_unknown_name_and_a_boot_setting_are_told() -> None:
    with pytest.raises(Invalid, match="no setting called NONSENSE"):
        config.parse_one("NONSENSE", "1")
    with pytest.raises(Invalid, match=r"NEWSLETTER_PORT in \.env"):
        config.parse_one("PORT", "80")


def test_a_wrong_environment_says_where_it_comes_from() -> None:
    with pytest.raises(ConfigError, match=r"^PORT \(from the environment or .env\)"):
        config.load({"port": "many"}, {})


@pytest.mark.parametrize("password", ["hunter2", "a/hunter2", "a@hunter2", "a:hunter2"])
def test_no_secret_is_ever_shown(password: str) -> None:
    fixed = {"database_url": f"postgresql://me:{password}@db/news", "smtp_url": "smtp://me:hunter2@mail:587"}
    shown = config.shown(config.load(fixed, {}), fixed, {})
    assert "hunter2" not in str(shown)
    by_name = {setting.name: setting for setting in shown}
    assert by_name["SMTP_URL"].value == "set"
    assert by_name["SMTP_URL"].fixed and not by_name["TITLE"].fixed
    assert "hunter2" not in repr(config.load(fixed, {}))


def test_the_rate_is_gentle_by_smtp_unless_the_author_says_otherwise() -> None:
    assert config.load({}, {"transport": "smtp"}).sending_rate == "60/minute"
    assert config.load({}, {"transport": "sendgrid"}).sending_rate == "unlimited"
    assert config.load({}, {"transport": "sendgrid", "rate": "5/second"}).sending_rate == "5/second"


def test_the_newsletter_is_made_of_its_settings() -> None:
    settings = config.load(
        {}, {"sender": "Ann <ann@example.org>", "cadence": "daily", "send_window": "08:00-20:00"}
    )
    newsletter = settings.newsletter
    assert newsletter.title == "Ann"
    assert newsletter.host == "example.org"
    assert newsletter.cadence is Cadence.DAILY
    assert newsletter.base_url == "http://localhost:8000"
    assert settings.window == (time(8), time(20))
    assert settings.author_address == "ann@example.org"
    assert config.load({}, {}).newsletter.sender is None


@given(st.integers(0, 10**7))
def test_a_duration_survives_being_written_and_read(seconds: int) -> None:
    assert config.typed.duration(config.text_of(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


def test_a_secret_key_is_long_or_refused() -> None:
    for text, said in (("", "not set"), ("short", "shorter than 32")):
        with pytest.raises(ConfigError, match=said):
            Keys.parse(text)
    assert len(new_secret()) >= 32


def test_a_new_secret_key_still_reads_what_the_old_one_wrote() -> None:
    old, new = new_secret(), new_secret()
    written = Keys.parse(old).encrypt("smtp://me:hunter2@mail")
    both = Keys.parse(f"{new},{old}")
    assert both.decrypt(written) == "smtp://me:hunter2@mail"
    assert both.derive("links")[1] == Keys.parse(old).derive("links")[0]
    assert Keys.parse(new).decrypt(written) is None


def test_each_purpose_has_a_key_of_its_own() -> None:
    keys = Keys.parse(new_secret())
    assert keys.derive("links") != keys.derive("message ids")


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("https://News.Example.org/", "https://news.example.org"),
        ("https://bücher.example/brief", "https://xn--bcher-kva.example/brief"),
        ("https://пример.рф:8443", "https://xn--e1afmkfd.xn--p1ai:8443"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("", ""),
    ],
)
def test_the_public_address_is_kept_as_headers_carry_it(written: str, kept: str) -> None:
    assert config.parse_one("BASE_URL", written) == kept


@pytest.mark.parametrize(
    "written",
    [
        "https://news example.org",
        "https://news.example.org/a b",
        "https://news.example\n.org",
        "https://news.example.org/\r\nX-Evil: 1",
        "https://me:pw@news.example.org",
        "https://news.example.org/größe",
        "https://news.example.org:99999",
        "https://news.example.org/?",
        "https://news.example.org#",
        "https://[::1",
        "https://xn--/",
        "https://" + "a" * 64 + ".example",
        "https://news.exa<mple.org",
        "ftp://news.example.org",
    ],
)
def test_a_public_address_that_no_header_or_link_could_carry_is_refused(written: str) -> None:
    with pytest.raises(Invalid):
        config.parse_one("BASE_URL", written)


@pytest.mark.parametrize("written", ["0", "30 seconds", "32 days", "999999999 days"])
def test_nobody_is_asked_more_than_once_a_minute_nor_never_again(written: str) -> None:
    with pytest.raises(Invalid):
        config.parse_one("POLL_INTERVAL", written)


def test_no_duration_is_longer_than_dates_reach() -> None:
    with pytest.raises(Invalid, match="hundred years"):
        config.parse_one("SETTLE", "9999999 days")
