"""What SendGrid's v3 Mail Send documents that it refuses, and what a recipient gets of what it accepts.

Sources: SendGrid's Mail Send reference and its "Limitations" page. Pure: values in, values out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TOP_LEVEL = frozenset(
    "personalizations from reply_to reply_to_list subject content attachments template_id headers categories "
    "custom_args send_at batch_id asm ip_pool_name mail_settings tracking_settings".split()
)
PERSONALIZATION = frozenset(
    "from to cc bcc subject headers substitutions dynamic_template_data custom_args send_at".split()
)
RESERVED_HEADERS = frozenset(
    "x-sg-id x-sg-eid received dkim-signature content-type content-transfer-encoding to from subject "
    "reply-to cc bcc".split()
)
MAX_BODY_BYTES = 30 * 1024 * 1024
MAX_RECIPIENTS = 1000
MAX_COLLECTED_BYTES = 10_000
MAX_CATEGORIES = 10
MAX_CATEGORY_CHARACTERS = 255
MAX_AHEAD_SECONDS = 72 * 3600

_ADDRESS = re.compile(r"[^\s@<>()\[\]\\,;:\"]+@[^\s@<>()\[\]\\,;:\".]+(\.[^\s@<>()\[\]\\,;:\".]+)+")


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One reason for a 400; ``field`` is a path such as ``personalizations.3.to.0.email``."""

    field: str | None
    message: str


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """One message as its recipient gets it: every personalization applied, every substitution made."""

    address: str
    name: str
    sender: str
    sender_name: str
    reply_to: str
    subject: str
    headers: Mapping[str, str]
    text: str
    html: str
    custom_args: Mapping[str, str]
    categories: Sequence[str]


def problems(request: Any, *, now: float) -> list[Problem]:
    """Everything that SendGrid would refuse in a request's JSON; empty when it would accept it.

    ``now`` is the time in epoch seconds, for ``send_at``.
    """
    if not isinstance(request, dict):
        return [Problem(field=None, message="Bad Request")]
    return list(_request(request, now))


def delivered(request: Mapping[str, Any]) -> list[Delivered]:
    """What the recipients of a valid request get: a message for each ``to``, ``cc`` and ``bcc``."""
    return [
        _for_one(request, personalization, recipient)
        for personalization in request["personalizations"]
        for kind in ("to", "cc", "bcc")
        for recipient in personalization.get(kind, ())
    ]


def _for_one(
    request: Mapping[str, Any], personalization: Mapping[str, Any], recipient: Mapping[str, str]
) -> Delivered:
    substitutions: Mapping[str, str] = personalization.get("substitutions", {})
    tags = sorted(substitutions, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, tags))) if tags else None

    def fill(text: str) -> str:
        return pattern.sub(lambda found: substitutions[found[0]], text) if pattern else text

    sender = personalization.get("from", request["from"])
    content = {part["type"]: part["value"] for part in request.get("content", ())}
    return Delivered(
        address=recipient["email"],
        name=recipient.get("name", ""),
        sender=sender["email"],
        sender_name=sender.get("name", ""),
        reply_to=fill(request.get("reply_to", {}).get("email", "")),
        subject=fill(personalization.get("subject", request.get("subject", ""))),
        # Documented for text, HTML, subject and reply-to only: a tag in another header stays a tag.
        headers={**request.get("headers", {}), **personalization.get("headers", {})},
        text=fill(content.get("text/plain", "")),
        html=fill(content.get("text/html", "")),
        custom_args={**request.get("custom_args", {}), **personalization.get("custom_args", {})},
        categories=list(request.get("categories", ())),
    )


