"""newsletter feeds, poll and posts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from newsletter import wiring
from newsletter.cli.output import (
    MOST_ID,
    After,
    AsJson,
    Id,
    Limit,
    cell,
    over,
    say,
    show_json,
    show_pairs,
    show_table,
)
from newsletter.desk.shown import brought, fate
from newsletter.model.feed import Poll
from newsletter.model.issue import IssueState
from newsletter.model.post import PostState

feeds = typer.Typer(no_args_is_help=True, help="The blogs that are watched.")
posts = typer.Typer(no_args_is_help=True, help="What the blogs posted, and why each was mailed or not.")


class Switch(StrEnum):
    ON = "on"
    OFF = "off"


@feeds.command("add")
def add_feed(
    url: Annotated[str, typer.Argument(help="A blog, a post, or a feed.")],
    full_text: Annotated[
        bool, typer.Option("--full-text", help="Complete posts that come as summaries from their pages.")
    ] = False,
) -> None:
    """Watch a blog; its feed is found by itself, the best one where there are several."""
    with wiring.build() as house:
        best, *others = house.desk.choose_feed(url)
        feed = house.desk.take_feed(best, full_text=full_text)
    say(f"Feed {feed.id} is watched: {feed.title or feed.url}")
    if feed.title and feed.url != url.strip():
        say(f"It was found at {feed.url}")
    if feed.polled_at is None:
        say(f"Its first look comes with the next turn; at once with: newsletter poll {feed.id}")
    else:
        say(f"It was watched before; its next look is at {cell(feed.next_poll_at)}: {feed.next_poll_reason}.")
    if others:
        say("")
        say("There is more at that address; to watch one of these too: newsletter feeds add ADDRESS")
        show_table(
            ["title and address", "posts", "newest"],
            [
                (over(f.title, f.url), f.entries, "comments only" if f.comments else f.newest_title)
                for f in others
            ],
            empty="",
        )


@feeds.command("list")
def list_feeds(as_json: AsJson = False) -> None:
    """Every feed, when it was looked at and when it will be."""
    with wiring.build() as house:
        found = house.desk.feeds()
    if as_json:
        return show_json(found)
    show_table(
        ["id", "state", "title and address", "last look", "next look"],
        [(f.id, f.state, over(f.title, f.url, f.problem), f.polled_at, f.next_poll_at) for f in found],
        empty="No feed is watched. Add one with: newsletter feeds add URL",
    )


@feeds.command("show")
def show_feed(feed_id: Id, as_json: AsJson = False) -> None:
    """When it was looked at, what came back, and why each post was mailed, held or left alone."""
    with wiring.build() as house:
        shown = house.desk.feed(feed_id)
    if as_json:
        return show_json(shown)
    feed = shown.feed
    show_pairs(
        [
            ("title", feed.title),
            ("address", feed.url),
            ("blog", feed.site_url),
            ("state", feed.state),
            ("last look", feed.polled_at),
            ("next look", feed.next_poll_at),
            ("because", feed.next_poll_reason),
            ("full text", "fetched from the posts' pages" if feed.full_text else ""),
            ("problem", feed.problem),
        ]
    )
    say("")
    show_table(
        ["looked", "came back", "brought", "bytes", "what followed"],
        [
            (p.at, f"{p.result} {p.status or ''}".strip(), brought(p), p.size or "", _after(p))
            for p in shown.polls
        ],
        empty="It was not looked at yet.",
    )
    say("")
    show_table(
        ["id", "state", "title, and what became of it", "published"],
        [
            (
                p.id,
                p.state,
                over(
                    p.title,
                    p.reason,
                    "; ".join(f"{fate(c)} issue {c.issue_id}" for c in shown.carriers.get(p.id, ())),
                ),
                p.published_at,
            )
            for p in shown.posts
        ],
        empty="No post is known.",
    )
    if shown.elsewhere:
        say("")
        say("Also in this feed, but brought by another one first, so mailed at most once:")
        show_table(
            ["id", "feed", "state", "title"],
            [(p.id, p.feed_id, p.state, p.title) for p in shown.elsewhere],
            empty="",
        )


def _after(poll: Poll) -> str:
    """What was wrong with a look, and when and why the next one was to come."""
    when = f"Next look {cell(poll.next_poll_at)}: " if poll.next_poll_at else ""
    return f"{poll.problem} {when}{poll.next_poll_reason}".strip()


@feeds.command("fulltext")
def full_text(
    feed_id: Id,
    wanted: Annotated[Switch, typer.Argument(metavar="on|off")],
) -> None:
    """Complete posts that come as summaries from their pages, or take them as they come."""
    with wiring.build() as house:
        house.desk.set_full_text(feed_id, wanted is Switch.ON)
    if wanted is Switch.ON:
        say(f"Posts of feed {feed_id} that come as summaries are completed from their pages, from now on.")
    else:
        say(f"Posts of feed {feed_id} are taken as they come, from now on.")


@feeds.command("remove")
def remove_feed(feed_id: Id) -> None:
    """Stop watching; its posts stay known, so that they are never mailed twice."""
    with wiring.build() as house:
        house.desk.remove_feed(feed_id)
    say(f"Feed {feed_id} is no longer watched. Its posts stay known.")


@feeds.command("check")
def check_feed(url: Annotated[str, typer.Argument(help="A feed.")], as_json: AsJson = False) -> None:
    """See what a first look at a feed would see; nothing is kept."""
    with wiring.build() as house:
        seen = house.desk.check_feed(url)
    if as_json:
        return show_json(seen)
    document = seen.document
    show_pairs(
        [
            ("title", document.title),
            ("kind", document.kind),
            ("answered by", seen.answered_by),
            ("bytes", f"{seen.size:,}"),
            ("took", f"{seen.elapsed_ms} ms"),
            ("problem", document.problem),
        ]
    )
    say("")
    show_table(
        ["published", "title and address"],
        [(entry.published_at, over(entry.title, entry.url)) for entry in document.entries],
        empty="It has no entry.",
    )


@feeds.command("import")
def import_feeds(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, metavar="OPML")],
) -> None:
    """Watch every feed of an OPML file."""
    with wiring.build() as house:
        added = house.desk.import_feeds(file.read_bytes())
    say(f"{len(added)} feeds are watched from now on." if added else "All of them are watched already.")


@feeds.command("export")
def export_feeds() -> None:
    """Write the feeds as OPML to standard output."""
    with wiring.build() as house:
        sys.stdout.write(house.desk.export_feeds().decode())


def poll(
    feed_id: Annotated[
        int | None, typer.Argument(metavar="[ID]", min=0, max=MOST_ID, help="One feed; else all.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look at the feeds now, whatever the schedule says."""
    with wiring.build() as house:
        polled = house.desk.poll(feed_id)
    if as_json:
        show_json(polled)
    else:
        show_table(
            ["feed", "new", "edited", "held", "gone", "came back, and what decides the next look"],
            [
                (p.feed_id, len(p.new), len(p.edited), len(p.held), len(p.gone),
                 over(p.result, p.problem, p.next_poll_reason))
                for p in polled
            ],
            empty="No feed is watched. Add one with: newsletter feeds add URL",
        )  # fmt: skip
    if feed_id is not None and polled and polled[0].problem:
        raise typer.Exit(1)


