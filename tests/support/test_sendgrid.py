"""The stand-in, driven by SendGrid's own client."""

from __future__ import annotations

import gzip
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from python_http_client.exceptions import HTTPError
from sendgrid import SendGridAPIClient

from tests.support.sendgrid import (
    PATH,
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
from tests.support.test_sendgrid_rules import a_request


def client(standin: SendGridStandIn, *, key: str = "SG.test", timeout: float = 10) -> SendGridAPIClient:
    made = SendGridAPIClient(api_key=key, host=standin.url)
    made.client.timeout = timeout
    return made


def refused(standin: SendGridStandIn, request: dict[str, Any], **options: Any) -> HTTPError:
    with pytest.raises(HTTPError) as caught:
        client(standin, **options).send(request)
    return caught.value


def test_a_thousand_personalizations_are_a_thousand_messages(sendgrid_standin: SendGridStandIn) -> None:
    answer = client(sendgrid_standin).send(a_request(1000))
    assert answer.status_code == 202
    assert answer.body == b""
    [request] = sendgrid_standin.requests
    assert answer.headers["X-Message-Id"] == request.message_id
    assert len(sendgrid_standin.messages) == 1000
    [message] = sendgrid_standin.sent_to("reader7@example.org")
    assert message.text == "Dear Reader <7>, https://n.example/u/7"


def test_each_request_has_its_own_message_id(sendgrid_standin: SendGridStandIn) -> None:
    for _ in range(2):
        client(sendgrid_standin).send(a_request())
    assert len({request.message_id for request in sendgrid_standin.requests}) == 2


def test_a_wrong_key_is_refused(sendgrid_standin: SendGridStandIn) -> None:
    assert refused(sendgrid_standin, a_request(), key="SG.other").status_code == 401
    assert sendgrid_standin.messages == []


def test_one_wrong_recipient_refuses_all_of_them_and_is_named(sendgrid_standin: SendGridStandIn) -> None:
    request = a_request(3)
    request["personalizations"][1]["to"][0]["email"] = "nobody"
    error = refused(sendgrid_standin, request)
    assert error.status_code == 400
    assert error.to_dict["errors"][0]["field"] == "personalizations.1.to.0.email"
    assert sendgrid_standin.messages == []
    assert sendgrid_standin.requests[0].problems[0].field == "personalizations.1.to.0.email"


def test_thirty_megabytes_are_too_large(sendgrid_standin: SendGridStandIn) -> None:
    request = a_request()
    request["content"][1]["value"] = "x" * (30 * 1024 * 1024)
    assert refused(sendgrid_standin, request).status_code == 413


def test_sandbox_mode_answers_200_and_delivers_nothing(sendgrid_standin: SendGridStandIn) -> None:
    answer = client(sendgrid_standin).send(
        {**a_request(), "mail_settings": {"sandbox_mode": {"enable": True}}}
    )
    assert answer.status_code == 200
    assert sendgrid_standin.messages == []


def post(url: str, body: bytes, **headers: str) -> int:
    request = urllib.request.Request(url, body, {"Authorization": "Bearer SG.test", **headers})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.parametrize(
    "path,body,headers,status",
    [
        (PATH, b"{", {"Content-Type": "application/json"}, 400),
        (PATH, b"[]", {"Content-Type": "application/json"}, 400),
        (PATH, b"\xff", {"Content-Type": "application/json"}, 400),
        (PATH, b"{}", {"Content-Type": "application/json", "Content-Encoding": "gzip"}, 400),
        (PATH, b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ("/v3/mail", b"{}", {"Content-Type": "application/json"}, 404),
    ],
)
def test_what_is_no_mail_send_request_is_refused(
    sendgrid_standin: SendGridStandIn, path: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    assert post(sendgrid_standin.url + path, body, **headers) == status


def test_a_gzipped_request_is_read(sendgrid_standin: SendGridStandIn) -> None:
    body = gzip.compress(json.dumps(a_request()).encode())
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert post(sendgrid_standin.url + PATH, body, **headers) == 202
    assert len(sendgrid_standin.messages) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 413])
def test_a_refusal_delivers_nothing_and_the_next_request_is_by_the_book(
    sendgrid_standin: SendGridStandIn, status: int
) -> None:
    sendgrid_standin.plan(refusal(status))
    assert refused(sendgrid_standin, a_request()).status_code == status
    assert sendgrid_standin.messages == []
    assert client(sendgrid_standin).send(a_request()).status_code == 202


def test_a_plan_is_followed_in_order(sendgrid_standin: SendGridStandIn) -> None:
    sendgrid_standin.plan(None, refusal(400))
    assert client(sendgrid_standin).send(a_request()).status_code == 202
    assert refused(sendgrid_standin, a_request()).status_code == 400


def test_a_rate_limit_tells_when_to_come_back(sendgrid_standin: SendGridStandIn) -> None:
    sendgrid_standin.plan(rate_limited(reset_at=1_800_000_060))
    error = refused(sendgrid_standin, a_request())
    assert error.status_code == 429
    assert error.headers["X-RateLimit-Reset"] == "1800000060"
    assert error.headers["X-RateLimit-Remaining"] == "0"


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("status", [500, 502])
def test_a_server_error_may_or_may_not_have_delivered(
    sendgrid_standin: SendGridStandIn, status: int, stored: bool
) -> None:
    sendgrid_standin.plan(server_error(status, stored=stored))
    assert refused(sendgrid_standin, a_request()).status_code == status
    assert len(sendgrid_standin.messages) == stored


def test_a_redirect_leads_the_client_elsewhere_with_its_key() -> None:
    with SendGridStandIn() as standin, SendGridStandIn() as elsewhere:
        standin.plan(redirect(elsewhere.url + PATH))
        assert refused(standin, a_request()).status_code == 405
        assert standin.messages == elsewhere.messages == []
        assert elsewhere.requests[0].headers["Authorization"] == "Bearer SG.test"


@pytest.mark.parametrize("stored", [True, False])
def test_a_request_without_an_answer_may_or_may_not_have_delivered(stored: bool) -> None:
    with SendGridStandIn() as standin:
        standin.plan(hang(stored=stored))
        with pytest.raises(TimeoutError):
            client(standin, timeout=0.2).send(a_request())
        assert standin.requests[0].status is None
        assert len(standin.messages) == stored


@pytest.mark.parametrize("stored", [True, False])
def test_a_connection_that_breaks_after_the_request_may_or_may_not_have_delivered(
    sendgrid_standin: SendGridStandIn, stored: bool
) -> None:
    sendgrid_standin.plan(reset_after_body(stored=stored))
    with pytest.raises(ConnectionResetError):
        client(sendgrid_standin).send(a_request())
    assert len(sendgrid_standin.messages) == stored


def test_a_connection_that_breaks_before_the_body_has_delivered_nothing(
    sendgrid_standin: SendGridStandIn,
) -> None:
    sendgrid_standin.plan(reset_before_body())
    request = a_request()
    # More than any socket buffers, so that the client cannot have written it all.
    request["content"][1]["value"] = "x" * 20_000_000
    with pytest.raises(urllib.error.URLError):
        client(sendgrid_standin).send(request)
    assert sendgrid_standin.messages == []
    assert client(sendgrid_standin).send(a_request()).status_code == 202


def test_a_fault_delivers_nothing_of_a_request_that_is_wrong_anyway(
    sendgrid_standin: SendGridStandIn,
) -> None:
    sendgrid_standin.plan(Fault(status=500, stored=True))
    refused(sendgrid_standin, {**a_request(), "subject": ""})
    assert sendgrid_standin.messages == []


def test_what_was_delivered_is_on_disk_before_the_answer(tmp_path: Path) -> None:
    record = tmp_path / "delivered.jsonl"
    with SendGridStandIn(record=record) as standin:
        client(standin).send(a_request(2))
        standin.plan(reset_after_body(stored=True), server_error(stored=False))
        with pytest.raises(ConnectionResetError):
            client(standin).send(a_request())
        refused(standin, a_request())
        lines = [json.loads(line) for line in record.read_text().splitlines()]
    assert [line["address"] for line in lines] == [
        "reader0@example.org",
        "reader1@example.org",
        "reader0@example.org",
    ]
    assert lines[1]["html"] == "<p>Dear Reader <1>, https://n.example/u/1</p>"
    assert lines[0]["message_id"] == lines[1]["message_id"] != lines[2]["message_id"]
