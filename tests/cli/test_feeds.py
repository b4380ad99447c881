"""newsletter feeds, in this process, against a blog on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from newsletter import wiring
from newsletter.cli import app
from newsletter.cli.output import out
from newsletter.poll import fulltext
from tests.intake.blog import article, articles, atom
from tests.support.live_blog import LiveBlog

Run = Callable[..., Result]
WORDS = "".join(
    f"<p>Paragraph {n} about gardens, rivers and those who live beside them.</p>" for n in range(12)
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    settings = {
        "NEWSLETTER_SECRET_KEY": "a secret key of the tests that is long enough",
        "NEWSLETTER_DATABASE_URL": f"sqlite:///{tmp_path}/newsletter.db",
        "NEWSLETTER_FROM": "Ann <ann@example.org>",
        "NEWSLETTER_SETTLE": "0",
        "NEWSLETTER_MAX_AGE": "36500 days",
        "NEWSLETTER_ALLOW_PRIVATE_ADDRESSES": "true",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(out, "width", 400)  # no sentence is folded
    wiring.prepare()
    return lambda *words: CliRunner().invoke(app, words)


@pytest.fixture
def blog() -> Iterator[LiveBlog]:
    with LiveBlog(articles(1, 2)) as blog:
        yield blog


def test_the_best_of_several_feeds_is_taken_and_the_others_are_told(run: Run, blog: LiveBlog) -> None:
    link = '<link rel="alternate" type="application/atom+xml" href="{}">'
    blog.pages["/"] = f"<html><head>{link.format('/comments')}{link.format('/feed')}</head></html>"
    blog.pages["/comments"] = atom(articles(7), title="Comments on The blog").decode()
    said = run("feeds", "add", blog.url).stdout
    assert "Feed 1 is watched: The blog" in said
    assert f"It was found at {blog.feed_url}" in said
    assert "Its first look comes with the next turn; at once with: newsletter poll 1" in said
    assert "comments only" in said and f"{blog.url}/comments" in said
    assert [feed["url"] for feed in json.loads(run("feeds", "list", "--json").stdout)] == [blog.feed_url]


def test_a_feed_that_is_watched_already_is_told_with_its_next_look(run: Run, blog: LiveBlog) -> None:
    run("feeds", "add", blog.feed_url)
    run("poll")
    said = run("feeds", "add", blog.feed_url).stdout
    assert "It was watched before; its next look is at" in said
    assert len(json.loads(run("feeds", "list", "--json").stdout)) == 1


def test_show_says_what_became_of_each_post(run: Run, blog: LiveBlog) -> None:
    run("feeds", "add", blog.feed_url)
    run("poll")
    blog.articles = articles(1, 2, 3)
    run("poll")
    run("tick")
    said = run("feeds", "show", "1").stdout
    assert "It was already in the feed when the feed was added." in said
    assert "waits for your approval in issue 1" in said
    shown: dict[str, Any] = json.loads(run("feeds", "show", "1", "--json").stdout)
    assert shown["feed"]["next_poll_reason"]
    assert said.count(shown["feed"]["next_poll_reason"]) >= 2, "for the next look, and in the log"
    [carrier] = shown["carriers"]["3"]
    assert (carrier["issue_id"], carrier["state"], carrier["included"]) == (1, "draft", True)
    assert [poll["new"] for poll in shown["polls"]] == [1, 0]


def test_a_post_that_another_feed_brought_first_is_shown_as_such(run: Run, blog: LiveBlog) -> None:
    run("feeds", "add", blog.feed_url)
    run("poll")
    with LiveBlog(articles(1, 2)) as copy:
        run("feeds", "add", copy.feed_url)
        run("poll")
    assert "brought by another one first" in run("feeds", "show", "2").stdout
    assert "brought by another one first" not in run("feeds", "show", "1").stdout


def test_full_text_is_switched_per_feed_and_used_by_the_next_look(run: Run, blog: LiveBlog) -> None:
    run("feeds", "add", blog.feed_url)
    run("poll")
    assert "completed from their pages" in run("feeds", "fulltext", "1", "on").stdout
    whole = articles(1, 2, 3)
    page = article(3).link.replace("http://blog.example", blog.url)
    new = replace(whole[0], link=page, html="It begins here &hellip;")
    blog.pages[page.removeprefix(blog.url)] = f"<html><body><article>{WORDS}</article></body></html>"
    blog.articles = [new, *whole[1:]]
    blog.as_summaries = True
    run("poll")
    assert "Paragraph 11 about gardens" in run("posts", "show", "3", "--json").stdout
    assert run("feeds", "fulltext", "1", "off").exit_code == 0
    assert json.loads(run("feeds", "list", "--json").stdout)[0]["full_text"] is False
    assert run("feeds", "fulltext", "1", "perhaps").exit_code == 2
    assert run("feeds", "fulltext", "9", "on").exit_code == 1


def test_without_the_extra_nothing_is_switched_and_the_command_that_adds_it_is_named(
    run: Run, blog: LiveBlog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fulltext, "NEEDED", ("no_such_package",))
    refused = run("feeds", "add", blog.feed_url, "--full-text")
    assert refused.exit_code == 1
    assert json.loads(run("feeds", "list", "--json").stdout) == []


def test_the_secret_shared_with_a_hub_is_never_shown(run: Run) -> None:
    with LiveBlog(articles(1, 2), has_hub=True) as blog:
        run("feeds", "add", blog.feed_url)
        with wiring.build() as house, house.store.begin() as unit:
            unit.feeds.set_hub(1, secret="the hub's own secret", lease_until=None)
        assert "own secret" not in run("feeds", "list", "--json").stdout
        assert "own secret" not in run("feeds", "show", "1", "--json").stdout
