"""Every link that mail carries, and the headers made of them. Never touches the database or the network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Final

from newsletter.archive import public_values
from newsletter.learn.wishes import mailto
from newsletter.model.identity import message_id
from subscribers.model import Recipient
from subscribers.tokens import Purpose, Tokens

_MOST_MADE: Final = 10_000  #: links remembered for their second use: more than are ever in hand at once


class Links:
    """Builds and reads links for one base URL (without trailing slash)."""

    def __init__(
        self, *, base_url: str, tokens: Tokens, message_key: bytes, host: str, mailbox: str = ""
    ) -> None:
        """``mailbox`` is the address whose mail is read here; empty: none."""
        self.base_url = base_url
        self._tokens = tokens
        self._message_key = message_key
        self._host = host
        self._mailbox = mailbox
        self._made: dict[tuple[int, int], str] = {}

    def unsubscribe(self, subscriber_id: int, issue_id: int = 0) -> str:
        wanted = (subscriber_id, issue_id)
        url = self._made.pop(wanted, None)  # a message has it in its body and in its header
        if url is None:
            url = f"{self.base_url}/u/{self._tokens.sign(Purpose.UNSUBSCRIBE, subscriber_id, issue_id)}"
            if len(self._made) >= _MOST_MADE:
                self._made.clear()
            self._made[wanted] = url
        return url

    def preferences(self, subscriber_id: int) -> str:
        return f"{self.base_url}/p/{self._tokens.sign(Purpose.PREFERENCES, subscriber_id)}"

    def reader(self, recipient: Recipient, issue_id: int) -> str:
        """What counted links of an issue end with: whose visit it is, for those who agreed; else nothing."""
        if not recipient.tracked:
            return ""
        return f"/{self._tokens.sign(Purpose.READER, recipient.id, issue_id)}"

    def issue(self, issue_id: int) -> str:
        return f"{self.base_url}/i/{issue_id}"

    def author_issue(self, issue_id: int, expires_at: datetime) -> str:
        """The author's signed link to an issue: a page to look at, whose buttons approve, go on or cancel."""
        token = self._tokens.sign(Purpose.AUTHOR_ISSUE, issue_id, expires_at=expires_at)
        return f"{self.base_url}/a/{token}"

    def author_feed(self, feed_id: int, expires_at: datetime) -> str:
        """The author's signed link to a feed's held posts and problems: a page to look at and decide on."""
        return f"{self.base_url}/f/{self._tokens.sign(Purpose.AUTHOR_FEED, feed_id, expires_at=expires_at)}"

    def confirm(self, request_id: int) -> str:
        return f"{self.base_url}/c/{self._tokens.sign(Purpose.CONFIRM, request_id)}"

    def personal(self, subscriber_id: int, expires_at: datetime) -> str:
        """A subscriber's link to what needs proof that they read the address's mail."""
        token = self._tokens.sign(Purpose.PERSONAL, subscriber_id, expires_at=expires_at)
        return f"{self.base_url}/m/{token}"

    def studio(self) -> str:
        return f"{self.base_url}/studio/"

    def values(self, recipient: Recipient, issue_id: int) -> Mapping[str, str]:
        """What fills an issue's slots for this recipient, unescaped."""
        return _Values(self, recipient, issue_id)

    def common(self, issue_id: int) -> Mapping[str, str]:
        """What fills the slots of an issue that are the same for every recipient, unescaped."""
        return {"base_url": self.base_url, "view_url": self.issue(issue_id)}

    def public_values(self, issue_id: int) -> Mapping[str, str]:
        return public_values(self.base_url, issue_id)

    def headers(self, recipient: Recipient, issue_id: int) -> tuple[tuple[str, str], ...]:
        """One-click unsubscribe (RFC 8058 section 3.1) and, where a mailbox is read, by mail (RFC 2369).

        RFC 8058 asks for an HTTPS address: without one, the header that promises one click is left out.
        """
        url = self.unsubscribe(recipient.id, issue_id)
        ways = [f"<{url}>"]
        if self._mailbox and issue_id:
            ways.append(f"<{mailto(self._mailbox, url.rpartition('/')[2])}>")
        by_hand = ("List-Unsubscribe", ", ".join(ways))
        if not self.base_url.startswith("https://"):
            return (by_hand,)
        return (by_hand, ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))

    def message_id(self, subscriber_id: int, issue_id: int) -> str:
        return message_id(issue_id, subscriber_id, self._message_key, self._host)

    def notice_id(self, notice_id: int) -> str:
        return message_id(0, notice_id, self._message_key, self._host)


class _Values(Mapping[str, str]):
    """A recipient's values, each made when a letter asks for it: signing is most of the cost of a message."""

    __slots__ = ("_issue_id", "_links", "_recipient")

    def __init__(self, links: Links, recipient: Recipient, issue_id: int) -> None:
        self._links = links
        self._recipient = recipient
        self._issue_id = issue_id

    def __getitem__(self, slot: str) -> str:
        return _SLOTS[slot](self._links, self._recipient, self._issue_id)

    def __iter__(self) -> Iterator[str]:
        return iter(_SLOTS)

    def __len__(self) -> int:
        return len(_SLOTS)


_SLOTS: Final[Mapping[str, Callable[[Links, Recipient, int], str]]] = {
    "unsubscribe_url": lambda links, recipient, issue_id: links.unsubscribe(recipient.id, issue_id),
    "preferences_url": lambda links, recipient, issue_id: links.preferences(recipient.id),
    "view_url": lambda links, recipient, issue_id: links.issue(issue_id),
    "base_url": lambda links, recipient, issue_id: links.base_url,
    "reader": lambda links, recipient, issue_id: links.reader(recipient, issue_id),
    "name": lambda links, recipient, issue_id: recipient.name,
}
