"""What a bent feed sends to real mailboxes: sequences of documents, through the whole pipeline, day by day.

All blogs live through the same days in one house. One reader wants a digest a day, the other one a week; what
each got is counted in their mail, and what was held is looked up.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from newsletter import wiring
from newsletter.model.post import PostState
from newsletter.wiring import House
from subscribers.model import Cadence
from tests.acceptance.conftest import SECRET, arrived
from tests.intake.blog import Article, article
from tests.support.live_blog import LiveBlog

MONDAY = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
LATER = MONDAY + timedelta(days=2)
NUMBER = "http://blog.example/?p={n}"
DAILY, WEEKLY = "dora@example.org", "wanda@example.org"
Document = Sequence[Article]


@dataclass(frozen=True, kw_only=True)
class Story:
    """What a feed shows day by day (then the last document for ever), and what must come of it, by number."""

    days: Sequence[Document]
    mailed: set[int]
    held: set[int] = frozenset()  # type: ignore[assignment]  # never changed
    weekly: set[int] | None = None  #: what the weekly digest has, where that is less


def post(number: int, day: int = 0) -> Article:
    """Post ``number`` of a blog; those up to 5 were there before, later ones are published on ``day``."""
    moment = MONDAY + timedelta(days=day, minutes=20) if day else MONDAY - timedelta(days=12 - number)
    made = article(number)
    return replace(made, published=moment, html=f"<p>marker-{number}.</p>{made.html}")


OLD = [post(number) for number in (5, 4, 3, 2, 1)]
SIX, SEVEN, EIGHT = post(6, 1), post(7, 3), post(8, 3)


def bent(posts: Document, **changes: object) -> list[Article]:
    """Every post changed; ``{n}`` in a text is its number."""
    return [
        replace(
            one,
            **{
                name: value.format(n=one.number) if isinstance(value, str) else value
                for name, value in changes.items()
            },  # type: ignore[arg-type]
        )
        for one in posts
    ]


def changed_for_good(**changes: object) -> Story:
    """Six comes out; the next day everything has changed; the day after seven comes out, changed likewise."""
    known = [SIX, *OLD]
    seven = bent([SEVEN], **{name: value for name, value in changes.items() if name != "published"})
    return Story(days=[known, bent(known, **changes), seven + bent(known, **changes)], mailed={6, 7})


STORIES: Mapping[str, Story] = {
    "nothing out of the ordinary": Story(days=[[SIX, *OLD], [SIX, *OLD], [SEVEN, SIX, *OLD]], mailed={6, 7}),
    "new guids for all": changed_for_good(guid="https://new.example/?p={n}"),
    "https instead of http": changed_for_good(
        guid="https://blog.example/2026/05/post-{n}.html", link="https://blog.example/2026/05/post-{n}.html"
    ),
    "a moved host": changed_for_good(link="https://elsewhere.example/post-{n}"),
    "dates rewound": changed_for_good(published=MONDAY - timedelta(days=900)),
    "dates set to the day": changed_for_good(published=LATER),
    "a migration with new guids, links and dates": changed_for_good(
        guid="urn:new:{n}", link="https://new.example/{n}/", published=LATER
    ),
    "another order": Story(
        days=[
            [SIX, *OLD],
            [OLD[2], SIX, OLD[0], OLD[4], OLD[1], OLD[3]],
            [OLD[1], SEVEN, SIX, *OLD[2:], OLD[0]],
        ],
        mailed={6, 7},
    ),
    "a shorter window, and a longer one again": Story(
        days=[[SIX, *OLD], [SIX, OLD[0]], [SEVEN, SIX, *OLD]], mailed={6, 7}
    ),
    "mailed, dropped, and back": Story(days=[[SIX, *OLD], OLD, [SIX, *OLD]], mailed={6}),
    "mailed and deleted": Story(days=[[SIX, *OLD], OLD], mailed={6}, weekly=set()),
    "two posts with one guid": Story(
        days=[[SIX, *OLD], [SIX, *OLD], [*bent([EIGHT, SEVEN], guid="same"), SIX, *OLD]], mailed={6, 7, 8}
    ),
    "two posts with one link": Story(
        days=[[SIX, *OLD], [SIX, *OLD], [*bent([EIGHT, SEVEN], link="http://blog.example/one"), SIX, *OLD]],
        mailed={6, 7, 8},
    ),
    "one post twice": Story(days=[[SIX, SIX, *OLD], [SIX, *OLD, SIX]], mailed={6}),
    "a new title and address": Story(
        days=[[SIX, *OLD], [*bent([SIX], title="Better", link="http://blog.example/x"), *OLD]], mailed={6}
    ),
    "a lost window": Story(days=[[SIX, *OLD], [post(41, 2), post(40, 2)]], mailed={6}, held={40, 41}),
    "a blog restored from a copy that numbers anew": Story(
        # Six was ?p=6. The copy does not have it, and the next post gets its number.
        days=[bent([SIX, *OLD], guid=NUMBER), bent(OLD, guid=NUMBER),
              [replace(SEVEN, guid=NUMBER.format(n=6)), *bent(OLD, guid=NUMBER)]],
        mailed={6}, held={7}, weekly=set(),
    ),
    "a flood": Story(days=[[post(9, 1), EIGHT, SEVEN, SIX, *OLD]], mailed=set(), held={6, 7, 8, 9}),
    "an old post dug up": Story(
        days=[[SIX, *OLD], [replace(post(50), published=MONDAY - timedelta(days=200)), SIX, *OLD]],
        mailed={6}, held={50},
    ),
    "a second copy": Story(
        days=[[SIX, *OLD],
              [*bent([SIX], guid="c", link="http://blog.example/c", published=LATER), SIX, *OLD]],
        mailed={6}, held={6},
    ),
    "a label renamed, and its feed empty": Story(days=[[SIX, *OLD], [], [SEVEN, SIX, *OLD]], mailed={6, 7}),
}  # fmt: skip


def of_blog(name: str, posts: Document) -> list[Article]:
    """The same posts as the blog of this story has them: other names, other words."""
    index = list(STORIES).index(name)
    mark = f"{index:02d}"
    return [
        replace(
            one,
            guid=one.guid and f"{one.guid}#{mark}",
            link=one.link.replace("example/", f"example/{mark}/"),
            title=f"{one.title} {mark}",
            html=re.sub(r"\b([a-z]+)(\d{1,3})\b", rf"\g<1>{mark}\g<2>", one.html).replace(
                "marker-", f"marker-{mark}-"
            ),
            published=one.published and one.published + timedelta(seconds=index),
        )
        for one in posts
    ]


class Outcome:
    """What arrived and what is held, by story: numbers of posts, each as often as it is there."""

    def __init__(self) -> None:
        self.mailed: dict[tuple[str, str], Counter[int]] = {}
        self.held: dict[str, Counter[int]] = {}


def _live(folder: Path, names: Sequence[str], found: Outcome) -> None:
    folder.mkdir()
    with ExitStack() as stack:
        clock = Clock()
        stack.enter_context(pytest.MonkeyPatch.context()).setattr(wiring, "now", clock)
        blogs = {name: stack.enter_context(LiveBlog(of_blog(name, OLD))) for name in names}
        house = stack.enter_context(_house(folder))
        for blog in blogs.values():
            house.desk.add_feed(blog.feed_url)
        house.turn()
        for day in range(max(len(STORIES[name].days) for name in names)):
            clock.moment = MONDAY + timedelta(days=day + 1)
            for name, blog in blogs.items():
                days = STORIES[name].days
                blog.articles = of_blog(name, days[min(day, len(days) - 1)])
            _pass(house, clock, minutes=(60, 11, 11))
            clock.moment = MONDAY + timedelta(days=day + 1, hours=23)  # after DIGEST_AT of the next day
            _mail(house)
        clock.moment = MONDAY + timedelta(days=8)
        _mail(house)
        _look(house, folder, found)


class Clock:
    def __init__(self) -> None:
        self.moment = MONDAY

    def __call__(self) -> datetime:
        return self.moment


@contextmanager
def _house(folder: Path) -> Iterator[House]:
    fixed = {
        "secret_key": SECRET,
        "database_url": f"sqlite:///{folder}/newsletter.db",
        "data_dir": str(folder),
        "sender": "Ann <ann@example.org>",
        "postal_address": "PO Box 1",
        "timezone": "UTC",
        "cadence": "daily",
        "transport": "outbox",
        "allow_private_addresses": "true",
    }
    wiring.prepare(fixed)
    with wiring.build(fixed) as house:
        for address, cadence in ((DAILY, Cadence.DAILY), (WEEKLY, Cadence.WEEKLY)):
            house.desk.add_subscriber(address)
            with house.store.begin() as unit:
                reader = unit.subscribers.by_address(address)
                assert reader is not None
                unit.subscribers.choose(reader.id, MONDAY, cadence=cadence, topics_off=(), paused_until=None)
        yield house


def _pass(house: House, clock: Clock, minutes: Sequence[int]) -> None:
    """Time passes; after each stretch the pipeline turns."""
    for stretch in minutes:
        clock.moment += timedelta(minutes=stretch)
        house.turn()


def _mail(house: House) -> None:
    """The author approves whatever has been drafted, with the beginnings of its posts, and it is sent."""
    house.turn()
    for shown in house.desk.today().drafts:
        house.desk.edit_issue(shown.issue.id, excerpts=True)
        house.desk.approve_issue(shown.issue.id)
    house.turn()


def _look(house: House, folder: Path, found: Outcome) -> None:
    names = list(STORIES)
    for file in sorted((folder / "outbox" / "new").glob("*")):
        message = arrived(file.read_bytes())
        for mark, number in set(re.findall(r"marker-(\d\d)-(\d+)\.", message.text)):
            found.mailed.setdefault((names[int(mark)], message.to), Counter())[int(number)] += 1
    for held in house.desk.posts(state=PostState.HELD, limit=1_000):
        for mark, number in set(re.findall(r"marker-(\d\d)-(\d+)\.", held.html)):
            found.held.setdefault(names[int(mark)], Counter())[int(number)] += 1


@pytest.mark.slow
def test_what_bent_feeds_mail_and_what_they_hold(tmp_path: Path) -> None:
    """Two houses, since the posts of all stories would be too long for one digest."""
    found = Outcome()
    for half in (0, 1):
        _live(tmp_path / str(half), list(STORIES)[half::2], found)
    nothing: Counter[int] = Counter()
    outcome, expected = {}, {}
    for name, story in STORIES.items():
        daily, weekly = (found.mailed.get((name, reader), nothing) for reader in (DAILY, WEEKLY))
        outcome[name] = {"daily": daily, "weekly": weekly, "held": found.held.get(name, nothing)}
        expected[name] = {
            "daily": Counter(story.mailed),
            "weekly": Counter(story.mailed if story.weekly is None else story.weekly),
            "held": Counter(story.held),
        }
    assert outcome == expected
