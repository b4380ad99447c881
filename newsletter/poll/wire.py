"""What passes between us and the parsing child: length-prefixed frames of JSON and bytes, never pickles.

A request is one frame of JSON and one of the document's bytes. The answer is any number of frames, each one
JSON object: ``{"document": …}`` first, ``{"entries": […]}`` as often as needed, then ``{"end": ""}`` or,
at any point, ``{"refused": reason}`` which ends it too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from newsletter.model.entry import Entry, FeedDocument

LENGTH = 4  #: bytes of a frame's big-endian length
FRAME_LIMIT = 64 * 1024 * 1024
_DATES = {"published_at", "updated_at"}
_META = [field.name for field in fields(FeedDocument) if field.name not in {"entries", "known"}]


def frame(payload: bytes) -> bytes:
    return len(payload).to_bytes(LENGTH, "big") + payload


def json_frame(message: Mapping[str, Any]) -> bytes:
    return frame(json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode())


def document_out(document: FeedDocument) -> dict[str, Any]:
    return {name: getattr(document, name) for name in _META}


def document_in(message: Mapping[str, Any], entries: tuple[Entry, ...]) -> FeedDocument:
    """Raises TypeError or KeyError for what :func:`document_out` never wrote."""
    return FeedDocument(**{name: message[name] for name in _META}, entries=entries)


def entry_out(entry: Entry) -> dict[str, Any]:
    values = {field.name: getattr(entry, field.name) for field in fields(Entry)}
    for name in _DATES:
        moment = values[name]
        values[name] = None if moment is None else int(moment.timestamp())
    return values


def entry_in(message: Mapping[str, Any]) -> Entry:
    values = dict(message)
    for name in _DATES:
        seconds = values[name]
        values[name] = None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    values["topics"] = tuple(values["topics"])
    return Entry(**values)
