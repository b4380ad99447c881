"""The pages of the sample blog and the sample mailbox."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("newsletter.demo", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(name: str, **values: Any) -> str:
    """One page as HTML. Every value is escaped unless its template says otherwise."""
    return _environment().get_template(name).render(**values)


@cache
def stylesheet(name: str) -> str:
    """One style sheet of this folder."""
    return (files(__package__) / name).read_text(encoding="utf-8")
