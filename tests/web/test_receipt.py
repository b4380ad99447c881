"""The receipt page: whole without JavaScript, live with it."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import uvicorn

from newsletter.model.delivery import DeliveryState, Settled
from newsletter.model.issue import IssueState
from newsletter.model.tracking import Link
from newsletter.pipeline import Step
from newsletter.web.app import create_app
from newsletter.web.live import event
from subscribers import tracking
from tests.web.conftest import Studio

PATIENCE_S = 30.0


def sending(studio: Studio, readers: int = 3) -> int:
    """An issue whose audience is drawn and of which nothing is sent yet."""
    for number in range(readers):
        studio.house.desk.add_subscriber(f"reader{number}@example.org")
    issue = studio.draft()
    studio.house.desk.approve_issue(issue)
    studio.house.turn([Step.START])
    with studio.house.store.begin() as unit:
        unit.deliveries.add(issue, dict.fromkeys(range(1, readers + 1), 1), {}, studio.house.tools.clock())
        unit.issues.advance_audience(issue, readers, True)
    return issue


def fail(studio: Studio, issue: int, who: list[int], code: str = "550 5.1.1") -> None:
    with studio.house.store.begin() as unit:
        now = studio.house.tools.clock()
        attempt = unit.deliveries.open_attempt(issue, "smtp", now, now)
        unit.deliveries.claim(issue, attempt, who)
        unit.deliveries.move(issue, who, DeliveryState.SUBMITTING)
        settled = [
            Settled(
                subscriber_id=one,
                state=DeliveryState.FAILED,
                tries=1,
                code=code,
                reason="No <b>such</b> user",
            )
            for one in who
        ]
        unit.deliveries.settle(issue, attempt, settled, now)
        unit.deliveries.close_attempt(attempt, now, {DeliveryState.FAILED: len(who)})


def test_it_says_in_words_what_stood_in_the_way(studio: Studio) -> None:
    issue = sending(studio)
    fail(studio, issue, [1, 2])
    with studio.visitor() as visitor:
        text = visitor.get(f"/studio/issues/{issue}").text
    assert "What stood in the way" in text
    assert "There is no such mailbox." in text
    assert "No &lt;b&gt;such&lt;/b&gt; user" in text
    assert "Try the failed ones again" in text


def test_everybody_is_named_page_by_page(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("newsletter.web.studio.receipt.PAGE", 4)
    issue = sending(studio, readers=11)
    fail(studio, issue, list(range(1, 12)))
    with studio.visitor() as visitor:
        page = f"/studio/issues/{issue}/people?state=failed"
        assert f'href="{page}"' in visitor.get(f"/studio/issues/{issue}").text
        seen: list[str] = []
        while page:
            text = visitor.get(page).text
            seen += re.findall(r'href="/studio/subscribers/(\d+)"', text)
            further = re.search(r'href="([^"]+)">Further<', text)
            page = further[1].replace("&amp;", "&") if further else ""
        assert seen == [str(number) for number in range(1, 12)]
        assert visitor.get(f"/studio/issues/{issue}/people?state=accepted").status_code == 400
        assert "Nobody." in visitor.get(f"/studio/issues/{issue}/people?state=unknown").text


def test_the_account_and_the_state_are_told_as_they_change(studio: Studio) -> None:
    issue = sending(studio)
    told: list[str] = []
    with studio.visitor() as visitor, visitor.stream("GET", f"/studio/issues/{issue}/live") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["cache-control"] == "no-store"
        for line in stream.iter_lines():
            told.append(line)
            if line == "event: account" and told.count(line) == 1:
                studio.house.turn([Step.SEND])
    text = "\n".join(told)
    assert "Still to go" in text.partition("event: state")[0]
    assert "data: finished" in text
    assert studio.house.desk.issue(issue).issue.state is IssueState.FINISHED


def test_a_stranger_follows_nothing_and_who_signs_out_no_longer(studio: Studio) -> None:
    issue = sending(studio)
    with studio.visitor(signed_in=False) as stranger:
        assert stranger.get(f"/studio/issues/{issue}/live").status_code == 303
    with studio.visitor() as visitor, visitor.stream("GET", f"/studio/issues/{issue}/live") as stream:
        for line in stream.iter_lines():
            if line == "event: account":
                for session in studio.house.desk.doors.sessions():
                    studio.house.desk.doors.close_session(session.token_sha)
    # Here the stream has ended by itself, although the issue is still being sent.
    assert studio.house.desk.issue(issue).issue.state is IssueState.SENDING


def test_too_many_followers_are_asked_to_come_back_by_themselves(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.web.live.MOST", 1)
    issue = sending(studio)
    with studio.visitor() as visitor:
        with visitor.stream("GET", f"/studio/issues/{issue}/live") as stream:
            lines = stream.iter_lines()
            next(lines)
            assert visitor.get(f"/studio/issues/{issue}/live").status_code == 503


@contextmanager
def server_of(studio: Studio) -> Iterator[tuple[uvicorn.Server, str]]:
    app = create_app(studio.house)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(
            uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none")
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield server, f"http://localhost:{listener.getsockname()[1]}"
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), "an open page kept the server from ending"


def test_an_open_page_does_not_keep_the_server_from_ending(studio: Studio) -> None:
    issue = sending(studio)
    with server_of(studio) as (server, base):
        with (
            studio.visitor() as known,
            httpx.Client(base_url=base, cookies=known.cookies, timeout=30) as visitor,
        ):
            with visitor.stream("GET", f"/studio/issues/{issue}/live") as stream:
                for line in stream.iter_lines():
                    if line == "event: account":
                        server.config.app.state.live.close()  # type: ignore[union-attr]  # it is our own app
                        server.should_exit = True


def test_a_message_of_several_lines_is_one_event() -> None:
    assert event("account", "one\ntwo") == "event: account\ndata: one\ndata: two\n\n"
    assert event("state", "") == "event: state\ndata:\n\n"


def test_opens_and_clicks_stand_on_the_receipt_or_a_word_that_they_do_not(studio: Studio) -> None:
    issue = sending(studio)
    with studio.visitor() as visitor:
        assert "Not counted." in visitor.get(f"/studio/issues/{issue}").text
        with studio.house.store.begin() as unit:
            unit.links.keep(issue, [Link("p", ""), Link("a", "https://a.example/<x>")])
            unit.links.count("p", people=1200, machines=34)
        text = visitor.get(f"/studio/issues/{issue}").text
    assert re.search(r"Pictures loaded \(opens\)</th><td>1,200</td><td>34</td>", text)
    assert "a.example/&lt;x&gt;</a></th><td>0</td><td>0</td>" in text
    assert "Opens are unreliable" in text


def test_a_subscribers_page_shows_what_they_let_be_kept_and_no_other_does(studio: Studio) -> None:
    issue = sending(studio)
    with studio.house.store.begin() as unit:
        tracking.agree(
            unit.conn, 1, studio.house.tools.clock(), source="form: preferences", wording="You <may>."
        )
        unit.links.keep(issue, [Link("p", ""), Link("a", "https://a.example/page")])
        unit.links.read(1, "p", times=1, at=studio.house.tools.clock())
        unit.links.read(1, "a", times=2, at=studio.house.tools.clock())
    with studio.visitor() as visitor:
        text = visitor.get("/studio/subscribers/1").text
        assert "Opens and clicks" not in visitor.get("/studio/subscribers/2").text
    assert "asked on their preferences page" in text and "You &lt;may&gt;." in text
    assert f"Opened issue {issue}" in text
    assert "Followed a.example/page" in text and "2 times" in text
