from __future__ import annotations

import threading

import pytest

from newsletter.errors import TemplateProblem, TransportProblem
from newsletter.model.delivery import Envelope, Outcome, Verdict
from newsletter.model.identity import message_id
from newsletter.model.notice import NewNotice, Notice, NoticeKind, NoticeState
from newsletter.model.rate import UNLIMITED, Rate
from newsletter.send import Rendered, recover, send_notices
from tests.send.world import KEY, FakeTransport, World, accepted, letter

VALUES = {"name": "", "unsubscribe_url": "https://news.example/u/1"}


def render(notice: Notice) -> Rendered:
    return Rendered(letter=letter(), message_id=message_id(0, notice.id, KEY, "news.example"), values=VALUES)


def queue(world: World, *keys: str) -> list[bool]:
    with world.store.begin() as unit:
        return [
            unit.notices.queue(
                NewNotice(key=key, kind=NoticeKind.TEST, to=f"{key}@author.example"), world.clock()
            )
            for key in keys
        ]


def send(world: World, transport: FakeTransport, *, rate: Rate = UNLIMITED) -> int:
    return send_notices(
        work=world.store.begin,
        transport=transport,
        render=render,
        rate=rate,
        clock=world.clock,
        stop=threading.Event(),
    )


def state(world: World, notice_id: int) -> NoticeState:
    with world.store.read() as unit:
        return unit.notices.get(notice_id).state


def test_one_occasion_makes_one_notice(world: World) -> None:
    assert queue(world, "draft-1", "draft-1", "draft-2") == [True, False, True]
    transport = FakeTransport()
    assert send(world, transport) == 2
    assert send(world, transport) == 0
    assert transport.addresses == ["draft-1@author.example", "draft-2@author.example"]


def test_a_notice_is_durably_submitting_while_a_transport_holds_it(world: World) -> None:
    queue(world, "draft-1")

    def look(envelope: Envelope) -> Outcome:
        assert envelope.key.is_notice
        assert state(world, envelope.key.number) is NoticeState.SUBMITTING
        return accepted(envelope)

    send(world, FakeTransport(look))
    assert state(world, 1) is NoticeState.ACCEPTED


def test_a_refused_notice_is_tried_again_a_few_times(world: World) -> None:
    queue(world, "draft-1")
    refusing = FakeTransport(lambda one: Outcome(key=one.key, verdict=Verdict.RETRY, code="451"))
    for _ in range(10):
        send(world, refusing)
        world.clock.pass_by(days=1)
    assert len(refusing.handed) == 7
    assert state(world, 1) is NoticeState.FAILED


@pytest.mark.parametrize(
    ("verdict", "after"), [(Verdict.FAILED, NoticeState.FAILED), (Verdict.UNKNOWN, NoticeState.UNKNOWN)]
)
def test_what_became_of_a_notice_is_kept(world: World, verdict: Verdict, after: NoticeState) -> None:
    queue(world, "draft-1")
    send(world, FakeTransport(lambda one: Outcome(key=one.key, verdict=verdict)))
    assert state(world, 1) is after
    again = FakeTransport()
    send(world, again)
    assert again.handed == []


def test_a_notice_that_cannot_be_rendered_fails_alone(world: World) -> None:
    queue(world, "broken", "fine")

    def picky(notice: Notice) -> Rendered:
        if notice.key == "broken":
            raise TemplateProblem("The template is wrong.", file="notice.mjml.j2")
        return render(notice)

    sent = send_notices(
        work=world.store.begin,
        transport=FakeTransport(),
        render=picky,
        rate=UNLIMITED,
        clock=world.clock,
        stop=threading.Event(),
    )
    assert sent == 1
    assert [state(world, 1), state(world, 2)] == [NoticeState.FAILED, NoticeState.ACCEPTED]


def test_notices_wait_unchanged_for_a_transport_that_refuses_us(world: World) -> None:
    queue(world, "draft-1", "draft-2")

    class Refusing(FakeTransport):
        def hand_over(self, envelopes):  # type: ignore[no-untyped-def]  # as its base says
            for envelope in envelopes:
                yield Outcome(key=envelope.key, verdict=Verdict.UNSENT)
                raise TransportProblem("The mail server does not accept our password.")

    with pytest.raises(TransportProblem):
        send(world, Refusing())
    assert send(world, FakeTransport()) == 2


def test_notices_count_in_the_rate_and_go_ahead_of_issues(world: World) -> None:
    issue_id = world.sending(10)
    rate = Rate(count=4, seconds=60)
    queue(world, "a", "b", "c")
    issue = FakeTransport()
    world.deliver(issue_id, issue, rate=rate, budget_s=0.3)
    assert len(issue.handed) == 1
    assert send(world, FakeTransport(), rate=rate) == 3
    queue(world, "d")
    assert send(world, FakeTransport(), rate=rate) == 0


def test_a_notice_that_a_dead_process_held_is_unknown(world: World) -> None:
    queue(world, "draft-1")
    with world.store.begin() as unit:
        assert unit.notices.mark_submitting(1, world.clock(), world.clock())
    world.clock.pass_by(seconds=1)
    assert recover(world.store.begin, world.clock) == (0, 1)
    assert state(world, 1) is NoticeState.UNKNOWN
