from __future__ import annotations

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from playwright.sync_api import Browser, Route

from newsletter.archive import issue_page
from newsletter.compose import Compiler, Mode, Themes, compose, letter_of, page, preview_html, text_page
from newsletter.model.artefact import Artefact
from newsletter.model.delivery import Envelope, MessageKey
from newsletter.model.post import Post
from newsletter.model.publication import Sender
from newsletter.send.message import mime
from tests.compose.hostile import POSTS, TITLES, URLS
from tests.compose.samples import LINKS, NOW, a_newsletter, a_post, an_issue


def composed(compiler: Compiler, themes: Themes, *posts: Post, **newsletter: str) -> Artefact:
    return compose(a_newsletter(**newsletter), an_issue(posts), posts, compiler=compiler, themes=themes)


@pytest.mark.parametrize("trick", POSTS)
def test_a_hostile_post_is_composed_into_something_harmless(
    trick: str, compiler: Compiler, themes: Themes
) -> None:
    artefact = composed(compiler, themes, a_post(html=f"<p>before</p>{POSTS[trick]}<p>after</p>"))
    html = page(artefact, LINKS)
    assert "before" in html
    tags = " ".join(re.findall(r"<[^>]*>", html))
    assert not re.search(r"<(?:script|iframe|object|embed|form|input|link|base|svg|math)\b", tags, re.I)
    assert not re.search(r"""\son\w+\s*=|javascript:|data:text""", re.sub(r'"[^"]*"', '""', tags), re.I)
    assert not re.search(r"""(?:href|src)="\s*(?:javascript|vbscript|data|file):""", tags, re.I)
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", html + text_page(artefact, LINKS))
    assert html.count("</html>") == 1
    html.encode()


@pytest.mark.parametrize("title", TITLES)
def test_a_hostile_title_adds_no_line_and_no_markup(title: str, compiler: Compiler, themes: Themes) -> None:
    post = a_post(title=title, author=title, html="<p>Words.</p>")
    artefact = composed(compiler, themes, post, title=title, disclaimer=title)
    letter = letter_of(artefact, artefact.mask)
    for field in (artefact.subject, artefact.preheader, artefact.title, letter.subject, letter.sender.name):
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]", field)
    assert len(artefact.subject) <= 200
    assert "<script" not in page(artefact, LINKS)
    assert "49" not in artefact.subject


@pytest.mark.parametrize("url", URLS)
def test_a_hostile_address_becomes_no_link(url: str, compiler: Compiler, themes: Themes) -> None:
    post = a_post(url=url, comments_url=url, image_url=url, base_url=url, html="<p><a href='x'>x</a></p>")
    html = page(composed(compiler, themes, post, site_url=url), LINKS)
    assert "javascript:" not in html
    assert "file:" not in html
    assert not re.search(r'" ?onclick', html)
    assert "\nX-Evil" not in html


def emitted(artefact: Artefact) -> EmailMessage:
    """What leaves, read as a receiver reads it."""
    envelope = Envelope(
        key=MessageKey(1, 1),
        to="ada@example.net",
        letter=letter_of(artefact, artefact.mask, (("List-Id", "<newsletter.news.example.org>"),)),
        message_id="<1.1.x@news.example.org>",
        values=LINKS,
    )
    return message_from_bytes(mime(envelope, date=NOW), policy=default)


HEADERS = {
    "date", "from", "to", "subject", "message-id", "mime-version", "content-type", "list-id", "reply-to",
    "content-language",
}  # fmt: skip


@pytest.mark.parametrize("title", TITLES)
def test_a_hostile_title_or_name_adds_no_header_to_what_leaves(
    title: str, compiler: Compiler, themes: Themes
) -> None:
    post = a_post(title=title, author=title, html="<p>Words.</p>")
    sender = Sender(name=title, address="rosa@example.org")
    artefact = compose(
        a_newsletter(title=title, disclaimer=title, sender=sender),
        an_issue([post], preheader=title, preheader_edited=True),
        [post],
        compiler=compiler,
        themes=themes,
    )
    message = emitted(artefact)
    assert {name.lower() for name in message.keys()} <= HEADERS
    assert len(message.keys()) == len(set(message.keys()))
    assert "victim" not in str(message["to"]) and message["bcc"] is None
    assert [address.addr_spec for address in message["from"].addresses] == ["rosa@example.org"]


IN_THE_FLOW = """
    [...document.querySelectorAll('.article *')].every(e => getComputedStyle(e).position === 'static')
"""


def _nothing(route: Route) -> None:
    route.abort()


@pytest.mark.browser
def test_no_hostile_post_runs_a_script_in_a_real_browser(
    browser: Browser, compiler: Compiler, themes: Themes
) -> None:
    posts = [
        a_post(number, title=TITLES[number % len(TITLES)], html=html, url=URLS[number % len(URLS)])
        for number, (trick, html) in enumerate(POSTS.items(), 1)
        if trick not in ("one long word", "attributes without end")
    ]
    artefact = composed(compiler, themes, *posts)
    shown = [
        preview_html(artefact, LINKS, mode=mode, images=images) for mode in Mode for images in (True, False)
    ]
    shown.append(issue_page(artefact, base_url="https://news.example.org", issue_id=1))
    body = emitted(artefact).get_body(("html",))
    assert body is not None
    shown.append(body.get_content())
    for html in shown:
        tab = browser.new_page()
        tab.route("**/*", _nothing)
        tab.set_content(html, wait_until="load")
        for link in tab.query_selector_all("a[href]")[:40]:
            link.dispatch_event("mouseover")
        assert tab.evaluate("window.alarm") is None
        # Nothing of a post covers the footer or leaves the flow.
        assert tab.evaluate(IN_THE_FLOW)
        assert tab.locator("a", has_text="Unsubscribe").first.is_visible()
        tab.close()
