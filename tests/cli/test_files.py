"""What cannot be read or written is told in one sentence, whichever command meets it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from newsletter.cli.output import of_the_system, show_table
from newsletter.demo.blog_server import SampleBlog

NOWHERE = "/proc/nowhere"  # no user may make anything there, not even root


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


def test_a_file_that_cannot_be_written_is_told_in_one_sentence(tmp_path: Path) -> None:
    assert command(tmp_path, "init").returncode == 0
    for place in (f"{NOWHERE}/list.csv", str(tmp_path)):
        done = command(tmp_path, "subscribers", "export", place)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"{place} cannot be written: ")
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("demo", "--folder", NOWHERE, "--once"), f"{NOWHERE} cannot be written: "),
        (("init",), "/proc/.env cannot be written: "),
    ],
    ids=["demo", "init"],
)
def test_a_folder_that_cannot_be_written_is_told_in_one_sentence(words: Sequence[str], says: str) -> None:
    done = command(Path("/proc"), *words)
    assert done.returncode == 1
    assert done.stderr.startswith(says)
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize("words", [("issues", "list"), ("init",)], ids=["list", "init"])
def test_a_database_in_no_folder_is_told_in_one_sentence(tmp_path: Path, words: Sequence[str]) -> None:
    (tmp_path / ".env").write_text("NEWSLETTER_SECRET_KEY=" + "k" * 40 + "\n")
    done = command(tmp_path, *words, NEWSLETTER_DATABASE_URL=f"sqlite:///{NOWHERE}/x.db")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"folder {NOWHERE} cannot be" in done.stderr


def test_what_the_system_refuses_anywhere_is_told_with_its_reason(tmp_path: Path) -> None:
    assert command(tmp_path, "init").returncode == 0
    done = command(tmp_path, "subscribers", "import", "/proc/self/mem")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.endswith("The system refused something that was needed: Input/output error.\n")


def test_what_is_no_text_is_told_in_one_sentence(tmp_path: Path) -> None:
    assert command(tmp_path, "init").returncode == 0
    half = os.fsdecode(b"Caf\xe9")
    for words in (("settings", "set", "TITLE", half), ("subscribers", "list", "--search", half)):
        done = command(tmp_path, *words)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("Something that was typed is no text in UTF-8.")


def test_a_refusal_names_its_file() -> None:
    with pytest.raises(OSError) as refused:
        Path(NOWHERE, "x").open()
    assert str(of_the_system(refused.value)).startswith(f"{NOWHERE}/x cannot be used: No such file")


def test_a_table_in_a_narrow_terminal_cuts_no_value(capsys: pytest.CaptureFixture[str]) -> None:
    long = "https://blog.example.org/" + "a" * 200
    show_table(["id", "address"], [(1, long)], empty="")
    printed = capsys.readouterr().out
    assert "…" not in printed
    assert "".join(printed.split()).endswith(long)


def test_emptying_the_sender_says_that_nothing_can_be_sent(tmp_path: Path) -> None:
    assert command(tmp_path, "init").returncode == 0
    done = command(tmp_path, "settings", "set", "FROM", "")
    assert done.stdout == "FROM is empty.\nNothing can be sent until it is set.\n"
    wrong = command(tmp_path, "issues", "list", "--state", "sent")
    assert wrong.returncode == 2
    assert "'finished'" in wrong.stderr and "'draft'" in wrong.stderr


@pytest.mark.parametrize(
    ("words", "file"),
    [
        (("subscribers", "export", "newsletter.db"), "newsletter.db"),
        (("subscribers", "export", "./.env"), ".env"),
        (("subscribers", "import", "list.csv", "--rows", "list.csv"), "list.csv"),
        (("issues", "preview", "1", "--out", "data/sent.mark"), "data/sent.mark"),
        (("backup", "newsletter.db"), "newsletter.db"),
    ],
    ids=["export over the database", "export over .env", "rows over the list", "preview", "backup"],
)
def test_no_command_writes_over_what_is_needed(tmp_path: Path, words: Sequence[str], file: str) -> None:
    house = _with_an_issue(tmp_path)
    (tmp_path / "list.csv").write_text("email\nann@example.com\n")
    before = (tmp_path / file).read_bytes()
    done = command(tmp_path, *words, **house)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 2 and "Give another file" in done.stderr
    assert (tmp_path / file).read_bytes() == before


def _with_an_issue(folder: Path) -> dict[str, str]:
    with SampleBlog() as blog:
        more = {
            "NEWSLETTER_FEED_URL": blog.feed_url,
            "NEWSLETTER_FIRST_POLL": "newest",
            "NEWSLETTER_SETTLE": "0",
            "NEWSLETTER_ALLOW_PRIVATE_ADDRESSES": "true",
            "NEWSLETTER_DATA_DIR": str(folder / "data"),
        }
        assert command(folder, "init", **more).returncode == 0
        assert command(folder, "tick", **more).returncode == 0
    (folder / "data/sent.mark").touch()
    return more
