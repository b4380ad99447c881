from __future__ import annotations

from collections.abc import Iterator

import pytest

from newsletter.compose import Compiler, Themes


@pytest.fixture(scope="session")
def compiler() -> Iterator[Compiler]:
    with Compiler() as compiler:
        yield compiler


@pytest.fixture(scope="session")
def themes() -> Themes:
    return Themes()
