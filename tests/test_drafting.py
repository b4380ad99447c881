"""Between a draft and its approval: whoever acts meanwhile wins, and nothing approved ever changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

from newsletter import pipeline, wiring
from newsletter.compose import Compiler
from newsletter.demo.blog_server import SampleBlog
from newsletter.errors import Conflict, Invalid, NotFound, TemplateProblem
from newsletter.model.issue import Issue, IssueState
from newsletter.model.post import PostState
from newsletter.pipeline import Step
from newsletter.steps import composing, drafting
from newsletter.steps.tools import Tools
from newsletter.store.unit import Unit
from newsletter.wiring import House
from subscribers.model import Cadence


class Meanwhile(Compiler):
    """The real compiler, during whose work somebody else does something, once."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self._act: Callable[[], object] | None = act

    def compile(self, mjml: str, *, file: str = "layout.mjml.j2") -> str:
        act, self._act = self._act, None
        if act is not None:
            act()
        return super().compile(mjml, file=file)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with SampleBlog() as blog:
        fixed = {
            "secret_key": "a secret key of the tests that is long enough",
            "database_url": f"sqlite:///{tmp_path}/newsletter.db",
            "data_dir": str(tmp_path),
            "sender": "Ann <ann@example.org>",
            "postal_address": "PO Box 1",
            "feed_url": blog.feed_url,
            "first_poll": "newest",
            "settle": "0",
            "allow_private_addresses": "true",
        }
        wiring.prepare(fixed)
        with wiring.build(fixed) as built:
            built.desk.add_subscriber("ines@example.org")
            built.turn()
            yield built


def recompose_while(house: House, act: Callable[[], object]) -> None:
    with Meanwhile(act) as compiler:
        composing.recompose(replace(house.tools, compiler=compiler), 1)


def test_what_is_approved_while_a_draft_is_compiled_is_what_is_sent(house: House) -> None:
    def approve() -> None:
        house.desk.edit_issue(1, subject="What I approved")
        house.desk.approve_issue(1)

    recompose_while(house, approve)
    issue = house.desk.issue(1).issue
    assert issue.state is IssueState.APPROVED
    assert issue.content_hash == issue.approved_hash
    assert house.desk.send_issue(1).accepted == 1
    assert "Subject: What I approved" in house.desk.preview(1, format="mime")


def test_an_edit_while_a_draft_is_compiled_is_in_the_draft(house: House) -> None:
    recompose_while(house, lambda: house.desk.edit_issue(1, subject="Mine", note="Hello there"))
    assert house.desk.issue(1).issue.subject == "Mine"
    assert "Hello there" in house.desk.preview(1, format="text")
    with house.store.read() as unit:
        current = composing.fingerprint(house.tools, house.settings())
        assert unit.issues.stale_drafts(fingerprint=current) == []


def test_an_empty_subject_brings_the_posts_own_back(house: House) -> None:
    before = house.desk.issue(1).issue.subject
    house.desk.edit_issue(1, subject="Mine")
    assert house.desk.edit_issue(1, subject="").issue.subject == before


def test_a_time_that_has_passed_approves_nothing(house: House) -> None:
    with pytest.raises(Invalid, match="has passed"):
        house.desk.approve_issue(1, at=house.tools.clock() - timedelta(hours=1))
    assert house.desk.issue(1).issue.state is IssueState.DRAFT


def test_stop_stops_whatever_is_about_to_happen(house: House) -> None:
    desk = house.desk
    desk.approve_issue(1, at=house.tools.clock() + timedelta(hours=1))
    assert desk.stop_issue(1).issue.state is IssueState.DRAFT
    desk.approve_issue(1)
    house.turn([Step.START])
    assert desk.stop_issue(1).issue.state is IssueState.PAUSED
    house.turn()
    assert desk.receipt(1).receipt.accepted == 0
    desk.resume_issue(1)
    house.turn()
    with pytest.raises(Conflict, match="nothing to stop"):
        desk.stop_issue(1)


def test_an_author_who_wants_to_approve_by_hand_again_does(house: House) -> None:
    with house.store.begin() as unit:
        unit.issues.plan(1, house.tools.clock())
    house.turn()
    issue = house.desk.issue(1).issue
    assert (issue.state, issue.send_at) == (IssueState.DRAFT, None)


def test_a_time_that_the_author_chose_survives_the_time_that_was_planned(house: House) -> None:
    house.desk.set_setting("APPROVAL", "auto")
    later = house.tools.clock() + timedelta(hours=5)
    with house.store.begin() as unit:
        unit.issues.plan(1, house.tools.clock())

    def approve() -> None:
        house.desk.approve_issue(1, at=later)

    with Meanwhile(approve) as compiler:
        house.desk.set_setting("DISCLAIMER", "Another footer")
        assert drafting.approve_by_itself(replace(house.tools, compiler=compiler)) == []
    issue = house.desk.issue(1).issue
    assert issue.state is IssueState.APPROVED
    assert issue.send_at is not None and abs(issue.send_at - later) < timedelta(seconds=1)


def test_a_setting_that_is_taken_back_composes_the_draft_anew(house: House) -> None:
    house.desk.set_setting("DISCLAIMER", "Read the label.")
    house.turn()
    assert "Read the label." in house.desk.preview(1, format="text")
    house.desk.set_setting("DISCLAIMER", "")
    house.turn()
    assert "Read the label." not in house.desk.preview(1, format="text")


