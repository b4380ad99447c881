"""What cleaning and composing cost beside the bare libraries, and what one subscriber's copy costs.

    python -m tests.bench.bench_compose [--rounds 40]

Rounds of ours and of the reference take turns; the median of each counts. Asserts nothing about time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from email.message import EmailMessage
from html import escape

import css_inline
import mjml
import nh3

from newsletter.compose import Compiler, Themes, compose, letter_of
from newsletter.compose.issue import theme_context
from newsletter.compose.render import Renderer
from newsletter.compose.words import language
from newsletter.guard import vocabulary
from newsletter.model.artefact import filled_html, filled_text
from tests.golden.library import LINKS, golden, issue_of, newsletter_for, single

MJML = "<mjml><mj-body><mj-section><mj-column><mj-text>{}</mj-text></mj-column></mj-section></mj-body></mjml>"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=40)
    rounds = arguments.parse_args().rounds
    with Compiler() as compiler:
        _composing(compiler, rounds)
        _personalising(compiler, rounds)


def _composing(compiler: Compiler, rounds: int) -> None:
    sample = golden("ldn")
    newsletter, themes = newsletter_for(sample), Themes()
    theme = themes.get(newsletter.theme)
    css = Renderer(theme, compiler).css("article.css.j2", theme_context(theme, language("en")))
    inliner = css_inline.CSSInliner(inline_style_tags=False, load_remote_stylesheets=False)
    number = iter(range(10**9))

    def ours() -> None:
        # A subject that differs each time, so that nothing comes out of the compiler's cache.
        given = replace(issue_of([sample]), subject=f"Subject {next(number)}", subject_edited=True)
        compose(newsletter, given, [sample.post], compiler=compiler, themes=themes)

    def bare() -> None:
        clean = nh3.clean(sample.post.html, tags=set(vocabulary.TAGS), link_rel=None)
        mjml.mjml2html(MJML.format(inliner.inline_fragment(clean, css).replace("<br>", "<br/>")), fonts={})

    ours()
    _told("composing the LDN issue, to nh3 + css-inline + mjml", ours, bare, rounds)


def _personalising(compiler: Compiler, rounds: int) -> None:
    artefact = single(golden("very-long"), compiler)
    letter = letter_of(artefact, artefact.mask)
    size = len(filled_html(letter.html, LINKS))
    static = [segment.text for segment in letter.html]

    def ours() -> None:
        for _ in range(100):
            filled_html(letter.html, LINKS)

    def bare() -> None:
        for _ in range(100):
            "".join([escape(LINKS.get(text, "")) if text in LINKS else text for text in static])

    def message() -> None:
        built = EmailMessage()
        built["Subject"] = letter.subject
        built.set_content(filled_text(letter.text, LINKS))
        built.add_alternative(filled_html(letter.html, LINKS), subtype="html")
        built.as_bytes()

    _told(f"filling {size // 1024} KB a hundred times, to a bare join of the same", ours, bare, rounds)
    _told("filling it a hundred times, to building one EmailMessage", ours, message, max(rounds // 4, 3))


def _told(name: str, ours: Callable[[], object], reference: Callable[[], object], rounds: int) -> None:
    mine: list[float] = []
    theirs: list[float] = []
    for _ in range(rounds):
        theirs.append(_timed(reference))
        mine.append(_timed(ours))
    us, them = statistics.median(mine), statistics.median(theirs)
    print(f"{name:<62} {us * 1000:>8.2f} ms {them * 1000:>8.2f} ms   {us / them:.2f} times")


def _timed(what: Callable[[], object]) -> float:
    started = time.perf_counter()
    what()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
