"""What a document's entries are to us: new, edited, doubtful, gone, or nothing new. Pure.

Newness is being unseen, never a date: dates are reset by migrations and missing from half of all feeds.
Mail cannot be unsent, so whatever is doubtful is held and the author told why.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from newsletter.detect.content import Content
from newsletter.detect.identity import Match, Named, match
from newsletter.model.changes import Changes, Known, NewPost, Sighting
from newsletter.model.entry import Entry, FeedDocument
from newsletter.model.feed import Feed
from newsletter.model.policy import FirstPoll, PollPolicy
from newsletter.model.post import Post, PostState

_AHEAD = timedelta(days=1)  #: clocks and time zones differ; further in the future is no publication date
_SETTLE_AT_MOST = 6  #: settle times that corrections may keep a post waiting
_PENDING = (PostState.SETTLING, PostState.READY, PostState.HELD)


def detect(
    document: FeedDocument,
    named: Sequence[Named],
    known: Known,
    *,
    feed: Feed,
    policy: PollPolicy,
    now: datetime,
) -> Changes:
    """Compares a document with what we know. Never touches a database, never looks at a clock.

    ``named`` and what ``known`` has to answer come from :func:`newsletter.detect.identity.names_of`.
    """
    matches = match(named, document, known)
    unseen = [found for found in matches if found.post is None]
    seen = _sightings(matches, known, feed, policy, now)
    by_bytes = {known.raws[sha] for sha in document.known if sha in known.raws}
    shown = _shown(document, matches, known)
    present = {post.id for post in shown}
    seen += _returned_by_bytes(by_bytes, known, policy, now)
    if feed.baseline_at is None:
        return Changes(new=_baseline(unseen, policy, now), seen=tuple(seen))
    if not document.entries and not document.known and known.count:
        return Changes(
            note="The feed has no posts any more. If a label or an address was renamed, add it anew."
        )
    if document.cut_short and not present and known.count:
        return Changes()  # what connects it with what we know is in the part that did not come
    brake = _brake(unseen, present, known, policy)
    return Changes(
        new=tuple(
            _new(found, brake or _slid_in(found, above if shown else -1, feed, now), policy, now)
            for above, found in reversed(list(enumerate(_newest_first(unseen))))
        ),
        seen=tuple(seen),
        gone=_gone(document, shown, known, feed),
        note=brake,
    )


def _baseline(unseen: Sequence[Match], policy: PollPolicy, now: datetime) -> tuple[NewPost, ...]:
    newest = _newest(unseen, now) if policy.first_poll is FirstPoll.NEWEST else None
    posts = []
    for found in reversed(_newest_first(unseen)):
        offered = found is newest
        posts.append(
            _post(
                found,
                PostState.READY if offered else PostState.BASELINE,
                "It was the newest post when the feed was added, offered as you asked."
                if offered
                else "It was already in the feed when the feed was added.",
                now,
            )
        )
    return tuple(posts)


def _newest(unseen: Sequence[Match], now: datetime) -> Match | None:
    dated = [found for found in unseen if _published(found.named.entry, now)]
    if dated:
        return max(dated, key=lambda found: (_published(found.named.entry, now), -found.named.entry.position))
    return min(unseen, key=lambda found: found.named.entry.position, default=None)


def _brake(unseen: Sequence[Match], present: set[int], known: Known, policy: PollPolicy) -> str:
    """The reason to hold everything new in this document; "" when there is none."""
    if not unseen:
        return ""
    if not present and known.count >= 2:
        return "Nothing that the feed had before is in it any more; it may have moved or been imported anew."
    if len(unseen) > policy.flood:
        return (
            f"{len(unseen)} new posts appeared at once, more than the {policy.flood} that go by themselves."
        )
    return ""


def _new(found: Match, brake: str, policy: PollPolicy, now: datetime) -> NewPost:
    reason = found.doubt or brake or _age(found.named.entry, policy, now)
    if reason:
        return _post(found, PostState.HELD, f"{reason} Release it to mail it, or skip it.", now)
    state, settle_until, words = _settle(policy, now)
    return _post(found, state, words, now, settle_until)


def _age(entry: Entry, policy: PollPolicy, now: datetime) -> str:
    published = _published(entry, now)
    if published is None or now - published <= policy.max_age:
        return ""
    return f"It is dated {published:%-d %B %Y} but appeared only now."


def _slid_in(found: Match, above: int, feed: Feed, now: datetime) -> str:
    """The reason to hold an older post that a deletion or a longer window let slide into the document.

    It is older than our knowledge of the feed and stands below a post that we know: ``above`` counts the
    unseen entries above it, and there are others. In a document without known posts (``above`` is -1) its
    place says nothing.
    """
    entry = found.named.entry
    published = _published(entry, now)
    if published is None or feed.baseline_at is None or entry.position <= above:
        return ""
    if published >= feed.baseline_at - _AHEAD:
        return ""
    return f"It is dated {published:%-d %B %Y}, before this feed was added, but was not in it then."


def _settle(policy: PollPolicy, now: datetime) -> tuple[PostState, datetime, str]:
    if policy.settle <= timedelta(0):
        return PostState.READY, now, "It is new."
    minutes = round(policy.settle.total_seconds() / 60)
    return (
        PostState.SETTLING,
        now + policy.settle,
        f"It is new; it waits {minutes} minutes for your corrections.",
    )


def _post(
    found: Match, state: PostState, reason: str, now: datetime, settle_until: datetime | None = None
) -> NewPost:
    return NewPost(
        entry=found.named.entry,
        state=state,
        reason=reason,
        published_at=_published(found.named.entry, now),
        settle_until=settle_until,
        content_sha=found.named.content.sha,
        aliases=found.named.aliases,
    )


def _sightings(
    matches: Sequence[Match], known: Known, feed: Feed, policy: PollPolicy, now: datetime
) -> list[Sighting]:
    sightings: dict[int, Sighting] = {}
    for found in matches:
        if found.post is not None and found.post.id not in sightings:
            sightings[found.post.id] = _sighting(found, found.post, known, feed, policy, now)
    return list(sightings.values())


def _sighting(
    found: Match, post: Post, known: Known, feed: Feed, policy: PollPolicy, now: datetime
) -> Sighting:
    """A post listens to its own feed only: two feeds that carry it differently must not edit it in turns."""
    entry, content = found.named.entry, found.named.content
    is_own = post.feed_id == feed.id
    edited = (
        is_own
        and content.sha != post.content_sha
        and not (entry.truncated and content.is_cut_of(Content(post.title, post.url, post.html)))
    )
    state, reason, settle_until = _move(post, edited, known, policy, now) if is_own else (None, "", None)
    return Sighting(
        post_id=post.id,
        raw_sha=entry.raw_sha,
        aliases=tuple(alias for alias in found.named.aliases if alias not in known.aliases),
        position=entry.position,
        entry=entry if edited else None,
        content_sha=content.sha if edited else post.content_sha,
        state=state,
        reason=reason,
        settle_until=settle_until,
    )


def _returned_by_bytes(ids: set[int], known: Known, policy: PollPolicy, now: datetime) -> list[Sighting]:
    """Posts recognised by their bytes that had been gone. The others need no word."""
    found = []
    for post_id in sorted(ids):
        post = known.posts[post_id]
        state, reason, settle_until = _move(post, False, known, policy, now)
        if state is not None:
            found.append(
                Sighting(
                    post_id=post_id,
                    raw_sha=post.raw_sha,
                    position=post.position,
                    content_sha=post.content_sha,
                    state=state,
                    reason=reason,
                    settle_until=settle_until,
                )
            )
    return found


def _move(
    post: Post, edited: bool, known: Known, policy: PollPolicy, now: datetime
) -> tuple[PostState | None, str, datetime | None]:
    """The change of state that seeing a known post again brings; None for none."""
    if post.state is PostState.GONE:
        return _back(post, known, policy, now)
    if post.state is PostState.SETTLING and edited:
        longest = post.first_seen_at + policy.settle * _SETTLE_AT_MOST
        return PostState.SETTLING, "You are still correcting it.", min(now + policy.settle, longest)
    return None, "", None


def _back(
    post: Post, known: Known, policy: PollPolicy, now: datetime
) -> tuple[PostState, str, datetime | None]:
    if post.id in known.mailed:
        return PostState.READY, "It left the feed after it was mailed and has come back.", None
    if post.settle_until is None:  # it had been on hold
        return (
            PostState.HELD,
            "It left the feed and has come back. Release it to mail it, or skip it.",
            None,
        )
    state, until, _words = _settle(policy, now)
    return state, "It left the feed for a while and has come back.", until


def _gone(
    document: FeedDocument, shown: Sequence[Post], known: Known, feed: Feed
) -> tuple[tuple[int, str], ...]:
    """Posts that are missing while an older one is still there: the author deleted them.

    One that was mailed may still wait in a digest for others. Missing because the document was cut short is
    something else, and so is being pushed out of a feed that is not in order of publication; a damaged
    document proves nothing. ``shown`` are the known posts in the document, in its order.
    """
    if document.problem or not shown or not _is_in_order(shown):
        return ()
    present, oldest = {post.id for post in shown}, min(map(_age_key, shown))
    missing = (
        post
        for post in known.posts.values()
        if post.feed_id == feed.id
        and post.state in _PENDING
        and post.id not in present
        and post.id in known.recent
    )
    return tuple(
        (
            post.id,
            "It was deleted from the feed after it was mailed."
            if post.id in known.mailed
            else "It was deleted from the feed before it was mailed.",
        )
        for post in missing
        if oldest < _age_key(post)
    )


def _shown(document: FeedDocument, matches: Sequence[Match], known: Known) -> list[Post]:
    """The known posts in a document, in its order. Those known by their bytes stand where no entry does."""
    places = {found.named.entry.position: found.post for found in matches if found.post is not None}
    parsed = {entry.position for entry in document.entries}
    free = (place for place in range(len(parsed) + len(document.known)) if place not in parsed)
    for place, sha in zip(free, document.known, strict=False):
        if sha in known.raws:
            places[place] = known.posts[known.raws[sha]]
    return [places[place] for place in sorted(places)]


def _is_in_order(shown: Sequence[Post]) -> bool:
    """Whether posts stand in order of publication, either way; one pinned on top does not count.

    Blogger and others can order by the last change instead: then old posts with a new label push new ones
    out.
    """
    ages = [_age_key(post) for post in shown]
    for ordered in (ages, ages[1:]):
        steps = {below < above for above, below in pairwise(ordered)}
        if len(steps) <= 1:
            return True
    return False


def _age_key(post: Post) -> tuple[datetime, int]:
    return (post.published_at or post.first_seen_at, post.id)


def _published(entry: Entry, now: datetime) -> datetime | None:
    """The publication date unless it lies in the future."""
    published = entry.published_at
    return published if published is not None and published <= now + _AHEAD else None


def _newest_first(unseen: Sequence[Match]) -> list[Match]:
    return sorted(unseen, key=lambda found: found.named.entry.position)
