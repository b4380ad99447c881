"""The command line as a user types it: real processes, exit codes, one JSON document, one sentence."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from newsletter.demo.blog_server import SampleBlog
from tests.acceptance.conftest import arrived
from tests.support import ldn

Run = Callable[..., subprocess.CompletedProcess[str]]


def command(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("NEWSLETTER_")}
    return subprocess.run(
        [sys.executable, "-m", "newsletter.cli", *words],
        cwd=folder,
        env={**clean, **more},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the command in a fresh folder where ``newsletter init`` was done."""
    assert command(tmp_path, "init").returncode == 0
    return lambda *words, **more: command(tmp_path, *words, **more)


def said(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_author_takes_a_post_from_the_blog_to_the_mailbox(run: Run, tmp_path: Path) -> None:
    with SampleBlog() as blog:
        for name, value in {
            "FROM": "Marian Holt <marian@notebook.example>",
            "POSTAL_ADDRESS": "PO Box 117",
            "FIRST_POLL": "newest",
            "SETTLE": "0",
            "ALLOW_PRIVATE_ADDRESSES": "true",
        }.items():
            assert run("settings", "set", name, value).returncode == 0
        assert run("subscribers", "add", "ines@example.org", "--name", "Ines").returncode == 0
        assert run("feeds", "add", blog.url).returncode == 0, "the blog's home page is enough"
        assert run("poll").returncode == 0
        assert run("tick").returncode == 0

    [issue] = said(run("issues", "list", "--json"))
    assert set(issue) == {"id", "state", "subject", "posts", "created_at", "send_at"}
    assert (issue["state"], issue["subject"], issue["send_at"]) == ("draft", ldn.TITLE, None)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", issue["created_at"])

    assert run("issues", "edit", "1", "--subject", "Small doses", "--note", "Hello **all**").returncode == 0
    text = run("issues", "preview", "1", "--format", "text").stdout
    assert "Hello" in text and ldn.LINKS[0] in text
    assert run("issues", "preview", "1", "--format", "mime", "--out", "one.eml").returncode == 0
    assert 'iframe sandbox width="375"' in run("issues", "preview", "1", "--mode", "phone").stdout
    assert arrived((tmp_path / "one.eml").read_bytes()).subject == "Small doses"

    assert run("issues", "approve", "1").returncode == 0
    assert run("issues", "send", "1").returncode == 0
    receipt = said(run("issues", "receipt", "1", "--json"))
    assert (receipt["audience"], receipt["accepted"], receipt["remaining"]) == (1, 1, 0)

    mail = [arrived(file.read_bytes()) for file in (tmp_path / "outbox" / "new").iterdir()]
    [sent] = [message for message in mail if message.to == "ines@example.org"]
    assert sent.subject == "Small doses"
    assert "<strong>all</strong>" in re.sub(r' style="[^"]*"', "", sent.html)

    [person] = said(run("subscribers", "list", "--json"))
    assert (person["id"], person["address"], person["state"]) == (1, "ines@example.org", "active")
    posts = said(run("posts", "list", "--json"))
    assert {post["state"] for post in posts} == {"ready", "baseline"}
    assert set(posts[0]) == {"id", "feed_id", "title", "url", "state", "reason", "issues"}
    assert all(post["reason"] for post in posts), "every post says why"
    assert [post["issues"] for post in posts if post["state"] == "ready"] == [[1]]
    assert "1 (finished)" in run("posts", "list").stdout
    [feed] = said(run("feeds", "list", "--json"))
    assert feed["next_poll_reason"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["issues", "show", "99"], "There is no issue 99."),
        (["posts", "show", "99"], "There is no post 99."),
        (["feeds", "show", "99"], "There is no feed 99."),
        (["subscribers", "show", "nobody@example.org"], "There is no such subscriber."),
        (["subscribers", "add", "not an address"], "address"),
        (["settings", "get", "NONSENSE"], "There is no setting called NONSENSE."),
        (["settings", "set", "RATE", "fast"], "RATE cannot be used"),
        (["issues", "approve", "1", "--at", "tomorrow"], "“tomorrow” is not a time."),
        (["feeds", "add", "http://127.0.0.1:9/"], "127.0.0.1"),
    ],
)
def test_a_users_mistake_is_one_sentence_and_exit_1(run: Run, words: list[str], said: str) -> None:
    done = run(*words)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert len(done.stderr.strip().splitlines()) <= 3