def _request(request: dict[str, Any], now: float) -> Iterator[Problem]:
    for unknown in sorted(request.keys() - TOP_LEVEL):
        yield Problem(field=unknown, message="This field is not part of the v3 mail send request.")
    yield from _sender(request.get("from"), "from")
    if "reply_to" in request and "reply_to_list" in request:
        yield Problem(field="reply_to", message="reply_to and reply_to_list are mutually exclusive.")
    if "reply_to" in request:
        yield from _address(request["reply_to"], "reply_to")
    yield from _personalizations(request)
    yield from _content(request)
    yield from _headers(request.get("headers", {}), "headers")
    yield from _categories(request.get("categories", []))
    yield from _strings(request.get("custom_args", {}), "custom_args")
    yield from _settings(request)
    yield from _send_at(request, "send_at", now)
    everybody = request.get("personalizations")
    for index, personalization in enumerate(everybody if isinstance(everybody, list) else ()):
        if isinstance(personalization, dict):
            yield from _send_at(personalization, f"personalizations.{index}.send_at", now)


def _personalizations(request: dict[str, Any]) -> Iterator[Problem]:
    everybody = request.get("personalizations")
    if not isinstance(everybody, list) or not everybody:
        yield Problem(field="personalizations", message="At least one personalization is required.")
        return
    if len(everybody) > MAX_RECIPIENTS:
        yield Problem(field="personalizations", message=f"At most {MAX_RECIPIENTS} personalizations.")
    seen: set[str] = set()
    recipients = 0
    for index, one in enumerate(everybody):
        at = f"personalizations.{index}"
        if not isinstance(one, dict):
            yield Problem(field=at, message="A personalization must be an object.")
            continue
        for unknown in sorted(one.keys() - PERSONALIZATION):
            yield Problem(field=f"{at}.{unknown}", message="This field is not part of a personalization.")
        if not one.get("to"):
            yield Problem(field=f"{at}.to", message="The to array needs at least one recipient.")
        for kind in ("to", "cc", "bcc"):
            if not isinstance(one.get(kind, []), list):
                yield Problem(field=f"{at}.{kind}", message="Recipients must be an array.")
                continue
            for place, recipient in enumerate(one.get(kind, [])):
                recipients += 1
                yield from _recipient(recipient, f"{at}.{kind}.{place}", seen)
        if "from" in one:
            yield from _sender(one["from"], f"{at}.from")
        yield from _subject(request, one, at)
        yield from _headers(one.get("headers", {}), f"{at}.headers")
        yield from _strings(one.get("substitutions", {}), f"{at}.substitutions")
        if one.get("substitutions") and str(request.get("template_id", "")).startswith("d-"):
            yield Problem(field=f"{at}.substitutions", message="Dynamic templates do not take substitutions.")
        shared, own = request.get("custom_args"), one.get("custom_args", {})
        together = {**shared, **own} if isinstance(shared, dict) and isinstance(own, dict) else own
        yield from _strings(together, f"{at}.custom_args")
    if recipients > MAX_RECIPIENTS:
        yield Problem(field="personalizations", message=f"At most {MAX_RECIPIENTS} recipients.")


def _recipient(recipient: Any, at: str, seen: set[str]) -> Iterator[Problem]:
    found = list(_address(recipient, at))
    yield from found
    if found:
        return
    if set(recipient.get("name", "")) & set(";,"):
        yield Problem(
            field=f"{at}.name", message="A recipient's name may contain neither ; nor , characters."
        )
    address = recipient["email"].lower()
    if address in seen:
        yield Problem(field=at, message=f"Each address should be unique; [{address}] is a duplicate.")
    seen.add(address)


def _address(value: Any, at: str) -> Iterator[Problem]:
    if not isinstance(value, dict) or not isinstance(value.get("email"), str):
        yield Problem(field=at, message="An address needs an email, which must be a string.")
    elif not _ADDRESS.fullmatch(value["email"]):
        yield Problem(field=f"{at}.email", message="Does not contain a valid address.")
    elif not isinstance(value.get("name", ""), str):
        yield Problem(field=f"{at}.name", message="A name must be a string.")
    elif unknown := value.keys() - {"email", "name"}:
        yield Problem(field=at, message=f"An address has no {min(unknown)}.")


def _sender(value: Any, at: str) -> Iterator[Problem]:
    found = list(_address(value, at))
    yield from found
    if not found and not (value["email"] + value.get("name", "")).isascii():
        yield Problem(field=at, message="Unicode encoding is not supported for the from field.")


