from __future__ import annotations

import threading

import pytest

from newsletter.compose import Compiler
from newsletter.errors import TemplateProblem

FINE = "<mjml><mj-body><mj-raw>{}</mj-raw></mj-body></mjml>"
CRASHING = FINE.format("<div>" * 200_000)


def test_markup_that_kills_the_compiler_is_a_problem_and_the_next_one_compiles(compiler: Compiler) -> None:
    with pytest.raises(TemplateProblem, match="makes the compiler stop"):
        compiler.compile(CRASHING, file="layout.mjml.j2")
    assert "fine" in compiler.compile(FINE.format("fine"))


def test_a_compilation_that_takes_too_long_is_given_up() -> None:
    with Compiler(timeout_s=0.0) as compiler, pytest.raises(TemplateProblem, match="takes too long"):
        compiler.compile(FINE.format("slow"))


def test_the_compilers_reason_and_the_file_are_told(compiler: Compiler) -> None:
    with pytest.raises(TemplateProblem) as caught:
        compiler.compile("<mjml><mj-body></mjml>", file="mine/layout.mjml.j2")
    assert caught.value.file == "mine/layout.mjml.j2"
    assert "cannot be compiled" in caught.value.message


def test_no_font_is_linked(compiler: Compiler) -> None:
    text = '<mj-section><mj-column><mj-text font-family="Roboto">x</mj-text></mj-column></mj-section>'
    assert "fonts.googleapis" not in compiler.compile(f"<mjml><mj-body>{text}</mj-body></mjml>")


def test_threads_get_their_own_answers(compiler: Compiler) -> None:
    answers: dict[int, str] = {}

    def ask(number: int) -> None:
        answers[number] = compiler.compile(FINE.format(f"answer {number}"))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert all(f"answer {number}<" in answers[number] for number in range(8))


def test_a_large_document_passes_both_ways(compiler: Compiler) -> None:
    text = "word " * 400_000
    assert text in compiler.compile(FINE.format(text))


def test_a_closed_compiler_starts_again() -> None:
    compiler = Compiler()
    first = compiler.compile(FINE.format("one"))
    compiler.close()
    assert compiler.compile(FINE.format("one")) == first
    assert "two" in compiler.compile(FINE.format("two"))
    compiler.close()
