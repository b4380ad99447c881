"""Outbox: writes each message as a file into a Maildir. For trying out, and for relays that pick it up."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from newsletter.errors import Invalid, TransportProblem
from newsletter.model.delivery import Envelope, Outcome, Verdict
from newsletter.send.dkim import Signer
from newsletter.send.message import Press


class Outbox:
    """A Maildir (https://cr.yp.to/proto/maildir.html): written in ``tmp``, synced, then moved to ``new``.

    A file is named by its delivery, so that handing over the same delivery twice leaves one file.
    """

    name = "outbox"
    window = 16
    in_hand = 32

    def __init__(
        self,
        folder: Path,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        signer: Signer | None = None,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._press = Press(signer)

    def hand_over(self, envelopes: Iterable[Envelope]) -> Iterator[Outcome]:
        """Raises TransportProblem where the folder cannot be written (after the outcome it was at)."""
        self._prepare()
        for envelope in envelopes:
            try:
                message = b"".join(self._press.pieces(envelope, date=self._clock()))
            except Invalid as problem:
                yield Outcome(
                    key=envelope.key, verdict=Verdict.FAILED, code="invalid", reason=problem.message
                )
                continue
            try:
                name = self._write(envelope, message)
            except OSError as error:
                yield Outcome(key=envelope.key, verdict=Verdict.UNSENT)
                raise self._problem(error) from error
            yield Outcome(key=envelope.key, verdict=Verdict.ACCEPTED, provider_id=name)

    def _prepare(self) -> None:
        try:
            for part in ("tmp", "new", "cur"):  # mail is nobody else's to read
                (self._folder / part).mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise self._problem(error) from error

    def _write(self, envelope: Envelope, message: bytes) -> str:
        digest = sha256(envelope.message_id.encode()).hexdigest()[:12]
        name = f"{envelope.key.issue_id:06d}-{envelope.key.number:08d}-{digest}.eml"
        draft = self._folder / "tmp" / name
        with draft.open("wb") as file:
            file.write(message)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._folder / "new" / name)
        descriptor = os.open(self._folder / "new", os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return name

    def _problem(self, error: OSError) -> TransportProblem:
        return TransportProblem(
            f"The outbox folder cannot be written: {error.strerror}.",
            hint="Check NEWSLETTER_OUTBOX_DIR, its permissions and the room on the disk.",
        )
