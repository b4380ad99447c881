"""A copy of the database, and back, as it is typed: each command a process of its own."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.test_files import command


def _list(folder: Path) -> dict[str, str]:
    done = command(folder, "subscribers", "list", "--json")
    assert done.returncode == 0, done.stderr
    return {one["address"]: one["state"] for one in json.loads(done.stdout)}


def test_a_backup_comes_back_and_whoever_left_since_stays_off_the_list(tmp_path: Path) -> None:
    def typed(*words: str) -> str:
        done = command(tmp_path, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    typed("init")
    for name in ("ann", "bob", "cid"):
        typed("subscribers", "add", f"{name}@example.org")
    assert "checked" in typed("backup", "copy.backup")
    typed("subscribers", "add", "dora@example.org")
    typed("subscribers", "unsubscribe", "bob@example.org")
    typed("subscribers", "erase", "cid@example.org", "--yes")
    before = _list(tmp_path)

    assert "3 subscribers; it can be restored" in typed("restore", "copy.backup", "--drill")
    assert _list(tmp_path) == before

    refused = command(tmp_path, "restore", "copy.backup")  # nobody answers the question
    assert refused.returncode == 1 and _list(tmp_path) == before

    said = typed("restore", "copy.backup", "--yes")
    assert "the backup is in place" in said and "1 who were erased since are erased again" in said
    after = _list(tmp_path)
    assert "dora@example.org" not in after and "cid@example.org" not in after
    assert after["ann@example.org"] == "active"
    shown = json.loads(typed("subscribers", "show", "bob@example.org", "--json"))
    assert [one["cause"] for one in shown["suppressions"]] == ["unsubscribed"]


def test_what_is_no_backup_is_told_in_one_sentence(tmp_path: Path) -> None:
    assert command(tmp_path, "init").returncode == 0
    (tmp_path / "letter.txt").write_text("Dear Ann,\n" * 500)
    for words in (("restore", "letter.txt", "--yes"), ("restore", "letter.txt", "--drill")):
        done = command(tmp_path, *words)
        assert done.returncode == 1 and "Traceback" not in done.stderr and done.stderr.strip()
    missing = command(tmp_path, "restore", "nowhere.backup", "--yes")
    assert missing.returncode == 2
