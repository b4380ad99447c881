from __future__ import annotations

import pytest

from newsletter.compose import Compiler, Themes, compose_notice
from newsletter.errors import ConfigError
from newsletter.model.artefact import filled_html, filled_text
from newsletter.model.delivery import Letter
from newsletter.model.notice import NoticeKind
from tests.compose.samples import a_newsletter

URL = "https://news.example.org/a/token"
KINDS = [kind for kind in NoticeKind if kind is not NoticeKind.TEST]


def bodies(letter: Letter) -> tuple[str, str]:
    return filled_html(letter.html, {}), filled_text(letter.text, {})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", ["en", "ar"])
def test_every_notice_says_its_link_and_the_postal_address(
    kind: NoticeKind, language: str, compiler: Compiler, themes: Themes
) -> None:
    newsletter = a_newsletter(language=language)
    letter = compose_notice(newsletter, kind, {"action_url": URL}, compiler=compiler, themes=themes)
    assert letter.subject
    for body in bodies(letter):
        assert URL in body
        assert "PO Box 12" in body


@pytest.mark.parametrize("kind", [NoticeKind.CONFIRM, NoticeKind.ADDRESS_CHANGE, NoticeKind.SUBSCRIBER_LINK])
def test_what_a_stranger_typed_is_never_shown(kind: NoticeKind, compiler: Compiler, themes: Themes) -> None:
    data = dict.fromkeys(("name", "subject", "excerpt", "text", "title", "reason", "hint"), "BUY NOW")
    letter = compose_notice(
        a_newsletter(), kind, data | {"action_url": URL}, compiler=compiler, themes=themes
    )
    assert "BUY NOW" not in "".join((letter.subject, *bodies(letter)))


def test_a_waiting_draft_shows_how_it_begins(compiler: Compiler, themes: Themes) -> None:
    data = {"subject": "On <b>", "excerpt": "It began & ended.", "action_url": URL}
    letter = compose_notice(a_newsletter(), NoticeKind.DRAFT_WAITING, data, compiler=compiler, themes=themes)
    html, text = bodies(letter)
    assert "On &lt;b&gt;" in html
    assert "> It began & ended." in text
    assert "On <b>" in letter.subject


def test_a_draft_that_goes_by_itself_says_when_and_offers_to_stop_it(
    compiler: Compiler, themes: Themes
) -> None:
    data = {"subject": "S", "action_url": URL, "send_at": "2026-03-05T08:00:00Z"}
    newsletter = a_newsletter(timezone="Europe/Vienna")
    letter = compose_notice(newsletter, NoticeKind.DRAFT_WAITING, data, compiler=compiler, themes=themes)
    for body in bodies(letter):
        assert "March 5, 2026, 9:00" in body
        assert "stop it" in body


def test_a_link_that_nobody_could_open_is_left_out(compiler: Compiler, themes: Themes) -> None:
    data = {"action_url": "javascript:alert(1)"}
    letter = compose_notice(a_newsletter(), NoticeKind.PROBLEM, data, compiler=compiler, themes=themes)
    assert "javascript" not in "".join(bodies(letter))


def test_without_a_from_there_is_no_notice(compiler: Compiler, themes: Themes) -> None:
    with pytest.raises(ConfigError, match="sender"):
        compose_notice(a_newsletter(sender=None), NoticeKind.CONFIRM, {}, compiler=compiler, themes=themes)


def test_the_same_notice_has_the_same_letter(compiler: Compiler, themes: Themes) -> None:
    one, other = (
        compose_notice(a_newsletter(), NoticeKind.CONFIRM, {"action_url": URL}, compiler=c, themes=themes)
        for c in (compiler, compiler)
    )
    assert one == other


def test_a_reminder_says_that_it_is_the_only_one(compiler: Compiler, themes: Themes) -> None:
    data = {"action_url": URL, "reminder": "yes", "request": "7"}
    letter = compose_notice(a_newsletter(), NoticeKind.CONFIRM, data, compiler=compiler, themes=themes)
    assert letter.subject.startswith("Still to confirm")
    for body in bodies(letter):
        assert URL in body and "only reminder" in body


def test_a_welcome_links_the_latest_issue_and_the_way_out(compiler: Compiler, themes: Themes) -> None:
    data = {
        "action_url": URL,
        "latest_title": "On <b> & on",
        "latest_url": "https://news.example.org/i/7",
        "unsubscribe_url": "https://news.example.org/u/t",
    }
    letter = compose_notice(a_newsletter(), NoticeKind.WELCOME, data, compiler=compiler, themes=themes)
    html, text = bodies(letter)
    assert "On &lt;b&gt; &amp; on</a>" in html and "The latest issue: On <b> & on" in text
    for body in (html, text):
        assert "https://news.example.org/i/7" in body and "https://news.example.org/u/t" in body
        assert "From now on" in body


def test_a_welcome_says_what_the_author_wrote(compiler: Compiler, themes: Themes) -> None:
    data = {
        "action_url": URL,
        "subject": "So glad\r\nBcc: x",
        "text": "Hello <i>you</i>.\r\n\r\nSecond\nline.",
    }
    letter = compose_notice(a_newsletter(), NoticeKind.WELCOME, data, compiler=compiler, themes=themes)
    html, text = bodies(letter)
    assert letter.subject == "So glad Bcc: x"
    assert "Hello &lt;i&gt;you&lt;/i&gt;." in html and "Hello <i>you</i>.\n\nSecond line." in text
    assert "From now on" not in text and "latest" not in text.lower()
