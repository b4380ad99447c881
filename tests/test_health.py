"""What doctor finds, from values alone, and from a real house."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from newsletter import config, wiring
from newsletter.desk import health
from newsletter.errors import RequestFailed
from newsletter.model.checklist import CheckLine, Level
from tests.support.smtp import SmtpSink

READY = {
    "sender": "Ann <ann@example.org>",
    "postal_address": "PO Box 1",
    "transport": "smtp",
    "smtp_url": "smtp://me:secret@mail.example.org:587",
    "base_url": "https://news.example.org",
}


def of_house(folder: Path) -> dict[str, str]:
    return {
        "secret_key": "a secret key of the tests that is long enough",
        "database_url": f"sqlite:///{folder}/newsletter.db",
        "data_dir": str(folder),
    }


def levels(lines: Sequence[CheckLine]) -> dict[str, Level]:
    return {line.code: line.level for line in lines}


def dns(**records: list[str]) -> health.LookUp:
    return lambda name: records.get("dmarc" if name.startswith("_dmarc.") else "spf", [])


GOOD_DNS = dns(spf=["v=spf1 include:mail.example.org -all", "other"], dmarc=["v=DMARC1; p=none"])


def test_a_newsletter_that_is_set_up_has_nothing_to_mend() -> None:
    settings = config.load({}, READY)
    lines = [
        *health.set_up(settings),
        *health.sending(settings),
        *health.public_address(settings),
        *health.domain(settings, GOOD_DNS),
    ]
    assert {line.level for line in lines} == {Level.GOOD}
    assert "secret" not in str(lines)


@pytest.mark.parametrize(
    ("changed", "code", "level"),
    [
        ({"sender": ""}, "from", Level.BLOCKING),
        ({"postal_address": ""}, "postal address", Level.BLOCKING),
        ({"transport": "outbox"}, "sending", Level.ADVICE),
        ({"smtp_url": ""}, "sending", Level.BLOCKING),
        ({"transport": "sendgrid"}, "sending", Level.BLOCKING),
        ({"transport": "sendgrid", "sendgrid_api_key": "SG.x"}, "sending", Level.GOOD),
        ({"transport": "sendgrid", "sendgrid_api_key": "SG.x"}, "events", Level.ADVICE),
        (
            {"transport": "sendgrid", "sendgrid_api_key": "SG.x", "sender": "José <j@example.org>"},
            "sender",
            Level.BLOCKING,
        ),
        ({"base_url": ""}, "address", Level.BLOCKING),
        ({"base_url": "", "transport": "outbox"}, "address", Level.ADVICE),
        ({"base_url": "http://news.example.org"}, "address", Level.ADVICE),
        ({"base_url": "https://localhost"}, "address", Level.BLOCKING),
    ],
)
def test_what_is_missing_is_told_with_a_way_to_mend(changed: dict[str, str], code: str, level: Level) -> None:
    settings = config.load({}, READY | changed)
    lines = [*health.set_up(settings), *health.sending(settings), *health.public_address(settings)]
    [line] = [line for line in lines if line.code == code]
    assert line.level is level
    assert bool(line.mend) == (level is not Level.GOOD)


@pytest.mark.parametrize(
    ("base_url", "says"),
    [
        ("", "which only this machine or network reaches"),
        ("https://localhost", "which only this machine or network reaches"),
        ("https://192.168.1.5:8443", "which only this machine or network reaches"),
        ("https://[fd00::1]", "which only this machine or network reaches"),
        ("https://news.local", "which only this machine or network reaches"),
        ("http://news.example.org", "is not https"),
        ("https://news.example.org", "Links in mail point to https://news.example.org."),
    ],
)
def test_an_address_that_strangers_cannot_reach_is_told_from_one_without_https(
    base_url: str, says: str
) -> None:
    [line] = health.public_address(config.load({}, READY | {"base_url": base_url}))
    assert says in line.text


def test_dns_says_what_is_missing_or_too_much() -> None:
    settings = config.load({}, READY)
    none = levels(list(health.domain(settings, dns())))
    assert none == {"spf": Level.ADVICE, "dmarc": Level.ADVICE}
    two = levels(list(health.domain(settings, dns(spf=["v=spf1 -all", "v=spf1 ~all"], dmarc=["v=DMARC1"]))))
    assert two == {"spf": Level.BLOCKING, "dmarc": Level.GOOD}


def test_dns_that_does_not_answer_blocks_nothing() -> None:
    def silent(name: str) -> Sequence[str]:
        raise RequestFailed(f"DNS gives no answer about {name}.", url=f"dns:{name}")

    lines = list(health.domain(config.load({}, READY), silent))
    assert {line.level for line in lines} == {Level.ADVICE}


def test_dns_is_not_asked_while_mail_goes_nowhere() -> None:
    def never(name: str) -> Sequence[str]:
        raise AssertionError(name)

    assert list(health.domain(config.load({}, READY | {"transport": "outbox"}), never)) == []
    assert list(health.domain(config.load({}, READY | {"sender": ""}), never)) == []


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert levels(list(health.disk(tmp_path))) == {"disk": Level.GOOD}
    assert levels(list(health.disk(tmp_path / "not there"))) == {"disk": Level.BLOCKING}


def test_smtp_says_through_whom_and_how_fast() -> None:
    [line] = health.sending(config.load({}, READY))
    assert line.text == "Mail goes by SMTP through mail.example.org, at most 60/minute."


def test_the_mail_server_is_asked_whether_it_lets_us_in(tmp_path: Path) -> None:
    fixed = of_house(tmp_path) | {"transport": "smtp"}
    wiring.prepare(fixed)

    def told(url: str) -> CheckLine:
        with wiring.build(fixed | {"smtp_url": url}) as house:
            [line] = [one for one in house.desk.doctor() if one.code == "mail server"]
        return line

    with SmtpSink(login=("ann", "right")) as sink:
        url = sink.url
        assert told(url).level is Level.GOOD
        refused = told(url.replace("right", "wrong"))
        assert sink.messages == []
    assert refused.level is Level.BLOCKING
    assert "does not accept our user name and password" in refused.text
    gone = told(url)
    assert gone.level is Level.BLOCKING
    assert "cannot be reached" in gone.text


def test_a_fresh_house_is_examined_whole(tmp_path: Path) -> None:
    fixed = of_house(tmp_path)
    wiring.prepare(fixed)
    with wiring.build(fixed) as house:
        found = levels(house.desk.doctor())
    assert found["database"] is Level.GOOD
    assert found["feeds"] is Level.ADVICE
    assert found["from"] is Level.BLOCKING
    assert found["clock"] is Level.GOOD


def test_a_clock_that_went_back_is_told(tmp_path: Path) -> None:
    fixed = of_house(tmp_path)
    wiring.prepare(fixed)
    with wiring.build(fixed) as house:
        now = house.tools.clock()
        with house.store.begin() as unit:
            unit.feeds.add("https://blog.example/feed", now=now)
            unit.conn.exec_driver_sql(f"UPDATE feeds SET polled_at = {int(now.timestamp() * 1000) + 10**7}")
        assert levels(list(health.clock(house.tools))) == {"clock": Level.BLOCKING}


def test_a_secret_that_another_secret_key_wrote_is_named_and_locks_nobody_out(tmp_path: Path) -> None:
    fixed = of_house(tmp_path)
    wiring.prepare(fixed)
    with wiring.build(fixed) as house:
        house.desk.set_setting("SMTP_URL", "smtps://me:secret@127.0.0.1:1")
        house.desk.set_setting("TRANSPORT", "smtp")
    with wiring.build({**fixed, "secret_key": "another secret key as the first one was lost"}) as house:
        (line,) = [one for one in house.desk.doctor() if one.code == "secret key"]
        assert line.level is Level.BLOCKING and "SMTP_URL" in line.text
        assert house.desk.setting("SMTP_URL").value == ""
        assert house.turn().problems == ()
        house.desk.set_setting("SMTP_URL", "smtps://me:new@127.0.0.1:1")
        assert house.desk.setting("SMTP_URL").value == "set"
        assert [one for one in house.desk.doctor() if one.code == "secret key"] == []
