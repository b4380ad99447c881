"""Templates to segments: Jinja, then MJML, then the values spliced in.

Feed text is never template source and never seen by the MJML compiler (see
:mod:`newsletter.compose.slots`). Templates run in a sandbox, with an allow-listed context and filters;
an undefined name is a problem, never an empty space.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any, Final

from jinja2 import (
    ChoiceLoader,
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
    pass_context,
)
from jinja2.runtime import Context, Undefined
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup

from newsletter.compose import mjml_lint
from newsletter.compose.compiler import Compiler
from newsletter.compose.slots import Mark, Raw, Slot, Tokens
from newsletter.compose.themes import Theme
from newsletter.errors import TemplateProblem
from newsletter.model.artefact import Segment

_FILTERS: Final = (
    "batch", "default", "first", "join", "last", "length", "list", "lower", "replace", "reverse", "round",
    "slice", "sort", "title", "trim", "truncate", "upper", "wordcount",
)  # fmt: skip
"""No filter here turns text into markup: ``safe`` would let a feed's text reach the compiler."""


@pass_context
def _finalize(context: Context, value: object) -> object:
    """What ``{{ }}`` writes: a token for everything dynamic. Passing the context keeps Jinja from
    folding constants at compile time, when there are no tokens yet."""
    tokens: Tokens | None = context.get("_tokens")
    if isinstance(value, Undefined | Markup):
        return value  # Markup: a macro's or an include's result, templates already
    if tokens is None:
        raise TypeError("macros must be imported 'with context'")
    if isinstance(value, Raw):
        return Markup(value)
    if isinstance(value, str | Slot | Mark):
        return Markup(tokens.hold(value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Markup(value)
    if value is None:
        return ""
    raise TypeError(f"a template writes a {type(value).__name__}, which is no text")


class Renderer:
    """Renders one theme's templates. Cheap; not thread-safe: make one per rendering."""

    def __init__(self, theme: Theme, compiler: Compiler) -> None:
        self._theme = theme
        self._compiler = compiler
        loader = ChoiceLoader([FileSystemLoader(str(folder)) for folder in theme.folders])
        self._env = SandboxedEnvironment(
            loader=loader,
            undefined=StrictUndefined,
            autoescape=True,
            finalize=_finalize,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._env.filters = {name: self._env.filters[name] for name in _FILTERS}
        self._env.globals = {"range": self._env.globals["range"], "namespace": self._env.globals["namespace"]}

    def html(self, name: str, context: Mapping[str, Any], seed: str) -> tuple[Segment, ...]:
        """The segments of an MJML template. Raises TemplateProblem."""
        tokens = Tokens("html" + seed)
        mjml = _normal(self._jinja(name, context, tokens))
        if problem := mjml_lint.first_problem(mjml):
            raise self._located(name, problem)
        return tokens.segments(self._compiler.compile(mjml, file=name), escape=escape, file=name)

    def text(self, name: str, context: Mapping[str, Any], seed: str) -> tuple[Segment, ...]:
        """The segments of a plain-text template. Raises TemplateProblem."""
        tokens = Tokens("text" + seed)
        return tokens.segments(self._jinja(name, context, tokens), escape=str, file=name)

    def css(self, name: str, context: Mapping[str, Any]) -> str:
        """A style sheet made of the theme's own tokens only. Raises TemplateProblem."""
        return self._jinja(name, context, Tokens("css"))

    def _jinja(self, name: str, context: Mapping[str, Any], tokens: Tokens) -> str:
        try:
            return self._env.get_template(name).render(**context, _tokens=tokens)
        except TemplateNotFound as error:
            raise TemplateProblem(
                f"The template {error.name} does not exist.", file=str(error.name)
            ) from error
        except TemplateSyntaxError as error:
            raise TemplateProblem(
                f"{error.message}.", file=error.filename or str(error.name), line=error.lineno
            ) from error
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            file, line = _where(error)
            raise TemplateProblem(f"{error}.", file=file or name, line=line) from error

    def _located(self, name: str, problem: mjml_lint.Problem) -> TemplateProblem:
        """The problem in the file where its line can be found: Jinja has joined them all."""
        for file in self._env.list_templates(filter_func=lambda found: found.endswith(".mjml.j2")):
            source, filename, _ = (
                self._env.loader.get_source(self._env, file) if self._env.loader else ("", "", None)
            )
            for number, line in enumerate(source.splitlines(), 1):
                if problem.excerpt in line:
                    return TemplateProblem(problem.text, file=str(filename), line=number, hint=problem.hint)
        return TemplateProblem(problem.text, file=name, line=0, hint=problem.hint)


def _normal(mjml: str) -> str:
    """As the compiler wants it: ASCII, line feeds, no spaces at the end of lines."""
    lines = mjml.replace("\r\n", "\n").replace("\r", "\n").encode("ascii", "xmlcharrefreplace").decode()
    return "\n".join(line.rstrip() for line in lines.split("\n")).strip()


def _where(error: BaseException) -> tuple[str, int]:
    """The template's file and line in which an error arose: Jinja gives its frames their names."""
    file, line = "", 0
    trace = error.__traceback__
    while trace is not None:
        filename = trace.tb_frame.f_code.co_filename
        if filename.endswith((".j2", ".toml")):
            file, line = filename, trace.tb_lineno
        trace = trace.tb_next
    return file, line
