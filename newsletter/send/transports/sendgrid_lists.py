"""SendGrid's own lists of whom it never mails, read page by page.

Of its five lists four are read: its blocks name messages that were refused, not people, and SendGrid goes on
mailing them (https://www.twilio.com/docs/sendgrid/api-reference/blocks-api).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.error import URLError

from newsletter.errors import TransportProblem
from newsletter.send.ports import TransportBusy
from subscribers.model import SuppressionCause

PAGE: Final = 500  #: the most that one request may ask for
LISTS: Final = {
    "bounces": SuppressionCause.BOUNCED,
    "invalid_emails": SuppressionCause.BOUNCED,
    "spam_reports": SuppressionCause.COMPLAINED,
    "unsubscribes": SuppressionCause.UNSUBSCRIBED,
}


def read(client: Any, *, page: int = PAGE) -> Iterator[Sequence[tuple[str, SuppressionCause]]]:
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
