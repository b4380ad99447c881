from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from sendgrid.helpers.eventwebhook import EventWebhook

from newsletter.errors import ConfigError, Invalid
from newsletter.learn.sendgrid import genuine, parse, public_key
from newsletter.model.event import Event, EventKind
from tests.send.world import NOW

PRIVATE = ec.generate_private_key(ec.SECP256R1())
PUBLIC_TEXT = b64encode(
    PRIVATE.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()
STAMP = "1772438400"


def sign(raw: bytes, timestamp: str = STAMP) -> str:
    return b64encode(PRIVATE.sign(timestamp.encode() + raw, ec.ECDSA(SHA256()))).decode()


def item(**more: Any) -> dict[str, Any]:
    return {
        "event": "delivered",
        "email": "reader@readers.example",
        "timestamp": 1772438400,
        "sg_event_id": "abc",
        "newsletter_key": "7.12",
        "newsletter_attempt": "3",
        **more,
    }


def one(**more: Any) -> Event:
    ((event, _),) = parse(json.dumps([item(**more)]).encode(), NOW)
    return event


def test_what_sendgrid_signed_is_genuine() -> None:
    raw = b'[{"event":"delivered"}]\r\n'
    key = public_key(PUBLIC_TEXT)
    assert genuine(raw, signature=sign(raw), timestamp=STAMP, key=key)
    # The official library agrees on the same bytes.
    official = EventWebhook()
    assert official.verify_signature(
        raw.decode(), sign(raw), STAMP, official.convert_public_key_to_ecdsa(PUBLIC_TEXT)
    )


@pytest.mark.parametrize(
    ("raw", "signature", "timestamp"),
    [
        (b"[]\r\n", sign(b"[]"), STAMP),
        (b"[]", sign(b"[]"), "1772438401"),
        (b"0[]", sign(b"0[]", STAMP), STAMP + "0"),
        (b"[]", "", STAMP),
        (b"[]", "not base64!", STAMP),
        (b"[]", sign(b"[]"), ""),
        (b"2[]", sign(b"[]", STAMP[:-1] + "2"), STAMP[:-1]),
    ],
    ids=["body", "timestamp", "digit moved", "no signature", "no base64", "no timestamp", "digit moved back"],
)
def test_what_was_changed_is_not_genuine(raw: bytes, signature: str, timestamp: str) -> None:
    assert not genuine(raw, signature=signature, timestamp=timestamp, key=public_key(PUBLIC_TEXT))


@pytest.mark.parametrize("text", ["", "x", b64encode(b"no key").decode()])
def test_what_is_no_key_is_told(text: str) -> None:
    with pytest.raises(ConfigError):
        public_key(text)


@pytest.mark.parametrize(
    ("more", "kind", "code"),
    [
        ({"event": "processed"}, EventKind.PROCESSED, ""),
        ({"event": "deferred", "response": "451 later"}, EventKind.DEFERRED, ""),
        ({"event": "delivered", "response": "250 ok"}, EventKind.DELIVERED, ""),
        ({"event": "bounce", "type": "bounce", "status": "5.1.1"}, EventKind.BOUNCED, "5.1.1"),
        ({"event": "bounce", "type": "bounce", "status": "5.2.2"}, EventKind.SOFT_BOUNCED, "5.2.2"),
        ({"event": "bounce", "type": "bounce", "status": "4.7.1"}, EventKind.SOFT_BOUNCED, "4.7.1"),
        (
            {"event": "bounce", "type": "bounce", "bounce_classification": "Invalid Address"},
            EventKind.BOUNCED,
            "",
        ),
        ({"event": "bounce", "type": "blocked", "status": "5.7.1"}, EventKind.BLOCKED, "5.7.1"),
        ({"event": "dropped", "reason": "Bounced Address"}, EventKind.DROPPED, "bounced"),
        ({"event": "dropped", "reason": "Invalid"}, EventKind.DROPPED, "invalid"),
        ({"event": "dropped", "reason": "Spam Reporting Address"}, EventKind.DROPPED, "complained"),
        ({"event": "dropped", "reason": "Unsubscribed Address"}, EventKind.DROPPED, "unsubscribed"),
        (
            {"event": "dropped", "reason": "Spam Content (if Spam Checker app is enabled)"},
            EventKind.DROPPED,
            "content",
        ),
        ({"event": "dropped", "reason": "Recipient List over Package Quota"}, EventKind.DROPPED, "quota"),
        ({"event": "spamreport"}, EventKind.COMPLAINED, ""),
        ({"event": "group_unsubscribe"}, EventKind.UNSUBSCRIBED, ""),
    ],
)
def test_what_an_event_is_called_here(more: dict[str, Any], kind: EventKind, code: str) -> None:
    event = one(**more)
    assert (event.kind, event.code) == (kind, code)
    assert (event.issue_id, event.subscriber_id, event.notice_id) == (7, 12, 0)
    assert event.at == datetime.fromtimestamp(1772438400, UTC)


def test_a_notice_is_told_from_a_delivery() -> None:
    event = one(newsletter_key="0.5")
    assert (event.issue_id, event.subscriber_id, event.notice_id) == (0, 0, 5)


def test_no_address_is_kept() -> None:
    raw = json.dumps([item(event="bounce", reason="550 <reader@readers.example> unknown")]).encode()
    ((event, kept),) = parse(raw, NOW)
    assert "@" not in event.reason + kept


@pytest.mark.parametrize(
    "more",
    [{"event": "open"}, {"event": "click"}, {"newsletter_key": "x"}, {"newsletter_key": 7}, {"event": 3}],
)
def test_what_is_not_ours_is_left_out(more: dict[str, Any]) -> None:
    assert parse(json.dumps([item(**more), "text", None, 7]).encode(), NOW) == []


@pytest.mark.parametrize("raw", [b"", b"{}", b"[", b"[" * 10_000, b"\xff"])
def test_what_is_no_list_of_events_is_refused(raw: bytes) -> None:
    with pytest.raises(Invalid):
        parse(raw, NOW)


def test_a_nonsense_time_is_ours_instead() -> None:
    assert one(timestamp=10**12).at == NOW
    assert one(timestamp="yesterday").at == NOW


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(
                ["event", "newsletter_key", "timestamp", "reason", "status", "type", "sg_event_id"]
            ),
            json_values | st.sampled_from(["bounce", "dropped", "7.12"]),
        ),
        max_size=4,
    )
)
def test_nothing_that_is_posted_breaks_the_parser(items: list[Any]) -> None:
    for event, kept in parse(json.dumps(items).encode(), NOW):
        assert event.key and "@" not in event.reason and isinstance(kept, str)
