"""Posts in the style of very different blogs, and what they become."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import newsletter.demo
from newsletter.compose import Compiler, Themes, compose
from newsletter.model.artefact import Artefact, filled_html, filled_text
from newsletter.model.issue import Issue, IssuePost, IssueState
from newsletter.model.post import Post, PostState
from newsletter.model.publication import Newsletter, Sender
from subscribers.model import Cadence

HERE = Path(__file__).parent
POSTS = HERE / "posts"
EXPECTED = HERE / "expected"
NOW = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
_ATOM = "{http://www.w3.org/2005/Atom}"

LINKS = {
    "unsubscribe_url": "https://news.example.org/u/token",
    "preferences_url": "https://news.example.org/p/token",
    "view_url": "https://news.example.org/i/1",
    "base_url": "https://news.example.org",
    "name": "",
}


@dataclass(frozen=True)
class Golden:
    """A sample: ``name`` is its file's."""

    name: str
    post: Post


def names() -> list[str]:
    return ["ldn", *sorted(path.stem for path in POSTS.glob("*.html"))]


def golden(name: str, number: int = 1) -> Golden:
    return Golden(name, _ldn(number) if name == "ldn" else _from_file(name, number))


def _from_file(name: str, number: int) -> Post:
    """A few header lines as in mail, an empty line, then the markup as the blog's feed carries it."""
    head, _, html = (POSTS / f"{name}.html").read_text("utf-8").partition("\n\n")
    fields = dict(re.findall(r"(?m)^(\w+):[ \t]*(.*)$", head))
    return _post(
        number,
        title=fields.get("Title", ""),
        author=fields.get("Author", ""),
        language=fields.get("Language", "en"),
        comments_url=fields.get("Comments", ""),
        html=html,
        url=f"https://{name}.example.org/posts/1",
    )


def _ldn(number: int) -> Post:
    """The long post of the sample blog."""
    feed = ElementTree.parse(Path(newsletter.demo.__file__).parent / "blog" / "feed.xml").getroot()
    for entry in feed.iter(f"{_ATOM}entry"):
        title = entry.findtext(f"{_ATOM}title") or ""
        if "LDN" in title:
            url = "http://blog.example/2026/11/low-dose-naltrexone-ldn.html"
            return _post(
                number,
                title=title,
                author="Marian Holt",
                language="en",
                comments_url=f"{url}#comment-form",
                html=entry.findtext(f"{_ATOM}content") or "",
                url=url,
            )
    raise LookupError("the sample blog has lost its long post")


def _post(
    number: int, *, title: str, author: str, language: str, comments_url: str, html: str, url: str
) -> Post:
    return Post(
        id=number,
        feed_id=1,
        state=PostState.READY,
        title=title,
        author=author,
        language=language,
        comments_url=comments_url,
        html=html,
        url=url,
        base_url=url,
        published_at=NOW,
        first_seen_at=NOW,
        last_seen_at=NOW,
    )


def newsletter_for(sample: Golden, theme: str = "letter") -> Newsletter:
    return Newsletter(
        title="Evidence & Mercy" if sample.name == "ldn" else "Field Notes",
        sender=Sender(name="Marian Holt", address="marian@example.org"),
        postal_address="Marian Holt\nPO Box 12\n1010 Vienna",
        disclaimer="I am not a doctor. This notebook tells what I read and what I live with."
        if sample.name == "ldn"
        else "",
        language=sample.post.language,
        base_url="https://news.example.org",
        site_url="https://blog.example.org/",
        theme=theme,
    )


def single(sample: Golden, compiler: Compiler, theme: str = "letter") -> Artefact:
    """The issue of one post."""
    return compose(
        newsletter_for(sample, theme),
        issue_of([sample], Cadence.EACH),
        [sample.post],
        compiler=compiler,
        themes=Themes(),
    )


def digest(samples: list[Golden], compiler: Compiler, theme: str = "bulletin", note: str = "") -> Artefact:
    """A weekly issue of several posts."""
    return compose(
        newsletter_for(samples[0], theme),
        issue_of(samples, Cadence.WEEKLY, note),
        [sample.post for sample in samples],
        compiler=compiler,
        themes=Themes(),
    )


def issue_of(samples: list[Golden], cadence: Cadence = Cadence.EACH, note: str = "") -> Issue:
    return Issue(
        id=1,
        state=IssueState.DRAFT,
        cadence=cadence,
        period="" if cadence is Cadence.EACH else "2026-W09",
        subject="",
        note=note,
        posts=tuple(IssuePost(post_id=sample.post.id, block=block) for block, sample in enumerate(samples)),
        created_at=NOW,
        changed_at=NOW,
    )


def article(artefact: Artefact) -> str:
    """The markup of the first block, one element on a line so that a change can be read."""
    html = filled_html((s for s in artefact.html if s.block == 0), LINKS)
    return (
        re.sub(
            r"(?<=>)(?=<(?:p|h[1-6]|ul|ol|li|blockquote|pre|table|tr|figure|hr|dl|dt|dd|!--)[ >-])",
            "\n",
            html,
        ).strip()
        + "\n"
    )


def text(artefact: Artefact) -> str:
    """The plain text of the first block."""
    return filled_text((s for s in artefact.text if s.block == 0), LINKS).strip() + "\n"
