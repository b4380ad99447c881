"""Lines that an author's template makes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.guard.lines import MOST, LineProblem, check_line, fill_line

POST = SimpleNamespace(title="On  walking\n{{ 1 }}", author="Rosa")
VALUES: dict[str, Any] = {"post": POST, "posts": [POST, POST]}


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ("{{ post.title }}", "On walking {{ 1 }}"),
        ("{{ posts|length }} new posts", "2 new posts"),
        ("{{ posts|map(attribute='author')|join(', ') }}", "Rosa, Rosa"),
        ("{% if posts|length > 1 %}{{ posts|length - 1 }} more{% endif %}", "1 more"),
        ("{{ post.author|upper if post.author else 'nobody' }}", "ROSA"),
        ("Letters & <more>", "Letters & <more>"),
    ],
)
def test_a_template_reads_chooses_and_filters(template: str, line: str) -> None:
    assert fill_line(template, VALUES) == line


@pytest.mark.parametrize(
    "template",
    [
        "{{ post.title",
        "{{ 'a' * 1000000000 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ '%1000000000d' % 1 }}",
        "{% for post in posts %}{{ post.title }}{% endfor %}",
        "{{ post.title.format(1) }}",
        "{{ range(10) }}",
        "{% include 'x' %}",
        "{% set x = 1 %}",
        "{{ post.title|safe }}",
        "{{ post.title|center(1000000000) }}",
        "x" * (MOST + 1),
    ],
)
def test_what_could_grow_call_or_reach_further_is_no_template(template: str) -> None:
    with pytest.raises(LineProblem, match="is no template"):
        check_line(template)
    with pytest.raises(LineProblem, match="is no template"):
        fill_line(template, VALUES)


@pytest.mark.parametrize(
    "template",
    [
        "{{ nothing }}",
        "{{ posts[5].title }}",
        "{{ post.__class__ }}",
        "{{ post.title.upper }}",
        "{{ posts }}",
    ],
)
def test_what_is_not_there_or_is_no_text_cannot_be_filled(template: str) -> None:
    with pytest.raises(LineProblem, match="cannot be filled"):
        fill_line(template, VALUES)


@given(st.text(max_size=200), st.text(max_size=200))
def test_the_result_is_one_line_and_values_are_never_templates(title: str, author: str) -> None:
    line = fill_line(
        "{{ post.title }}{{ post.author }}", {"post": SimpleNamespace(title=title, author=author)}
    )
    assert line == " ".join((title + author).split())
