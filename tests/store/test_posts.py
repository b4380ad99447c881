"""Posts, their names and revisions on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, update

from newsletter.errors import Conflict, NotFound
from newsletter.model.changes import Names, NewPost, Sighting
from newsletter.model.entry import Entry
from newsletter.model.post import Alias, AliasKind, PostState
from newsletter.store.database import Database
from newsletter.store.feeds import Feeds
from newsletter.store.issues import Issues
from newsletter.store.posts import Posts
from newsletter.store.tables import issues as issues_table
from subscribers.model import Cadence

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def conn(migrated: Database) -> Iterator[Connection]:
    with migrated.write() as connection:
        Feeds(connection).add("http://blog.example/feed", now=NOW)
        yield connection


@pytest.fixture
def posts(conn: Connection) -> Posts:
    return Posts(conn)


def _link(value: str) -> Alias:
    return Alias(kind=AliasKind.LINK, value=value)


def _new(
    name: str,
    state: PostState = PostState.READY,
    published_at: datetime | None = None,
    settle_until: datetime | None = None,
    truncated: bool = False,
) -> NewPost:
    return NewPost(
        entry=Entry(
            guid=name, url=f"http://blog.example/{name}", title=name, html=f"<p>{name} ü</p>",
            topics=("Health",), raw_sha=f"raw-{name}", position=3, truncated=truncated,
        ),
        state=state,
        reason="It is new.",
        published_at=published_at,
        settle_until=settle_until,
        content_sha=f"content-{name}",
        aliases=(_link(name), Alias(kind=AliasKind.GUID, value=name, feed_id=1)),
    )  # fmt: skip


def test_a_stored_post_is_what_its_entry_said(posts: Posts) -> None:
    [post_id] = posts.add(1, [_new("one", published_at=NOW)], NOW)
    post = posts.get(post_id)
    assert (post.title, post.html, post.topics, post.url) == (
        "one", "<p>one ü</p>", ("Health",), "http://blog.example/one",
    )  # fmt: skip
    assert (post.published_at, post.first_seen_at, post.last_seen_at, post.revision) == (NOW, NOW, NOW, 1)


def test_posts_are_listed_newest_first_by_state_and_feed_in_pages(posts: Posts) -> None:
    ids = posts.add(1, [_new("a"), _new("b", PostState.HELD), _new("c")], NOW)
    assert [post.id for post in posts.list()] == ids[::-1]
    assert [post.id for post in posts.list(state=PostState.HELD)] == [ids[1]]
    assert [post.id for post in posts.list(limit=2)] == [ids[2], ids[1]]
    assert [post.id for post in posts.list(after=ids[1])] == [ids[0]]
    assert posts.list(feed_id=2) == []
    assert (posts.count(), posts.count(state=PostState.READY), posts.count(feed_id=2)) == (3, 2, 0)


def test_a_move_that_does_not_exist_is_refused(posts: Posts) -> None:
    [post_id] = posts.add(1, [_new("a", PostState.SKIPPED)], NOW)
    with pytest.raises(Conflict):
        posts.move(post_id, PostState.HELD, "Because.", LATER)
    moved = posts.move(post_id, PostState.READY, "You released it.", LATER)
    assert (moved.state, moved.reason, moved.changed_at) == (PostState.READY, "You released it.", LATER)
    with pytest.raises(NotFound):
        posts.move(99, PostState.READY, "", LATER)


def test_ready_posts_wait_for_each_cadence_by_themselves_oldest_first(conn: Connection, posts: Posts) -> None:
    young, old, _held = posts.add(
        1,
        [
            _new("young", published_at=NOW),
            _new("old", published_at=NOW - timedelta(days=1)),
            _new("h", PostState.HELD),
        ],
        NOW,
    )
    assert [post.id for post in posts.ready_unplaced(Cadence.EACH)] == [old, young]
    Issues(conn).create(cadence=Cadence.EACH, subject="S", posts=[(old, 1)], now=NOW)
    assert [post.id for post in posts.ready_unplaced(Cadence.EACH)] == [young]
    assert [post.id for post in posts.ready_unplaced(Cadence.WEEKLY)] == [old, young]


def test_what_a_document_names_is_found_by_alias_and_by_bytes(posts: Posts) -> None:
    one, two = posts.add(1, [_new("one"), _new("two")], NOW)
    names = Names(aliases=frozenset({_link("one"), _link("new")}), raws=frozenset({"raw-two"}))
    known = posts.known(1, names)
    assert (known.aliases, known.raws, known.count) == ({_link("one"): one}, {"raw-two": two}, 2)
    assert known.posts[one].html == "<p>one ü</p>"
    assert set(known.recent) == {one, two}
    assert posts.known_raws(1) == {"raw-one", "raw-two"}
    assert posts.known(2, names).raws == {}


def test_a_name_belongs_to_the_post_that_had_it_first(posts: Posts) -> None:
    one, two = posts.add(1, [_new("one"), _new("two")], NOW)
    posts.see(1, [Sighting(post_id=two, aliases=(_link("one"), _link("more")))], (), LATER)
    found = posts.known(1, Names(aliases=frozenset({_link("one"), _link("more")}), raws=frozenset())).aliases
    assert found == {_link("one"): one, _link("more"): two}


def test_an_edit_keeps_the_text_before_as_a_revision(posts: Posts) -> None:
    [post_id] = posts.add(1, [_new("one")], NOW)
    edit = Entry(guid="one", url="", title="Better", html="<p>better</p>", raw_sha="new")
    posts.see(1, [Sighting(post_id=post_id, entry=edit, content_sha="sha", raw_sha="new")], (), LATER)
    post = posts.get(post_id)
    assert (post.title, post.revision, post.changed_at, post.raw_sha) == ("Better", 2, LATER, "new")
    assert posts.revisions(post_id) == [(1, "one", "<p>one ü</p>")]


def test_posts_recognised_by_their_bytes_count_as_seen(posts: Posts) -> None:
    one, two = posts.add(1, [_new("one"), _new("two")], NOW)
    posts.see(1, [], ["raw-one"], LATER)
    assert (posts.get(one).last_seen_at, posts.get(two).last_seen_at) == (LATER, NOW)


def test_settling_posts_are_found_when_their_time_is_over(posts: Posts) -> None:
    [post_id] = posts.add(1, [_new("one", PostState.SETTLING, settle_until=LATER)], NOW)
    assert posts.settled(NOW) == []
    assert [post.id for post in posts.settled(LATER)] == [post_id]
    assert (posts.next_settled(1), posts.next_settled(2)) == (LATER, None)


def test_posts_of_issues_under_way_are_past_withdrawing(conn: Connection, posts: Posts) -> None:
    drafted, sent = posts.add(1, [_new("drafted"), _new("sent")], NOW)
    Issues(conn).create(cadence=Cadence.EACH, subject="S", posts=[(drafted, 1)], now=NOW)
    issue = Issues(conn).create(cadence=Cadence.EACH, subject="S", posts=[(sent, 1)], now=NOW)
    conn.execute(update(issues_table).where(issues_table.c.id == issue.id).values(state="finished"))
    known = posts.known(1, Names(aliases=frozenset(), raws=frozenset()))
    assert known.mailed == {sent}


def test_publication_times_come_newest_first_and_fall_back_on_the_first_sight(posts: Posts) -> None:
    posts.add(1, [_new("undated"), _new("dated", published_at=NOW - timedelta(days=2))], NOW)
    assert posts.publication_times(1) == [NOW, NOW - timedelta(days=2)]


def test_full_text_takes_the_place_of_a_summary(posts: Posts) -> None:
    [post_id] = posts.add(1, [_new("one")], NOW)
    posts.replace_text(post_id, "<p>whole</p>", LATER)
    post = posts.get(post_id)
    assert (post.html, post.truncated, post.content_sha) == ("<p>whole</p>", False, "content-one")
    assert (post.revision, posts.revisions(post_id)) == (2, [(1, "one", "<p>one ü</p>")])


def test_posts_of_which_only_a_summary_came_are_found_until_they_are_completed(posts: Posts) -> None:
    [post_id] = posts.add(1, [_new("one", truncated=True)], NOW)
    assert [post.id for post in posts.cut_off(1)] == [post_id]
    posts.replace_text(post_id, "<p>one ü</p>", LATER)
    assert posts.cut_off(1) == []
    assert posts.get(post_id).revision == 1


def test_several_posts_come_in_the_order_asked_for(posts: Posts) -> None:
    one, two = posts.add(1, [_new("one"), _new("two")], NOW)
    assert [post.id for post in posts.get_many([two, 99, one, two])] == [two, one]


def test_an_unknown_post_is_told(posts: Posts) -> None:
    with pytest.raises(NotFound, match="no post 7"):
        posts.get(7)
