from __future__ import annotations

import pytest

from newsletter.store.database import Database
from tests.send.world import World


@pytest.fixture
def world(migrated: Database) -> World:
    """On SQLite and on PostgreSQL."""
    return World(migrated)
