"""newsletter issues send and receipt, in this process."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from newsletter import wiring
from newsletter.cli import app
from newsletter.cli.output import out
from newsletter.demo.blog_server import SampleBlog
from newsletter.model.delivery import DeliveryState, Settled
from newsletter.model.tracking import Link

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    settings = {
        "NEWSLETTER_SECRET_KEY": "a secret key of the tests that is long enough",
        "NEWSLETTER_DATABASE_URL": f"sqlite:///{tmp_path}/newsletter.db",
        "NEWSLETTER_DATA_DIR": str(tmp_path),
        "NEWSLETTER_FROM": "Ann <ann@example.org>",
        "NEWSLETTER_POSTAL_ADDRESS": "PO Box 1",
        "NEWSLETTER_SETTLE": "0",
        "NEWSLETTER_FIRST_POLL": "newest",
        "NEWSLETTER_ALLOW_PRIVATE_ADDRESSES": "true",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(out, "width", 400)  # no sentence is folded
    wiring.prepare()
    with SampleBlog() as blog, wiring.build() as house:
        for name in ("ann", "bert", "carla"):
            house.desk.add_subscriber(f"{name}@{name}.example")
        house.desk.add_feed(blog.feed_url)
        house.turn()
        house.desk.approve_issue(1)
    return lambda *words: CliRunner().invoke(app, words)


def test_send_ends_with_numbers_that_add_up(run: Run) -> None:
    told = json.loads(run("issues", "send", "1", "--json").stdout)
    assert told["audience"] == told["accepted"] == 3
    followed = run("issues", "receipt", "1", "--follow", "--json")
    assert json.loads(followed.stdout)["state"] == "finished"


def test_the_receipt_says_how_the_issue_stands_and_shows_no_numbers_before_there_are_any(run: Run) -> None:
    said = run("issues", "receipt", "1").stdout
    assert "Issue 1 is approved and goes 20" in said
    assert "accepted" not in said
    run("issues", "send", "1")
    said = run("issues", "receipt", "1").stdout
    assert "Issue 1 was sent from" in said
    assert re.search(r"accepted +3", said)


def test_the_receipt_names_who_failed_with_the_reason_and_goes_on_after_a_page(run: Run) -> None:
    run("issues", "send", "1")
    with wiring.build() as house, house.store.begin() as unit:
        for who in (1, 2, 3):
            before = unit.deliveries.find(1, who)
            assert before is not None
            now = house.tools.clock()
            unit.deliveries.move(1, [who], DeliveryState.FAILED)
            reason = Settled(
                subscriber_id=who, state=DeliveryState.FAILED, tries=1, code="550 5.1.1", reason="gone"
            )
            unit.deliveries.remark(1, [reason], now)
    told = json.loads(run("issues", "receipt", "1", "--limit", "2", "--json").stdout)
    assert (told["audience"], told["failed"], told["next"]) == (3, 3, 2)
    assert [one["address"] for one in told["named"]] == ["ann@ann.example", "bert@bert.example"]
    assert sum(line["audience"] for line in told["domains"]) == 3
    assert told["troubles"] == [{"state": "failed", "code": "550 5.1.1", "reason": "gone", "count": 3}]
    rest = json.loads(run("issues", "receipt", "1", "--limit", "2", "--after", "2", "--json").stdout)
    assert [one["subscriber_id"] for one in rest["named"]] == [3]
    said = run("issues", "receipt", "1", "--limit", "2").stdout
    assert "There is no such mailbox." in said
    assert "Further: newsletter issues receipt 1 --after 2" in said
    assert json.loads(run("issues", "receipt", "1", "--state", "skipped", "--json").stdout)["named"] == []


def test_opens_and_clicks_stand_beside_each_other_or_are_said_not_to_be_counted(
    run: Run,
) -> None:
    run("issues", "send", "1")
    told = json.loads(run("issues", "receipt", "1", "--json").stdout)
    assert told["opens"] is told["clicks"] is told["links"] is None
    assert "Opens and clicks are not counted" in run("issues", "receipt", "1").stdout
    with wiring.build() as house, house.store.begin() as unit:
        unit.links.keep(1, [Link("p", ""), Link("a", "https://a.example/")])
        unit.links.count("p", people=1200, machines=34)
        unit.links.count("a", people=5, machines=6)
    told = json.loads(run("issues", "receipt", "1", "--json").stdout)
    assert told["opens"] == {"people": 1200, "machines": 34}
    assert told["clicks"] == {"people": 5, "machines": 6}
    assert told["links"] == [{"url": "https://a.example/", "people": 5, "machines": 6}]
    said = run("issues", "receipt", "1").stdout
    assert re.search(r"opens: the picture was loaded +1,200 +34", said)
    assert re.search(r"https://a.example/ +5 +6", said)
    assert "Opens are unreliable" in said
