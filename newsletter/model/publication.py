"""Newsletter: the publication. One per database."""

from __future__ import annotations

from dataclasses import dataclass, field

from newsletter.model.tracking import Tracking
from subscribers.model import Cadence


@dataclass(frozen=True, kw_only=True)
class Sender:
    """Who the mail comes from: a display name (may be empty) and an address."""

    name: str
    address: str

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>" if self.name else self.address


@dataclass(frozen=True, kw_only=True)
class Newsletter:
    """The publication as the author set it up. Empty strings mean "not set yet"."""

    title: str
    sender: Sender | None
    reply_to: str = ""
    postal_address: str = ""
    disclaimer: str = ""
    language: str = "en"  #: BCP 47
    timezone: str = "UTC"  #: IANA name
    theme: str = "letter"
    base_url: str = "http://localhost:8000"  #: no trailing slash
    cadence: Cadence = Cadence.EACH  #: for subscribers who chose nothing
    site_url: str = ""
    theme_folder: str = field(default="")  #: the author's overrides; empty: none
    subject: str = ""  #: a template of subjects; empty: the post's title
    tracking: Tracking = Tracking.OFF
    preheader: str = ""  #: a template of preview lines; empty: the post's first words

    @property
    def host(self) -> str:
        """The domain that Message-ID and List-Id are made of: that of From, else ``localhost``."""
        return self.sender.address.rpartition("@")[2] if self.sender else "localhost"
