"""What cleaning and composing cost beside the bare libraries, and what one subscriber's copy costs.

    python -m tests.bench.bench_compose [--rounds 40]

Rounds of ours and of the reference take turns; the median of each counts, in this process's CPU time.
Asserts nothing about time.
"""

from __future__ import annotations

import argparse
import re
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from email.message import EmailMessage
from html import escape

import css_inline
import nh3
from mjml import mjml2html

from newsletter.compose import Compiler, Themes, compose, letter_of
from newsletter.compose.issue import theme_context
from newsletter.compose.mjml_lint import first_problem
from newsletter.compose.render import Renderer
from newsletter.compose.words import language
from newsletter.guard import vocabulary
from newsletter.model.artefact import filled_html, filled_text
from tests.golden.library import LINKS, golden, issue_of, newsletter_for, single


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=40)
    rounds = arguments.parse_args().rounds
    _composing(rounds)
    with Compiler() as compiler:
        _personalising(compiler, rounds)


class Forgetful(Compiler):
    """Compiles in this process, where its time is seen, and everything anew."""

    mjml = ""

    def compile(self, mjml: str, *, file: str = "layout.mjml.j2") -> str:
        self.mjml = mjml
        return mjml2html(mjml, fonts={})


def _composing(rounds: int) -> None:
    """The same post, style sheet and layout on both sides, everything the libraries can keep made before."""
    sample = golden("ldn")
    newsletter, themes = newsletter_for(sample), Themes()
    theme = themes.get(newsletter.theme)
    number = iter(range(10**9))
    inliner = css_inline.CSSInliner(inline_style_tags=False, load_remote_stylesheets=False)
    cleaner = nh3.Cleaner(tags=set(vocabulary.TAGS), link_rel=None)
    forgetful = Forgetful()
    with Compiler() as compiler:
        css = Renderer(theme, compiler).css("article.css.j2", theme_context(theme, language("en")))

        def ours(by: Compiler = compiler) -> None:
            given = replace(issue_of([sample]), subject=f"Subject {next(number)}", subject_edited=True)
            compose(newsletter, given, [sample.post], compiler=by, themes=themes)

        def first() -> None:
            first_problem.cache_clear()
            ours(forgetful)

        first()
        article = ARTICLE.search(forgetful.mjml)
        assert article is not None
        before, after = forgetful.mjml[: article.start(1)], forgetful.mjml[article.end(1) :]

        def bare() -> None:
            inlined = inliner.inline_fragment(cleaner.clean(sample.post.html), css)
            mjml2html(f"{before}{inlined}{after}", fonts={})

        ours()
        _told("composing the LDN issue, to nh3 + css-inline + mjml", ours, bare, rounds)
        _told("the same where no issue of its shape was compiled before", first, bare, rounds)


ARTICLE = re.compile(r'<mj-text css-class="article"[^>]*>\s*(zq\w+?z)')


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
    started = time.process_time()
    what()
    return time.process_time() - started


if __name__ == "__main__":
    main()
