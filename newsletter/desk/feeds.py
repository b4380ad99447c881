"""Feeds and posts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from newsletter.compose import told_of
from newsletter.desk.base import Verbs
from newsletter.desk.shown import FeedShown, FeedWaiting, HeldPost
from newsletter.errors import Conflict, FeedProblem
from newsletter.model.feed import Feed, PollResult
from newsletter.model.issue import IssueState
from newsletter.model.post import Post, PostState
from newsletter.poll import Checked, FoundFeed, check, find_feeds, read_opml, write_opml
from newsletter.poll.fulltext import require_fulltext
from newsletter.steps import intake
from newsletter.steps.intake import Polled

POLLS_SHOWN = 30
POSTS_SHOWN = 50


class FeedVerbs(Verbs):
    def find_feeds(self, url: str) -> Sequence[FoundFeed]:
        """The feeds at or behind an address, the best first; empty where there is none."""
        settings = self.tools.settings()
        return find_feeds(url, self.tools.http(settings), self.tools.parser)

    def choose_feed(self, url: str) -> Sequence[FoundFeed]:
        """As :meth:`find_feeds`; raises FeedProblem where there is none."""
        found = self.find_feeds(url)
        if not found:
            raise FeedProblem(
                f"No feed was found at {url}.",
                url=url,
                hint="Give the address of the blog's feed itself; most blogs name it on their home page.",
            )
        return found

    def add_feed(self, url: str) -> Feed:
        """Watches the best feed at or behind an address. Raises FeedProblem where there is none."""
        return self.take_feed(self.choose_feed(url)[0])

    def take_feed(self, found: FoundFeed, full_text: bool = False) -> Feed:
        """Watches this feed; ``full_text``: see :meth:`set_full_text`. Raises ExtraMissing."""
        if full_text:
            require_fulltext()
        with self.tools.begin() as unit:
            feed = unit.feeds.add(found.url, now=self._now(), title=found.title)
            if full_text:
                feed = unit.feeds.set_full_text(feed.id, True)
            self._audit(unit, "add feed", f"feed {feed.id}")
        return _without_secret(feed)

    def set_full_text(self, feed_id: int, wanted: bool) -> Feed:
        """Whether posts that come as summaries are completed from their pages. Raises NotFound, ExtraMissing.

        Those that wait to be mailed are completed at the next look.
        """
        if wanted:
            require_fulltext()
        with self.tools.begin() as unit:
            feed = unit.feeds.set_full_text(feed_id, wanted)
            self._audit(unit, "full text on" if wanted else "full text off", f"feed {feed_id}")
        return _without_secret(feed)

    def check_feed(self, url: str) -> Checked:
        """What a first look at this feed would see; nothing is stored. Raises FeedProblem."""
        settings = self.tools.settings()
        return check(url, self.tools.http(settings), self.tools.parser)

    def import_feeds(self, opml: bytes) -> Sequence[Feed]:
        """Watches every feed of an OPML file; those that are watched already stay as they are.

        Raises Invalid for what is no OPML.
        """
        added = []
        with self.tools.begin() as unit:
            known = {feed.url for feed in unit.feeds.list()}
            for outline in read_opml(opml):
                if outline.url not in known:
                    added.append(unit.feeds.add(outline.url, now=self._now(), title=outline.title))
            self._audit(unit, "import feeds", f"{len(added)} feeds")
        return added

    def export_feeds(self) -> bytes:
        """The feeds as an OPML file."""
        title = self.tools.newsletter(self.tools.settings()).title
        return write_opml(self.feeds(), title=title, now=self._now())

    def feeds(self) -> Sequence[Feed]:
        with self.tools.read() as unit:
            return [_without_secret(feed) for feed in unit.feeds.list()]

    def feed(self, feed_id: int) -> FeedShown:
        with self.tools.read() as unit:
            posts = unit.posts.list(feed_id=feed_id, limit=POSTS_SHOWN)
            return FeedShown(
                feed=_without_secret(unit.feeds.get(feed_id)),
                polls=unit.feeds.polls(feed_id, limit=POLLS_SHOWN),
                posts=posts,
                carriers=unit.posts.carriers(post.id for post in posts),
                elsewhere=unit.posts.of_other_feeds(feed_id, limit=POSTS_SHOWN),
            )

    def feed_waiting(self, feed_id: int) -> FeedWaiting:
        """What of a feed waits for the author: its held posts, oldest first, and its problem."""
        newsletter = self.tools.newsletter(self.tools.settings())
        with self.tools.read() as unit:
            feed = unit.feeds.get(feed_id)
            held = unit.posts.list(state=PostState.HELD, feed_id=feed_id, limit=POSTS_SHOWN)
        posts = tuple(HeldPost(post=post, told=told_of(post, newsletter)) for post in reversed(held))
        return FeedWaiting(feed=_without_secret(feed), held=posts)

    def remove_feed(self, feed_id: int) -> None:
        with self.tools.begin() as unit:
            unit.feeds.remove(feed_id, now=self._now())
            self._audit(unit, "remove feed", f"feed {feed_id}")

    def poll(self, feed_id: int | None = None) -> Sequence[Polled]:
        """Looks at one feed or all, now, whatever the schedule says; drafts follow at the next turn.

        Raises NotFound, and Conflict for a single feed that is looked at already.
        """
        if feed_id is not None:
            return [intake.poll_feed(self.tools, feed_id)]
        return [self._poll_one_of_all(feed.id) for feed in self.feeds()]

    def _poll_one_of_all(self, feed_id: int) -> Polled:
        try:
            return intake.poll_feed(self.tools, feed_id)
        except Conflict as problem:  # the schedule was faster: that stops no other feed
            return Polled(feed_id=feed_id, result=PollResult.UNCHANGED, problem=problem.message)

    def posts(
        self, state: PostState | None = None, feed_id: int | None = None, limit: int = 50, after: int = 0
    ) -> Sequence[Post]:
        """Newest first."""
        with self.tools.read() as unit:
            return unit.posts.list(state=state, feed_id=feed_id, limit=limit, after=after)

    def post(self, post_id: int) -> Post:
        with self.tools.read() as unit:
            return unit.posts.get(post_id)

    def issues_of(self, posts: Sequence[Post]) -> dict[int, list[tuple[int, IssueState]]]:
        """By post: the issues that carry it, as ``(id, state)``, oldest first."""
        with self.tools.read() as unit:
            return unit.issue_posts.carriers([post.id for post in posts])

    def release_post(self, post_id: int) -> Post:
        """Mails it after all: it goes into the next draft."""
        return self._decide(post_id, PostState.READY, "You released it.", "release post")

    def skip_post(self, post_id: int) -> Post:
        """Never mails it; a draft that carries it leaves it out."""
        return self._decide(post_id, PostState.SKIPPED, "You chose not to mail it.", "skip post")

    def _decide(self, post_id: int, to: PostState, reason: str, action: str) -> Post:
        now = self._now()
        with self.tools.begin() as unit:
            post = unit.posts.move(post_id, to, reason, now)
            if to is PostState.SKIPPED:
                unit.issue_posts.withdraw(
                    post_id, reason=f"You chose not to mail “{post.title or post.url}”.", now=now
                )
            self._audit(unit, action, f"post {post_id}")
        return post


def _without_secret(feed: Feed) -> Feed:
    return replace(feed, hub_secret="")
