"""Each test that asks gets a PostgreSQL database of its own."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.postgres


def connect(url: str) -> psycopg.Connection[tuple[int]]:
    return psycopg.connect(url.replace("postgresql+psycopg:", "postgresql:"))


def count(url: str) -> int:
    with connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM marks").fetchone()
        assert row is not None
        return row[0]


@pytest.mark.parametrize("turn", [1, 2])
def test_a_database_is_empty_whatever_the_test_before_did(postgres_url: str, turn: int) -> None:
    with connect(postgres_url) as connection:
        connection.execute("CREATE TABLE marks (turn integer)")
        connection.execute("INSERT INTO marks VALUES (%s)", [turn])
    assert count(postgres_url) == 1


def test_a_template_is_filled_once_and_copied(postgres: PostgresServer) -> None:
    filled: list[str] = []

    def fill(url: str) -> None:
        filled.append(url)
        with connect(url) as connection:
            connection.execute("CREATE TABLE marks AS SELECT generate_series(1, 3) AS turn")

    template = postgres.template("three_marks", fill)
    assert postgres.template("three_marks", fill) == template
    assert len(filled) == 1
    first, second = postgres.create(template=template), postgres.create(template=template)
    with connect(first) as connection:
        connection.execute("DELETE FROM marks")
    assert (count(first), count(second)) == (0, 3)
    postgres.drop(first)
    postgres.drop(second)
