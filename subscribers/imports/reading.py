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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, TextIO

from subscribers.errors import Invalid

MOST_BYTES: Final = 200 * 1024 * 1024
_MOST_FILES: Final = 20_000  # a publication's posts are in Substack's
_DELIMITERS: Final = (",", ";", "\t", "|")
_NAMES: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
_DAMAGED: Final = "The file is damaged: its characters cannot be read."
_PIECE: Final = 1 << 20  #: characters of a file that are looked at together
_ZIP: Final = b"PK\x03\x04"
_EMPTY_LINES: Final = re.compile(r"(?:[ \t]*[\r\n])*")
_SAID: Final = re.compile(r"""\s*"?sep=([,;\t|])"?[ \t]*(?=[\r\n]|$)""", re.I)
"""A first line by which a spreadsheet is told the delimiter; Excel writes and reads it."""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """``header`` is empty where the file has none. ``above`` are the rows before the first person's: the
    header, and what stands over it. ``lines`` is about how many rows there are. ``name`` is the file's own,
    within its ZIP. ``open`` gives its text from the beginning, as often as it is asked for."""

    name: str
    open: Callable[[], TextIO]
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
        with self.open() as text:
            reader = csv.reader(text, delimiter=self.delimiter)
            try:
                for row in islice(reader, self.above, None):
                    if row and any(row):
                        yield reader.line_num, row
            except csv.Error as error:
                raise Invalid(
                    f"Line {reader.line_num} of the file cannot be read as CSV: {error}.",
                    hint="Export it again, or open it in a spreadsheet and save it as CSV.",
                ) from error


def read(content: bytes | Path, name: str) -> list[Sheet]:
    """What a file says, or each table of a ZIP; of a path the text is never in memory as a whole, but for a
    ZIP's. Raises Invalid for one that is empty, too large or none."""
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    if size > MOST_BYTES:
        raise Invalid("The file is larger than 200 MB.", hint="Split it into several files.")
    if isinstance(content, Path):
        with content.open("rb") as file:
            if file.read(len(_ZIP)) != _ZIP:
                return [_sheet_of(content, name)]
        content = content.read_bytes()
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
    found = _Text(
        start=text,
        encoding=encoding,
        lines=text.count("\n") + 1,
        empty=not text.strip(),
        binary="\x00" in text,
    )
    return _understood(found, name, lambda: io.StringIO(text, newline=""))


def _sheet_of(path: Path, name: str) -> Sheet:
    """The same, read in pieces."""
    with path.open("rb") as file:
        wide = file.read(2) in _UTF_16
    if wide:
        codec, said = "utf-16", "UTF-16"
        found = _scanned(path, codec, said)
        if found is None:
            raise Invalid(_DAMAGED)
    else:
        codec, said = "utf-8-sig", "UTF-8"
        found = _scanned(path, codec, said)
        if found is None:
            codec, said = "cp1252", "Windows-1252"
            found = _scanned(path, codec, said, errors="replace")
            assert found is not None
    errors = "replace" if codec == "cp1252" else "strict"
    return _understood(found, name, lambda: path.open(encoding=codec, errors=errors, newline=""))


@dataclass(frozen=True, kw_only=True)
class _Text:
    """What is known of a text before it is read as a table. ``start`` is all of it, or its first million
    characters."""

    start: str
    encoding: str
    lines: int
    empty: bool
    binary: bool


def _scanned(path: Path, codec: str, said: str, errors: str = "strict") -> _Text | None:
    """None where the file is not in this encoding."""
    start, lines, empty, binary = "", 1, True, False
    try:
        with path.open(encoding=codec, errors=errors, newline="") as file:
            while piece := file.read(_PIECE):
                start = start or piece
                lines += piece.count("\n")
                empty = empty and not piece.strip()
                binary = binary or "\x00" in piece
    except UnicodeError:
        return None
    return _Text(start=start, encoding=said, lines=lines, empty=empty, binary=binary)


def _understood(found: _Text, name: str, open: Callable[[], TextIO]) -> Sheet:
    if found.empty:
        raise Invalid("The file is empty.", hint="Choose the CSV file that the other service exported.")
    if found.binary:
        raise Invalid("This is not a CSV file.", hint="Choose the CSV or ZIP file that was exported.")
    said = _SAID.match(found.start)
    delimiter = said[1] if said else _delimiter(found.start)
    try:
        with open() as text:
            reader = csv.reader(text, delimiter=delimiter)
            full = ((at, row) for at, row in enumerate(reader) if any(cell.strip() for cell in row))
            above, first = next(islice(full, 1 if said else 0, None))
    except (csv.Error, StopIteration) as error:
        raise Invalid("The first line of the file cannot be read as CSV.") from error
    headed = not any("@" in cell for cell in first)
    return Sheet(
        name=name,
        open=open,
        encoding=found.encoding,
        delimiter=delimiter,
        header=tuple(cell.strip() for cell in first) if headed else (),
        above=above + headed,
        lines=found.lines,
    )


def _decoded(content: bytes) -> tuple[str, str]:
    if content[:2] in _UTF_16:
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
        raise Invalid(_DAMAGED) from error


def _delimiter(text: str) -> str:
    start = _EMPTY_LINES.match(text)
    first = text[start.end() if start else 0 :].partition("\n")[0]
    counts = {delimiter: _outside_quotes(first, delimiter) for delimiter in _DELIMITERS}
    best = max(_DELIMITERS, key=lambda delimiter: counts[delimiter])
    return best if counts[best] else ","


def _outside_quotes(line: str, character: str) -> int:
    return sum(part.count(character) for part in line.split('"')[::2])