def test_a_rhythm_that_is_taken_up_does_not_bring_the_whole_past(house: House) -> None:
    with house.store.begin() as unit:
        for post in unit.posts.list(state=PostState.BASELINE):
            unit.posts.move(post.id, PostState.READY, "An old one.", house.tools.clock())
    house.turn()
    assert len(house.desk.issues()) == 3
    with house.store.begin() as unit:
        unit.conn.exec_driver_sql("UPDATE posts SET ready_at = ready_at - 86400000 * 40")
        person = unit.subscribers.by_address("ines@example.org")
        assert person is not None
        unit.subscribers.choose(
            person.id, house.tools.clock(), cadence=Cadence.WEEKLY, topics_off=(), paused_until=None
        )
    house.turn()
    next_week = house.tools.clock() + timedelta(days=8)
    pipeline.turn(replace(house.tools, clock=lambda: next_week))
    assert {shown.issue.cadence for shown in house.desk.issues()} == {Cadence.EACH}


def test_an_issue_whose_stored_bytes_are_not_what_was_approved_is_not_sent(house: House) -> None:
    house.desk.approve_issue(1)
    with house.store.begin() as unit:
        unit.conn.exec_driver_sql("UPDATE issues SET approved_hash = 'another'")
    house.turn()
    issue = house.desk.issue(1).issue
    assert issue.state is IssueState.PAUSED
    assert "not what was approved" in issue.problem
    assert house.desk.receipt(1).receipt.accepted == 0


def test_a_theme_that_cannot_be_compiled_blocks_and_says_file_line_and_reason(
    house: House, tmp_path: Path
) -> None:
    folder = tmp_path / "theme"
    folder.mkdir()
    wrong = folder / "masthead.mjml.j2"
    wrong.write_text("<mj-text>x</mj-text>\n<mj-txt>y</mj-txt>\n")
    house.desk.set_setting("THEME_FOLDER", str(folder))
    house.turn()
    (line,) = house.desk.issue(1).checklist.blocking
    assert line.code == "template"
    letters = [
        message_from_bytes(path.read_bytes(), policy=default).get_body(("plain",))
        for path in (tmp_path / "outbox").rglob("*")
        if path.is_file()
    ]
    told = [" ".join(letter.get_content().split()) for letter in letters if letter is not None]
    assert any("masthead.mjml.j2, line 2: There is no tag <mj-txt>." in text for text in told), told
    assert line.text == "masthead.mjml.j2, line 2: There is no tag <mj-txt>."
    assert line.mend == "Did you mean <mj-text>?"
    with pytest.raises(TemplateProblem):
        house.desk.approve_issue(1)
    assert house.desk.issue(1).issue.state is IssueState.DRAFT
    wrong.unlink()
    house.turn()
    assert house.desk.issue(1).checklist.blocking == ()


def test_a_first_draft_that_cannot_be_compiled_says_its_problem(house: House, tmp_path: Path) -> None:
    folder = tmp_path / "theme"
    folder.mkdir()
    (folder / "theme.toml").write_text('[light]\ntext = "blue"\n')
    house.desk.set_setting("THEME_FOLDER", str(folder))
    house.desk.release_post(next(post.id for post in house.desk.posts() if post.state is PostState.BASELINE))
    house.turn()
    newest = house.desk.issues()[0]
    assert newest.issue.content_hash == ""
    assert "theme.toml, line 2" in newest.checklist.blocking[0].text
    with pytest.raises(NotFound):
        house.desk.preview(newest.issue.id)


def another(unit: Unit, now: datetime) -> Issue:
    (post_id,) = (place.post_id for place in unit.issues.get(1).posts)
    return unit.issues.create(
        cadence=Cadence.WEEKLY, period="2026-W01", subject="Another", posts=[(post_id, 0)], now=now
    )


def test_a_draft_that_breaks_keeps_no_later_one_waiting(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(tools: Tools, issue_id: int) -> None:
        if issue_id == 1:
            raise OSError("the pictures' folder is gone")
        recompose(tools, issue_id)

    recompose = composing.recompose
    with house.tools.begin() as unit:
        other = another(unit, house.tools.clock())
        unit.issues.edit(1, now=house.tools.clock(), note="Changed")
    monkeypatch.setattr(drafting, "recompose", broken)
    drafted = drafting.draft(house.tools)
    assert drafted.problems == ("Issue 1: Composing it failed; the log says why.",)
    assert other.id in drafted.recomposed


def test_a_draft_that_cannot_be_approved_for_an_unforeseen_reason_waits_and_the_next_one_goes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_tools: Tools, issue_id: int, **_more: object) -> None:
        asked.append(issue_id)
        raise ZeroDivisionError

    asked: list[int] = []
    soon = house.tools.clock() + timedelta(minutes=1)
    with house.tools.begin() as unit:
        other = another(unit, house.tools.clock())
        unit.issues.plan(1, soon)
        unit.issues.plan(other.id, soon)
    house.desk.set_setting("APPROVAL", "auto")
    monkeypatch.setattr(drafting, "approve_issue", broken)
    later = replace(house.tools, clock=lambda: soon + timedelta(minutes=1))
    assert drafting.approve_by_itself(later) == []
    assert asked == [1, other.id]
    with house.tools.read() as unit:
        texts = {notice.data.get("text") for notice in unit.notices.list()}
    assert "Another: It could not be approved by itself; the log says why." in texts
    assert drafting.approve_by_itself(later) == [] and len(asked) == 2
