"""Times, windows, artefacts: small pure things with rules of their own."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.model.artefact import Artefact, Block, Segment, carried, mask_of
from newsletter.model.publication import Newsletter, Sender
from newsletter.model.receipt import Receipt
from newsletter.model.times import from_ms, maybe_from_ms, maybe_ms, maybe_rfc3339, rfc3339, to_ms
from newsletter.model.window import next_in_window

MADRID = ZoneInfo("Europe/Madrid")
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
clock_times = st.times().map(lambda t: t.replace(second=0, microsecond=0))


@given(moments)
def test_a_time_survives_its_milliseconds(moment: datetime) -> None:
    assert from_ms(to_ms(moment)) <= moment < from_ms(to_ms(moment) + 1)


def test_times_say_their_zone_or_are_refused() -> None:
    moment = datetime(2026, 1, 31, 9, 5, tzinfo=MADRID)
    assert rfc3339(moment) == "2026-01-31T08:05:00Z"
    assert (maybe_ms(None), maybe_from_ms(None), maybe_rfc3339(None)) == (None, None, None)
    with pytest.raises(ValueError, match="timezone"):
        to_ms(datetime(2026, 1, 31))


@given(moments, clock_times, clock_times)
def test_the_next_moment_of_a_window_lies_in_it_and_is_never_before(
    earliest: datetime, start: time, end: time
) -> None:
    found = next_in_window(earliest, (start, end), MADRID)
    assert earliest <= found <= earliest + timedelta(days=2)
    local = found.astimezone(MADRID).time().replace(tzinfo=None)
    if start < end:
        assert start <= local < end
    elif start > end:
        assert local >= start or local < end


def test_without_a_window_any_time_is_good() -> None:
    now = datetime(2026, 1, 31, tzinfo=UTC)
    assert next_in_window(now, None, MADRID) == now


def test_a_window_is_kept_over_night() -> None:
    evening = datetime(2026, 1, 31, 21, 30, tzinfo=MADRID)
    assert next_in_window(evening, (time(8), time(20)), MADRID) == datetime(2026, 2, 1, 8, tzinfo=MADRID)
    assert next_in_window(evening, (time(20), time(6)), MADRID) == evening


texts = st.text(max_size=20)
segments = st.lists(
    st.one_of(
        st.builds(Segment, texts, st.just(False), st.integers(-1, 3)),
        st.builds(Segment, st.sampled_from(["name", "view_url"]), st.just(True), st.integers(-1, 3)),
    ),
    max_size=12,
)


@given(segments, st.integers(0, 15))
def test_what_is_carried_is_what_belongs_to_the_mask_in_order(found: list[Segment], mask: int) -> None:
    kept = carried(found, mask)
    wanted = [s for s in found if s.block < 0 or mask >> s.block & 1]
    assert "".join(f"<{s.text}>" if s.slot else s.text for s in kept) == "".join(
        f"<{s.text}>" if s.slot else s.text for s in wanted
    )
    assert not any(not a.slot and not b.slot for a, b in pairwise(kept)), "joined"


@given(segments, texts, texts)
def test_an_artefact_survives_its_json_and_its_hash_is_a_promise(
    found: list[Segment], subject: str, title: str
) -> None:
    artefact = Artefact(
        subject=subject,
        preheader="",
        sender=Sender(name=title, address="a@example.org"),
        reply_to="",
        language="en",
        title=title,
        html=tuple(found),
        text=(),
        blocks=(Block(number=3, post_id=7, title=title),),
    )
    again = Artefact.from_json(artefact.to_json())
    assert again == artefact
    assert again.content_hash == artefact.content_hash
    assert again.mask == 8


def test_an_artefact_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version 2"):
        Artefact.from_json('{"version": 2}')


def test_a_mask_has_62_blocks() -> None:
    assert mask_of([0, 61]) == 1 | 1 << 61
    for block in (-1, 62):
        with pytest.raises(ValueError, match=f"block {block}"):
            mask_of([block])


def test_a_newsletter_without_sender_is_at_localhost() -> None:
    assert Newsletter(title="T", sender=None).host == "localhost"
    assert str(Sender(name="Ann", address="a@example.org")) == "Ann <a@example.org>"
    assert str(Sender(name="", address="a@example.org")) == "a@example.org"


@given(*[st.integers(0, 10**6)] * 5)
def test_a_receipt_balances_when_it_adds_up(a: int, f: int, s: int, u: int, r: int) -> None:
    receipt = Receipt(
        issue_id=1, audience=a + f + s + u + r, accepted=a, failed=f, skipped=s, unknown=u, remaining=r
    )
    assert receipt.balances
