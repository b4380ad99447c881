"""The commands that change many subscribers at once, as they are typed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from newsletter import wiring
from newsletter.cli import app

HALF_SAID = (
    ["tag", "vip"],
    ["untag", "vip", "--everybody", "--search", "x"],
    ["unsubscribe"],
    ["unsubscribe", "ann@example.org", "--everybody"],
    ["tag", "vip", "--segment", "none"],
)
FILE = "email,tags\nann@example.org,\nbob@example.org,vip\ncid@example.com,\n"


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CliRunner]:
    monkeypatch.setenv("NEWSLETTER_SECRET_KEY", "a secret key of the tests that is long enough")
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", f"sqlite:///{tmp_path}/newsletter.db")
    monkeypatch.setenv("NEWSLETTER_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    wiring.prepare()
    (tmp_path / "list.csv").write_text(FILE)
    runner = CliRunner()
    assert runner.invoke(app, ["subscribers", "import", "list.csv"]).exit_code == 0
    yield runner


def _run(runner: CliRunner, *words: str) -> str:
    result = runner.invoke(app, ["subscribers", *words])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_tag_is_put_on_many_and_taken_back(typed: CliRunner) -> None:
    assert "Would change 1 of 2" in _run(typed, "tag", "vip", "--search", "@example.org", "--dry-run")
    assert "1 of 2 subscribers: tagged “vip”" in _run(typed, "tag", "vip", "--search", "@example.org")
    (done,) = json.loads(_run(typed, "changes", "--json"))
    assert (done["doing"], done["changed"]) == ({"what": "tag", "tag": "vip"}, 1)
    assert "1 are as they were before" in _run(typed, "undo", str(done["id"]))
    assert "taken back" in _run(typed, "changes")


def test_a_segment_is_unsubscribed(typed: CliRunner) -> None:
    _run(typed, "segments", "save", "The few", "--tag", "vip")
    assert "1 of 1 subscribers: unsubscribed" in _run(typed, "unsubscribe", "--segment", "The few")
    assert "1 unsubscribed" in _run(typed, "list")


def test_nobody_is_changed_by_what_is_half_said(typed: CliRunner) -> None:
    for words in HALF_SAID:
        assert typed.invoke(app, ["subscribers", *words]).exit_code != 0, words
    assert "Nothing was done to many at once" in _run(typed, "changes")
