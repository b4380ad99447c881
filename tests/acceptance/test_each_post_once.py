"""Each subscriber gets each post once, whatever they choose in between: their rhythm, their topics, a pause,
leaving and coming back, and whenever drafts are made, approved and sent.

A real store, with the steps that plan, draw and send over it; only the writing of the email is left out.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from newsletter import wiring
from newsletter.desk import Desk
from newsletter.model.delivery import DeliveryState, Envelope, Letter, Outcome, Verdict
from newsletter.model.issue import IssueState
from newsletter.model.rate import UNLIMITED
from newsletter.model.times import to_ms
from newsletter.send import deliver_issue, expand_audience, start_due
from newsletter.steps import drafting
from newsletter.store.tables import feeds, posts
from subscribers.model import Cadence
from subscribers.requests import Form
from subscribers.signups import SignUps
from tests.send.world import Clock, PlainLinks, letter

BEGIN = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
FORM = Form(source="form: page", wording="I ask for it.")
CADENCES = st.sampled_from([None, *Cadence])
WHO = st.integers(0, 2)


# In memory where that is to be had: nothing here is about what survives a crash, and every step commits.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@cache
def blank() -> Path:
    """A folder with an empty database of today's schema, made once."""
    folder = Path(tempfile.mkdtemp(dir=MEMORY))
    wiring.prepare(fixed(folder))
    return folder


def fixed(folder: Path) -> dict[str, str]:
    return {
        "secret_key": "a secret key of the tests that is long enough",
        "database_url": f"sqlite:///{folder}/newsletter.db",
        "data_dir": str(folder),
        "sender": "Ann <ann@example.org>",
        "postal_address": "PO Box 1",
    }


class Patient:
    """A transport that takes ``most`` messages and is then told to stop."""

    name, window, in_hand = "patient", 2, 4

    def __init__(self, most: int, stop: threading.Event) -> None:
        self.handed: list[Envelope] = []
        self._most, self._stop = most, stop

    def hand_over(self, envelopes: Iterable[Envelope]) -> Iterator[Outcome]:
        for envelope in envelopes:
            self.handed.append(envelope)
            if len(self.handed) >= self._most:
                self._stop.set()
            yield Outcome(key=envelope.key, verdict=Verdict.ACCEPTED)


