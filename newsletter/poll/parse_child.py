"""The parsing child: ``python -m newsletter.poll.parse_child``, one document after the other on stdin.

It may be killed at any moment by its limits or by its parent, and holds nothing worth keeping.
"""

from __future__ import annotations

import json
import os
import sys
from typing import BinaryIO

from newsletter.poll import limits, wire
from newsletter.poll.reading import NoFeed, read

ENTRIES_PER_FRAME = 50


def main() -> None:
    """Answers until stdin ends. Exits at once after running out of memory: what is left of it is doubtful."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not reach the protocol
    limits.limit_memory()
    while (request := _frame(requests)) is not None:
        body = _frame(requests)
        if body is None:
            return
        limits.allow_cpu()
        try:
            _answer(answers, json.loads(request), body)
        except NoFeed as error:
            answers.write(wire.json_frame({"refused": str(error)}))
        except RecursionError:
            answers.write(wire.json_frame({"refused": "its markup is nested too deeply"}))
        except MemoryError:
            del body
            answers.write(
                wire.json_frame({"refused": f"reading it takes more than {limits.MEMORY >> 20} MB of memory"})
            )
            answers.flush()
            os._exit(3)
        answers.flush()


def _answer(answers: BinaryIO, request: dict[str, str], body: bytes) -> None:
    for number, part in enumerate(read(body, url=request["url"], content_type=request["content_type"])):
        if number == 0:
            answers.write(wire.json_frame({"document": wire.document_out(part)}))
        for first in range(0, len(part.entries), ENTRIES_PER_FRAME):
            some = part.entries[first : first + ENTRIES_PER_FRAME]
            answers.write(wire.json_frame({"entries": [wire.entry_out(entry) for entry in some]}))
    answers.write(wire.json_frame({"end": ""}))


def _frame(stream: BinaryIO) -> bytes | None:
    head = stream.read(wire.LENGTH)
    if len(head) < wire.LENGTH:
        return None
    return stream.read(int.from_bytes(head, "big"))


if __name__ == "__main__":
    main()
