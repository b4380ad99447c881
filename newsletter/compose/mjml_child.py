"""The MJML compiler in a process of its own; :mod:`newsletter.compose.compiler` starts it.

It may crash (deep nesting overflows its stack) and holds Python's lock while it works; neither must
reach whoever asks. Frames on stdin and stdout: four bytes of length, big-endian, then the bytes; an
answer's first byte is ``+`` or ``-`` (then a reason follows).

Imports nothing of the product: it starts for every first issue, and quickly.
"""

from __future__ import annotations

import sys
from typing import BinaryIO, Final

HEADER: Final = 4
MAX_FRAME: Final = 32 * 1024 * 1024


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next frame, or None at the end. Raises ValueError for a frame that is too long or cut off."""
    header = stream.read(HEADER)
    if not header:
        return None
    size = int.from_bytes(header, "big")
    if len(header) < HEADER or size > MAX_FRAME:
        raise ValueError("a frame is cut off or too long")
    body = stream.read(size)
    if len(body) < size:
        raise ValueError("a frame is cut off")
    return body


def frame(body: bytes) -> bytes:
    return len(body).to_bytes(HEADER, "big") + body


def main() -> None:
    import mjml

    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while (request := read_frame(requests)) is not None:
        try:
            # fonts={}: without it the compiler links Google's fonts when a default font is used.
            answer = b"+" + mjml.mjml2html(request.decode(), fonts={}).encode()
        except Exception as error:  # the compiler raises ValueError; whatever else it raises is an answer too
            answer = b"-" + str(error).encode()
        answers.write(frame(answer))
        answers.flush()


if __name__ == "__main__":
    main()
