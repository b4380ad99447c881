"""Issues on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, insert, update

from newsletter.errors import Conflict, NotFound
from newsletter.model.artefact import Artefact, Block, Segment
from newsletter.model.checklist import CheckLine, Checklist, Level
from newsletter.model.issue import IssueState
from newsletter.model.publication import Sender
from newsletter.model.times import to_ms
from newsletter.store.database import Database
from newsletter.store.issues import Issues
from newsletter.store.tables import feeds, posts
from newsletter.store.unit import Unit
from subscribers.model import Cadence

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
ARTEFACT = Artefact(
    subject="A subject with ümläuts",
    preheader="First words",
    sender=Sender(name="Ann", address="ann@example.org"),
    reply_to="",
    language="en",
    title="Letters",
    html=(Segment("<p>Hi "), Segment("name", slot=True), Segment("</p>", block=0)),
    text=(Segment("Hi"),),
    blocks=(Block(number=0, post_id=1, title="One"),),
)


@pytest.fixture
def conn(migrated: Database) -> Iterator[Connection]:
    with migrated.write() as connection:
        feed = {"id": 1, "url": "http://blog.example/feed", "state": "active", "added_at": to_ms(NOW)}
        connection.execute(insert(feeds).values(feed))
        connection.execute(
            insert(posts),
            [
                {
                    "id": number,
                    "feed_id": 1,
                    "state": "ready",
                    "title": f"Post {number}",
                    "topics": '["health"]' if number == 1 else "[]",
                    "first_seen_at": to_ms(NOW),
                    "last_seen_at": to_ms(NOW),
                }
                for number in range(1, 5)
            ],
        )
        yield connection


@pytest.fixture
def unit(conn: Connection) -> Unit:
    return Unit(conn, subscriber_keys=[])


@pytest.fixture
def issues(unit: Unit) -> Issues:
    return unit.issues


def draft(issues: Issues, *post_ids: int, cadence: Cadence = Cadence.EACH, period: str = "") -> int:
    return issues.create(
        cadence=cadence,
        period=period,
        subject="S",
        posts=[(post_id, 0) for post_id in post_ids],
        now=NOW,
    ).id


def test_a_draft_carries_its_posts_in_order(issues: Issues) -> None:
    issue = issues.get(draft(issues, 2, 1))
    assert issue.state is IssueState.DRAFT
    assert [(place.post_id, place.block) for place in issue.posts] == [(2, 0), (1, 1)]


def test_a_post_is_in_one_issue_of_a_cadence_only(issues: Issues) -> None:
    draft(issues, 1)
    with pytest.raises(Conflict, match="already in an issue"):
        draft(issues, 1)
    assert draft(issues, 1, cadence=Cadence.WEEKLY, period="2026-W19")


def test_a_period_has_one_issue(issues: Issues) -> None:
    draft(issues, 1, cadence=Cadence.WEEKLY, period="2026-W19")
    with pytest.raises(Conflict, match="2026-W19"):
        draft(issues, 2, cadence=Cadence.WEEKLY, period="2026-W19")


def test_an_issue_has_between_1_and_62_posts(issues: Issues) -> None:
    for count in (0, 63):
        with pytest.raises(Conflict, match="62"):
            draft(issues, *range(count))


def test_an_unknown_issue_is_told(issues: Issues, unit: Unit) -> None:
    with pytest.raises(NotFound):
        issues.get(99)
    with pytest.raises(NotFound):
        issues.cancel(99, NOW)
    with pytest.raises(NotFound, match="no issue 99"):
        unit.artefacts.get(99)


def test_an_edit_keeps_what_it_does_not_name(issues: Issues) -> None:
    issue_id = draft(issues, 1, 2)
    edited = issues.edit(issue_id, now=NOW, subject="Mine", exclude=[2])
    assert (edited.subject, edited.preheader, edited.subject_edited) == ("Mine", "", True)
    assert [place.post_id for place in edited.included] == [1]
    again = issues.edit(issue_id, now=NOW, note="Hello", include=[2])
    assert (again.subject, again.note, len(again.included)) == ("Mine", "Hello", 2)


def test_the_authors_own_subject_survives_the_defaults(issues: Issues) -> None:
    issue_id = draft(issues, 1)
    issues.edit(issue_id, now=NOW, subject="Mine")
    issues.defaults(issue_id, subject="Theirs", preheader="First words")
    issue = issues.get(issue_id)
    assert (issue.subject, issue.preheader) == ("Mine", "First words")


def test_only_a_draft_can_be_edited_and_only_its_own_posts(issues: Issues) -> None:
    issue_id = draft(issues, 1)
    with pytest.raises(NotFound, match="Post 3"):
        issues.edit(issue_id, now=NOW, exclude=[3])
    issues.approve(issue_id, send_at=NOW, now=NOW)
    with pytest.raises(Conflict):
        issues.edit(issue_id, now=NOW, subject="Too late")


def test_an_artefact_comes_back_byte_for_byte(issues: Issues, unit: Unit) -> None:
    issue_id = draft(issues, 1)
    with pytest.raises(NotFound):
        unit.artefacts.get(issue_id)
    lines = (CheckLine(level=Level.ADVICE, code="alt", text="One picture says nothing.", mend="Say it."),)
    unit.artefacts.save(issue_id, ARTEFACT, Checklist(lines=lines), {1: 1}, NOW, edition=0)
    assert unit.artefacts.get(issue_id) == ARTEFACT
    assert unit.artefacts.get(issue_id).content_hash == issues.get(issue_id).content_hash
    assert unit.artefacts.checklist(issue_id).lines == lines
    unit.artefacts.save(issue_id, ARTEFACT, Checklist(lines=()), {1: 2}, NOW, edition=0)
    assert unit.artefacts.checklist(issue_id).lines == ()


def test_what_was_never_composed_or_was_edited_since_is_stale(
    issues: Issues, unit: Unit, conn: Connection
) -> None:
    first, second = draft(issues, 1), draft(issues, 2)
    assert issues.stale_drafts() == [first, second]
    for issue_id, post_id in ((first, 1), (second, 2)):
        unit.artefacts.save(issue_id, ARTEFACT, Checklist(lines=()), {post_id: 1}, NOW, edition=0)
    assert issues.stale_drafts() == []
    issues.approve(second, send_at=NOW, now=NOW)
    conn.execute(update(posts).where(posts.c.id == 2).values(revision=2))
    assert issues.stale_drafts() == [second]
    issues.start(second, 10, NOW)
    assert issues.stale_drafts() == [], "once sending it changes nothing (invariant 5)"


def test_an_approved_issue_is_due_at_its_time(issues: Issues) -> None:
    issue_id = draft(issues, 1)
    issues.approve(issue_id, send_at=NOW + timedelta(hours=1), now=NOW)
    assert issues.due(NOW) == []
    assert [issue.id for issue in issues.due(NOW + timedelta(hours=1))] == [issue_id]


def test_a_draft_that_approves_itself_is_due_until_it_is_stopped(issues: Issues) -> None:
    issue_id = draft(issues, 1)
    issues.plan(issue_id, NOW)
    assert [issue.id for issue in issues.due_by_itself(NOW)] == [issue_id]
    issues.plan(issue_id, None)
    assert issues.due_by_itself(NOW) == []


def test_starting_again_keeps_the_audience_of_the_first_start(issues: Issues) -> None:
    issue_id = draft(issues, 1)
    issues.approve(issue_id, send_at=NOW, now=NOW)
    issues.start(issue_id, 100, NOW)
    issues.advance_audience(issue_id, 60, False)
    issues.pause(issue_id, "The server refuses us.", NOW)
    assert issues.get(issue_id).problem == "The server refuses us."
    resumed = issues.resume(issue_id, NOW)
    assert (resumed.audience_bound, resumed.audience_cursor, resumed.problem) == (100, 60, "")
    assert [issue.id for issue in issues.sending()] == [issue_id]
    assert issues.finish(issue_id, NOW).finished_at == NOW


def test_taking_an_approval_back_forgets_what_was_approved(issues: Issues, unit: Unit) -> None:
    issue_id = draft(issues, 1)
    unit.artefacts.save(issue_id, ARTEFACT, Checklist(lines=()), {1: 1}, NOW, edition=0)
    approved = issues.approve(issue_id, send_at=NOW, now=NOW)
    assert approved.approved_hash == ARTEFACT.content_hash
    back = issues.back_to_draft(issue_id, reason="Edited.", now=NOW)
    assert (back.approved_hash, back.send_at, back.problem) == ("", None, "Edited.")


def test_approval_freezes_the_segment_and_a_draft_knows_only_its_name(issues: Issues) -> None:
    issue_id = draft(issues, 1)
    assert issues.edit(issue_id, now=NOW, segment="The few").segment == "The few"
    approved = issues.approve(issue_id, send_at=NOW, now=NOW, segment_filter='{"tags":["vip"]}')
    assert (approved.segment, approved.segment_filter) == ("The few", '{"tags":["vip"]}')
    assert [issue.id for issue in issues.unsent_for("The few")] == [issue_id]
    back = issues.back_to_draft(issue_id, reason="Edited.", now=NOW)
    assert (back.segment, back.segment_filter) == ("The few", "")
    assert issues.edit(issue_id, now=NOW, note="Hi").segment == "The few"
    assert issues.edit(issue_id, now=NOW, segment="").segment == ""
    assert issues.unsent_for("The few") == []


@pytest.mark.parametrize(("segment", "known"), [("", True), ("The few", False)])
def test_what_was_approved_for_a_segment_was_not_approved_for_all(
    issues: Issues, unit: Unit, segment: str, known: bool
) -> None:
    single = draft(issues, 1)
    issues.edit(single, now=NOW, segment=segment)
    issues.approve(single, send_at=NOW, now=NOW, segment_filter="{}" if segment else "")
    weekly = draft(issues, 1, cadence=Cadence.WEEKLY, period="2026-W19")
    assert unit.issue_posts.approved_before(weekly) is known


def test_a_post_that_is_gone_leaves_drafts_but_not_what_is_being_sent(issues: Issues, unit: Unit) -> None:
    waiting, sending = draft(issues, 1), draft(issues, 1, cadence=Cadence.DAILY, period="2026-05-04")
    issues.approve(sending, send_at=NOW, now=NOW)
    issues.start(sending, 1, NOW)
    assert unit.issue_posts.withdraw(1, reason="It was deleted.", now=NOW) == []
    assert issues.get(waiting).included == ()
    assert len(issues.get(sending).included) == 1


def test_topics_come_by_block(issues: Issues, unit: Unit) -> None:
    issue_id = draft(issues, 2, 1)
    assert unit.issue_posts.topics(issue_id) == {0: frozenset(), 1: frozenset({"health"})}


def test_lists_are_newest_first_and_paged(issues: Issues) -> None:
    ids = [draft(issues, number) for number in (1, 2, 3)]
    issues.cancel(ids[0], NOW)
    assert [issue.id for issue in issues.list(limit=2)] == [ids[2], ids[1]]
    assert [issue.id for issue in issues.list(limit=2, after=ids[1])] == [ids[0]]
    assert [issue.id for issue in issues.list(states=[IssueState.CANCELLED])] == [ids[0]]


def test_what_was_found_of_another_artefact_is_not_kept(issues: Issues, unit: Unit) -> None:
    issue_id = draft(issues, 1)
    unit.artefacts.save(issue_id, ARTEFACT, Checklist(lines=()), {1: 1}, NOW, edition=0)
    found = Checklist(lines=(CheckLine(level=Level.GOOD, code="links", text="All 2 links open."),))
    unit.artefacts.save_checklist(issue_id, found, content_hash="another")
    assert unit.artefacts.checklist(issue_id).lines == ()
    unit.artefacts.save_checklist(issue_id, found, content_hash=ARTEFACT.content_hash)
    assert unit.artefacts.checklist(issue_id) == found


def test_the_issues_that_carry_a_post_are_known_but_for_cancelled_ones(issues: Issues, unit: Unit) -> None:
    first = draft(issues, 1, 2)
    weekly = draft(issues, 1, 3, cadence=Cadence.WEEKLY, period="2026-W19")
    issues.edit(first, now=NOW, exclude=[2])
    assert unit.issue_posts.carriers([1, 2, 3, 4]) == {
        1: [(first, IssueState.DRAFT), (weekly, IssueState.DRAFT)],
        3: [(weekly, IssueState.DRAFT)],
    }
    issues.cancel(weekly, NOW)
    assert unit.issue_posts.carriers([1, 3]) == {1: [(first, IssueState.DRAFT)]}


def test_how_much_of_posts_is_shown_is_the_themes_until_the_author_chooses(issues: Issues) -> None:
    issue_id = draft(issues, 1)
    assert issues.get(issue_id).excerpts is None
    assert issues.edit(issue_id, now=NOW, excerpts=True).excerpts is True
    assert issues.edit(issue_id, now=NOW, note="Hello").excerpts is True
    assert issues.edit(issue_id, now=NOW, excerpts=False).excerpts is False


def test_a_post_withdrawn_from_an_issue_that_went_without_it_is_free_for_the_next(
    issues: Issues, unit: Unit, conn: Connection
) -> None:
    conn.execute(update(posts).where(posts.c.id.in_([1, 2])).values(state="ready"))
    weekly = issues.create(
        cadence=Cadence.WEEKLY, period="2026-W19", subject="Two", posts=[(1, 1), (2, 1)], now=NOW
    ).id
    issues.approve(weekly, send_at=NOW, now=NOW)
    [back] = unit.issue_posts.withdraw(1, reason="It was deleted.", now=NOW)
    assert (back.id, back.state, back.problem) == (weekly, IssueState.DRAFT, "It was deleted.")
    issues.approve(weekly, send_at=NOW, now=NOW)
    issues.start(weekly, 10, NOW)
    assert unit.issue_posts.withdrawn_ready() == [(weekly, 1)]
    unit.issue_posts.take_back(weekly, 1, NOW)
    assert [place.post_id for place in issues.get(weekly).posts] == [2]
    assert unit.issue_posts.withdrawn_ready() == []
    assert issues.create(
        cadence=Cadence.WEEKLY, period="2026-W20", subject="One", posts=[(1, 1)], now=NOW
    ).included
