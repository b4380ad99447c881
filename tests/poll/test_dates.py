from __future__ import annotations

from datetime import UTC, datetime
from time import struct_time

import feedparser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.poll.dates import parse_date


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-05-01T09:30:17Z", datetime(2026, 5, 1, 9, 30, 17, tzinfo=UTC)),
        ("2026-05-01T09:30:17.123+02:00", datetime(2026, 5, 1, 7, 30, 17, tzinfo=UTC)),
        ("2026-05-01 09:30", datetime(2026, 5, 1, 9, 30, tzinfo=UTC)),
        ("2026-05-01", datetime(2026, 5, 1, tzinfo=UTC)),
        ("2020/1/10 14:33:00", datetime(2020, 1, 10, 14, 33, tzinfo=UTC)),
        ("1709632800", datetime(2024, 3, 5, 10, 0, tzinfo=UTC)),
        ("Fri, 01 May 2026 09:30:17 GMT", datetime(2026, 5, 1, 9, 30, 17, tzinfo=UTC)),
        ("Fri, 1 May 2026 09:30:17 -0700", datetime(2026, 5, 1, 16, 30, 17, tzinfo=UTC)),
        ("01 May 26 09:30 EST", datetime(2026, 5, 1, 14, 30, tzinfo=UTC)),
    ],
)
def test_a_date_in_a_known_format_is_read(text: str, moment: datetime) -> None:
    assert parse_date(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-13-45",
        "yesterday",
        "0000-00-00",
        "1970-01-01T00:00:00Z",
        "9999-12-31",
        "12345",
        "2026-05-01T25:00Z",
    ],
)
def test_nonsense_is_no_date(text: str) -> None:
    assert parse_date(text) is None


@pytest.mark.parametrize("text", ["2020/1/10 14:33:00", "1709632800", "2024-13-45"])
def test_what_feedparser_reads_wrongly_is_not_taken_from_it(text: str) -> None:
    guess: struct_time | None = feedparser.datetimes._parse_date(text)
    moment = parse_date(text, guess)
    assert guess is not None and (moment is None or moment.timetuple()[:3] != guess[:3])


def test_a_format_that_only_feedparser_knows_is_believed_when_year_day_and_minute_stand_in_it() -> None:
    greek = b"\xca\xf5\xf1, 11 \xc9\xef\xfd\xeb 2004 12:05:00 EST".decode("iso8859-7")
    korean = "2004년 05월 28일  오후 11:31:58"
    guess, wrong = (feedparser.datetimes._parse_date(text) for text in (greek, korean))
    assert parse_date(greek, guess) == datetime(2004, 7, 11, 17, 5, tzinfo=UTC)
    assert wrong is not None and wrong.tm_mon == 11  # feedparser 6.0.14 takes the hour for the month
    assert parse_date(korean, wrong) is None


@given(st.text(max_size=40), st.one_of(st.none(), st.just(struct_time((2026, 5, 1, 0, 0, 0, 4, 121, 0)))))
def test_any_text_gives_a_date_or_none(text: str, guess: struct_time | None) -> None:
    moment = parse_date(text, guess)
    assert moment is None or moment.tzinfo is UTC


@given(st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2099, 1, 1), timezones=st.just(UTC)))
def test_every_rfc_3339_moment_is_read_to_the_second(moment: datetime) -> None:
    assert parse_date(moment.isoformat()) == moment.replace(microsecond=0)


def test_a_guess_beyond_the_years_that_dates_have_is_none() -> None:
    assert parse_date("the first of January 10000", struct_time((10000, 1, 1, 0, 0, 0, 0, 1, 0))) is None
