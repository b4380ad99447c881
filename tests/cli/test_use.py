"""Wrong use and problems by exit code: 0 done, 1 a problem in one sentence, 2 wrong use."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from newsletter import pipeline, wiring
from newsletter.cli import app
from newsletter.cli.output import cell, out
from newsletter.demo.blog_server import SampleBlog
from newsletter.errors import Conflict, Invalid, NewsletterError, NotReady, StoreProblem
from newsletter.model.issue import IssueState
from newsletter.model.post import PostState
from newsletter.pipeline import Budget, Done, Step
from newsletter.steps.tools import Tools
from tests.intake.blog import articles
from tests.support.live_blog import LiveBlog
from tests.support.smtp import SmtpSink

Run = Callable[..., Result]
TOO_LARGE = str(2**63)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    settings = {
        "SECRET_KEY": "a secret key of the tests that is long enough",
        "DATABASE_URL": f"sqlite:///{tmp_path}/newsletter.db",
        "DATA_DIR": str(tmp_path),
        "FROM": "Ann <ann@example.org>",
        "POSTAL_ADDRESS": "PO Box 1",
        "SETTLE": "0",
        "FIRST_POLL": "newest",
        "ALLOW_PRIVATE_ADDRESSES": "true",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"NEWSLETTER_{name}", value)
    monkeypatch.setattr(out, "width", 400)  # no sentence is folded
    wiring.prepare()
    return lambda *words: CliRunner().invoke(app, words)


@pytest.fixture
def draft() -> int:
    """The id of a draft of the sample blog's newest post."""
    with SampleBlog() as blog, wiring.build() as house:
        house.desk.add_feed(blog.feed_url)
        house.turn()
    return 1


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if not children:
        yield " ".join(path), command
        return
    for name, child in children.items():
        yield from _commands(child, (*path, name))


def test_every_number_has_its_bounds() -> None:
    """SQLite refuses integers of more than 64 bits, and an operating system ports of more than 16."""
    bounded = 0
    for name, command in _commands(get_command(app)):
        for parameter in command.params:
            if parameter.type_descriptor.annotation in (int, list[int]):
                assert None not in (parameter.min, parameter.max), f"{name}: {parameter.name}"
                bounded += 1
    assert bounded > 30


