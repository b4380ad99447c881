"""Opens and clicks are off by default, and need an address that mail can lead to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from newsletter import wiring
from newsletter.errors import Invalid
from newsletter.wiring import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    fixed = {
        "secret_key": "a secret key of the tests that is long enough",
        "database_url": f"sqlite:///{tmp_path}/newsletter.db",
        "data_dir": str(tmp_path),
    }
    wiring.prepare(fixed)
    with wiring.build(fixed) as house:
        yield house


def test_it_is_off_until_somebody_switches_it_on(house: House) -> None:
    assert house.desk.setting("TRACKING").value == "off"


def test_it_cannot_be_switched_on_without_a_public_address(house: House) -> None:
    with pytest.raises(Invalid, match="BASE_URL is not set"):
        house.desk.set_setting("TRACKING", "aggregate")
    for private in ("http://localhost:8000", "http://192.168.1.4", "https://news.local"):
        house.desk.set_setting("BASE_URL", private)
        with pytest.raises(Invalid, match="nobody's mail program reaches it") as refused:
            house.desk.set_setting("TRACKING", "aggregate")
        assert "TRACKING to off" in refused.value.hint
    with pytest.raises(Invalid, match="choose off"):
        house.desk.set_setting("TRACKING", "everything")
    assert house.desk.setting("TRACKING").value == "off"


def test_the_address_cannot_be_taken_away_while_it_is_on(house: House) -> None:
    house.desk.set_setting("BASE_URL", "https://news.example.org")
    house.desk.set_setting("TRACKING", "aggregate")
    for value in ("", "http://localhost"):
        with pytest.raises(Invalid):
            house.desk.set_setting("BASE_URL", value)
    house.desk.set_setting("BASE_URL", "https://letters.example.org")
    house.desk.set_setting("TRACKING", "")
    house.desk.set_setting("BASE_URL", "")
    assert house.desk.setting("TRACKING").value == "off"


def test_where_the_environment_demands_what_cannot_be_the_draft_says_so(house: House) -> None:
    settings = house.settings().model_copy(update={"tracking": "aggregate"})
    assert "BASE_URL is not set" in settings.untrackable
