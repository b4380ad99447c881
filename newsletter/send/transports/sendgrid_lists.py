"""SendGrid's own lists of whom it never mails, read page by page.

Four of its five lists are of people. Its blocks name messages that were refused lately, and SendGrid goes on
mailing those addresses (https://www.twilio.com/docs/sendgrid/api-reference/blocks-api): each is a strike.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.error import URLError

from newsletter.errors import TransportBusy, TransportProblem
from subscribers.model import SuppressionCause

PAGE: Final = 500  #: the most that one request may ask for
LISTS: Final[Mapping[str, SuppressionCause | None]] = {
    "bounces": SuppressionCause.BOUNCED,
    "invalid_emails": SuppressionCause.BOUNCED,
    "spam_reports": SuppressionCause.COMPLAINED,
    "unsubscribes": SuppressionCause.UNSUBSCRIBED,
    "blocks": None,
}


def read(client: Any, *, page: int = PAGE) -> Iterator[Sequence[tuple[str, SuppressionCause | None]]]:
    """Pages of ``(address, why)``. ``client`` is the official client's. Raises as
    :meth:`newsletter.send.ports.KnowsSuppressions.suppressions` says."""
    for name, cause in LISTS.items():
        offset = 0
        while True:
            rows = _page(client, name, offset, page)
            yield [(str(row["email"]), cause) for row in rows if isinstance(row, dict) and row.get("email")]
            if len(rows) < page:
                break
            offset += page


def _page(client: Any, name: str, offset: int, page: int) -> list[Any]:
    try:
        answer = client.suppression._(name).get(query_params={"limit": page, "offset": offset})
    except (URLError, OSError) as error:
        raise TransportBusy(
            "SendGrid cannot be asked whom it never mails.", hint="It is asked again."
        ) from error
    if answer.status_code == 429 or answer.status_code >= 500:
        raise TransportBusy("SendGrid does not say just now whom it never mails.", hint="It is asked again.")
    try:
        rows = json.loads(answer.body) if answer.status_code == 200 else None
    except ValueError:
        rows = None
    if not isinstance(rows, list):
        raise TransportProblem(
            f"SendGrid does not say whom it never mails ({answer.status_code}).",
            hint="Give the API key the right to read suppressions, or do without: newsletter settings set "
            "SENDGRID_SUPPRESSIONS waive. Then resume the issue.",
        )
    return rows
