"""One line of text that an author's template makes, such as a subject: ``{{ post.title }}``.

The template may read the names it is given, choose (``if``) and use a few filters; it calls nothing,
repeats nothing and multiplies nothing, so that none can take long, grow large or reach further.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, Undefined, nodes
from jinja2.sandbox import SandboxedEnvironment

MOST: Final = 500
"""Characters of a template."""

FILTERS: Final = (
    "capitalize", "default", "first", "join", "last", "length", "lower", "map", "replace", "title", "trim",
    "truncate", "upper", "wordcount",
)  # fmt: skip

_ALLOWED: Final = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.CondExpr, nodes.Name, nodes.Getattr,
    nodes.Getitem, nodes.Slice, nodes.Const, nodes.Filter, nodes.Keyword, nodes.Test, nodes.Compare,
    nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Add, nodes.Sub, nodes.Concat,
)  # fmt: skip


def _text(value: object) -> object:
    if isinstance(value, str | int | Undefined):
        return value
    raise TypeError(f"a {type(value).__name__} is no text")


_ENV: Final = SandboxedEnvironment(undefined=StrictUndefined, autoescape=False, finalize=_text)
_ENV.filters = {name: _ENV.filters[name] for name in FILTERS}
_ENV.globals = {}


class LineProblem(ValueError):
    """What is wrong with a template, in words that follow its name."""


def check_line(template: str) -> None:
    """Raises LineProblem for what is no such template, whatever its values are."""
    try:
        _parsed(template)
    except TemplateSyntaxError as error:
        raise LineProblem(
            f"is no template: {error.message.rstrip('.') if error.message else error}"
        ) from error


def fill_line(template: str, context: Mapping[str, Any]) -> str:
    """The line that a template makes of these values, white space collapsed.

    Raises LineProblem as :func:`check_line` does, and where the template asks for what is not there.
    """
    check_line(template)
    try:
        return " ".join(_parsed(template).render(context).split())
    except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError, AttributeError) as error:
        raise LineProblem(f"cannot be filled: {str(error).rstrip('.')}") from error


def _parsed(template: str) -> Template:
    if len(template) > MOST:
        raise TemplateSyntaxError(f"it is longer than {MOST} characters", 1)
    tree = _ENV.parse(template)
    for node in tree.find_all(nodes.Node):
        if not isinstance(node, _ALLOWED):
            raise TemplateSyntaxError(f"{type(node).__name__.lower()} is not allowed in it", 1)
        if isinstance(node, nodes.Filter) and node.name not in FILTERS:
            raise TemplateSyntaxError(f"there is no filter named {node.name!r}", 1)
    return _ENV.from_string(tree)
