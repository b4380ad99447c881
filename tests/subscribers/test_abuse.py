"""Ten thousand sign-ups at once: of one victim, and of many."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from newsletter.store.database import Database
from subscribers.requests import Form
from subscribers.signups import SignUps
from subscribers.store import Subscribers
from subscribers.tables import metadata, requests
from tests.subscribers.people import KEY, NOW

FORM = Form(source="form: page", wording="I ask for it.")
MANY = 10_000


@pytest.mark.slow
@pytest.mark.parametrize("victims", [1, MANY])
def test_no_address_is_asked_twice_in_a_day(tmp_path: Path, victims: int) -> None:
    database = Database(f"sqlite:///{tmp_path}/list.db")
    with database.write() as conn:
        metadata.create_all(conn)
        signups = SignUps(Subscribers(conn, keys=[KEY]))
        asked = [
            result.ask.address
            for n in range(MANY)
            if (
                result := signups.sign_up(f"v{n % victims}@example.com", FORM, NOW + timedelta(seconds=n))
            ).ask
        ]
        stored = conn.execute(select(func.count()).select_from(requests)).scalar_one()
    database.close()

    assert len(asked) == len(set(asked)) == stored == victims
