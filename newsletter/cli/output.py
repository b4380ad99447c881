"""What people and programs read: tables or one JSON document on stdout, problems on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import Progress, ProgressColumn
from rich.table import Table
from rich.text import Text

from newsletter.errors import Invalid, NewsletterError
from newsletter.model.times import rfc3339
from newsletter.wiring import own_files

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="The most to show.")]
MOST_ID: Final = 2**63 - 1
Id = Annotated[int, typer.Argument(metavar="ID", min=0, max=MOST_ID)]
After = Annotated[int, typer.Option(min=0, max=MOST_ID, help="Go on after this id.")]


def plain(value: object) -> Any:
    """A value as JSON shows it: times as RFC 3339, enums as their words, dataclasses as objects."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, Enum):
        return getattr(value, "word", value.value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return value


def show_json(value: object) -> None:
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False, indent=2) + "\n")


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """A table, or one sentence where there is nothing."""
    listed = list(rows)
    if not listed:
        out.print(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column, values in zip(columns, zip(*listed, strict=True), strict=True):
        numbers = all(isinstance(value, int) for value in values)
        table.add_column(column, justify="right" if numbers else "left", overflow="fold")
    for row in listed:
        table.add_row(*(value if isinstance(value, Text) else Text(cell(value)) for value in row))
    out.print(table)


def over(value: object, *remarks: object) -> Text:
    """A cell with a remark beneath: eighty columns have no room for long texts side by side."""
    said = [cell(one) for one in (value, *remarks) if cell(one)]
    return Text("\n").join([Text(said[0]), *(Text(one, style="dim") for one in said[1:])]) if said else Text()


def show_pairs(pairs: Iterable[tuple[str, object]]) -> None:
    """Names and values, one a line; empty values are left out."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        if cell(value):
            table.add_row(name, Text(cell(value)))
    out.print(table)


def cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M")
    if isinstance(value, Enum):
        return str(getattr(value, "word", value.value))
    return str(value)


def say(sentence: str) -> None:
    """One sentence of what happened, for people."""
    out.print(Text(sentence))


def progress(*columns: ProgressColumn) -> Progress:
    """A bar on stderr that leaves nothing behind; none at all where that is no terminal."""
    return Progress(*columns, console=err, transient=True, disable=not err.is_interactive)


def of_the_system(error: OSError) -> NewsletterError:
    """What the operating system refused, in one sentence."""
    reason = (error.strerror or type(error).__name__).rstrip(".")
    if error.filename is None:
        return NewsletterError(f"The system refused something that was needed: {reason}.")
    return NewsletterError(
        f"{error.filename} cannot be used: {reason}.",
        hint="Check that it is there, and that you may read and write it.",
    )


def check_free(path: Path, *read: Path) -> Path:
    """A file that a command writes. Raises Invalid for one of ours, and for one that it is to ``read``."""
    if path.resolve() in {other.resolve() for other in (*own_files(), *read)}:
        raise Invalid(f"{path} is needed as it is.", hint="Give another file to write into.")
    return path


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Around what writes ``path``. Raises Invalid where that is a folder, or in one that is not there or
    may not be written to."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or type(error).__name__).rstrip(".")
        raise Invalid(
            f"{path} cannot be written: {reason}.",
            hint="Give a file in a folder that is there and that you may write to.",
        ) from error
