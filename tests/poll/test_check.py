from __future__ import annotations

import pytest

from newsletter.errors import FeedGone, FeedUnparsable, FeedUnreachable
from newsletter.guard.http import HttpClient
from newsletter.poll.check import check
from newsletter.poll.parser import Parser
from tests.intake.blog import articles, atom
from tests.intake.world import CannedWeb, Page

URL, MOVED = "http://blog.example/feed", "https://blog.example/feed"


def test_a_check_shows_the_way_and_what_came(parser: Parser) -> None:
    web = CannedWeb()
    web.pages[URL] = Page(status=301, to=MOVED)
    web.pages[MOVED] = Page(
        body=atom(articles(1, 2)), headers={"etag": '"a"', "cache-control": "max-age=600"}
    )
    checked = check(URL, web, parser)
    assert (checked.answered_by, checked.redirects, checked.permanent) == (MOVED, (URL,), MOVED)
    assert (len(checked.document.entries), checked.problem) == (2, "")
    assert checked.validators.etag == '"a"'
    assert checked.max_age is not None and checked.max_age.total_seconds() == 600


@pytest.mark.parametrize("text", ["", "http://[::1", "http://a]b/", "http://xn--/", "blog.example"])
def test_what_is_no_address_is_told(parser: Parser, text: str) -> None:
    with HttpClient() as http, pytest.raises(FeedUnreachable):
        check(text, http, parser)


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        (Page(status=404), FeedUnreachable),
        (Page(status=0), FeedUnreachable),
        (Page(status=410), FeedGone),
        (Page(body=b"<html>"), FeedUnparsable),
    ],
)
def test_what_cannot_be_read_is_told(parser: Parser, page: Page, problem: type[Exception]) -> None:
    web = CannedWeb()
    web.pages[URL] = page
    with pytest.raises(problem, match=URL):
        check(URL, web, parser)