def _subject(request: dict[str, Any], one: dict[str, Any], at: str) -> Iterator[Problem]:
    subject = one.get("subject", request.get("subject"))
    if subject is None and "template_id" in request:
        return
    if not isinstance(subject, str) or not subject:
        yield Problem(field=f"{at}.subject", message="The subject is required, at least one character long.")


def _content(request: dict[str, Any]) -> Iterator[Problem]:
    content = request.get("content")
    if content is None and "template_id" in request:
        return
    if not isinstance(content, list) or not content:
        yield Problem(field="content", message="Unless a template is used, at least one content is required.")
        return
    types: list[str] = []
    for index, part in enumerate(content):
        if not isinstance(part, dict):
            yield Problem(field=f"content.{index}", message="A content must be an object.")
            continue
        for name in ("type", "value"):
            if not isinstance(part.get(name), str) or not part[name]:
                yield Problem(
                    field=f"content.{index}.{name}", message=f"The content {name} must be a non-empty string."
                )
        types.append(str(part.get("type")))
    order = {"text/plain": 0, "text/html": 1}
    if types != sorted(types, key=lambda kind: order.get(kind, 2)):
        yield Problem(
            field="content", message="text/plain must come first, then text/html, then any other type."
        )
    if len(set(types)) != len(types):
        yield Problem(field="content", message="Each content type may appear once.")


def _headers(headers: Any, at: str) -> Iterator[Problem]:
    yield from _strings(headers, at, limit=None)
    for name, value in headers.items() if isinstance(headers, dict) else ():
        if name.lower() in RESERVED_HEADERS:
            yield Problem(field=f"{at}.{name}", message="This header is reserved and cannot be used.")
        if not f"{name}{value}".isascii() or re.search(r"[\r\n]", f"{name}{value}"):
            yield Problem(field=f"{at}.{name}", message="A header must be encoded and stand on one line.")


def _strings(values: Any, at: str, *, limit: int | None = MAX_COLLECTED_BYTES) -> Iterator[Problem]:
    if not isinstance(values, dict):
        yield Problem(field=at, message="This must be an object.")
        return
    for name, value in values.items():
        if not isinstance(value, str):
            yield Problem(field=f"{at}.{name}", message="Every value must be a string.")
    size = sum(len(f"{name}{value}".encode("utf-8", "surrogatepass")) for name, value in values.items())
    if limit is not None and size > limit:
        yield Problem(field=at, message=f"The total size must not exceed {limit} bytes.")


def _categories(categories: Any) -> Iterator[Problem]:
    if not isinstance(categories, list) or not all(isinstance(one, str) for one in categories):
        yield Problem(field="categories", message="Categories must be an array of strings.")
        return
    if len(categories) > MAX_CATEGORIES or len(set(categories)) != len(categories):
        yield Problem(field="categories", message=f"At most {MAX_CATEGORIES} categories, each once.")
    if any(len(one) > MAX_CATEGORY_CHARACTERS for one in categories):
        yield Problem(
            field="categories", message=f"A category has at most {MAX_CATEGORY_CHARACTERS} characters."
        )


def _settings(request: dict[str, Any]) -> Iterator[Problem]:
    for name in ("asm", "mail_settings", "tracking_settings"):
        settings = request.get(name, {})
        if not isinstance(settings, dict):
            yield Problem(field=name, message="This must be an object.")
        elif name != "asm" and not all(isinstance(one, dict) for one in settings.values()):
            yield Problem(field=name, message="Each setting must be an object.")


def _send_at(values: dict[str, Any], at: str, now: float) -> Iterator[Problem]:
    if "send_at" not in values:
        return
    when = values["send_at"]
    if not isinstance(when, int) or isinstance(when, bool):
        yield Problem(field=at, message="send_at must be a Unix timestamp.")
    elif when > now + MAX_AHEAD_SECONDS:
        yield Problem(field=at, message="send_at may lie at most 72 hours ahead.")
