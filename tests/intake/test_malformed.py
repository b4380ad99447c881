"""Thousands of malformed documents: each gives entries or one clear sentence, within its limits.

``MALFORMED=50000`` looks at so many documents damaged by chance, and ``TRAPS=300000`` makes the traps so many
bytes long: ``make malformed`` does both.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from newsletter.detect import names_of
from newsletter.errors import FeedUnparsable
from newsletter.model.entry import FeedDocument
from newsletter.model.feed import PollResult
from newsletter.poll import parser as parsing
from newsletter.poll.limits import MEMORY
from newsletter.poll.parser import Parser
from newsletter.steps.polling import poll_due
from tests.intake.blog import articles, atom
from tests.intake.world import Page, World
from tests.support.malformed import Sample, samples, traps

BY_CHANCE = int(os.environ.get("MALFORMED", "400"))
TRAP_SIZE = int(os.environ.get("TRAPS", "6000"))
ADDRESS = "http://blog{}.example/feed"
SENTENCE = re.compile(r"The feed http://blog\d+\.example/feed cannot be read: [^\n]{5,200}\.( |$)")
#: What no sentence may hold: names of Python's errors, and what only says that something went wrong.
UNCLEAR = re.compile(r"\w+Error|Traceback|Exception|reading it failed|None\b|a fault of ours")
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@pytest.fixture(scope="module")
def everything() -> list[Sample]:
    found = list(samples(BY_CHANCE))
    assert len({sample.name for sample in found}) == len(found) > 2_500
    return found


def test_every_malformed_document_gives_entries_or_one_clear_sentence(
    parser: Parser, everything: list[Sample]
) -> None:
    """Where the generator knows what a document says, exactly that must be read of it."""
    assert sum(sample.titles is not None for sample in everything) > 600
    wrong = []
    for sample in everything:
        try:
            document = parser.parse(sample.body, url=ADDRESS.format(1), content_type=sample.content_type)
        except FeedUnparsable as problem:
            if not SENTENCE.match(str(problem)) or UNCLEAR.search(str(problem)):
                wrong.append(f"{sample.name}: unclear: {problem}")
            if sample.titles is not None:
                wrong.append(f"{sample.name}: refused: {problem}")
            continue
        read = tuple(entry.title for entry in document.entries)
        if sample.refused or sample.titles not in (None, read):
            wrong.append(f"{sample.name}: {read}")
        wrong += [f"{sample.name}: {what}" for what in (*_bad_dates(document), *_bad_texts(document))]
    assert wrong == []


def _bad_texts(document: FeedDocument) -> Iterable[str]:
    for entry in document.entries:
        links = (entry.url, entry.base_url, entry.image_url, entry.comments_url)
        texts = (
            entry.guid,
            entry.title,
            entry.author,
            entry.html,
            entry.summary,
            entry.language,
            *entry.topics,
        )
        if any(CONTROL.search(text) for text in (*links, *texts)):
            yield f"holds control characters: {texts!r}"
        if len(entry.title) > 500 or "root:" in entry.html:
            yield f"holds what it must not: {entry.title!r} {entry.html[:80]!r}"
        if any(link and not link.startswith(("http://", "https://")) for link in links):
            yield f"has a link that is none: {links!r}"


def test_malformed_documents_are_polled_into_each_database_or_told_on_their_feeds_page(
    world: World, everything: list[Sample]
) -> None:
    """The whole way: what a database refuses, or what stumbles while it is compared, would show here."""
    some = everything if BY_CHANCE >= 1_000 else everything[::10]
    with world.work() as unit:
        for number, sample in enumerate(some):
            url = ADDRESS.format(number)
            headers = {"content-type": sample.content_type} if sample.content_type else {}
            world.web.pages[url] = Page(body=sample.body, headers=headers)
            unit.feeds.add(url, now=world.now)
    polled = poll_due(world.work, world.web, world.parser, world.policy, world.clock, budget_s=3_600)
    told = [one.problem for one in polled if one.result is PollResult.FAILED]
    assert len(polled) == len(some) and 0 < len(told) < len(some) / 2
    assert [problem for problem in told if not SENTENCE.match(problem) or UNCLEAR.search(problem)] == []
    with world.work() as unit:
        on_pages = {feed.problem for feed in unit.feeds.list()}
    assert set(told) <= on_pages


def _bad_dates(document: FeedDocument) -> Iterable[str]:
    for entry in document.entries:
        for moment in (entry.published_at, entry.updated_at):
            if moment is not None and not datetime(1990, 1, 1, tzinfo=UTC) <= moment < datetime(
                2100, 1, 1, tzinfo=UTC
            ):
                yield f"a date that is none: {moment}"


def _peak(pid: int) -> int:
    """The most memory that a process had, in bytes; 0 where it has ended or the system does not say."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.M)
    return int(found[1]) * 1024 if found else 0


def test_every_trap_ends_in_entries_or_one_clear_sentence_within_its_limits() -> None:
    wrong = []
    with Parser() as parser:
        for sample in traps(TRAP_SIZE):
            try:
                document = parser.parse(sample.body, url=ADDRESS.format(1))
                names_of(document, 1)  # what the parent does with it has no limit but its own good sense
            except FeedUnparsable as problem:
                if not SENTENCE.match(str(problem)) or UNCLEAR.search(str(problem)):
                    wrong.append(f"{sample.name}: {problem}")
            for child in list(parser._idle.queue):
                if child._process is not None and _peak(child._process.pid) > MEMORY:
                    wrong.append(f"{sample.name}: more than {MEMORY >> 20} MB")
        assert len(parser.parse(atom(articles(1, 2)), url=ADDRESS.format(2)).entries) == 2
    assert wrong == []
    assert parsing.WALL_S <= 20
