from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.detect.links import canonical_link

POST = "blog.example/2026/05/post.html"


@pytest.mark.parametrize(
    "url",
    [
        "http://blog.example/2026/05/post.html",
        "https://www.Blog.Example/2026/05/post.html",
        "https://blog.example:443/2026/05/post.html#more",
        "https://blog.example/2026/05/post.html?utm_source=rss&utm_medium=feed",
        "https://blog.example/2026/05/post.html?m=1",
        "https://blog.example/2026/05/post.html/?fbclid=x",
        " https://blog.example./2026/05/post.html ",
    ],
)
def test_every_way_of_writing_one_address_is_one_link(url: str) -> None:
    assert canonical_link(url) == POST


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://blog.example/?p=12", "blog.example?p=12"),
        ("https://blog.example/a/index.html", "blog.example/a"),
        ("https://blog.example/caf%c3%a9", "blog.example/caf%C3%A9"),
        ("https://blog.example:8080/a", "blog.example:8080/a"),
        ("https://blog.example/#!/a", "blog.example#!/a"),
    ],
)
def test_what_names_the_page_stays(url: str, link: str) -> None:
    assert canonical_link(url) == link


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://blog.example/",
        "https://www.blog.example",
        "mailto:a@b.example",
        "http://[bad",
        "http://a:b/c",
    ],
)
def test_a_front_page_or_no_web_address_names_no_post(url: str) -> None:
    assert canonical_link(url) == ""


@example("http://h.example/ #")
@example("http://h.example/a/index.html/index.php / ")
@given(st.text(max_size=60).map(lambda text: f"http://h.example/{text}"))
def test_a_canonical_link_is_canonical(url: str) -> None:
    link = canonical_link(url)
    assert canonical_link(f"https://{link}") == link if link else True
