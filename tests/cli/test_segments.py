"""newsletter issues edit --segment, in this process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from newsletter import wiring
from newsletter.cli import app
from newsletter.demo.blog_server import SampleBlog


def test_an_issue_is_for_a_segment_or_for_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "SECRET_KEY": "a secret key of the tests that is long enough",
        "DATABASE_URL": f"sqlite:///{tmp_path}/newsletter.db",
        "DATA_DIR": str(tmp_path),
        "SETTLE": "0",
        "FIRST_POLL": "newest",
        "ALLOW_PRIVATE_ADDRESSES": "true",
    }.items():
        monkeypatch.setenv(f"NEWSLETTER_{name}", value)
    wiring.prepare()
    with SampleBlog() as blog, wiring.build() as house:
        for who in ("ann@example.org", "ben@example.net"):
            house.desk.add_subscriber(who)
        house.desk.add_feed(blog.feed_url)
        house.turn()

    def run(*words: str) -> Result:
        return CliRunner().invoke(app, words)

    run("subscribers", "segments", "save", "The few", "--domain", "example.org")
    assert "It reaches 1 who" in run("issues", "edit", "1", "--segment", "The few").stdout
    assert json.loads(run("issues", "show", "1", "--json").stdout)["segment"] == "The few"
    assert "It reaches 2 who" in run("issues", "edit", "1", "--everybody").stdout
    assert json.loads(run("issues", "show", "1", "--json").stdout)["segment"] == ""
    assert run("issues", "edit", "1", "--segment", "The few", "--everybody").exit_code == 2
    nobody = run("issues", "edit", "1", "--segment", "Nobody")
    assert nobody.exit_code != 0
