"""The newsletter itself: its settings, what needs the author, whether all is well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from newsletter import config
from newsletter.compose.shrink import require_pillow
from newsletter.config import SettingShown
from newsletter.desk.base import Verbs
from newsletter.desk.choices import refuse_unknown
from newsletter.desk.doors import Doors
from newsletter.desk.health import examine
from newsletter.desk.issues import show
from newsletter.desk.shown import Today
from newsletter.errors import Conflict, Invalid
from newsletter.model.checklist import CheckLine
from newsletter.model.issue import IssueState
from newsletter.model.post import PostState
from newsletter.model.publication import Newsletter
from newsletter.steps import rendering
from newsletter.steps.composing import TRACKABLE
from subscribers import rhythms
from subscribers.model import Cadence

_TRACKED_BY: Final = ("tracking", "base_url", "allow_private_addresses")
_DEFAULT_CADENCE: Final = str(config.Settings.model_fields["cadence"].default)


class SetupVerbs(Verbs):
    doors: Doors

    def newsletter(self) -> Newsletter:
        return self.tools.newsletter(self.tools.settings())

    def settings(self) -> Sequence[SettingShown]:
        """Every setting, in the order of their documentation."""
        with self.tools.read() as unit:
            stored = unit.settings.all()
        return config.shown(self.tools.settings(), self.tools.fixed, stored)

    def setting(self, name: str) -> SettingShown:
        """Raises Invalid for an unknown name."""
        wanted = name.upper().removeprefix(config.PREFIX)
        for shown in self.settings():
            if shown.name == wanted:
                return shown
        raise Invalid(f"There is no setting called {name}.", hint="See: newsletter settings list")

    def set_setting(self, name: str, value: str) -> SettingShown:
        """Stores a setting; an empty value brings the default back.

        Raises Invalid for a value it cannot have, ExtraMissing for one that needs an extra, Conflict where
        the environment fixes it.
        """
        shown = self.setting(name)
        if shown.fixed and shown.name not in {config.public_name(field) for field in config.BOOT}:
            raise Conflict(
                f"{shown.name} comes from the environment and cannot be changed here.",
                hint=f"Change or remove {config.PREFIX}{shown.name} in .env or the environment.",
            )
        if value.strip():
            refuse_unknown(shown.name, value.strip(), self.tools.themes.names())
            if (shown.name, value.strip()) == ("IMAGES", "copied"):
                require_pillow()
        text = config.parse_one(name, value) if value.strip() else ""
        field = config.FIELDS[shown.name]
        if field in _TRACKED_BY:
            self._refuse_untrackable(field, text)
        with self.tools.begin() as unit:
            if not text:
                unit.settings.remove(field)
            else:
                stored = self.tools.keys.encrypt(text) if config.is_secret(shown.name) else text
                unit.settings.set(field, stored, self._now())
            if shown.name == "CADENCE" and (text or _DEFAULT_CADENCE) != shown.value:
                rhythms.default_changed(unit.conn, Cadence(shown.value), self._now())
            self._audit(unit, "set", f"setting {shown.name}")
        return self.setting(name)

    def _refuse_untrackable(self, field: str, text: str) -> None:
        """Opens and clicks cannot be switched on, nor stay on, without an address that mail can lead to."""
        settings = self.tools.settings()
        known = {name: config.text_of(getattr(settings, name)) for name in _TRACKED_BY if name != field}
        wanted = config.load({}, known | ({field: text} if text else {}))
        if wanted.untrackable and wanted.untrackable != settings.untrackable:
            raise Invalid(wanted.untrackable, hint=TRACKABLE)

    def preview_welcome(self) -> str:
        """See :func:`newsletter.steps.rendering.preview_welcome`."""
        return rendering.preview_welcome(self.tools)

    def today(self) -> Today:
        newsletter = self.newsletter()
        with self.tools.read() as unit:
            drafts = unit.issues.list(states=[IssueState.DRAFT], limit=50)
            sending = unit.issues.list(states=[IssueState.SENDING, IssueState.PAUSED], limit=50)
            approved = unit.issues.list(states=[IssueState.APPROVED], limit=50)
            feeds = unit.feeds.list()
            return Today(
                drafts=[show(unit, issue) for issue in drafts],
                held=unit.posts.list(state=PostState.HELD, limit=50),
                problems=[f"{feed.title or feed.url}: {feed.problem}" for feed in feeds if feed.problem]
                + [f"{issue.subject}: {issue.problem}" for issue in sending if issue.problem],
                sending=[show(unit, issue) for issue in sending],
                approved=[show(unit, issue) for issue in approved],
                set_up=newsletter.sender is not None and bool(feeds),
            )

    def doctor(self) -> Sequence[CheckLine]:
        return examine(self.tools)

    def accept_database(self) -> None:
        """The author says that this database is the right one, although more was sent from here than it
        knows of."""
        with self.tools.begin() as unit:
            self.tools.high_water.accept(unit.deliveries.newest_attempt())
            self._audit(unit, "accept database", "database")

    def login_link(self) -> str:
        """A fresh one-time link to the studio, good for an hour."""
        return f"{self.tools.settings().public_url}/studio/login/{self.doors.new_login()}"
