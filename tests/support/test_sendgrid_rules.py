"""The stand-in refuses what SendGrid documents that it refuses, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.sendgrid_rules import delivered, problems

NOW = 1_800_000_000.0


def a_request(recipients: int = 1) -> dict[str, Any]:
    return {
        "personalizations": [
            {
                "to": [{"email": f"reader{number}@example.org", "name": f"Reader {number}"}],
                "substitutions": {"{name}": f"Reader <{number}>", "{link}": f"https://n.example/u/{number}"},
                "headers": {"List-Unsubscribe": f"<https://n.example/u/{number}>"},
                "custom_args": {"nl_delivery": str(number)},
            }
            for number in range(recipients)
        ],
        "from": {"email": "notes@example.com", "name": "The Patient Notebook"},
        "reply_to": {"email": "marian@example.com"},
        "subject": "Hello {name}",
        "content": [
            {"type": "text/plain", "value": "Dear {name}, {link}"},
            {"type": "text/html", "value": "<p>Dear {name}, {link}</p>"},
        ],
        "headers": {"List-Id": "<n.example>", "X-Tag": "{name}"},
        "custom_args": {"nl_issue": "7"},
        "categories": ["newsletter"],
        "tracking_settings": {"subscription_tracking": {"enable": False}},
    }


def fields(request: Any) -> list[str | None]:
    return [problem.field for problem in problems(request, now=NOW)]


@pytest.mark.parametrize("recipients", [1, 2, 1000])
def test_a_request_by_the_book_has_no_problems(recipients: int) -> None:
    assert problems(a_request(recipients), now=NOW) == []


Change = Callable[[dict[str, Any]], Any]

REFUSED: dict[str, tuple[Change, str]] = {
    "no recipient": (lambda r: r.update(personalizations=[]), "personalizations"),
    "a personalization without to": (lambda r: r["personalizations"][0].pop("to"), "personalizations.0.to"),
    "an address that is none": (
        lambda r: r["personalizations"][0]["to"][0].update(email="reader"),
        "personalizations.0.to.0.email",
    ),
    "an address with a line break": (
        lambda r: r["personalizations"][0]["to"][0].update(email="a@example.org\r\nBcc: b@example.org"),
        "personalizations.0.to.0.email",
    ),
    "an address of another type": (
        lambda r: r["personalizations"][0].update(to=["reader@example.org"]),
        "personalizations.0.to.0",
    ),
    "a semicolon in a name": (
        lambda r: r["personalizations"][0]["to"][0].update(name="Holt; Marian"),
        "personalizations.0.to.0.name",
    ),
    "a comma in a name": (
        lambda r: r["personalizations"][0]["to"][0].update(name="Holt, Marian"),
        "personalizations.0.to.0.name",
    ),
    "the same address twice": (
        lambda r: r["personalizations"].append({"to": [{"email": "READER0@example.org"}]}),
        "personalizations.1.to.0",
    ),
    "the same address in cc": (
        lambda r: r["personalizations"][0].update(cc=[{"email": "reader0@example.org"}]),
        "personalizations.0.cc.0",
    ),
    "a substitution that is a number": (
        lambda r: r["personalizations"][0]["substitutions"].update({"{n}": 1}),
        "personalizations.0.substitutions.{n}",
    ),
    "substitutions above 10,000 bytes": (
        lambda r: r["personalizations"][0]["substitutions"].update({"{long}": "é" * 5000}),
        "personalizations.0.substitutions",
    ),
    "substitutions with a dynamic template": (
        lambda r: r.update(template_id="d-1"),
        "personalizations.0.substitutions",
    ),
    "a custom argument that is a number": (
        lambda r: r["personalizations"][0]["custom_args"].update(nl_delivery=1),
        "personalizations.0.custom_args.nl_delivery",
    ),
    "custom arguments above 10,000 bytes together": (
        lambda r: (
            r["custom_args"].update(a="x" * 5000),
            r["personalizations"][0]["custom_args"].update(b="x" * 5000),
        ),
        "personalizations.0.custom_args",
    ),
    "a reserved header": (
        lambda r: r["personalizations"][0]["headers"].update({"Reply-To": "x@example.org"}),
        "personalizations.0.headers.Reply-To",
    ),
    "a reserved header for all": (
        lambda r: r["headers"].update({"dkim-Signature": "x"}),
        "headers.dkim-Signature",
    ),
    "a header that is not encoded": (lambda r: r["headers"].update({"X-Name": "Chloé"}), "headers.X-Name"),
    "a header with a line break": (lambda r: r["headers"].update({"X": "a\r\nBcc: b"}), "headers.X"),
    "a header that is a number": (lambda r: r["headers"].update({"X": 1}), "headers.X"),
    "Unicode in from": (lambda r: r["from"].update(name="Chloé"), "from"),
    "no from": (lambda r: r.pop("from"), "from"),
    "reply_to and reply_to_list": (
        lambda r: r.update(reply_to_list=[{"email": "a@example.org"}]),
        "reply_to",
    ),
    "no subject": (lambda r: r.pop("subject"), "personalizations.0.subject"),
    "an empty subject": (lambda r: r.update(subject=""), "personalizations.0.subject"),
    "no content": (lambda r: r.pop("content"), "content"),
    "HTML before text": (lambda r: r["content"].reverse(), "content"),
    "two texts": (lambda r: r["content"].insert(0, dict(r["content"][0])), "content"),
    "an empty content": (lambda r: r["content"][0].update(value=""), "content.0.value"),
    "an unknown field": (lambda r: r.update(sandbox=True), "sandbox"),
    "an unknown field in a personalization": (
        lambda r: r["personalizations"][0].update(reply_to={"email": "a@example.org"}),
        "personalizations.0.reply_to",
    ),
    "eleven categories": (lambda r: r.update(categories=[str(n) for n in range(11)]), "categories"),
    "a long category": (lambda r: r.update(categories=["x" * 256]), "categories"),
    "a setting that is no object": (
        lambda r: r.update(mail_settings={"sandbox_mode": True}),
        "mail_settings",
    ),
    "settings that are no object": (lambda r: r.update(tracking_settings=[]), "tracking_settings"),
    "send_at too far ahead": (lambda r: r.update(send_at=int(NOW) + 72 * 3600 + 1), "send_at"),
    "send_at as text": (
        lambda r: r["personalizations"][0].update(send_at="tomorrow"),
        "personalizations.0.send_at",
    ),
}


@pytest.mark.parametrize("change,field", REFUSED.values(), ids=REFUSED.keys())
def test_what_the_documentation_refuses_is_refused(change: Change, field: str) -> None:
    request = a_request()
    change(request)
    assert fields(request) == [field]


def test_more_than_a_thousand_recipients_are_refused() -> None:
    assert fields(a_request(1001)) == ["personalizations", "personalizations"]
    request = a_request(1000)
    request["personalizations"][0]["bcc"] = [{"email": "one.more@example.org"}]
    assert fields(request) == ["personalizations"]


ALLOWED: dict[str, Change] = {
    "names in any script": lambda r: r["personalizations"][0]["to"][0].update(name="Zoë 李 🙂"),
    "a subject for one": lambda r: (r.pop("subject"), r["personalizations"][0].update(subject="For you")),
    "a template without content and subject": lambda r: (
        r.pop("content"),
        r.pop("subject"),
        r.update(template_id="13b8f94f-bcae-4ec6-b752-70d6cb59f932"),
    ),
    "send_at within three days": lambda r: r.update(send_at=int(NOW) + 72 * 3600),
    "ten long categories": lambda r: r.update(categories=[str(n) + "x" * 254 for n in range(10)]),
    "exactly 10,000 bytes": lambda r: r["personalizations"][0].update(substitutions={"{x}": "x" * 9997}),
}


@pytest.mark.parametrize("change", ALLOWED.values(), ids=ALLOWED.keys())
def test_what_the_documentation_allows_is_accepted(change: Change) -> None:
    request = a_request()
    change(request)
    assert problems(request, now=NOW) == []


def test_each_recipient_gets_their_own_message() -> None:
    first, second = delivered(a_request(2))
    assert (first.address, second.address) == ("reader0@example.org", "reader1@example.org")
    assert second.subject == "Hello Reader <1>"
    assert second.text == "Dear Reader <1>, https://n.example/u/1"
    assert second.html == "<p>Dear Reader <1>, https://n.example/u/1</p>"
    assert second.custom_args == {"nl_issue": "7", "nl_delivery": "1"}
    assert second.reply_to == "marian@example.com"
    assert (second.sender, second.sender_name) == ("notes@example.com", "The Patient Notebook")
    assert second.headers["List-Unsubscribe"] == "<https://n.example/u/1>"


def test_substitutions_reach_no_header() -> None:
    assert delivered(a_request())[0].headers["X-Tag"] == "{name}"


def test_a_value_that_looks_like_a_tag_is_not_substituted_again() -> None:
    request = a_request()
    request["personalizations"][0]["substitutions"] = {"{name}": "{link}", "{link}": "https://n.example"}
    assert delivered(request)[0].subject == "Hello {link}"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=8,
)


@given(name=st.sampled_from([*a_request(), "template_id", "send_at", "reply_to_list"]), value=JSON)
def test_any_json_in_any_field_is_judged(name: str, value: Any) -> None:
    request = copy.deepcopy(a_request())
    request[name] = value
    if not problems(request, now=NOW):
        assert delivered(request)


@given(name=st.sampled_from([*a_request()["personalizations"][0], "from", "cc", "subject"]), value=JSON)
def test_any_json_in_any_field_of_a_personalization_is_judged(name: str, value: Any) -> None:
    request = copy.deepcopy(a_request())
    request["personalizations"][0][name] = value
    if not problems(request, now=NOW):
        assert delivered(request)
