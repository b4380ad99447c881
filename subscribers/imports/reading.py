"""Bytes of a file that somebody exported somewhere -> rows: encoding, delimiter and header are guessed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from subscribers.errors import Invalid

MOST_BYTES: Final = 200 * 1024 * 1024
_DELIMITERS: Final = (",", ";", "\t", "|")
_NAMES: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """``header`` is empty where the file has none. ``lines`` is about how many rows there are."""

    text: str
    encoding: str
    delimiter: str
    header: tuple[str, ...]
    lines: int

    @property
    def guessed(self) -> str:
        """What was guessed, for people."""
        header = "a first row of names" if self.header else "no row of names"
        return f"{self.encoding}, {_NAMES[self.delimiter]} between the columns, {header}"

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Each row that is not empty with the line on which it ends. Raises Invalid for a broken file."""
        reader = csv.reader(io.StringIO(self.text, newline=""), delimiter=self.delimiter)
        try:
            if self.header:
                next(reader)
            for row in reader:
                if row and any(row):
                    yield reader.line_num, row
        except csv.Error as error:
            raise Invalid(
                f"Line {reader.line_num} of the file cannot be read as CSV: {error}.",
                hint="Export it again, or open it in a spreadsheet and save it as CSV.",
            ) from error


def read(content: bytes) -> Sheet:
    """What a file says. Raises Invalid for one that is empty, too large or no table."""
    if len(content) > MOST_BYTES:
        raise Invalid("The file is larger than 200 MB.", hint="Split it into several files.")
    text, encoding = _decoded(content)
    if not text.strip():
        raise Invalid("The file is empty.", hint="Choose the CSV file that the other service exported.")
    if "\x00" in text or content[:4] == b"PK\x03\x04":
        raise Invalid("This is not a CSV file.", hint="Unpack it first, and choose the CSV file inside.")
    delimiter = _delimiter(text)
    try:
        first = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except (csv.Error, StopIteration) as error:
        raise Invalid("The first line of the file cannot be read as CSV.") from error
    header = () if any("@" in cell for cell in first) else tuple(cell.strip() for cell in first)
    return Sheet(text=text, encoding=encoding, delimiter=delimiter, header=header, lines=text.count("\n") + 1)


def _decoded(content: bytes) -> tuple[str, str]:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _strictly(content, "utf-16"), "UTF-16"
    try:
        return content.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError:
        # What Excel writes where nobody tells it otherwise; every byte means something in it.
        return content.decode("cp1252", errors="replace"), "Windows-1252"


def _strictly(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise Invalid("The file is damaged: its characters cannot be read.") from error


def _delimiter(text: str) -> str:
    first = text.lstrip("\r\n").partition("\n")[0]
    counts = {delimiter: _outside_quotes(first, delimiter) for delimiter in _DELIMITERS}
    best = max(_DELIMITERS, key=lambda delimiter: counts[delimiter])
    return best if counts[best] else ","


def _outside_quotes(line: str, character: str) -> int:
    return sum(part.count(character) for part in line.split('"')[::2])
