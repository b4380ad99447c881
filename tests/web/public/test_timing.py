"""What an answer's time could tell: whatever an address's standing, the work is about the same, and the
answer waits for the next step all the same. The real clock is measured by tests/bench/bench_timing.py."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import pytest
from fastapi import FastAPI
from sqlalchemy import event

from newsletter.web.public import public_router
from newsletter.web.public.challenge import Challenges
from subscribers import personal, suppressions
from subscribers.model import SuppressionCause
from subscribers.tokens import Purpose
from tests.web.public.conftest import KEY, House, Web

Make = Callable[[House, str], None]
STEP_S = 0.2


def _active(house: House, address: str) -> None:
    house.join(address)


def _suppressed(cause: SuppressionCause) -> Make:
    def make(house: House, address: str) -> None:
        house.join(address)
        with house.begin() as unit:
            unit.subscribers.suppress(address, cause, house.now)

    return make


def _erased(house: House, address: str) -> None:
    person = house.join(address)
    with house.begin() as unit:
        personal.erase(unit.subscribers, person.id, house.now)


STANDINGS: dict[str, Make] = {
    "unknown": lambda house, address: None,
    "active": _active,
    "erased": _erased,
    **{cause.value: _suppressed(cause) for cause in SuppressionCause if cause is not SuppressionCause.ERASED},
}


class Work:
    """Statements and hashes since the last look."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        self.statements = self.hashes = 0
        event.listen(house.database.engine, "before_cursor_execute", self._statement)
        plainly = suppressions._hashes

        def counted(key: bytes, address_keys: list[str]) -> list[str]:
            self.hashes += len(address_keys)
            return plainly(key, address_keys)

        monkeypatch.setattr(suppressions, "_hashes", counted)

    def _statement(self, *_: object) -> None:
        self.statements += 1

    def of(self, what: Callable[[], object]) -> tuple[int, int]:
        before = self.statements, self.hashes
        what()
        return self.statements - before[0], self.hashes - before[1]


@pytest.fixture
def work(house: House, monkeypatch: pytest.MonkeyPatch) -> Work:
    return Work(house, monkeypatch)


def _even(found: dict[str, tuple[int, int]]) -> None:
    statements, hashes = zip(*found.values(), strict=True)
    assert max(statements) - min(statements) <= 12, found
    assert max(hashes) - min(hashes) <= 2, found


def _address(n: int) -> str:
    return f"ann{n}@example.com"


def test_a_sign_up_is_about_the_same_work_whoever_it_is(house: House, web: Web, work: Work) -> None:
    found = {}
    for n, (name, make) in enumerate(STANDINGS.items()):
        make(house, _address(n))
        wanted = {"address": _address(n)}
        found[name] = work.of(partial(web.post, "/subscribe.json", json=wanted))
    _even(found)


def test_a_request_for_a_personal_link_is_about_the_same_work_too(house: House, web: Web, work: Work) -> None:
    found = {}
    for n, (name, make) in enumerate(STANDINGS.items()):
        if name not in ("unknown", "erased"):  # who has no link to ask by
            make(house, _address(n))
            with house.read() as unit:
                person = unit.subscribers.by_address(_address(n))
            assert person is not None
            path = f"/p/{house.tokens.sign(Purpose.PREFERENCES, person.id)}/link"
            found[name] = work.of(partial(web.post, path))
    _even(found)


def test_every_answer_that_could_tell_waits_for_a_step(house: House) -> None:
    """Only that none comes before it: how long a busy machine takes is nobody's promise."""
    app = FastAPI()
    challenges = Challenges([KEY], cost=1)
    app.include_router(
        public_router(house.front(), limits=house.limits, challenges=challenges, answer_after_s=STEP_S)
    )
    web = Web(app)
    active, barred = house.join(), house.join("bob@example.com")
    with house.begin() as unit:
        unit.subscribers.suppress(barred.address, SuppressionCause.MANUAL, house.now)
    for person in (active, barred):
        path = f"/p/{house.tokens.sign(Purpose.PREFERENCES, person.id)}/link"
        for ask in (
            partial(web.post, path),
            partial(web.post, "/subscribe", data={"address": person.address}),
        ):
            started = time.monotonic()
            assert ask().status_code == 200
            assert time.monotonic() - started >= STEP_S
