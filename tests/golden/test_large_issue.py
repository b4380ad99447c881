from __future__ import annotations

from dataclasses import replace

from newsletter.approve import checklist
from newsletter.compose import Compiler, Themes, compose
from newsletter.model.artefact import Artefact
from newsletter.model.checklist import CheckLine, Level
from subscribers.model import Cadence
from tests.golden.library import Golden, golden, issue_of, newsletter_for


def _issue_of_forty(compiler: Compiler, excerpts: bool) -> tuple[Artefact, CheckLine]:
    samples = [golden("photo-blog" if n % 2 else "wordpress-blocks", n) for n in range(1, 40)]
    samples.append(golden("very-long", 40))
    artefact = _composed(samples, compiler, excerpts)
    lines = checklist(newsletter_for(samples[0]), artefact, [sample.post for sample in samples]).lines
    (size,) = (line for line in lines if line.code == "size")
    return artefact, size


def _composed(samples: list[Golden], compiler: Compiler, excerpts: bool) -> Artefact:
    return compose(
        newsletter_for(samples[0]),
        replace(issue_of(samples, Cadence.WEEKLY), excerpts=excerpts),
        [sample.post for sample in samples],
        compiler=compiler,
        themes=Themes(),
    )


def test_forty_posts_with_pictures_compose_and_the_checklist_says_where_gmail_cuts() -> None:
    with Compiler() as compiler:
        artefact, size = _issue_of_forty(compiler, excerpts=False)
        assert len(artefact.blocks) == 40
        assert size.level is Level.BLOCKING
        assert "cut it off within “" in size.text
        assert "“The whole walk, from Land's End to the ferry” weighs most" in size.text
        assert "beginnings of posts" in size.mend


def test_beginnings_only_weigh_less() -> None:
    with Compiler() as compiler:
        samples = [golden("very-long", n) for n in range(1, 7)]
        whole, short = (_composed(samples, compiler, excerpts) for excerpts in (False, True))
        newsletter = newsletter_for(samples[0])
        assert [line.code for line in checklist(newsletter, whole).blocking] == ["size"]
        assert checklist(newsletter, short).blocking == ()
