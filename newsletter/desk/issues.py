"""Drafts, approval and sending."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

from newsletter.archive import SHOWN, atom_feed, issue_page, json_feed
from newsletter.compose import Mode, pictures_of, shows_excerpts
from newsletter.desk.base import Verbs
from newsletter.desk.shown import IssueShown
from newsletter.errors import ConfigError, Conflict, Invalid, NotFound, TemplateProblem
from newsletter.model.checklist import CheckLine
from newsletter.model.issue import PREHEADER_MOST, SUBJECT_MOST, Issue, IssueState
from newsletter.model.picture import Pictured
from newsletter.model.receipt import Receipt
from newsletter.steps import composing, dispatch, drafting, rendering
from newsletter.steps.dispatch import Tested
from subscribers.addresses import normalise
from subscribers.segments import Filter, Segments, plain_name

if TYPE_CHECKING:
    from newsletter.store.unit import Unit

ALT_MOST: Final = 500  #: characters of a picture's description: screen readers read it in one breath
_NONE: Final[Mapping[str, str | None]] = {}


class IssueVerbs(Verbs):
    def issues(
        self, state: IssueState | None = None, limit: int = 50, after: int = 0
    ) -> Sequence[IssueShown]:
        """Newest first; ``after`` is the last id of the page before."""
        with self.tools.read() as unit:
            found = unit.issues.list(states=[state] if state else (), limit=limit, after=after)
            return [show(unit, issue) for issue in found]

    def issue(self, issue_id: int) -> IssueShown:
        with self.tools.read() as unit:
            return show(unit, unit.issues.get(issue_id))

    def refresh(self, issue_id: int) -> None:
        """Composes and checks a draft anew where its posts, the settings or the theme changed since; where
        that cannot be done, its checklist says why. Anything but a draft stays as it is. Raises NotFound."""
        current = composing.fingerprint(self.tools, self.tools.settings())
        with self.tools.read() as unit:
            is_draft = unit.issues.get(issue_id).state is IssueState.DRAFT
            stale = issue_id in unit.issues.stale_drafts(fingerprint=current)
        if is_draft and stale:
            with suppress(TemplateProblem, ConfigError):
                composing.recompose(self.tools, issue_id)

    def preview(
        self,
        issue_id: int,
        format: Literal["html", "text", "mime"] = "html",
        mode: Mode = Mode.LIGHT,
        images: bool = True,
        reader: str | int = "",
    ) -> str:
        """The email as it will be sent, from the same bytes, as one kind of program shows it.

        ``reader`` is a subscriber's address or id: what they would get, with their own links; otherwise
        all of it with nobody's. Raises NotFound, Conflict where they would get nothing of it.
        """
        return rendering.preview(self.tools, issue_id, format=format, mode=mode, images=images, reader=reader)

    def public_page(self, issue_id: int) -> str:
        """An issue as everybody may read it. Raises NotFound for one that was never sent."""
        with self.tools.read() as unit:
            if unit.issues.get(issue_id).started_at is None:
                raise NotFound(f"There is no issue {issue_id}.")
            artefact = unit.artefacts.get(issue_id)
        return issue_page(artefact, base_url=self.tools.settings().public_url, issue_id=issue_id)

    def public_feed(self, form: Literal["atom", "json"]) -> str:
        """The newest issues that were sent, as a feed document."""
        sent = [IssueState.SENDING, IssueState.PAUSED, IssueState.FINISHED]
        newsletter = self.tools.newsletter(self.tools.settings())
        with self.tools.read() as unit:
            issues = unit.issues.list(states=sent, limit=SHOWN)
        return (atom_feed if form == "atom" else json_feed)(newsletter, issues)

    def edit_issue(
        self,
        issue_id: int,
        subject: str | None = None,
        preheader: str | None = None,
        note: str | None = None,
        excerpts: bool | None = None,
        alts: Mapping[str, str | None] = _NONE,
        segment: str | None = None,
        include: Iterable[int] = (),
        exclude: Iterable[int] = (),
    ) -> IssueShown:
        """Changes a draft and composes it again; an approved one goes back to draft first.

        ``excerpts``: show posts by their beginnings, or whole. ``alts``: descriptions of pictures by
        address; empty for mere decoration, None for what the blog says. ``segment`` is the name of the saved
        segment that it is for, empty for everybody. Raises Invalid for a subject or preview line that is too
        long and for an address that none of its pictures has, NotFound for a segment that is not there.
        """
        now = self._now()
        if len(subject or "") > SUBJECT_MOST or len(preheader or "") > PREHEADER_MOST:
            raise Invalid(
                f"A subject has at most {SUBJECT_MOST} characters and a preview line {PREHEADER_MOST}.",
                hint="Shorten it; phones show far fewer.",
            )
        if unknown := set(alts) - {picture.source for picture in self.pictures(issue_id)}:
            raise Invalid(
                f"Issue {issue_id} shows no picture {min(unknown)}.",
                hint="Write its address as the post has it.",
            )
        wanted = None if segment is None else plain_name(segment)
        with self.tools.begin() as unit:
            if wanted and Segments(unit.conn).named(wanted) is None:
                raise NotFound(
                    f"There is no segment “{wanted}”.", hint="See: newsletter subscribers segments list"
                )
            if unit.issues.get(issue_id).state is IssueState.APPROVED:
                unit.issues.back_to_draft(issue_id, reason="You edited it after approving it.", now=now)
            unit.issues.edit(
                issue_id,
                now=now,
                subject=None if subject is None else " ".join(subject.split()),
                preheader=None if preheader is None else " ".join(preheader.split()),
                note=note,
                excerpts=excerpts,
                alts={
                    source: None if alt is None else " ".join(alt.split())[:ALT_MOST]
                    for source, alt in alts.items()
                },
                segment=wanted,
                include=include,
                exclude=exclude,
            )
            self._audit(unit, "edit", f"issue {issue_id}")
        composing.recompose(self.tools, issue_id)
        return self.issue(issue_id)

    def check_links(self, issue_id: int) -> Sequence[CheckLine]:
        """Asks whether every link opens and every picture is there and light; the checklist then says so.

        It takes up to eight seconds for each eight addresses that do not answer. Raises NotFound where
        nothing is composed yet.
        """
        return drafting.ask_links(self.tools, issue_id)

    def shows_excerpts(self, issue_id: int) -> bool:
        """Whether the issue shows its posts by their beginnings, by the author's choice or the theme's."""
        settings = self.tools.settings()
        with self.tools.read() as unit:
            issue = unit.issues.get(issue_id)
        try:
            theme = self.tools.themes.get(settings.theme, settings.theme_folder)
        except (ConfigError, TemplateProblem):
            return bool(issue.excerpts)  # a draft can be looked at while its theme is being mended
        return shows_excerpts(issue, theme)

    def pictures(self, issue_id: int) -> Sequence[Pictured]:
        """The images of an issue's posts, in order, and how each is described. Raises NotFound."""
        settings = self.tools.settings()
        with self.tools.read() as unit:
            issue = unit.issues.get(issue_id)
            posts = unit.posts.get_many(place.post_id for place in issue.included)
        return pictures_of(
            self.tools.newsletter(settings), issue, list(posts), excerpts=self.shows_excerpts(issue_id)
        )

    def picture(self, name: str) -> bytes:
        """Our copy of a picture, for everybody. Raises NotFound."""
        with self.tools.read() as unit:
            body = unit.pictures.copy(name)
        if body is None:
            raise NotFound("There is no such picture.")
        return body

    def audience_size(self, issue_id: int) -> int:
        """How many would get it if it went now; 0 where its segment is not there any more."""
        default = self.tools.settings().cadence
        with self.tools.read() as unit:
            issue = unit.issues.get(issue_id)
            wanted = Filter.from_json(issue.segment_filter) if issue.segment_filter else None
            if issue.segment and wanted is None:
                saved = Segments(unit.conn).named(issue.segment)
                if saved is None:
                    return 0
                wanted = saved.filter
            return unit.subscribers.audience_size(issue.cadence, default, self._now(), wanted)

    def recompose_drafts(self) -> None:
        """Composes every draft again at once, after a setting changed what is in every email."""
        with self.tools.read() as unit:
            drafts = unit.issues.list(states=[IssueState.DRAFT], limit=1000)
        for issue in drafts:
            composing.recompose(self.tools, issue.id)

    def test_issue(self, issue_id: int, to: str) -> Tested:
        """Sends the issue to one address, now; it never looks at the subscribers. Returns what happened.

        Raises Invalid for what is no address, TransportProblem where nothing at all can be sent.
        """
        return dispatch.send_test(self.tools, issue_id, normalise(to).text)

    def approve_issue(self, issue_id: int, at: datetime | None = None, seen: str = "") -> IssueShown:
        """Freezes a draft and lets it go at that time, or now.

        ``seen`` is the content hash that the author looked at. Raises NotReady naming what blocks, Conflict
        where the draft is no longer the one that was seen.
        """
        drafting.approve_issue(self.tools, issue_id, at=at, who="author", seen=seen)
        return self.issue(issue_id)

    def unapprove_issue(self, issue_id: int) -> IssueShown:
        with self.tools.begin() as unit:
            unit.issues.back_to_draft(issue_id, reason="You took the approval back.", now=self._now())
            self._audit(unit, "unapprove", f"issue {issue_id}")
        return self.issue(issue_id)

    def stop_issue(self, issue_id: int) -> IssueShown:
        """Whatever it was about to do, it does not: a draft that would go by itself waits, an approved issue
        is a draft again, one that is being sent pauses. Raises Conflict where nothing is left to stop."""
        now = self._now()
        with self.tools.begin() as unit:
            state = unit.issues.locked(issue_id).state
            if state is IssueState.DRAFT:
                unit.issues.plan(issue_id, None)
            elif state is IssueState.APPROVED:
                unit.issues.back_to_draft(issue_id, reason="You stopped it.", now=now)
            elif state is IssueState.SENDING:
                unit.issues.pause(issue_id, "You stopped it.", now)
            else:
                raise Conflict(f"Issue {issue_id} is {state}: there is nothing to stop.")
            self._audit(unit, "stop", f"issue {issue_id}")
        return self.issue(issue_id)

    def cancel_issue(self, issue_id: int) -> IssueShown:
        """Never sends it, or nobody further; what was sent stays sent."""
        dispatch.cancel(self.tools, issue_id)
        self._audited("cancel", issue_id)
        return self.issue(issue_id)

    def pause_issue(self, issue_id: int) -> IssueShown:
        dispatch.pause(self.tools, issue_id)
        self._audited("pause", issue_id)
        return self.issue(issue_id)

    def resume_issue(self, issue_id: int) -> IssueShown:
        dispatch.resume(self.tools, issue_id)
        self._audited("resume", issue_id)
        return self.issue(issue_id)

    def send_issue(
        self,
        issue_id: int,
        stop: threading.Event | None = None,
        told: Callable[[str], None] = lambda why: None,
    ) -> Receipt:
        """Sends an approved issue in the foreground until nothing remains, it pauses, or ``stop`` is set;
        ``told`` hears why it waits."""
        self._audited("send", issue_id)
        return dispatch.send_now(self.tools, issue_id, stop or threading.Event(), told)

    def settle_unknown(self, issue_id: int, resend: bool) -> int:
        """Leaves the unknown as they are, or sends to them again (some may get it twice); how many."""
        count = dispatch.settle_unknown(self.tools, issue_id, resend=resend)
        self._audited("resend unknown" if resend else "hold unknown", issue_id)
        return count

    def retry_failed(self, issue_id: int) -> int:
        """Sends again to those whose delivery failed; how many."""
        count = dispatch.retry_failed(self.tools, issue_id)
        self._audited("retry failed", issue_id)
        return count

    def _audited(self, action: str, issue_id: int) -> None:
        with self.tools.begin() as unit:
            self._audit(unit, action, f"issue {issue_id}")


def show(unit: Unit, issue: Issue) -> IssueShown:
    posts = {post.id: post for post in unit.posts.get_many(place.post_id for place in issue.posts)}
    return IssueShown(
        issue=issue,
        posts=tuple(posts[place.post_id] for place in issue.posts),
        checklist=unit.artefacts.checklist(issue.id),
        size=unit.artefacts.size(issue.id),
    )
