"""Subjects and preview lines, by themselves and from the author's templates."""

from __future__ import annotations

import pytest

from newsletter.compose import Compiler, Themes, compose, preheader_for, subject_for
from newsletter.errors import TemplateProblem
from subscribers.model import Cadence
from tests.compose.samples import NOW, a_newsletter, a_post, an_issue


def test_without_templates_a_subject_is_the_title_and_a_digest_says_how_many_more() -> None:
    posts = [a_post(1), a_post(2), a_post(3)]
    assert subject_for(Cadence.EACH, posts[:1], a_newsletter(), NOW) == "Post 1"
    assert subject_for(Cadence.WEEKLY, posts, a_newsletter(), NOW) == "Post 1, and 2 more"
    assert preheader_for(posts[:1], a_newsletter(), NOW) == "The words of post 1."
    assert preheader_for(posts, a_newsletter(), NOW) == "Post 2 · Post 3"


def test_templates_make_both_lines() -> None:
    newsletter = a_newsletter(
        subject="{{ newsletter.title }}, {{ date }}: {{ post.title }}",
        preheader="{{ posts|length }} posts. {{ post.begins }}",
    )
    posts = [a_post(1), a_post(2)]
    assert subject_for(Cadence.WEEKLY, posts, newsletter, NOW) == "Field Notes, March 4, 2026: Post 1"
    assert preheader_for(posts, newsletter, NOW) == "2 posts. The words of post 1."


def test_a_template_that_makes_nothing_leaves_the_default() -> None:
    newsletter = a_newsletter(subject="{% if posts|length > 1 %}{{ posts|length }} posts{% endif %}")
    assert subject_for(Cadence.EACH, [a_post(1)], newsletter, NOW) == "Post 1"
    assert subject_for(Cadence.WEEKLY, [a_post(1), a_post(2)], newsletter, NOW) == "2 posts"


def test_a_title_that_looks_like_a_template_stays_text() -> None:
    newsletter = a_newsletter(subject="New: {{ post.title }}")
    assert subject_for(Cadence.EACH, [a_post(title="{{ 7 }}")], newsletter, NOW) == "New: {{ 7 }}"


def test_a_template_that_cannot_be_filled_is_named() -> None:
    with pytest.raises(TemplateProblem, match="SUBJECT cannot be filled") as caught:
        subject_for(Cadence.EACH, [a_post()], a_newsletter(subject="{{ posts[3].title }}"), NOW)
    assert caught.value.file == "SUBJECT"


def test_an_issue_wears_the_templates_lines_unless_the_author_wrote_them(
    compiler: Compiler, themes: Themes
) -> None:
    newsletter = a_newsletter(subject="New: {{ post.title }}", preheader="By {{ post.author }}")
    post = a_post(author="Rosa")
    by_itself = compose(newsletter, an_issue([post]), [post], compiler=compiler, themes=themes)
    assert (by_itself.subject, by_itself.preheader) == ("New: Post 1", "By Rosa")
    issue = an_issue([post], subject="Mine", subject_edited=True, preheader="Too", preheader_edited=True)
    written = compose(newsletter, issue, [post], compiler=compiler, themes=themes)
    assert (written.subject, written.preheader) == ("Mine", "Too")
