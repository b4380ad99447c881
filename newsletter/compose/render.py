"""Templates to segments: Jinja, then MJML, then the values spliced in.

Feed text is never template source and never seen by the MJML compiler (see
:mod:`newsletter.compose.slots`). Templates run in a sandbox, with an allow-listed context and filters;
an undefined name is a problem, never an empty space.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any, Final

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
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
from newsletter.compose.places import unreadable
from newsletter.compose.slots import CONTROL, Mark, Raw, Slot, Tokens
from newsletter.compose.themes import Logo, Theme
from newsletter.compose.view import NewsletterView, PostView
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
    if type(value) is Raw:  # most values by far: a theme's colours and sizes
        return Markup(value)
    if isinstance(value, Undefined | Markup):
        return value  # Markup: a macro's or an include's result, templates already
    tokens: Tokens | None = context.get("_tokens")
    if tokens is None:
        raise TypeError("macros must be imported 'with context'")
    if isinstance(value, str | Slot | Mark):
        return Markup(tokens.hold(value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Markup(value)
    if value is None:
        return ""
    raise TypeError(f"a template writes a {type(value).__name__}, which is no text")


class _Sandbox(SandboxedEnvironment):
    """The sandbox, without its long look at what is a plain value of ours: a field of a view or theme, or an
    entry of a dictionary. Everything else it looks at as ever."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if attribute in _FIELDS.get(type(obj), ()):
            return getattr(obj, attribute)
        if type(obj) is dict and attribute in obj and attribute not in _OF_DICTIONARIES:
            return obj[attribute]
        return super().getattr(obj, attribute)


_FIELDS: Final = {
    kind: frozenset(field.name for field in fields(kind)) for kind in (Logo, NewsletterView, PostView, Theme)
}
_OF_DICTIONARIES: Final = frozenset(dir(dict))


class _MarkingLoader(BaseLoader):
    """Puts a mark before every tag that says where it stands, so that a problem in what Jinja has
    joined can be told with its file and line. The marks are control characters; nothing else writes them.

    The theme's colours and sizes are written in at once: they stay the same for as long as the theme does,
    and are what templates ask for most."""

    def __init__(self, theme: Theme) -> None:
        self._theme = theme
        self._files = ChoiceLoader([FileSystemLoader(str(folder)) for folder in theme.folders])
        self.places: list[tuple[str, int]] = []
        self._lock = threading.Lock()

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        try:
            source, file, current = self._files.get_source(environment, template)
        except TemplateNotFound:  # an OSError too, told with who asked for it
            raise
        except (OSError, UnicodeDecodeError) as error:
            raise self._unreadable(template, error) from error
        source = _THEMES_OWN.sub(self._token, CONTROL.sub("", source))
        if template.endswith(".txt.j2"):
            return source, file, current
        return self._marked(source, str(file)), file, current

    def _marked(self, source: str, file: str) -> str:
        parts = _JINJA.split(source)
        line = 1
        for number, part in enumerate(parts):
            if number % 2 == 0 and "<" in part:
                lines = part.split("\n")
                for below, text in enumerate(lines):
                    if "<" in text:
                        with self._lock:
                            mark = f"\x01{len(self.places)}\x02"
                            self.places.append((file, line + below))
                        lines[below] = text.replace("<", f"{mark}<")
                parts[number] = "\n".join(lines)
            line += part.count("\n")
        return "".join(parts)

    def _unreadable(self, template: str, error: OSError | UnicodeDecodeError) -> TemplateProblem:
        file = next(
            (f for folder in self._theme.folders if (f := folder / template).exists()), Path(template)
        )
        if isinstance(error, OSError):
            return unreadable(error, file)
        return TemplateProblem(
            f"{file.name} is not written in UTF-8.",
            file=str(file),
            line=error.object.count(b"\n", 0, error.start) + 1,
            hint="Save it as UTF-8.",
        )

    def _token(self, asked: re.Match[str]) -> str:
        """A colour or size of the theme, validated when it was read; what it lacks is told when asked for."""
        table: Mapping[str, Raw] = getattr(self._theme, asked[1])
        return str(table.get(asked[2], asked[0]))


