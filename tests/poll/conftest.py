from __future__ import annotations

from collections.abc import Iterator

import pytest

from newsletter.poll.parser import Parser


@pytest.fixture(scope="session")
def parser() -> Iterator[Parser]:
    with Parser() as parser:
        yield parser