@posts.command("list")
def list_posts(
    state: Annotated[PostState | None, typer.Option(help="Only those in this state.")] = None,
    feed: Annotated[int | None, typer.Option(min=0, max=MOST_ID, help="Only those of this feed.")] = None,
    limit: Limit = 50,
    after: After = 0,
    as_json: AsJson = False,
) -> None:
    """Every post that is known, newest first, with the reason for its state."""
    with wiring.build() as house:
        found = house.desk.posts(state=state, feed_id=feed, limit=limit, after=after)
        carried = house.desk.issues_of(found)
    if as_json:
        keys = ("id", "feed_id", "title", "url", "state", "reason")
        return show_json(
            [
                {key: getattr(post, key) for key in keys}
                | {"issues": [issue_id for issue_id, _ in carried.get(post.id, [])]}
                for post in found
            ]
        )
    show_table(
        ["id", "feed", "state", "title, and why", "published", "issue"],
        [
            (
                p.id,
                p.feed_id,
                p.state,
                over(p.title, p.reason),
                p.published_at,
                _issues(carried.get(p.id, [])),
            )
            for p in found
        ],
        empty="There is no such post."
        if state or feed or after
        else "No post is known yet. Look now with: newsletter poll",
    )


@posts.command("show")
def show_post(post_id: Id, as_json: AsJson = False) -> None:
    """One post, whole."""
    with wiring.build() as house:
        post = house.desk.post(post_id)
        carried = house.desk.issues_of([post])
    if as_json:
        return show_json(post)
    show_pairs(
        [
            ("title", post.title),
            ("address", post.url),
            ("author", post.author),
            ("state", post.state),
            ("because", post.reason),
            ("in issue", _issues(carried.get(post.id, []))),
            ("published", post.published_at),
            ("first seen", post.first_seen_at),
            ("edited", post.changed_at),
            ("topics", ", ".join(post.topics)),
        ]
    )


def _issues(carried: Sequence[tuple[int, IssueState]]) -> str:
    return ", ".join(f"{issue_id} ({state})" for issue_id, state in carried)


@posts.command("release")
def release_post(post_id: Id) -> None:
    """Mail this post after all: it goes into the next draft."""
    with wiring.build() as house:
        post = house.desk.release_post(post_id)
    say(f"Post {post.id} goes into the next draft.")


@posts.command("skip")
def skip_post(post_id: Id) -> None:
    """Never mail this post."""
    with wiring.build() as house:
        post = house.desk.skip_post(post_id)
    say(f"Post {post.id} will not be mailed.")
