"""Proof of work: what a solution is worth, and what is none."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import altcha
import pytest

from newsletter.web.public.challenge import LASTS, Challenges
from tests.web.public.conftest import KEY, House, Web

OTHER = b"another key of the tests, 32 byte"


def solution(challenge: dict[str, Any]) -> str:
    asked = altcha.Challenge.from_dict(challenge)
    found = altcha.solve_challenge(asked)
    assert found is not None
    return altcha.Payload(asked, found).to_base64()


def changed(payload: str, *path: str, to: object) -> str:
    document = json.loads(base64.b64decode(payload))
    inner = document
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = to
    return base64.b64encode(json.dumps(document).encode()).decode()


def test_a_solution_is_good_under_any_key_and_names_its_challenge() -> None:
    payload = solution(Challenges([OTHER], cost=1).new())

    assert Challenges([KEY, OTHER]).solved(payload)
    assert Challenges([KEY]).solved(payload) == ""
    assert Challenges([OTHER]).solved(payload) != Challenges([OTHER]).solved(
        solution(Challenges([OTHER], cost=1).new())
    )


def test_a_solution_that_comes_too_late_is_none() -> None:
    before = time.time() - LASTS.total_seconds() - 1
    assert Challenges([KEY]).solved(solution(Challenges([KEY], cost=1, clock=lambda: before).new())) == ""


PARAMETERS = ("challenge", "parameters")


@pytest.mark.parametrize(
    ("path", "to"),
    [
        ((*PARAMETERS, "cost"), 0),
        ((*PARAMETERS, "keyPrefix"), ""),
        ((*PARAMETERS, "nonce"), "00" * 16),
        ((*PARAMETERS, "expiresAt"), 2**40),
        ((*PARAMETERS, "algorithm"), "SHA-1"),
        (("challenge", "signature"), "00"),
        (("challenge", "signature"), None),
        (("challenge",), []),
        (("solution", "counter"), -1),
        (("solution", "counter"), 2**63),
        (("solution", "derivedKey"), "00" * 32),
        (("solution",), None),
    ],
)
def test_what_was_changed_on_the_way_is_none(path: tuple[str, ...], to: object) -> None:
    challenges = Challenges([KEY], cost=1)
    assert challenges.solved(changed(solution(challenges.new()), *path, to=to)) == ""


@pytest.mark.parametrize("payload", ["", "x", "e30=", "bnVsbA==", "W10=", "A" * 4001, "\x00", "ü"])
def test_what_is_no_solution_at_all_is_none(payload: str) -> None:
    assert Challenges([KEY]).solved(payload) == ""


def test_a_solution_lets_a_form_pass_once(house: House, web: Web) -> None:
    house.limits.unproven_from_one = 1
    web.post("/subscribe", data={"address": "a@example.com"})
    solved = solution(web.get("/subscribe/challenge.json").json())

    statuses = [
        web.post("/subscribe", data={"address": f"p{n}@example.com", "altcha": solved}).status_code
        for n in range(2)
    ]

    assert statuses == [200, 429]


def test_a_form_of_ones_own_may_solve_it_too(house: House, web: Web) -> None:
    house.limits.unproven_from_one = 1
    web.post("/subscribe", data={"address": "a@example.com"})
    asked = web.get("/subscribe/challenge.json")
    wanted = {"address": "b@example.com", "altcha": solution(asked.json())}

    refused = web.post("/subscribe.json", json={"address": "b@example.com"})

    assert asked.headers["access-control-allow-origin"] == "*"
    assert refused.status_code == 429 and "/subscribe/challenge.json" in refused.json()["error"]["hint"]
    assert web.post("/subscribe.json", json=wanted).status_code == 202
