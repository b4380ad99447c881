"""Bounces are fetched from a Maildir and from an IMAP server; what is none of ours stays there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from newsletter.errors import ConfigError, RequestFailed
from newsletter.learn.mailbox import MOST_BYTES, fetch, return_address
from tests.support.certificates import make_certificate
from tests.support.imap import ImapServer

OURS = [f"To: bounces+{n}@news.example\r\n\r\nreport {n}\r\n".encode() for n in range(3)]
LETTER = b"To: bounces@news.example\r\nSubject: hello\r\n\r\nA letter to the author.\r\n"


class Taken(list[bytes]):
    """Takes what is ours, and remembers everything it was shown."""

    def __call__(self, raw: bytes) -> bool:
        self.append(raw)
        return b"bounces+" in raw


# Maildir


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    for name in ("new", "cur", "tmp"):
        (tmp_path / "bounces" / name).mkdir(parents=True)
    return tmp_path / "bounces"


def test_a_maildir_is_emptied_of_what_is_ours_and_of_nothing_else(maildir: Path) -> None:
    for number, message in enumerate([*OURS[:2], LETTER]):
        (maildir / "new" / f"1.{number}.host").write_bytes(message)
    (maildir / "cur" / "1.3.host:2,R").write_bytes(OURS[2])
    url = f"maildir://{maildir}?address=bounces@news.example"
    assert return_address(url) == "bounces@news.example"
    shown = Taken()
    assert fetch(url, shown, most=2) == 2
    assert fetch(url, shown) == 2
    assert sorted(shown) == sorted([*OURS, LETTER])
    assert fetch(url, shown) == 0, "the letter is looked at once"
    assert [file.read_bytes() for file in (maildir / "cur").iterdir()] == [LETTER]
    assert list((maildir / "new").iterdir()) == []


def test_a_bounce_that_could_not_be_kept_stays_as_it_was(maildir: Path) -> None:
    (maildir / "new" / "1.host").write_bytes(OURS[0])

    def fail(raw: bytes) -> bool:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        fetch(f"maildir://{maildir}", fail)
    assert fetch(f"maildir://{maildir}", Taken()) == 1


# IMAP


@pytest.fixture
def imap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ImapServer]]:
    """Starts a server that this process trusts."""
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    running: list[ImapServer] = []

    def start(**how: bool) -> ImapServer:
        running.append(ImapServer(certificate, **how))
        return running[-1]

    yield start
    for server in running:
        server.close()


def address(server: ImapServer, folder: str = "INBOX", password: str = "pass%20word") -> str:
    return f"imaps://reader%40news.example:{password}@localhost:{server.port}/{folder}?address=b@news.example"


@pytest.mark.parametrize("keywords", [True, False])
def test_an_imap_mailbox_loses_what_is_ours_and_nothing_else(
    imap: Callable[..., ImapServer], keywords: bool
) -> None:
    server = imap(keywords=keywords)
    kept = server.add(LETTER)
    for message in OURS:
        server.add(message)
    deleted_by_a_person = server.add(LETTER, flags={r"\Deleted"})
    shown = Taken()
    assert fetch(address(server), shown, most=3) == 3
    assert fetch(address(server), shown) == 1
    assert shown == [LETTER, *OURS], "oldest first"
    assert fetch(address(server), shown) == 0
    assert set(server.messages) == {kept, deleted_by_a_person}
    assert (r"\Seen" in server.messages[kept].flags) == (not keywords), "unread mail stays unread"


def test_without_a_way_to_remove_one_message_ours_are_only_marked(imap: Callable[..., ImapServer]) -> None:
    server = imap(uidplus=False)
    uid = server.add(OURS[0])
    assert fetch(address(server), Taken()) == 1
    assert server.messages[uid].flags == {r"\Deleted"}
    assert fetch(address(server), Taken()) == 0


def test_a_huge_message_is_read_in_part(imap: Callable[..., ImapServer]) -> None:
    server = imap()
    server.add(OURS[0] + b"x" * (MOST_BYTES * 2))
    shown = Taken()
    assert fetch(address(server), shown) == 1
    assert len(shown[0]) == MOST_BYTES


def test_what_could_not_be_kept_stays_on_the_server(imap: Callable[..., ImapServer]) -> None:
    server = imap()
    server.add(OURS[0])

    def fail(raw: bytes) -> bool:
        raise RuntimeError("no database")

    with pytest.raises(RuntimeError):
        fetch(address(server), fail)
    assert fetch(address(server), Taken()) == 1


def test_a_folder_with_quotes_and_spaces_is_found(imap: Callable[..., ImapServer]) -> None:
    server = imap()
    server.add(OURS[0])
    server.folder = 'Lists "of" mine'
    assert fetch(address(server, folder="Lists%20%22of%22%20mine"), Taken()) == 1


@pytest.mark.parametrize("wrong", ["password", "folder", "broken", "certificate"])
def test_a_mailbox_that_cannot_be_read_is_told_without_its_password(
    imap: Callable[..., ImapServer], wrong: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = imap(breaks=wrong == "broken")
    server.add(OURS[0])
    url = address(server, folder="None" if wrong == "folder" else "INBOX")
    if wrong == "password":
        url = address(server, password="guess")
    if wrong == "certificate":
        (tmp_path / "other").mkdir()
        monkeypatch.setenv("SSL_CERT_FILE", str(make_certificate(tmp_path / "other").authority))
    shown = Taken()
    with pytest.raises(RequestFailed) as raised:
        fetch(url, shown)
    assert "word" not in str(raised.value) and "guess" not in str(raised.value)
    assert shown == []
    assert len(server.messages) == 1


@pytest.mark.parametrize("url", ["", "pop3://host/", "imaps://", "maildir://"])
def test_a_url_of_no_mailbox_is_told(url: str) -> None:
    with pytest.raises(ConfigError):
        fetch(url, lambda raw: True)


def test_a_mailbox_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(RequestFailed):
        fetch(f"maildir://{tmp_path}/none", lambda raw: True)
    with pytest.raises(ConfigError):
        return_address("maildir:///x")
