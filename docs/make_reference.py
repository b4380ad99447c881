"""Writes settings.md, commands.md and problems.md from the code, so that they cannot be wrong.

Run: python docs/make_reference.py
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from newsletter import config, errors
from newsletter.cli import app

DOCS = Path(__file__).parent


def settings() -> str:
    lines = [
        "# Settings",
        "",
        "Set one with `newsletter settings set NAME VALUE` or in the studio. A value in the environment or",
        "in `.env` (with `NEWSLETTER_` in front) wins and is shown as fixed. The first seven must be known",
        "before the database is open and are read from the environment only.",
        "",
        "| name | default | what it is |",
        "| --- | --- | --- |",
    ]
    default = config.load({}, {})
    for shown in config.shown(default, {}, {}):
        value = f"`{shown.value}`" if shown.value else ""
        lines.append(f"| `{shown.name}` | {value} | {shown.help} |")
    return "\n".join(lines) + "\n"


def commands() -> str:
    lines = [
        "# Commands",
        "",
        "`list` and `show` take `--json`: one JSON document on stdout; logs go to stderr. A problem with",
        '`--json` is `{"error": {"code", "message", "hint"}}`.',
        "Exit 0: done. 1: a problem, told in one sentence. 2: wrong use.",
        "",
    ]
    root = get_command(app)
    for name, command in sorted(_walk(root, "newsletter")):
        usage = " ".join(_usage(parameter) for parameter in command.params if parameter.name != "help")
        lines += [f"## `{' '.join([name, usage]).strip()}`", "", _first(command.help), ""]
        for parameter in command.params:
            help_text = getattr(parameter, "help", None) or ""
            if parameter.name != "help" and (help_text or parameter.param_type_name == "option"):
                lines.append(f"- `{_label(parameter)}` {help_text}".rstrip())
        if lines[-1]:
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def problems() -> str:
    lines = [
        "# Problems",
        "",
        "Every problem is told in one sentence with what to do. `--json` adds its code, which never changes.",
        "",
        "| code | what it means |",
        "| --- | --- |",
    ]
    for error in _tree(errors.NewsletterError):
        lines.append(f"| `{error.code}` | {_meaning(error)} |")
    return "\n".join(lines) + "\n"


def _tree(root: type[errors.NewsletterError]) -> Iterator[type[errors.NewsletterError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _tree(child)


def _meaning(error: type[errors.NewsletterError]) -> str:
    """What the tree in the docstring of errors.py says of it. Raises ValueError where it says nothing."""
    found = re.search(rf"(?m)^[ │├└─]*{error.__name__} {{2,}}(.+)$", errors.__doc__ or "")
    if found is None:
        raise ValueError(f"errors.py does not say what {error.__name__} means")
    return found[1]


def _walk(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every command with its path. Typer's own command classes are private, hence Any."""
    children = getattr(command, "commands", None)
    if not children:
        yield path, command
        return
    for name, child in children.items():
        yield from _walk(child, f"{path} {name}")


def _usage(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        word = (parameter.metavar or parameter.name.upper()).strip("[]")
        return word if parameter.required else f"[{word}]"
    return ""


def _label(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name.upper())
    return str(parameter.opts[0])


def _first(text: str | None) -> str:
    return re.sub(r"\s+", " ", (text or "").strip())


REFERENCE = {"settings.md": settings, "commands.md": commands, "problems.md": problems}


if __name__ == "__main__":
    for name, text in REFERENCE.items():
        (DOCS / name).write_text(text(), encoding="utf-8")
        sys.stdout.write(f"Wrote docs/{name}.\n")
