"""One feed, several rhythms: each subscriber gets each post once, whatever they choose in between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from newsletter import pipeline, wiring
from newsletter.demo.blog_server import SampleBlog
from newsletter.desk import Desk
from newsletter.errors import Conflict, NotFound, NotReady
from newsletter.model.issue import IssueState
from newsletter.model.notice import NoticeKind
from newsletter.wiring import House
from subscribers.model import Cadence
from subscribers.segments import Filter
from tests.support import ldn

ANN, BEN = "ann@example.org", "ben@example.org"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with SampleBlog() as blog:
        fixed = {
            "secret_key": "a secret key of the tests that is long enough",
            "database_url": f"sqlite:///{tmp_path}/newsletter.db",
            "data_dir": str(tmp_path),
            "sender": "Marian <marian@example.net>",
            "postal_address": "PO Box 1",
            "feed_url": blog.feed_url,
            "first_poll": "newest",
            "settle": "0",
            "allow_private_addresses": "true",
        }
        wiring.prepare(fixed)
        with wiring.build(fixed) as built:
            for address in (ANN, BEN):
                built.desk.add_subscriber(address)
            yield built


def chooses(house: House, address: str, cadence: Cadence) -> None:
    with house.store.begin() as unit:
        person = unit.subscribers.by_address(address)
        assert person is not None
        unit.subscribers.choose(
            person.id, house.tools.clock(), cadence=cadence, topics_off=(), paused_until=None
        )


def send_all(house: House, moment: datetime) -> None:
    """What happens at that time, with an author who approves every draft."""
    tools = replace(house.tools, clock=lambda: moment)
    pipeline.turn(tools)
    desk = Desk(tools, doors=house.desk.doors)
    for shown in desk.today().drafts:
        desk.approve_issue(shown.issue.id)
    pipeline.turn(tools)


def received(tmp_path: Path, address: str) -> int:
    """How many messages with the post reached an address."""
    texts = [file.read_text() for file in (tmp_path / "outbox" / "new").iterdir()]
    return sum(f"\nTo: {address}" in text and ldn.TITLE in text for text in texts)


def test_a_weekly_subscriber_gets_the_digest_and_no_single_post(house: House, tmp_path: Path) -> None:
    chooses(house, BEN, Cadence.WEEKLY)
    now = house.tools.clock()
    send_all(house, now)
    assert (received(tmp_path, ANN), received(tmp_path, BEN)) == (1, 0)
    send_all(house, now + timedelta(days=8))
    assert (received(tmp_path, ANN), received(tmp_path, BEN)) == (1, 1)
    digest = house.desk.issues()[0].issue
    assert (digest.cadence, digest.state) == (Cadence.WEEKLY, IssueState.FINISHED)


def test_whoever_changes_rhythm_in_between_gets_no_post_twice(house: House, tmp_path: Path) -> None:
    chooses(house, BEN, Cadence.WEEKLY)
    now = house.tools.clock()
    send_all(house, now)
    chooses(house, ANN, Cadence.WEEKLY)
    send_all(house, now + timedelta(days=8))
    assert (received(tmp_path, ANN), received(tmp_path, BEN)) == (1, 1)
    receipt = house.desk.receipt(house.desk.issues()[0].issue.id).receipt
    assert (receipt.audience, receipt.accepted, receipt.skipped) == (2, 1, 1)


def test_an_empty_digest_is_never_made(house: House) -> None:
    chooses(house, BEN, Cadence.WEEKLY)
    now = house.tools.clock()
    for weeks in range(4):
        send_all(house, now + timedelta(weeks=weeks, days=1))
    digests = [shown for shown in house.desk.issues() if shown.issue.cadence is Cadence.WEEKLY]
    assert len(digests) == 1


def test_a_draft_says_how_many_will_get_it(house: House) -> None:
    send_all(house, house.tools.clock())
    assert house.desk.audience_size(1) == 2
    chooses(house, BEN, Cadence.WEEKLY)
    assert house.desk.audience_size(1) == 1
    house.desk.unsubscribe(ANN)
    assert house.desk.audience_size(1) == 0


def test_only_a_paused_issue_is_resumed(house: House) -> None:
    send_all(house, house.tools.clock())
    with pytest.raises(Conflict, match="finished, not paused"):
        house.desk.resume_issue(1)


def at(house: House, moment: datetime) -> Desk:
    tools = replace(house.tools, clock=lambda: moment)
    pipeline.turn(tools)
    return Desk(tools, doors=house.desk.doors)


def test_a_digest_of_posts_that_were_approved_one_by_one_goes_by_itself(house: House, tmp_path: Path) -> None:
    chooses(house, BEN, Cadence.WEEKLY)
    now = house.tools.clock()
    send_all(house, now)
    desk = at(house, now + timedelta(days=8))
    assert desk.today().drafts == []
    assert desk.issues()[0].issue.state is IssueState.FINISHED
    assert received(tmp_path, BEN) == 1


def test_an_issue_for_a_segment_reaches_it_alone(house: House, tmp_path: Path) -> None:
    desk = house.desk
    pipeline.turn(house.tools)
    saved = desk.save_segment("Not Ben", Filter(domains=("example.net",)))
    desk.add_subscriber("cid@example.net")
    desk.edit_issue(1, segment="Not  Ben")
    assert desk.audience_size(1) == 1
    with pytest.raises(Conflict, match="Issue 1 is for this segment"):
        desk.remove_segment(saved.segment.id)
    frozen = desk.approve_issue(1).issue
    assert (frozen.segment, frozen.segment_filter) == ("Not Ben", '{"domains":["example.net"]}')
    desk.save_segment("Not Ben", Filter(domains=("example.net",)))
    assert desk.issue(1).issue.state is IssueState.APPROVED

    desk.save_segment("Not Ben", Filter(domains=("example.com", "example.net")))
    back = desk.issue(1).issue
    assert (back.state, back.problem) == (
        IssueState.DRAFT,
        "The segment “Not Ben”, for which it is, has changed. Approve it again.",
    )
    desk.approve_issue(1)
    pipeline.turn(house.tools)
    receipt = desk.receipt(1).receipt
    assert (receipt.audience, receipt.accepted) == (1, 1)
    assert [received(tmp_path, one) for one in (ANN, BEN, "cid@example.net")] == [0, 0, 1]
    desk.remove_segment(saved.segment.id)


def test_choosing_somebody_else_takes_an_approval_back(house: House) -> None:
    pipeline.turn(house.tools)
    house.desk.save_segment("All", Filter())
    house.desk.approve_issue(1)
    assert house.desk.edit_issue(1, segment="All").issue.state is IssueState.DRAFT
    house.desk.approve_issue(1)
    assert house.desk.edit_issue(1, segment="").issue.state is IssueState.DRAFT
    with pytest.raises(NotFound, match="There is no segment"):
        house.desk.edit_issue(1, segment="Nobody")


def test_an_issue_whose_segment_is_gone_is_not_approved(house: House) -> None:
    pipeline.turn(house.tools)
    with house.store.begin() as unit:
        unit.issues.edit(1, now=house.tools.clock(), segment="Gone")
    assert house.desk.audience_size(1) == 0
    with pytest.raises(NotReady, match="is not there any more"):
        house.desk.approve_issue(1)


def test_where_the_author_wants_to_see_it_again_the_digest_waits(house: House, tmp_path: Path) -> None:
    house.desk.set_setting("DIGEST_APPROVAL", "again")
    chooses(house, BEN, Cadence.WEEKLY)
    now = house.tools.clock()
    send_all(house, now)
    (waiting,) = at(house, now + timedelta(days=8)).today().drafts
    assert (waiting.issue.cadence, waiting.issue.send_at) == (Cadence.WEEKLY, None)
    assert received(tmp_path, BEN) == 0


def test_a_post_that_was_edited_since_its_approval_makes_the_digest_wait(
    house: House, tmp_path: Path
) -> None:
    chooses(house, BEN, Cadence.WEEKLY)
    now = house.tools.clock()
    send_all(house, now)
    with house.store.begin() as unit:
        post = unit.posts.get(house.desk.issue(1).posts[0].id)
        unit.posts.replace_text(post.id, post.html + "<p>And more.</p>", now)
    (waiting,) = at(house, now + timedelta(days=8)).today().drafts
    assert waiting.issue.cadence is Cadence.WEEKLY
    assert received(tmp_path, BEN) == 0


def test_an_edit_between_making_a_digest_and_sending_it_makes_it_wait(house: House, tmp_path: Path) -> None:
    chooses(house, BEN, Cadence.WEEKLY)
    now = house.tools.clock()
    send_all(house, now)
    later = replace(house.tools, clock=lambda: now + timedelta(days=8))
    pipeline.turn(later, [pipeline.Step.COMPOSE])
    with house.store.begin() as unit:
        assert unit.issues.get(2).send_at is not None
        post = unit.posts.get(house.desk.issue(1).posts[0].id)
        unit.posts.replace_text(post.id, post.html + "<p>And more.</p>", now)
    pipeline.turn(later, [pipeline.Step.START, pipeline.Step.SEND])
    assert house.desk.issue(2).issue.state is IssueState.DRAFT
    assert received(tmp_path, BEN) == 0
    with house.store.read() as unit:
        told = [notice for notice in unit.notices.list() if notice.kind is NoticeKind.PROBLEM]
    assert ["changed since you approved it" in notice.data["text"] for notice in told] == [True]
