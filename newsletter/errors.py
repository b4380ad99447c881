"""Every fault the product tells a person, as one tree.

    NewsletterError                 a problem told in one sentence (exit 1, HTTP 400)
    ├── ConfigError                 a setting is missing, malformed or contradicts another
    │   └── ExtraMissing            an optional extra is not installed; says the command that adds it
    ├── NotFound                    no such thing (HTTP 404)
    ├── Conflict                    not in this state (HTTP 409)
    │   └── NotReady                the checklist blocks approval
    ├── Invalid                     what was given cannot be used: an address, a file, a date
    ├── FeedProblem                 a feed could not be read; carries the feed's URL
    │   ├── FeedUnreachable         no answer, or not the answer of a feed
    │   ├── FeedGone                410: the feed says that it has ended
    │   └── FeedUnparsable          an answer came, but it is no feed, or a hostile one
    ├── RequestProblem              an outgoing request failed
    │   ├── AddressForbidden        it would have reached a private or reserved address
    │   ├── TooLarge                the body passed its cap after decompression
    │   └── RequestFailed           DNS, connection, TLS, time-out, too many redirects
    ├── TemplateProblem             a theme or template is wrong; carries file, line and reason
    ├── TransportProblem            the way mail is sent refuses us as a whole (authentication, quota)
    │   └── TransportBusy           it is overloaded or out of reach just now; it is tried again by itself
    └── StoreProblem                the database cannot be used (newer schema, locked, damaged)

Only the edges translate these: the command line into exit codes and JSON, the web into status codes.
"""

from __future__ import annotations


class NewsletterError(Exception):
    """A problem told in one sentence.

    ``message`` says what happened and to what; ``hint`` says what to do next and may be empty.
    ``code`` is stable and read by machines.
    """

    code = "problem"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class ConfigError(NewsletterError):
    code = "config"


class ExtraMissing(ConfigError):
    """A feature needs a package outside the base install."""

    code = "extra_missing"

    def __init__(self, *, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs the optional extra [{extra}], which is not installed.",
            hint=f"Add it with: pip install 'newsletter-pipeline[{extra}]'",
        )


class NotFound(NewsletterError):
    code = "not_found"


class Conflict(NewsletterError):
    code = "conflict"


class NotReady(Conflict):
    code = "not_ready"


class Invalid(NewsletterError):
    code = "invalid"


class FeedProblem(NewsletterError):
    """Something about one feed; ``url`` is the feed's address as we know it."""

    code = "feed"

    def __init__(self, message: str, *, url: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.url = url


class FeedUnreachable(FeedProblem):
    code = "feed_unreachable"


class FeedGone(FeedProblem):
    code = "feed_gone"


class FeedUnparsable(FeedProblem):
    code = "feed_unparsable"


class RequestProblem(NewsletterError):
    """An outgoing request failed; ``url`` is the hop that failed."""

    code = "request"

    def __init__(self, message: str, *, url: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.url = url


class AddressForbidden(RequestProblem):
    code = "address_forbidden"


class TooLarge(RequestProblem):
    code = "too_large"


class RequestFailed(RequestProblem):
    code = "request_failed"


class TemplateProblem(NewsletterError):
    """A theme or template file is wrong; ``file`` and ``line`` say where (line 0: the file as a whole)."""

    code = "template"

    def __init__(self, message: str, *, file: str, line: int = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.file = file
        self.line = line


class TransportProblem(NewsletterError):
    code = "transport"


class TransportBusy(TransportProblem):
    """The transport cannot be reached or is overloaded just now: it may pass without the author, after
    ``wait_s`` seconds at the soonest."""

    code = "transport_busy"

    def __init__(self, message: str, *, hint: str = "", wait_s: float = 60.0) -> None:
        super().__init__(message, hint=hint)
        self.wait_s = wait_s


class StoreProblem(NewsletterError):
    code = "store"
