"""SpamAssassin's score: against the real spamd where it is installed, against its protocol everywhere."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from newsletter.approve import check_spam
from newsletter.approve.spam import read
from newsletter.model.checklist import Level
from tests.support.not_run import COMPARISON

MESSAGE = (
    b"From: Rosa <rosa@example.org>\r\nTo: ada@example.net\r\nSubject: Herons in March\r\n"
    b"Date: Wed, 4 Mar 2026 10:00:00 +0000\r\nMessage-ID: <1.2.abcdefgh@news.example.org>\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nTwo herons stood in the reeds.\r\n"
)
GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n"
"""The Generic Test for Unsolicited Bulk Email: a line that every SpamAssassin calls spam."""

REPORT = """Content preview:  Two herons stood in the reeds.

Content analysis details:   (6.4 points, 5.0 required)

 pts rule name              description
---- ---------------------- --------------------------------------------------
-0.0 NO_RECEIVED            Informational: message has no Received headers
 2.8 DRUG_ED_CAPS           BODY: Mentions an E.D. drug
1000 GTUBE                  BODY: Generic Test for Unsolicited Bulk Email
 0.5 SUBJ_ALL_CAPS          Subject is all capitals
 1.1 HTML_IMAGE_RATIO_02    BODY: HTML has a low ratio of text to image
                            area
-2.0 BAYES_00               BODY: Bayes spam probability is 0 to 1%
"""


def said(score: str = "6.4", report: str = REPORT) -> bytes:
    body = report.replace("\n", "\r\n").encode()
    head = f"SPAMD/1.1 0 EX_OK\r\nContent-length: {len(body)}\r\nSpam: True ; {score} / 5.0\r\n\r\n"
    return head.encode() + body


@contextmanager
def spamd(answer: Callable[[bytes], bytes]) -> Iterator[str]:
    """Speaks spamd's side of the protocol: reads the whole request, answers, closes."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                request = b""
                while chunk := connection.recv(65_536):
                    request += chunk
                connection.sendall(answer(request))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_a_message_is_asked_about_as_the_protocol_says() -> None:
    asked: list[bytes] = []

    def answer(request: bytes) -> bytes:
        asked.append(request)
        return said("0.4", "")

    with spamd(answer) as where:
        (line,) = check_spam(MESSAGE, where)
    head, _, body = asked[0].partition(b"\r\n\r\n")
    assert head == b"REPORT SPAMC/1.5\r\nContent-length: %d" % len(MESSAGE)
    assert body == MESSAGE
    assert (line.level, line.text) == (
        Level.GOOD,
        "SpamAssassin gives it 0.4 points; 5.0 make spam.",
    )


def test_a_high_score_is_told_with_the_rules_that_count_most_in_their_own_words() -> None:
    with spamd(lambda request: said()) as where:
        (line,) = check_spam(MESSAGE, where)
    assert line.level is Level.ADVICE
    assert line.text == (
        "SpamAssassin gives it 6.4 points; 5.0 make spam. What counts most: 1000.0 GTUBE (Generic Test for"
        " Unsolicited Bulk Email); 2.8 DRUG_ED_CAPS (Mentions an E.D. drug); 1.1 HTML_IMAGE_RATIO_02 (HTML"
        " has a low ratio of text to image area)."
    )
    assert line.mend


def test_rules_that_take_points_off_are_not_named() -> None:
    verdict = read(said())
    assert verdict is not None
    assert "BAYES_00" not in {name for _, name, _ in verdict.rules}


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SPAMD/1.1 0 EX_OK\r\n\r\n",
        b"SPAMD/1.1 76 Bad header line\r\n\r\n",
        said("one"),
        b"HTTP/1.1 200 OK\r\nSpam: True ; 1.0 / 5.0\r\n\r\n",
        b"\xff" * 100_000,
    ],
)
def test_what_is_no_verdict_says_nothing(answer: bytes) -> None:
    with spamd(lambda request: answer) as where:
        assert check_spam(MESSAGE, where) == ()


@pytest.mark.parametrize(
    "where", ["", "localhost", "127.0.0.1:1", "127.0.0.1:99999", "no.such.host.example:783"]
)
def test_where_nobody_answers_nothing_is_said(where: str) -> None:
    assert check_spam(MESSAGE, where) == ()


@pytest.fixture(scope="module")
def real_spamd() -> Iterator[str]:
    program = shutil.which("spamd", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        pytest.skip(COMPARISON + "SpamAssassin's spamd is not installed")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    process = subprocess.Popen(
        [program, "--local", "--port", str(port), "--listen", "127.0.0.1", "--max-children", "1",
         "--nouser-config", "--syslog", "null"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 90
    while not check_spam(MESSAGE, f"127.0.0.1:{port}") and time.monotonic() < deadline:
        assert process.poll() is None, "spamd ended"
        time.sleep(0.2)
    yield f"127.0.0.1:{port}"
    process.terminate()
    process.wait()


def test_the_real_spamassassin_lets_a_letter_pass(real_spamd: str) -> None:
    (line,) = check_spam(MESSAGE, real_spamd)
    assert line.level is Level.GOOD


def test_the_real_spamassassin_names_its_own_test_line(real_spamd: str) -> None:
    (line,) = check_spam(MESSAGE + GTUBE, real_spamd)
    assert line.level is Level.ADVICE
    assert "1000.0 GTUBE (Generic Test for Unsolicited Bulk Email)" in line.text
