"""The author's verbs for subscribers, on a real database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from newsletter import wiring
from newsletter.desk import Desk, Undone
from newsletter.errors import Conflict
from newsletter.pipeline import Step
from newsletter.steps.telling import confirmation
from newsletter.store.tables import notices
from subscribers import asking
from subscribers.errors import Invalid
from subscribers.imports import How
from subscribers.model import SubscriberState, SuppressionCause
from subscribers.segments import Filter


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    fixed = {
        "secret_key": "a secret key of the tests that is long enough",
        "database_url": f"sqlite:///{tmp_path}/newsletter.db",
        "data_dir": str(tmp_path),
    }
    wiring.prepare(fixed)
    with wiring.build(fixed) as house:
        yield house.desk


def test_others_write_between_the_steps_of_an_import(desk: Desk) -> None:
    """One transaction for the whole file would keep whoever wants to leave waiting, here for good."""
    leaving = desk.add_subscriber("leaving@example.org").subscriber
    assert leaving is not None
    content = "email\n" + "".join(f"reader{n}@example.org\n" for n in range(2_500))
    steps: list[int] = []

    def meanwhile(done: int, total: int) -> None:
        steps.append(done)
        if done == 1_000:
            assert desk.unsubscribe("leaving@example.org")
            assert desk.subscriber_counts()[SubscriberState.ACTIVE] == 1_000

    report = desk.import_subscribers(content.encode(), source="l.csv", dry_run=False, progress=meanwhile)
    assert steps == [1_000, 2_000, 2_500]
    assert (report.rows, desk.subscriber_counts()[SubscriberState.ACTIVE]) == (2_500, 2_500)


def test_a_dry_run_changes_nothing(desk: Desk) -> None:
    report = desk.import_subscribers(b"email\nann@example.org\n", source="l.csv", dry_run=True)
    assert (report.rows, desk.subscribers()) == (1, [])


@pytest.mark.parametrize("cause", [SuppressionCause.MANUAL, SuppressionCause.COMPLAINED])
def test_the_author_lifts_a_complaint_and_their_own_suppression(desk: Desk, cause: SuppressionCause) -> None:
    desk.add_subscriber("ann@example.org")
    with desk.tools.begin() as unit:
        unit.subscribers.suppress("ann@example.org", cause, desk.tools.clock())
    desk.unsuppress("ann@example.org")
    ann = desk.subscriber("ann@example.org")
    assert (ann.subscriber.state, list(ann.suppressions)) == (SubscriberState.ACTIVE, [])


@pytest.mark.parametrize(
    ("cause", "why"),
    [
        (SuppressionCause.UNSUBSCRIBED, "They unsubscribed themselves: only they can come back"),
        (SuppressionCause.BOUNCED, "Mail to this address bounced: signing up and confirming lifts that"),
    ],
)
def test_the_author_lifts_nothing_that_only_the_address_can(
    desk: Desk, cause: SuppressionCause, why: str
) -> None:
    desk.add_subscriber("ann@example.org")
    with desk.tools.begin() as unit:
        unit.subscribers.suppress("ann@example.org", cause, desk.tools.clock())
    with pytest.raises(Conflict, match=why):
        desk.unsuppress("ann@example.org")
    assert [one.cause for one in desk.subscriber("ann@example.org").suppressions] == [cause]


def test_lifting_what_is_not_there_says_so(desk: Desk) -> None:
    desk.add_subscriber("ann@example.org")
    with pytest.raises(Conflict, match="Nothing forbids mail to this address"):
        desk.unsuppress("ann@example.org")
    with pytest.raises(Invalid):
        desk.unsuppress("nobody")


def test_a_segment_is_named_counted_listed_and_forgotten(desk: Desk) -> None:
    content = b"email,tags\nann@example.org,vip\nbob@example.com,\ncid@example.org,vip\n"
    desk.import_subscribers(content, source="l.csv", dry_run=False)
    desk.unsubscribe("cid@example.org")

    saved = desk.save_segment("The few", Filter(tags=("vip",)))

    assert saved.count == 1
    assert [(one.segment.name, one.count) for one in desk.segments()] == [("The few", 1)]
    members = desk.segment_members(saved.segment.id)
    assert [one.address for one in members] == ["ann@example.org", "cid@example.org"]
    desk.remove_segment(saved.segment.id)
    assert desk.segments() == []


def test_the_turn_that_cleans_asks_an_old_list_and_says_when_it_gave_up(tmp_path: Path) -> None:
    fixed = {
        "secret_key": "a secret key of the tests that is long enough",
        "database_url": f"sqlite:///{tmp_path}/newsletter.db",
        "data_dir": str(tmp_path),
        "author_email": "author@example.org",
    }
    wiring.prepare(fixed)
    rows = "".join(f"p{n}@example.org,2020-01-01\n" for n in range(60))
    with wiring.build(fixed) as house:
        house.desk.import_subscribers(f"email,joined_at\n{rows}".encode(), source="l.csv", dry_run=False)
        house.turn([Step.CLEAN])
        with house.tools.begin() as unit:
            asked = unit.conn.execute(select(notices.c.to, notices.c.kind)).all()
            for id in (1, 2):
                unit.subscribers.mark_bounced(id, house.tools.clock())
        house.turn([Step.CLEAN])
        with house.tools.read() as unit:
            told = unit.conn.execute(select(notices.c.to).where(notices.c.kind == "problem")).scalars().all()

    assert len(asked) == 50 and {kind for _, kind in asked} == {"confirm"}
    assert told == ["author@example.org"]


def test_taking_an_import_back_takes_back_what_was_to_be_sent_to_its_people(desk: Desk) -> None:
    desk.add_subscriber("ann@example.org")
    how = How(ask_per_day=50)
    batch = desk.import_subscribers(
        b"email\nbob@example.org\ncid@example.org\n", source="l.csv", dry_run=False, how=how
    ).batch_id
    with desk.tools.begin() as unit:
        for ask in asking.due(unit.subscribers, desk.tools.clock())[0]:
            unit.notices.queue(confirmation(ask), desk.tools.clock())
        assert len(unit.notices.list()) == 2

    assert desk.undo(batch) == Undone(gone=2, left=0, returned=0)

    with desk.tools.read() as unit:
        assert unit.notices.list() == []
    assert [one.address for one in desk.subscribers()] == ["ann@example.org"]