_WRONG: Final = (
    TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, MemoryError,
)  # fmt: skip
"""What a template's own mistakes raise."""

_THEMES_OWN = re.compile(r"\{\{ theme\.(light|dark|type|layout)\.(\w+) \}\}")

_JINJA = re.compile(r"(\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\})", re.S)
"""What is Jinja's own in a template; a sign of "less than" in it is none of markup."""
_MARK = re.compile("\x01(\\d+)\x02")


@lru_cache(maxsize=8)
def _environment(theme: Theme) -> tuple[_Sandbox, _MarkingLoader]:
    """The templates of a theme, parsed once for as long as no file of it changes."""
    loader = _MarkingLoader(theme)
    env = _Sandbox(
        loader=loader,
        undefined=StrictUndefined,
        autoescape=True,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    env.filters = {name: env.filters[name] for name in _FILTERS}
    env.globals = {"range": env.globals["range"], "namespace": env.globals["namespace"]}
    return env, loader


class Renderer:
    """Renders one theme's templates. Thread-safe."""

    def __init__(self, theme: Theme, compiler: Compiler) -> None:
        self._compiler = compiler
        self._env, self._loader = _environment(theme)
        self._version = theme.version

    def html(self, name: str, context: Mapping[str, Any]) -> tuple[Segment, ...]:
        """The segments of an MJML template. Raises TemplateProblem.

        What is compiled depends on which values there are, not on what they say: issues of the same shape
        are the same MJML, which is looked at and compiled once.
        """
        tokens = Tokens(self._version)
        marked = _normal(self._jinja(name, context, tokens))
        if problem := mjml_lint.first_problem(marked):
            raise self._located(problem, marked, name)
        mjml = _MARK.sub("", marked)
        return tokens.segments(self._compiler.compile(mjml, file=name), escape=escape, file=name)

    def text(self, name: str, context: Mapping[str, Any]) -> tuple[Segment, ...]:
        """The segments of a plain-text template. Raises TemplateProblem."""
        tokens = Tokens(self._version)
        return tokens.segments(self._jinja(name, context, tokens), escape=str, file=name)

    def css(self, name: str, context: Mapping[str, Any]) -> str:
        """A style sheet made of the theme's own tokens only. Raises TemplateProblem."""
        return _MARK.sub("", self._jinja(name, context, Tokens(self._version)))

    def _jinja(self, name: str, context: Mapping[str, Any], tokens: Tokens) -> str:
        try:
            return self._env.get_template(name).render(**context, _tokens=tokens)
        except TemplateNotFound as error:
            file, line = _where(error)  # who asked for it
            raise TemplateProblem(
                f"The template {error.name} does not exist.", file=file or str(error.name), line=line
            ) from error
        except TemplateSyntaxError as error:
            raise TemplateProblem(
                f"{str(error.message).rstrip('.')}.",
                file=error.filename or str(error.name),
                line=error.lineno,
            ) from error
        except RecursionError as error:
            file, line = _where(error)
            raise TemplateProblem(
                "A template includes itself, or its loops nest without end.", file=file or name, line=line
            ) from error
        except _WRONG as error:
            file, line = _where(error)
            reason = str(error).rstrip(".") or "A value takes too much memory"
            raise TemplateProblem(f"{reason}.", file=file or name, line=line) from error

    def _located(self, problem: mjml_lint.Problem, marked: str, name: str) -> TemplateProblem:
        marks = _MARK.findall(marked, 0, problem.position)
        file, line = self._loader.places[int(marks[-1])] if marks else (name, 0)
        return TemplateProblem(problem.text, file=file, line=line, hint=problem.hint)


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
