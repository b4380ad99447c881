from __future__ import annotations

from collections.abc import Iterator

import pytest

from newsletter.model.policy import PollPolicy
from newsletter.poll.parser import Parser
from newsletter.store.database import Database
from tests.intake.world import World


@pytest.fixture(scope="session")
def parser() -> Iterator[Parser]:
    with Parser() as parser:
        yield parser


@pytest.fixture
def policy() -> PollPolicy:
    return PollPolicy()


@pytest.fixture
def world(migrated: Database, parser: Parser, policy: PollPolicy) -> World:
    return World(migrated, parser, policy)