class EachPostOnce(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY))
        shutil.copy(blank() / "newsletter.db", self.folder)
        self.opened = wiring.build(fixed(self.folder))
        self.house = self.opened.__enter__()
        self.clock = Clock(BEGIN)
        self.tools = replace(self.house.tools, clock=self.clock)
        self.desk = Desk(self.tools, doors=self.house.desk.doors)
        self.got: Counter[tuple[int, int]] = Counter()
        self.published: list[int] = []
        self.people = []
        with self.tools.begin() as unit:
            unit.conn.execute(
                feeds.insert().values(id=1, url="https://blog.example/feed", state="active", added_at=0)
            )
        for n in range(3):
            added = self.desk.add_subscriber(f"p{n}@example.org")
            assert added.subscriber is not None
            self.people.append(added.subscriber.id)
        self.faithful = set(self.people)  #: never without a topic, a pause or the newsletter

    @rule(topics=st.sampled_from(["[]", '["a"]', '["b"]', '["a","b"]']))
    def publish(self, topics: str) -> None:
        now = to_ms(self.clock())
        with self.tools.begin() as unit:
            row = unit.conn.execute(
                posts.insert()
                .values(
                    feed_id=1, state="ready", title="A post", topics=topics,
                    first_seen_at=now, last_seen_at=now, ready_at=now,
                )
                .returning(posts.c.id)
            ).one()  # fmt: skip
        self.published.append(row.id)

    @rule(who=WHO, cadence=CADENCES)
    def change_rhythm(self, who: int, cadence: Cadence | None) -> None:
        with self.tools.begin() as unit:
            person = unit.subscribers.get(self.people[who])
            unit.subscribers.choose(
                person.id,
                self.clock(),
                cadence=cadence,
                topics_off=person.topics_off,
                paused_until=person.paused_until,
            )

    @rule(who=WHO, off=st.sampled_from([(), ("a",), ("a", "b")]), days=st.sampled_from([0, 0, 9]))
    def change_topics_or_pause(self, who: int, off: tuple[str, ...], days: int) -> None:
        until = self.clock() + timedelta(days=days) if days else None
        with self.tools.begin() as unit:
            person = unit.subscribers.get(self.people[who])
            unit.subscribers.choose(
                person.id, self.clock(), cadence=person.cadence, topics_off=off, paused_until=until
            )
        if off or days:
            self.faithful.discard(person.id)

    @rule(who=WHO)
    def leave_and_come_back(self, who: int) -> None:
        with self.tools.begin() as unit:
            person = unit.subscribers.get(self.people[who])
            unit.subscribers.unsubscribe(person.id, self.clock())
            unit.deliveries.unclaim(person.id)
            signups = SignUps(unit.subscribers)
            if ask := signups.sign_up(person.address, FORM, self.clock()).ask:
                signups.confirm(ask.request_id, self.clock())
        self.faithful.discard(person.id)

    @rule(cadence=st.sampled_from(Cadence))
    def the_author_changes_the_rhythm(self, cadence: Cadence) -> None:
        self.desk.set_setting("CADENCE", cadence.value)

    @rule(hours=st.sampled_from([1, 5, 24, 24 * 3, 24 * 8]))
    def wait(self, hours: int) -> None:
        self.clock.pass_by(hours=hours)

    @rule(days=st.sampled_from([1, 1, 1, 7]))
    def life_goes_on(self, days: int) -> None:
        """A post appears, the author approves all there is, and all of it goes out."""
        self.clock.pass_by(days=days)
        self.publish("[]")
        self.make_drafts()
        self._approve_all()
        self.send(999)

    @rule()
    def make_drafts(self) -> None:
        drafting._create(self.tools)

    @precondition(lambda self: self.published)
    @rule(which=st.integers(0, 9))
    def approve(self, which: int) -> None:
        with self.tools.begin() as unit:
            drafts = unit.issues.list(states=[IssueState.DRAFT])
            for issue in drafts[which % len(drafts) :][:1] if drafts else ():
                unit.issues.approve(issue.id, send_at=self.clock(), now=self.clock())

    @rule(most=st.integers(1, 4))
    def send(self, most: int) -> None:
        with self.tools.begin() as unit:
            start_due(unit, self.clock(), max_late=timedelta(days=9999))
        default = self.tools.settings().cadence
        with self.tools.read() as unit:
            sending = unit.issues.sending()
        for issue in sending:
            expand_audience(
                issue.id, work=self.tools.begin, default_cadence=default, clock=self.clock, page=2
            )
            self._deliver(issue.id, most)

    def _deliver(self, issue_id: int, most: int) -> None:
        stop = threading.Event()
        transport = Patient(most, stop)
        deliver_issue(
            issue_id,
            work=self.tools.begin,
            transport=transport,
            letters=lambda mask: self._letter(mask),
            links=PlainLinks(),
            rate=UNLIMITED,
            clock=self.clock,
            stop=stop,
            budget_s=60.0,
        )
        with self.tools.read() as unit:
            post_of = {place.block: place.post_id for place in unit.issues.get(issue_id).included}
        for envelope in transport.handed:
            mask = int(envelope.letter.id.rpartition("-")[2])
            for block, post_id in post_of.items():
                if mask >> block & 1:
                    self.got[envelope.key.number, post_id] += 1

    def _letter(self, mask: int) -> Letter:
        return replace(letter(1), id=f"letter-{mask}")

    @invariant()
    def nobody_has_a_post_twice(self) -> None:
        assert max(self.got.values(), default=0) <= 1

    def teardown(self) -> None:
        try:
            self._all_goes_out()
            self.nobody_has_a_post_twice()
            for who in self.faithful:
                missed = [post_id for post_id in self.published if not self.got[who, post_id]]
                assert missed == [], (who, missed)
            self._the_ledger_says_so()
        finally:
            self.opened.__exit__(None, None, None)
            shutil.rmtree(self.folder)

    def _all_goes_out(self) -> None:
        """Nobody changes anything any more, and the author approves all that comes."""
        for days in (0, 1, 8, 32, 32):
            self.clock.pass_by(days=days)
            self.make_drafts()
            self._approve_all()
            self.send(999)

    def _approve_all(self) -> None:
        with self.tools.begin() as unit:
            for issue in unit.issues.list(states=[IssueState.DRAFT]):
                unit.issues.approve(issue.id, send_at=self.clock(), now=self.clock())

    def _the_ledger_says_so(self) -> None:
        told: Counter[tuple[int, int]] = Counter()
        with self.tools.read() as unit:
            for issue in unit.issues.list():
                for row in unit.deliveries.list(issue.id, states=[DeliveryState.ACCEPTED]):
                    for place in issue.included:
                        if row.blocks >> place.block & 1:
                            told[row.subscriber_id, place.post_id] += 1
        assert told == self.got


E, D, W, M = Cadence


@pytest.mark.parametrize(
    ("first", "then"), [(W, E), (W, D), (M, D), (D, None), (None, W), (E, D), (D, M), (None, None)]
)
def test_a_change_of_rhythm_in_the_middle_of_the_week_loses_nothing_and_repeats_nothing(
    first: Cadence | None, then: Cadence | None
) -> None:
    """BEGIN is a Tuesday: a weekly digest waits from then to Monday."""
    life = EachPostOnce()
    life.change_rhythm(0, first)
    life.change_rhythm(1, Cadence.DAILY)
    life.life_goes_on(1)
    life.life_goes_on(1)
    life.change_rhythm(0, then)
    life.life_goes_on(1)
    life.teardown()


@pytest.mark.parametrize(("first", "then"), [(W, E), (D, E), (E, W), (M, D)])
def test_so_does_a_change_of_the_newsletters_own_rhythm(first: Cadence, then: Cadence) -> None:
    life = EachPostOnce()
    life.the_author_changes_the_rhythm(first)
    life.change_rhythm(1, Cadence.EACH)
    life.life_goes_on(1)
    life.life_goes_on(1)
    life.the_author_changes_the_rhythm(then)
    life.life_goes_on(1)
    life.teardown()


TestEachPostOnce = EachPostOnce.TestCase
TestEachPostOnce.settings = settings(
    max_examples=int(os.environ.get("EACH_POST_ONCE_EXAMPLES", "15")),
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