@pytest.mark.parametrize(
    "words",
    [
        ("posts", "show", TOO_LARGE),
        ("posts", "show", TOO_LARGE, "--json"),
        ("posts", "list", "--after", TOO_LARGE),
        ("posts", "list", "--feed", TOO_LARGE),
        ("issues", "show", TOO_LARGE),
        ("issues", "edit", "1", "--include", TOO_LARGE),
        ("feeds", "remove", TOO_LARGE),
        ("poll", TOO_LARGE),
        ("subscribers", "undo", TOO_LARGE),
        ("demo", "--port", "99999"),
    ],
    ids=" ".join,
)
def test_a_number_that_no_id_or_port_can_be_is_wrong_use(run: Run, words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2


@pytest.mark.parametrize("file", ["", ".", "/"])
def test_a_backup_goes_to_a_file(run: Run, file: str) -> None:
    done = run("backup", file)
    assert isinstance(done.exception, Invalid) and "is a folder" in done.exception.message


@pytest.mark.parametrize("at", ["", " ", "now", "9999-12-31T23:59-12:00", "0001-01-01T00:00+12:00"])
def test_a_time_that_is_none_approves_nothing(run: Run, draft: int, at: str) -> None:
    done = run("issues", "approve", str(draft), "--at", at)
    assert isinstance(done.exception, Invalid) and "is not a time" in done.exception.message
    with wiring.build() as house:
        assert house.desk.issue(draft).issue.state is IssueState.DRAFT


def test_a_test_that_was_not_handed_over_is_a_problem(
    run: Run, draft: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = {"full@example.net": "452 4.2.2 Mailbox full", "gone@example.net": "550 5.1.1 Nobody"}
    with SmtpSink(refuse=replies.get) as sink:
        monkeypatch.setenv("NEWSLETTER_TRANSPORT", "smtp")
        monkeypatch.setenv("NEWSLETTER_SMTP_URL", sink.url)
        there = run("issues", "test", str(draft), "--to", "there@example.net")
        assert (there.exit_code, there.stdout) == (0, "The test was handed over to the mail server.\n")
        full = run("issues", "test", str(draft), "--to", "full@example.net")
        assert full.exit_code == 0 and full.stdout.startswith("The test waits: ")
        gone = run("issues", "test", str(draft), "--to", "gone@example.net")
    assert isinstance(gone.exception, NewsletterError)
    assert gone.exception.message.startswith("The test was not sent: ")


def test_a_problem_is_printed_as_it_stands_whatever_brackets_it_holds(run: Run) -> None:
    with SampleBlog() as blog, wiring.build() as house, house.store.begin() as unit:
        unit.feeds.add(f"{blog.url}/?tags=[/news]", now=house.tools.clock())
        unit.feeds.add(f"{blog.url}/?tags=[red]", now=house.tools.clock())
    done = run("tick")
    assert (done.exit_code, done.exception) == (0, None)
    assert "?tags=[/news]" in done.stderr and "?tags=[red]" in done.stderr


def test_polling_a_feed_that_fails_is_exit_1_in_either_form(run: Run) -> None:
    with SampleBlog() as blog, wiring.build() as house, house.store.begin() as unit:
        unit.feeds.add(f"{blog.url}/none", now=house.tools.clock())
    told = run("poll", "1", "--json")
    assert told.exit_code == run("poll", "1").exit_code == 1
    assert json.loads(told.stdout)[0]["problem"]


@pytest.mark.parametrize("problem", [StoreProblem("The disk is full."), ZeroDivisionError()])
def test_a_turn_of_which_a_step_failed_is_exit_1(
    run: Run, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    def fail(tools: Tools, budget: Budget) -> Done:
        raise problem

    assert run("tick").exit_code == run("tick", "--json").exit_code == 0
    monkeypatch.setattr(pipeline, "STEPS", {**pipeline.STEPS, Step.COMPOSE: fail})
    assert run("tick").exit_code == 1
    told = run("tick", "--json")
    assert told.exit_code == 1
    steps = {step["name"]: step["failed"] for step in json.loads(told.stdout)["steps"]}
    assert [name for name, failed in steps.items() if failed] == ["compose"] and "clean" in steps


def test_the_checklist_is_that_of_the_settings_as_they_are_now(run: Run, draft: int) -> None:
    assert "The postal address is in the footer." in run("issues", "show", str(draft)).stdout
    with pytest.MonkeyPatch.context() as changed:
        changed.setenv("NEWSLETTER_POSTAL_ADDRESS", "")
        lines = json.loads(run("issues", "show", str(draft), "--json").stdout)["checklist"]
    assert ["postal_address"] == [line["code"] for line in lines if line["level"] == "blocking"]
    assert "The postal address is in the footer." in run("issues", "show", str(draft)).stdout


def test_every_reason_against_an_approval_has_a_line_of_its_own(
    run: Run, draft: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEWSLETTER_POSTAL_ADDRESS", "")
    monkeypatch.setenv("NEWSLETTER_FROM", "")
    done = run("issues", "approve", str(draft))
    assert isinstance(done.exception, NotReady)
    first, *reasons = done.exception.message.splitlines()
    assert first == f"Issue {draft} cannot be approved yet, for 2 reasons:"
    assert len(reasons) == 2 and all(reason.startswith("- ") for reason in reasons)


def test_a_turn_says_until_when_a_post_settles_and_when_the_next_look_is(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No feed is watched." in run("tick").stdout
    monkeypatch.setenv("NEWSLETTER_SETTLE", "10 minutes")
    monkeypatch.setenv("NEWSLETTER_FIRST_POLL", "baseline")
    monkeypatch.setenv("NEWSLETTER_MAX_AGE", "36500 days")
    with LiveBlog(articles(1, 2)) as blog, wiring.build() as house:
        house.desk.add_feed(blog.feed_url)
        house.desk.poll(1)
        blog.articles = articles(1, 2, 3)
        house.desk.poll(1)
        told = run("tick").stdout
        [post] = house.desk.posts(state=PostState.SETTLING)
        feed = house.desk.feed(1).feed
    assert f"“{post.title}” waits for your corrections until {cell(post.settle_until)}." in told
    assert f"The next look at “{feed.title}” is due at {cell(feed.next_poll_at)}." in told


def test_no_bar_leaves_an_empty_line_where_no_terminal_is(run: Run, draft: int) -> None:
    done = run("issues", "send", str(draft))
    assert isinstance(done.exception, NewsletterError)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize(
    "words", ["posts list", "feeds list", "feeds show 1", "issues list", "issues show 1", "settings list"]
)
def test_eighty_columns_break_no_word_of_a_heading_or_title(
    run: Run, draft: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(out, "width", 80)
    told = run(*words.split()).stdout
    assert max(map(len, told.splitlines())) <= 80
    titles = {"settings list": "SENDGRID_SUPPRESSIONS", "feeds list": "The Patient Notebook"}
    assert titles.get(words, "Low-Dose Naltrexone (LDN)") in told


def test_who_cannot_be_added_is_told_with_what_lifts_it(run: Run) -> None:
    run("subscribers", "add", "ann@example.org")
    run("subscribers", "unsubscribe", "ann@example.org")
    left = run("subscribers", "add", "ann@example.org")
    assert left.exit_code == 1 and isinstance(left.exception, Conflict)
    assert "only they can come back" in left.exception.message and "sign-up page" in left.exception.hint
    run("subscribers", "suppress", "bob@example.org")
    kept = run("subscribers", "add", "bob@example.org")
    assert isinstance(kept.exception, Conflict)
    assert "newsletter subscribers unsuppress bob@example.org" in kept.exception.hint
    assert run("subscribers", "unsuppress", "bob@example.org").exit_code == 0
    assert run("subscribers", "add", "bob@example.org").exit_code == 0


def test_an_address_that_looks_mistyped_is_told(run: Run) -> None:
    assert "ann@gmail.com is meant" in run("subscribers", "add", "ann@gmial.com").stdout


def test_to_erase_asks_by_name_and_only_for_who_is_there(run: Run) -> None:
    unknown = run("subscribers", "erase", "nobody@example.org")
    assert unknown.exit_code == 1 and "forgotten" not in unknown.output
    run("subscribers", "add", "ann@example.org")
    assert "Everything about ann@example.org" in run("subscribers", "erase", "ann@example.org").output
    with wiring.build() as house:
        assert len(house.desk.subscribers()) == 1, "without an answer nothing happens"
