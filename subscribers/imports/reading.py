"""Bytes of a file that somebody exported somewhere -> rows: encoding, delimiter and header are guessed.

A ZIP is read as the CSV files in it that hold subscribers.
"""

from __future__ import annotations

import csv
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from subscribers.errors import Invalid

MOST_BYTES: Final = 200 * 1024 * 1024
_MOST_FILES: Final = 20_000  # a publication's posts are in Substack's
_DELIMITERS: Final = (",", ";", "\t", "|")
_NAMES: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
_ZIP: Final = b"PK\x03\x04"
_EMPTY_LINES: Final = re.compile(r"(?:[ \t]*[\r\n])*")
_SAID: Final = re.compile(r"""\s*"?sep=([,;\t|])"?[ \t]*(?=[\r\n]|$)""", re.I)
"""A first line by which a spreadsheet is told the delimiter; Excel writes and reads it."""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """``header`` is empty where the file has none. ``above`` are the rows before the first person's: the
    header, and what stands over it. ``lines`` is about how many rows there are. ``name`` is the file's own,
    within its ZIP."""

    name: str
    text: str
    encoding: str
    delimiter: str
    header: tuple[str, ...]
    above: int
    lines: int

    @property
    def guessed(self) -> str:
        """What was guessed, for people."""
        header = "a first row of names" if self.header else "no row of names"
        return f"{self.encoding}, {_NAMES[self.delimiter]} between the columns, {header}"

    def first(self) -> list[str]:
        """The first row that is not a row of names; empty where there is none."""
        return next(self.rows(), (0, []))[1]

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Each row that is not empty with the line on which it ends. Raises Invalid for a broken file."""
        reader = csv.reader(io.StringIO(self.text, newline=""), delimiter=self.delimiter)
        try:
            for row in islice(reader, self.above, None):
                if row and any(row):
                    yield reader.line_num, row
        except csv.Error as error:
            raise Invalid(
                f"Line {reader.line_num} of the file cannot be read as CSV: {error}.",
                hint="Export it again, or open it in a spreadsheet and save it as CSV.",
            ) from error


def read(content: bytes, name: str) -> list[Sheet]:
    """What a file says, or each table of a ZIP. Raises Invalid for one that is empty, too large or none."""
    if len(content) > MOST_BYTES:
        raise Invalid("The file is larger than 200 MB.", hint="Split it into several files.")
    if not content.startswith(_ZIP):
        return [_sheet(content, name)]
    sheets = []
    for member, unpacked in _unpacked(content):
        if unpacked.strip():
            sheets.append(_sheet(unpacked, member))
    if not sheets:
        raise Invalid("There is no CSV file in this ZIP.", hint="Choose the file that the service exported.")
    return sheets


_BROKEN: Final = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError,
    OSError,  # bzip2's way to say so
    RuntimeError,  # it asks for a password
    ValueError,  # a place before the file's beginning, a name in no encoding
)  # fmt: skip
"""What a damaged ZIP makes of whoever unpacks it."""


def _unpacked(content: bytes) -> Iterator[tuple[str, bytes]]:
    """The CSV files of a ZIP, never more than MOST_BYTES of them together."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if len(members) > _MOST_FILES:
                raise Invalid("The ZIP holds too many files.", hint="Choose the CSV file inside.")
            left = MOST_BYTES
            for member in members:
                path = member.filename
                if not path.lower().endswith((".csv", ".tsv", ".txt")) or "__MACOSX" in path:
                    continue
                with archive.open(member) as file:
                    unpacked = file.read(left + 1)
                if len(unpacked) > left:
                    raise Invalid("The ZIP holds more than 200 MB.", hint="Choose the CSV file inside.")
                left -= len(unpacked)
                yield path, unpacked
    except _BROKEN as error:
        raise Invalid(
            "The ZIP cannot be unpacked.", hint="Unpack it yourself, and choose the CSV file inside."
        ) from error


def _sheet(content: bytes, name: str) -> Sheet:
    text, encoding = _decoded(content)
    if not text.strip():
        raise Invalid("The file is empty.", hint="Choose the CSV file that the other service exported.")
    if "\x00" in text:
        raise Invalid("This is not a CSV file.", hint="Choose the CSV or ZIP file that was exported.")
    said = _SAID.match(text)
    delimiter = said[1] if said else _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        full = ((at, row) for at, row in enumerate(reader) if any(cell.strip() for cell in row))
        above, first = next(islice(full, 1 if said else 0, None))
    except (csv.Error, StopIteration) as error:
        raise Invalid("The first line of the file cannot be read as CSV.") from error
    headed = not any("@" in cell for cell in first)
    return Sheet(
        name=name,
        text=text,
        encoding=encoding,
        delimiter=delimiter,
        header=tuple(cell.strip() for cell in first) if headed else (),
        above=above + headed,
        lines=text.count("\n") + 1,
    )


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
    start = _EMPTY_LINES.match(text)
    first = text[start.end() if start else 0 :].partition("\n")[0]
    counts = {delimiter: _outside_quotes(first, delimiter) for delimiter in _DELIMITERS}
    best = max(_DELIMITERS, key=lambda delimiter: counts[delimiter])
    return best if counts[best] else ","


def _outside_quotes(line: str, character: str) -> int:
    return sum(part.count(character) for part in line.split('"')[::2])
