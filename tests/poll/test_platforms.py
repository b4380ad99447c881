"""Discovery on pages as the platforms make them: rebuilt by hand, with all that stands around a feed.

No site was asked for these: what a platform changes tomorrow is not seen here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from newsletter.poll.discover import find_feeds
from newsletter.poll.parser import Parser
from tests.intake.blog import article, articles, atom
from tests.intake.world import CannedWeb, Page

POSTS, COMMENTS = atom(articles(1, 2, 3)), atom([article(8)], title="Comments on The blog")


PAGES = Path(__file__).parent / "pages"
NAMED = '<link rel="alternate" type="application/atom+xml" title="The blog" href="{}" />'


def _page(name: str, more: str = "") -> str:
    return (PAGES / f"{name}.html").read_text(encoding="utf-8").replace("<!-- more -->", more)


@dataclass(frozen=True, kw_only=True)
class Site:
    """``asked`` is what an author types; ``page`` its HTML; ``best`` what must come first."""

    asked: str
    page: str = ""
    best: str
    others: tuple[str, ...] = ()  #: offered too, in this order
    serves: Mapping[str, bytes] = field(default_factory=dict)  #: beside the best


B_FEED, B_RSS = (
    "https://notebook.blogspot.com/feeds/posts/default",
    "https://notebook.blogspot.com/feeds/posts/default?alt=rss",
)
B_COMMENTS = "https://notebook.blogspot.com/feeds/777/comments/default"

W_OWN = "https://garten.example/2026/05/beitrag/feed/"
W_FEED, W_COMMENTS = "https://garten.example/feed/", "https://garten.example/comments/feed/"


Y_FEED = "https://www.youtube.com/feeds/videos.xml?channel_id=UCabcdefghij0123456789xy"


SITES: Mapping[str, Site] = {
    "a Blogger blog": Site(
        asked="notebook.blogspot.com", page=_page("blogger"), best=B_FEED, serves={B_RSS: POSTS}
    ),
    "a post on Blogger": Site(
        asked="https://notebook.blogspot.com/2026/05/a-post.html?m=1",
        page=_page("blogger", NAMED.format(B_COMMENTS)),
        best=B_FEED, others=(B_COMMENTS,), serves={B_RSS: POSTS, B_COMMENTS: COMMENTS},
    ),
    "a WordPress blog": Site(
        asked="https://garten.example", page=_page("wordpress"), best=W_FEED, others=(W_COMMENTS,),
        serves={W_COMMENTS: COMMENTS},
    ),
    "a post on WordPress, with a feed of its own comments": Site(
        asked="https://garten.example/2026/05/beitrag/",
        page=_page("wordpress", NAMED.format(W_OWN)),
        best=W_FEED,
        others=(W_OWN, W_COMMENTS),
        serves={
            W_COMMENTS: COMMENTS,
            W_OWN: atom([article(9)], title="Kommentare zu: Beitrag"),
        },
    ),
    "a Substack": Site(
        asked="letters.substack.com", page=_page("substack"), best="https://letters.substack.com/feed"
    ),
    "a letter on Substack": Site(
        asked="https://letters.substack.com/p/a-letter", page=_page("substack"), best="https://letters.substack.com/feed"
    ),
    "a letter shared from Substack's app": Site(
        asked="https://open.substack.com/pub/letters/p/a-letter?r=1x", best="https://letters.substack.com/feed"
    ),
    "a Ghost site": Site(asked="essays.example", page=_page("ghost"), best="https://essays.example/rss/"),
    "a writer on Medium": Site(asked="https://medium.com/@ann", best="https://medium.com/feed/@ann"),
    "a story on Medium": Site(asked="https://medium.com/@ann/a-story-1a2b", best="https://medium.com/feed/@ann"),
    "a writer's own Medium address": Site(
        asked="https://ann.medium.com/", page=_page("medium"), best="https://medium.com/feed/@ann"
    ),
    "a YouTube channel by its handle": Site(
        asked="https://www.youtube.com/@ann", page=_page("youtube-channel"), best=Y_FEED
    ),
    "a YouTube channel by its number": Site(
        asked="https://youtube.com/channel/UCabcdefghij0123456789xy/videos", best=Y_FEED
    ),
    "a YouTube film": Site(
        asked="https://www.youtube.com/watch?v=abc", page=_page("youtube-video"), best=Y_FEED
    ),
    "a YouTube list": Site(
        asked="https://www.youtube.com/playlist?list=PLabcdefghij0123",
        best="https://www.youtube.com/feeds/videos.xml?playlist_id=PLabcdefghij0123",
    ),
    "a project on GitHub": Site(
        asked="https://github.com/ann/project", best="https://github.com/ann/project/releases.atom"
    ),
    "the releases of a project on GitHub": Site(
        asked="https://github.com/ann/project/releases", page=_page("github-releases"),
        best="https://github.com/ann/project/releases.atom", others=("https://github.com/ann/project/tags.atom",),
        serves={"https://github.com/ann/project/tags.atom": atom([article(7)], title="Tags")},
    ),
    "a Hugo site": Site(asked="https://static.example/posts/", page=_page("hugo"), best="https://static.example/index.xml"),
    "a Jekyll site": Site(asked="https://log.example/", page=_page("jekyll"), best="https://log.example/feed.xml"),
    "an Eleventy site with JSON and Atom": Site(
        asked="https://notes.example/", page=_page("eleventy-json"), best="https://notes.example/feed.json",
        serves={"https://notes.example/feed.xml": POSTS},
    ),
    "a page by hand": Site(asked="http://hand.example/", page=_page("plain"), best="http://hand.example/writing/atom.xml"),
    "a page without any hint": Site(
        asked="https://bare.example/about", page="<h1>Hello</h1>", best="https://bare.example/feed/"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SITES)
def test_the_feed_of_posts_is_found_first(parser: Parser, name: str) -> None:
    site = SITES[name]
    web = CannedWeb()
    page = site.asked if "://" in site.asked else f"https://{site.asked}"
    if site.page:
        web.pages[page] = Page(body=site.page.encode(), headers={"content-type": "text/html; charset=utf-8"})
    for address, body in {site.best: POSTS, **site.serves}.items():
        web.pages[address] = Page(body=body)
    found = find_feeds(site.asked, web, parser)
    assert [feed.url for feed in found] == [site.best, *site.others]
    assert (found[0].title, found[0].entries, found[0].newest_title) == ("The blog", 3, article(3).title)
    assert not found[0].comments and all(feed.comments for feed in found[1:] if "tags" not in feed.url)
    assert len(web.asked) <= 6, "a blog is not searched where its page names the feed"
