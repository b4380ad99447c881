"""Which entry is which post: each rule on the smallest document that needs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from newsletter.detect.identity import Match, match, names_of
from newsletter.model.changes import Known
from newsletter.model.entry import Entry, FeedDocument
from newsletter.model.post import Alias, Post, PostState
from tests.intake.blog import EPOCH, article

MIDNIGHT = datetime(2026, 5, 10, tzinfo=UTC)


def entry(number: int = 1, *, position: int = 0, **more: object) -> Entry:
    post = article(number)
    made = Entry(
        guid=post.guid,
        url=post.link,
        title=post.title,
        html=post.html,
        published_at=post.published,
        position=position,
        raw_sha=f"raw {number} {position}",
    )
    return replace(made, **more)  # type: ignore[arg-type]


def stored(*entries: Entry) -> tuple[Known, dict[int, Entry]]:
    """What is known after a feed brought these entries, numbered from 1."""
    posts: dict[int, Post] = {}
    aliases: dict[Alias, int] = {}
    raws: dict[str, int] = {}
    named, _ = names_of(FeedDocument(entries=entries), 1)
    for number, one in enumerate(named, 1):
        posts[number] = Post(
            id=number,
            feed_id=1,
            state=PostState.READY,
            title=one.entry.title,
            url=one.entry.url,
            html=one.entry.html,
            published_at=one.entry.published_at,
            first_seen_at=EPOCH,
            last_seen_at=EPOCH,
        )
        aliases |= dict.fromkeys(one.aliases, number)
        raws[one.entry.raw_sha] = number
    known = Known(aliases=aliases, raws=raws, posts=posts, recent=tuple(posts), count=len(posts))
    return known, dict(enumerate(entries, 1))


def matched(known: Known, *entries: Entry, by_bytes: Sequence[str] = ()) -> list[Match]:
    document = FeedDocument(entries=entries, known=tuple(by_bytes))
    named, _ = names_of(document, 1)
    return match(named, document, known)


def ids(found: Sequence[Match]) -> list[int | None]:
    return [None if one.post is None else one.post.id for one in found]


def test_an_entry_with_the_same_bytes_is_that_post_whatever_its_names_say() -> None:
    known, _ = stored(entry(1))
    other = entry(2, raw_sha="raw 1 0")
    assert ids(matched(known, other)) == [1]


@pytest.mark.parametrize("title", ["", "Another title altogether"])
def test_the_same_long_text_under_new_names_is_that_post_unless_both_have_titles_of_their_own(
    title: str,
) -> None:
    known, _ = stored(entry(1, title=title and "The first title"))
    again = entry(1, guid="g2", url="http://blog.example/two", title=title, published_at=None, raw_sha="")
    (found,) = matched(known, again)
    if title:
        assert found.post is None and "shares only its text" in found.doubt
    else:
        assert ids([found]) == [1]


def test_another_text_under_the_address_of_a_post_is_a_doubt() -> None:
    known, _ = stored(entry(1))
    (found,) = matched(known, entry(2, guid="g2", url=entry(1).url))
    assert found.post is None and "shares only its address" in found.doubt


def test_one_published_in_the_same_second_at_the_same_address_is_that_post_rewritten() -> None:
    known, _ = stored(entry(1))
    again = entry(2, guid="g2", url=entry(1).url, published_at=entry(1).published_at)
    assert ids(matched(known, again)) == [1]


def test_a_copy_of_a_post_that_was_not_even_parsed_again_is_a_doubt() -> None:
    known, _ = stored(entry(1))
    copy = entry(1, position=1, guid="g2", url="http://blog.example/two", title="A copy")
    (found,) = matched(known, copy, by_bytes=["raw 1 0"])
    assert found.post is None and "same text as another post that is in the feed" in found.doubt


def test_an_entry_whose_every_name_is_borne_by_another_one_is_a_doubt() -> None:
    known, _ = stored(entry(1, html="<p>Hello.</p>", title="", published_at=None))
    same = entry(1, position=1, html="<p>Good bye.</p>", title="", published_at=None)
    (found,) = matched(known, same, by_bytes=["raw 1 0"])
    assert found.post is None and "no name of its own" in found.doubt


def test_names_of_one_post_that_another_entry_took_lead_back_to_it() -> None:
    """Both names of the second entry are old ones of a post that the first entry is."""
    known, entries = stored(entry(1))
    first = replace(entries[1], guid="new", url="http://blog.example/new")  # its bytes are the old ones
    second = entry(2, position=1, guid=entries[1].guid, url=entries[1].url, title="", html="<p>Short.</p>")
    assert ids(matched(known, first, second)) == [1, 1]


def test_a_second_post_under_the_title_and_time_of_one_that_goes_by_other_names_now_is_a_doubt() -> None:
    known, entries = stored(entry(1))
    first = replace(entries[1], guid="new", url="http://blog.example/new", title="A new title")
    second = entry(2, position=1, title=entries[1].title, published_at=entries[1].published_at)
    found = matched(known, first, second)
    assert ids(found) == [1, None] and "second copy of" in found[1].doubt


def test_words_are_not_compared_for_more_than_a_hundred_unseen_entries() -> None:
    """That many are a flood, and held as one."""
    known, entries = stored(entry(1, published_at=MIDNIGHT))
    many = [entry(number, position=number, published_at=None) for number in range(2, 104)]
    moved = replace(
        entries[1],
        guid="moved",
        raw_sha="",
        url="http://blog.example/moved",
        html=entries[1].html + "<p>One more word.</p>",
        published_at=None,
        position=200,
    )
    assert "reads like" in matched(known, moved)[0].doubt
    assert matched(known, *many, moved)[-1].doubt == ""


def test_a_date_without_a_time_of_day_says_nothing_of_which_post_it_is() -> None:
    known, _ = stored(entry(1, published_at=MIDNIGHT))
    (found,) = matched(known, entry(2, published_at=MIDNIGHT))
    assert (found.post, found.doubt) == (None, "")


def test_a_summary_that_begins_like_a_post_of_the_same_second_is_a_second_copy() -> None:
    known, entries = stored(entry(1))
    words = entries[1].html.removeprefix("<p>").split()[:20]
    copy = entry(
        1, position=1, guid="g2", url="http://blog.example/two", title="Other", html=" ".join(words) + " …"
    )
    found = matched(known, entries[1], copy)
    assert found[1].post is None and "second copy of" in found[1].doubt


def test_another_post_of_the_same_second_is_no_copy_of_it() -> None:
    known, entries = stored(entry(1))
    found = matched(known, entries[1], entry(2, position=1, published_at=entries[1].published_at))
    assert (found[1].post, found[1].doubt) == (None, "")


def test_what_reads_like_the_one_that_left_with_its_publication_second_is_that_post() -> None:
    known, entries = stored(entry(1))
    again = replace(
        entries[1],
        guid="g2",
        url="http://blog.example/two",
        title="Other",
        html=f"{entries[1].html}<p>And more.</p>",
        raw_sha="",
    )
    assert ids(matched(known, again)) == [1]
    (found,) = matched(known, entry(2, published_at=entries[1].published_at))
    assert found.post is None and "publication time of" in found.doubt


def test_names_longer_than_a_database_likes_are_hashed() -> None:
    long = "tag:" + "x" * 400
    known, _ = stored(entry(1, guid=long))
    assert all(len(alias.value) <= 300 for alias in known.aliases)
    assert ids(matched(known, entry(1, guid=long, html="<p>Edited.</p>", raw_sha=""))) == [1]