def test_a_problem_with_json_is_json(run: Run) -> None:
    done = run("issues", "show", "99", "--json")
    assert done.returncode == 1
    problem = json.loads(done.stdout)["error"]
    assert (problem["code"], problem["message"]) == ("not_found", "There is no issue 99.")
    assert problem["hint"]


@pytest.mark.parametrize(
    "words", [["nonsense"], ["issues", "show", "one"], ["issues", "test", "1"], ["poll", "x"]]
)
def test_wrong_use_is_exit_2(run: Run, words: list[str]) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_without_init_the_way_to_begin_is_told(tmp_path: Path) -> None:
    done = command(tmp_path, "tick")
    assert done.returncode == 1
    assert "newsletter init" in done.stderr


def test_init_is_safe_to_repeat(run: Run, tmp_path: Path) -> None:
    before = (tmp_path / ".env").read_text()
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert run("init").returncode == 0
    assert (tmp_path / ".env").read_text() == before


def test_the_environment_fixes_a_setting(run: Run) -> None:
    assert run("settings", "get", "TITLE", NEWSLETTER_TITLE="Fixed").stdout == "Fixed\n"
    done = run("settings", "set", "TITLE", "Other", NEWSLETTER_TITLE="Fixed")
    assert done.returncode == 1
    assert "comes from the environment" in done.stderr


def test_a_secret_is_stored_encrypted_and_never_shown(run: Run, tmp_path: Path) -> None:
    assert run("settings", "set", "SENDGRID_API_KEY", "SG.hunter2hunter2").returncode == 0
    assert "hunter2" not in run("settings", "list").stdout + run("settings", "list", "--json").stdout
    for file in tmp_path.glob("newsletter.db*"):
        assert b"hunter2" not in file.read_bytes()


def test_two_ticks_at_once_do_no_harm(run: Run, tmp_path: Path) -> None:
    with SampleBlog() as blog:
        for name, value in {
            "FROM": "a@example.org",
            "POSTAL_ADDRESS": "PO Box 1",
            "FEED_URL": blog.feed_url,
            "FIRST_POLL": "newest",
            "SETTLE": "0",
            "ALLOW_PRIVATE_ADDRESSES": "true",
        }.items():
            run("settings", "set", name, value)
        ticks = [
            subprocess.Popen([sys.executable, "-m", "newsletter.cli", "tick"], cwd=tmp_path) for _ in range(3)
        ]
        assert [tick.wait(timeout=120) for tick in ticks] == [0, 0, 0]
        run("tick")
    assert len(said(run("feeds", "list", "--json"))) == 1
    assert len(said(run("issues", "list", "--json"))) == 1
    assert len(list((tmp_path / "outbox" / "new").iterdir())) == 1, "the author is told once"


def test_the_demo_sends_by_itself_and_leaves_the_mail(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = command(tmp_path, "demo", "--once", "--folder", "here [/b]", "--port", port)
    assert done.returncode == 0, done.stderr
    assert "3 recipients = 3 accepted + 0 failed + 0 skipped + 0 unknown + 0 remaining" in done.stdout
    folder = Path(re.search(r"lies in (.+), one", done.stdout)[1])  # type: ignore[index]
    mail = [arrived(file.read_bytes()) for file in folder.glob("*.eml")]
    issues = [message for message in mail if message.to.endswith("@mailbox.example")]
    assert len(issues) == 3
    assert len({message.headers["List-Unsubscribe"] for message in issues}) == 3
    for message in issues:
        for passage in (*ldn.PARAGRAPHS, *ldn.QUOTATIONS):
            assert passage in message.words
        for link in ldn.LINKS:
            assert link in message.html and link in message.text
