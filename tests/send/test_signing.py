"""Signatures of another process hold like our own, and no message waits for a process that is gone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from itertools import count

import pytest

from newsletter.model.delivery import Verdict
from newsletter.send.dkim import Signer
from newsletter.send.message import Press
from newsletter.send.transports.smtp import Smtp
from newsletter.send.transports.smtp_session import Job
from newsletter.send.transports.smtp_signing import Signing
from newsletter.send.transports.smtp_url import relay_of
from tests.contract.test_transports import envelope
from tests.crash.sink import FaultySink
from tests.send.test_dkim import ED, MOMENT, RSA, pem, verify


class Counting(Signer):
    """Knows how many signatures were made in this process."""

    made = 0

    def sign(self, digest: bytes) -> bytes:
        self.made += 1
        return super().sign(digest)


def counting(key: bytes) -> Counting:
    return Counting(key, domain="news.example", selector="s1")


def jobs(signer: Signer) -> Iterator[Job]:
    press = Press(signer)
    for number in count(1):
        job = Job(envelope(number), False)
        job.message, job.unsigned = press.drafted(job.envelope, date=MOMENT)
        job.size = sum(map(len, job.message))
        yield job


def put_until_the_process_signs(signing: Signing, signer: Counting, source: Iterator[Job]) -> int:
    """How many jobs were put in all."""
    deadline = time.monotonic() + 60
    for number in count(1):
        assert time.monotonic() < deadline
        before = signer.made
        signing.put(next(source))
        if signer.made == before:
            return number
    raise AssertionError


def check(given: list[Job], put: int) -> None:
    assert [job.envelope.key.number for job in given] == list(range(1, put + 1))
    for job in given:
        message = b"".join(job.message)
        assert job.size == len(message)
        verify(message)


def test_signatures_of_the_other_process_hold_and_keep_their_order() -> None:
    given: list[Job] = []
    signer = counting(pem(RSA))
    signing = Signing(signer, given.append)
    source = jobs(signer)
    put = put_until_the_process_signs(signing, signer, source)
    here = signer.made
    for _ in range(300):
        signing.put(next(source))
    signing.end()
    assert signer.made == here
    check(given, put + 300)
    assert signing.process is not None
    assert signing.process.poll() is not None


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_a_process_that_ends_or_hangs_holds_nothing_up(
    kind: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.send.transports.smtp_signing._PATIENCE_MS", 500)
    given: list[Job] = []
    signer = counting(pem(RSA))
    signing = Signing(signer, given.append)
    source = jobs(signer)
    put = put_until_the_process_signs(signing, signer, source)
    here = signer.made
    assert signing.process is not None
    for number in range(200):
        if number == 100:
            os.kill(signing.process.pid, kind)
        signing.put(next(source))
    signing.end()
    assert signer.made > here
    assert len({job.envelope.key.number for job in given}) == len(given) == put + 200
    for job in given:
        verify(b"".join(job.message))


def test_a_few_messages_or_a_quick_key_start_no_process() -> None:
    for key, number in ((RSA, 99), (ED, 300)):
        given: list[Job] = []
        signer = counting(pem(key))
        signing = Signing(signer, given.append)
        source = jobs(signer)
        for _ in range(number):
            signing.put(next(source))
        signing.end()
        assert signing.process is None
        check(given, number)


def test_every_message_of_a_long_list_arrives_signed() -> None:
    signer = counting(pem(RSA))
    with FaultySink() as sink:
        transport = Smtp(relay_of(sink.url), connections=4, signer=signer)
        outcomes = list(transport.hand_over(envelope(number) for number in range(1, 2001)))
        transport.close()
        assert {outcome.verdict for outcome in outcomes} == {Verdict.ACCEPTED}
        assert len(outcomes) == len(sink.taken) == 2000
        for taken in sink.taken:
            verify(taken.data)
    assert signer.made < 2000
