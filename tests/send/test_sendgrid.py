"""SendGrid: what is posted keeps to every documented limit, and no answer loses, burns or repeats anybody.

The stand-in refuses what the documentation refuses, and misbehaves on request.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import ConfigError, Invalid, TransportBusy, TransportProblem
from newsletter.model.artefact import Segment
from newsletter.model.delivery import Envelope, Letter, MessageKey, Outcome, Verdict
from newsletter.model.publication import Sender
from newsletter.send.transports import sendgrid_request
from newsletter.send.transports.sendgrid import SendGrid
from newsletter.send.transports.sendgrid_request import (
    MOST,
    MOST_BYTES,
    Row,
    content_of,
    parts_of,
    request_of,
    row_of,
)
from subscribers.model import Recipient
from tests.send.world import PlainLinks, letter
from tests.support.sendgrid import (
    Fault,
    SendGridStandIn,
    hang,
    rate_limited,
    redirect,
    refusal,
    reset_after_body,
    reset_before_body,
    server_error,
)
from tests.support.sendgrid_rules import RESERVED_HEADERS

NOT_FOR_SENDGRID = "reader@nowhere"  # an address for us; SendGrid wants a dot in the domain


def envelope(number: int, *, to: str = "", name: str = "", of: Letter | None = None) -> Envelope:
    links = PlainLinks()
    recipient = Recipient(id=number, address=to or f"reader{number}@readers.example", name=name)
    return Envelope(
        key=MessageKey(7, number),
        to=recipient.address,
        letter=of or letter(3),
        message_id=links.message_id(number, 7),
        values=links.values(recipient, 7),
        headers=links.headers(recipient, 7),
        attempt_id=5,
    )


def several(count: int) -> list[Envelope]:
    return [envelope(number) for number in range(1, count + 1)]


def hand_over(
    transport: SendGrid, envelopes: Sequence[Envelope]
) -> tuple[list[Outcome], TransportProblem | None]:
    """The outcomes of those that were pulled, in their order, and the problem that came after them."""
    outcomes: list[Outcome] = []
    problem = None
    try:
        outcomes.extend(transport.hand_over(envelopes))
    except TransportProblem as raised:
        problem = raised
    told = {outcome.key: outcome for outcome in outcomes}
    assert len(told) == len(outcomes), "each that was pulled is told once"
    return [told[one.key] for one in envelopes if one.key in told], problem


def verdicts(outcomes: Sequence[Outcome]) -> list[Verdict]:
    return [outcome.verdict for outcome in outcomes]


@pytest.fixture
def transport(sendgrid_standin: SendGridStandIn) -> Iterator[SendGrid]:
    yield SendGrid("SG.test", base_url=sendgrid_standin.url, timeout_s=20.0, parallel=1)


def quick(standin: SendGridStandIn) -> SendGrid:
    """Waits for an answer for a moment only."""
    return SendGrid("SG.test", base_url=standin.url, timeout_s=0.5, parallel=1)


# What is posted


def test_a_thousand_recipients_are_one_request_and_opaque(
    transport: SendGrid, sendgrid_standin: SendGridStandIn
) -> None:
    outcomes, problem = hand_over(transport, several(1000))
    assert problem is None
    assert set(verdicts(outcomes)) == {Verdict.ACCEPTED}
    (request,) = sendgrid_standin.requests
    assert {outcome.provider_id for outcome in outcomes} == {request.message_id}
    assert request.body.keys() == {
        "from", "reply_to", "subject", "content", "tracking_settings", "personalizations",
    }  # fmt: skip
    assert [part["type"] for part in request.body["content"]] == ["text/plain", "text/html"]
    assert request.body["tracking_settings"]["subscription_tracking"] == {"enable": False}
    assert len(request.body["personalizations"]) == 1000
    first = request.body["personalizations"][0]
    assert first["to"] == [{"email": "reader1@readers.example"}]
    assert first["custom_args"] == {"newsletter_key": "7.1", "newsletter_attempt": "5"}
    assert first["headers"]["List-Unsubscribe"] == "<https://news.example/u/1>"
    assert first["headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_more_than_a_thousand_are_several_requests(
    transport: SendGrid, sendgrid_standin: SendGridStandIn
) -> None:
    outcomes, _ = hand_over(transport, several(1001))
    assert set(verdicts(outcomes)) == {Verdict.ACCEPTED}
    assert [len(request.body["personalizations"]) for request in sendgrid_standin.requests] == [1000, 1]


def test_each_variant_has_its_own_request_and_content(
    transport: SendGrid, sendgrid_standin: SendGridStandIn
) -> None:
    mixed = [envelope(number, of=letter(1 + number % 2)) for number in range(10)]
    hand_over(transport, mixed)
    assert len(sendgrid_standin.requests) == 2
    for one in sendgrid_standin.messages:
        number = int(one.custom_args["newsletter_key"].split(".")[1])
        assert ("First post" in one.html) == (number % 2 == 0)
        assert ("Second post" in one.html) == (number % 2 == 1)


@pytest.mark.parametrize("name", sorted(RESERVED_HEADERS))
def test_a_reserved_header_never_leaves(
    name: str, transport: SendGrid, sendgrid_standin: SendGridStandIn
) -> None:
    good, bad = envelope(1), envelope(2)._replace(headers=((name, "x"),))
    outcomes, problem = hand_over(transport, [good, bad])
    assert (verdicts(outcomes), problem) == ([Verdict.ACCEPTED, Verdict.FAILED], None)
    shared = replace(letter(3), id="reserved", headers=((name, "x"),))
    outcomes, problem = hand_over(transport, [envelope(3, of=shared)])
    assert verdicts(outcomes) == [Verdict.UNSENT]
    assert isinstance(problem, TransportProblem)
    assert len(sendgrid_standin.requests) == 1


@pytest.mark.parametrize(("length", "verdict"), [(1500, Verdict.ACCEPTED), (5000, Verdict.FAILED)])
def test_values_beyond_ten_thousand_bytes_fail_alone_and_never_leave(
    length: int, verdict: Verdict, transport: SendGrid, sendgrid_standin: SendGridStandIn
) -> None:
    outcomes, problem = hand_over(transport, [envelope(1), envelope(2, name="é" * length)])
    assert (verdicts(outcomes), problem) == ([Verdict.ACCEPTED, verdict], None)
    assert all(request.status == 202 for request in sendgrid_standin.requests)


@pytest.mark.parametrize(
    "of",
    [
        replace(letter(3), id="name", sender=Sender(name="José", address="jose@news.example")),
        replace(letter(3), id="subject", subject=""),
        replace(letter(3), id="large", html=(Segment("x" * MOST_BYTES),)),
        replace(letter(3), id="header", headers=(("List-Id", "é"),)),
    ],
    ids=["letters beyond ASCII in From", "no subject", "30 MB", "a header beyond ASCII"],
)
def test_a_letter_that_sendgrid_takes_for_nobody_stops_before_anything_leaves(
    of: Letter, transport: SendGrid, sendgrid_standin: SendGridStandIn
) -> None:
    outcomes, problem = hand_over(transport, [envelope(number, of=of) for number in range(3)])
    assert verdicts(outcomes) == [Verdict.UNSENT] * 3
    assert problem is not None and not isinstance(problem, TransportBusy)
    assert sendgrid_standin.requests == []


def test_the_same_address_in_another_spelling_is_another_request(
    transport: SendGrid, sendgrid_standin: SendGridStandIn
) -> None:
    outcomes, _ = hand_over(transport, [envelope(1, to="Ann@a.example"), envelope(2, to="ann@A.example")])
    assert verdicts(outcomes) == [Verdict.ACCEPTED] * 2
    assert len(sendgrid_standin.requests) == 2


@given(st.lists(st.integers(1, 25_000), max_size=40), st.integers(2, 4000))
def test_no_request_is_larger_than_sendgrid_takes(sizes: list[int], shared: int) -> None:
    content = replace(content_of(letter(3)), body="{" + " " * shared + "}")
    rows = [Row(envelope(n), "x" * size) for n, size in enumerate(sizes)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sendgrid_request, "MOST_BYTES", 30_000)
        parts = parts_of(content, rows)
    assert [row for part in parts for row in part] == rows
    for part in parts:
        assert len(request_of(content, part)) <= 30_000
        assert 0 < len(part) <= MOST


def test_thousands_of_rows_are_parted_by_number() -> None:
    content = content_of(letter(3))
    row = row_of(envelope(1), content)
    assert [len(part) for part in parts_of(content, [row] * 2500)] == [1000, 1000, 500]


@given(name=st.text(st.characters(exclude_categories=["Cs"]), max_size=100))
def test_a_row_is_the_json_of_its_values_whatever_they_hold(name: str) -> None:
    of = replace(
        letter(3), headers=(("X-Share", "100% s%d"), ("List-Unsubscribe", "<mailto:all@news.example>"))
    )
    one = envelope(1, of=of, name=name)._replace(headers=(("List-Unsubscribe", "<https://news.example/%s>"),))
    content = content_of(of)
    row = json.loads(row_of(one, content).text)
    assert row == {
        "to": [{"email": one.to}],
        "substitutions": {
            tag: escape(one.values[slot]) if html else one.values[slot]
            for (slot, html), tag in content.tags.items()
        },
        "headers": {
            "X-Share": "100% s%d",
            "List-Unsubscribe": "<https://news.example/%s>",
            "Message-ID": one.message_id,
        },
        "custom_args": {
            "newsletter_key": f"{one.key.issue_id}.{one.key.number}",
            "newsletter_attempt": str(one.attempt_id),
        },
    }


def test_the_longest_custom_arguments_are_far_below_the_limit() -> None:
    longest = envelope(1)._replace(key=MessageKey(2**63 - 1, 2**63 - 1), attempt_id=2**63 - 1)
    row = json.loads(row_of(longest, content_of(letter(3))).text)
    assert len(json.dumps(row["custom_args"])) < sendgrid_request.MOST_COLLECTED / 10


def test_a_value_that_looks_like_our_own_mark_fails_alone() -> None:
    content = content_of(letter(3))
    with pytest.raises(Invalid):
        row_of(envelope(1, name=f"{content.mark}-name-h%"), content)


# What is answered


@pytest.mark.parametrize("opaque", [False, True], ids=["named", "not named"])
@pytest.mark.parametrize("bad", [[0], [499], [999], [3, 500, 501]])
def test_one_bad_row_fails_alone(
    bad: list[int], opaque: bool, transport: SendGrid, sendgrid_standin: SendGridStandIn
) -> None:
    sendgrid_standin.opaque = opaque
    envelopes = several(1000)
    for place in bad:
        envelopes[place] = envelope(place + 1, to=f"reader{place}@nowhere")
    outcomes, problem = hand_over(transport, envelopes)
    assert problem is None
    assert [n for n, one in enumerate(outcomes) if one.verdict is not Verdict.ACCEPTED] == bad
    assert {one.verdict for n, one in enumerate(outcomes) if n in bad} == {Verdict.FAILED}
    assert len(sendgrid_standin.messages) == 1000 - len(bad)
    if not opaque:
        assert len(sendgrid_standin.requests) == 2 + len(bad)


@pytest.mark.parametrize("opaque", [False, True], ids=["named", "not named"])
def test_what_is_wrong_with_everybody_burns_nobody(
    opaque: bool, transport: SendGrid, sendgrid_standin: SendGridStandIn
) -> None:
    sendgrid_standin.opaque = opaque
    outcomes, problem = hand_over(
        transport, [envelope(number, to=f"reader{number}@nowhere") for number in range(1, 201)]
    )
    assert problem is not None and not isinstance(problem, TransportBusy)
    assert set(verdicts(outcomes)) == {Verdict.UNSENT}
    assert len(sendgrid_standin.requests) < 40


def test_a_request_that_is_too_large_after_all_is_halved(
    transport: SendGrid, sendgrid_standin: SendGridStandIn
) -> None:
    sendgrid_standin.plan(refusal(413))
    outcomes, problem = hand_over(transport, several(10))
    assert (set(verdicts(outcomes)), problem) == ({Verdict.ACCEPTED}, None)
    assert [len(one.body["personalizations"]) for one in sendgrid_standin.requests] == [10, 5, 5]


@pytest.mark.parametrize("status", [401, 403, 404, 405, 415])
def test_a_refusal_of_the_account_burns_nobody_and_is_for_the_author(
    status: int, transport: SendGrid, sendgrid_standin: SendGridStandIn
) -> None:
    sendgrid_standin.plan(refusal(status, "no, reader1@readers.example"))
    outcomes, problem = hand_over(transport, several(1500))
    assert set(verdicts(outcomes)) == {Verdict.UNSENT}
    assert len(sendgrid_standin.requests) == 1
    assert problem is not None and not isinstance(problem, TransportBusy)
    assert str(status) in str(problem) and "@" not in str(problem)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"X-RateLimit-Reset": "1800000090"}, 90),
        ({"x-ratelimit-reset": "1700000000"}, 1),
        ({"X-RateLimit-Reset": "soon"}, 60),
        ({"Retry-After": "120"}, 120),
        ({"X-RateLimit-Reset": "9999999999"}, 3600),
        ({}, 60),
    ],
)
def test_who_comes_too_often_waits_until_the_reset(
    headers: dict[str, str], wait_s: int, sendgrid_standin: SendGridStandIn
) -> None:
    transport = SendGrid("SG.test", base_url=sendgrid_standin.url, clock=lambda: 1_800_000_000.0)
    sendgrid_standin.plan(Fault(status=429, headers=headers, body=b"{}"))
    outcomes, problem = hand_over(transport, several(3))
    assert set(verdicts(outcomes)) == {Verdict.UNSENT}
    assert isinstance(problem, TransportBusy)
    assert problem.wait_s == wait_s


def test_a_rate_limit_in_the_middle_keeps_what_was_accepted(
    transport: SendGrid, sendgrid_standin: SendGridStandIn
) -> None:
    sendgrid_standin.plan(None, rate_limited(reset_at=2_000_000_000))
    outcomes, problem = hand_over(transport, several(1010))
    assert verdicts(outcomes) == [Verdict.ACCEPTED] * 1000 + [Verdict.UNSENT] * 10
    assert isinstance(problem, TransportBusy)


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("fault", [hang, reset_after_body, lambda stored: server_error(502, stored=stored)])
def test_no_clear_answer_after_the_whole_request_is_unknown(
    fault: object, stored: bool, sendgrid_standin: SendGridStandIn
) -> None:
    assert callable(fault)
    sendgrid_standin.plan(fault(stored=stored))
    outcomes, problem = hand_over(quick(sendgrid_standin), several(5))
    assert set(verdicts(outcomes)) == {Verdict.UNKNOWN}
    assert isinstance(problem, TransportBusy)
    assert len(sendgrid_standin.requests) == 1, "nothing is posted twice"


@pytest.mark.parametrize("status", [200, 204])
def test_an_answer_that_is_none_of_sendgrids_is_unknown(
    status: int, transport: SendGrid, sendgrid_standin: SendGridStandIn
) -> None:
    sendgrid_standin.plan(Fault(status=status))
    outcomes, _ = hand_over(transport, several(2))
    assert set(verdicts(outcomes)) == {Verdict.UNKNOWN}


def test_an_outage_costs_few_and_then_waits_for_the_author(
    transport: SendGrid, sendgrid_standin: SendGridStandIn
) -> None:
    """Without this, an hour of errors on their side would make a whole list unknown."""
    waiting = several(1500)
    unknown = 0
    for problem_kind in (TransportBusy, TransportBusy, TransportProblem):
        sendgrid_standin.plan(server_error(503, stored=False))
        outcomes: list[Outcome] = []
        with pytest.raises(problem_kind) as raised:
            outcomes.extend(transport.hand_over(iter(waiting)))
        assert isinstance(raised.value, TransportBusy) == (problem_kind is TransportBusy)
        unknown += len(outcomes)
        waiting = waiting[len(outcomes) :]
    assert unknown == 1000 + 10 + 10
    # Trust comes back step by step.
    before = len(sendgrid_standin.requests)
    outcomes, problem = hand_over(transport, waiting)
    assert (set(verdicts(outcomes)), problem) == ({Verdict.ACCEPTED}, None)
    sizes = [len(request.body["personalizations"]) for request in sendgrid_standin.requests[before:]]
    assert sizes == [10, 100, 370]


@pytest.mark.parametrize("fault", [reset_before_body(), None], ids=["reset before the body", "nobody there"])
def test_what_never_left_whole_is_as_if_never_tried(
    fault: Fault | None, sendgrid_standin: SendGridStandIn
) -> None:
    if fault is None:
        transport = SendGrid("SG.test", base_url="http://127.0.0.1:1", timeout_s=5.0)
    else:
        transport = quick(sendgrid_standin)
        sendgrid_standin.plan(fault)
    large = replace(letter(3), id="large", html=(Segment("x" * 8_000_000),))
    outcomes, problem = hand_over(transport, [envelope(number, of=large) for number in range(3)])
    assert set(verdicts(outcomes)) == {Verdict.UNSENT}
    assert isinstance(problem, TransportBusy)


def test_a_redirect_is_not_followed_and_the_key_stays_here(sendgrid_standin: SendGridStandIn) -> None:
    with SendGridStandIn() as elsewhere:
        sendgrid_standin.plan(redirect(elsewhere.url + "/v3/mail/send"))
        outcomes, problem = hand_over(quick(sendgrid_standin), several(2))
        assert elsewhere.requests == []
    assert set(verdicts(outcomes)) == {Verdict.UNSENT}
    assert problem is not None and "302" in str(problem)


def test_neither_key_nor_address_is_logged(
    transport: SendGrid, sendgrid_standin: SendGridStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        hand_over(transport, several(2))
    assert "SG.test" not in caplog.text
    assert "readers.example" not in caplog.text


def test_the_region_chooses_the_host_and_keeps_the_time_out() -> None:
    """The client's own call for it makes the client anew, without a time-out."""
    for region, host in (("", "https://api.sendgrid.com"), ("eu", "https://api.eu.sendgrid.com")):
        transport = SendGrid("SG.test", region=region, timeout_s=17.0)
        assert transport.host == host
        sender = transport._api.client.mail.send
        assert (sender.host, sender.timeout) == (host, 17.0)
        assert sender.request_headers["Authorization"] == "Bearer SG.test"


@pytest.mark.parametrize("key", ["SG.é", "SG.a b", "SG.a\nX: y", ""])
def test_what_cannot_be_a_key_is_told(key: str) -> None:
    with pytest.raises(ConfigError):
        SendGrid(key)
