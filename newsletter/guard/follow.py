"""Follow an HTML parser: which elements it holds open after each tag, and which tags to withhold from it.

This keeps the parser's "stack of open elements" and "list of active formatting elements" (WHATWG HTML,
"Tree construction") for the small language that ``guard.tame`` writes: allowed tags, and text. A tag that
would nest too deep, or that the parser would ignore, is withheld; an end tag that the author forgot is
written where the parser would otherwise open the element again in later blocks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

from newsletter.guard.vocabulary import (
    CELLS,
    CLOSES_P,
    DEPTH,
    FORMATTING,
    FORMATTING_DEPTH,
    HEADINGS,
    ROW_GROUPS,
    TABLE_PARTS,
    VOID,
)

_MOST_ALIKE = 3
_MOST_UNTANGLED = 3

_BLOCKS = (CLOSES_P | TABLE_PARTS) - {"hr"}
_SCOPE = CELLS | {"table"}
_LIST_SCOPE = _SCOPE | {"ol", "ul"}
_ITEM_LIMIT = _BLOCKS - {"div", "p"}
_ITEMS = {"li": frozenset({"li"}), "dd": frozenset({"dd", "dt"}), "dt": frozenset({"dd", "dt"})}
_IMPLIED_END = frozenset({"dd", "dt", "li", "p", "rp", "rt"})
_TABLE_LEVELS = ROW_GROUPS | {"table", "tr"}
_OPENS_NO_FORMATTING = _BLOCKS | {"hr", "rp", "rt"}
_LINK = frozenset({"a"})
_PARAGRAPH = frozenset({"p"})
_NOTHING: frozenset[str] = frozenset()


class OpenElements:
    """Writes tags and text to ``out`` and knows what the parser that reads them holds open.

    Work per tag is bounded by ``vocabulary.DEPTH``.
    """

    def __init__(self, out: list[str]) -> None:
        self._out = out
        self._open: list[str] = []
        self._count: Counter[str] = Counter()
        # Formatting that a block closed before its own end tag came: the parser opens it again at the next
        # text. Inside a table cell it forgets what waits outside.
        self._waiting: list[list[str]] = [[]]
        self._formatting = 0
        self._withheld: Counter[str] = Counter()

    def text(self, text: str) -> None:
        if self._waiting[-1] and (self._top() not in _TABLE_LEVELS or text.strip(" \t\n\f\r")):
            self._open_waiting()
        self._out.append(text)

    def start(self, name: str, tag: str) -> None:
        """Write ``tag``, which begins an element ``name``, unless the parser is better off without it."""
        if self._is_withheld(name):
            self._withheld[name] += 1
            return
        if name in TABLE_PARTS:
            self._make_room_in_table(name)
        else:
            self._end_before(name)
            if name not in _OPENS_NO_FORMATTING:
                self._open_waiting()
        if name not in VOID and name != "colgroup":  # a column group ends by itself
            self._push(name)
            if name in CELLS:
                self._waiting.append([])
        self._out.append(tag)

    def end(self, name: str) -> None:
        """Write the end tag of ``name`` where it ends something."""
        if self._withheld[name]:
            self._withheld[name] -= 1
        elif self._top() == name and name not in self._waiting[-1]:  # as nearly always
            self._pop([len(self._open) - 1])
            self._out.append(f"</{name}>")
        elif name == "br":  # what a parser makes of </br>
            self.start("br", "<br>")
        elif name in FORMATTING:
            self._end_formatting(name)
        else:
            at = self._ended_by(name)
            if at is not None:
                self._close(at)
                self._out.append(f"</{name}>")
            elif name == "p":
                self._out.append("<p></p>")  # likewise; some blogs part paragraphs with it

    def holds(self, name: str) -> bool:
        """Whether an element ``name`` is open."""
        return self._count[name] > 0

    def _top(self) -> str:
        return self._open[-1] if self._open else ""

    def _find(self, names: frozenset[str], limit: frozenset[str]) -> int | None:
        """The innermost open element of ``names``, unless one of ``limit`` lies further inside."""
        if not any(map(self._count.__getitem__, names)):
            return None
        for i in range(len(self._open) - 1, -1, -1):
            if self._open[i] in names:
                return i
            if self._open[i] in limit:
                return None
        return None

    def _ended_by(self, name: str) -> int | None:
        if name in HEADINGS:
            return self._find(HEADINGS, _SCOPE)
        if name == "table":
            return self._find(frozenset({name}), _NOTHING)
        if name in TABLE_PARTS:
            return self._find(frozenset({name}), frozenset({"table"}))
        if name == "li":
            return self._find(frozenset({name}), _LIST_SCOPE)
        return self._find(frozenset({name}), _SCOPE if name in _BLOCKS else _BLOCKS)

    def _is_withheld(self, name: str) -> bool:
        # A tag that is not written changes nothing in the parser, so this comes before all else.
        if name in TABLE_PARTS and not self._count["table"]:
            return True
        if name in VOID:
            return False
        if len(self._open) >= DEPTH:
            return True
        if name not in FORMATTING:
            return False
        if name == "a" and self._find(_LINK, CELLS) != self._find(_LINK, _SCOPE):
            return True  # a link around the table: the parser would end it and yet hold it open
        # Of more than three alike a parser loses track ("Noah's Ark clause") and leaves some open for good.
        alike = self._count[name] + sum(waiting.count(name) for waiting in self._waiting)
        return self._formatting >= FORMATTING_DEPTH or alike >= _MOST_ALIKE

    def _end_before(self, name: str) -> None:
        """End what a parser ends by itself when ``name`` begins."""
        if name in _ITEMS:
            item = self._find(_ITEMS[name], _ITEM_LIMIT - _ITEMS[name])
            if item is not None:
                self._close(item)
        if name in CLOSES_P:
            paragraph = self._find(_PARAGRAPH, _SCOPE)
            if paragraph is not None:
                self._close(paragraph)
        if name == "a" and self.holds("a"):
            self._end_formatting("a")
        elif name in HEADINGS and self._top() in HEADINGS:
            self._close(len(self._open) - 1)
        elif name in ("rp", "rt") and self._find(frozenset({"ruby"}), _SCOPE) is not None:
            while self._top() in _IMPLIED_END:
                self._close(len(self._open) - 1)
        elif name == "table":
            part = self._find(_TABLE_LEVELS | CELLS, _NOTHING)
            outer = self._find(frozenset({"table"}), _NOTHING)
            if part is not None and outer is not None and self._open[part] not in CELLS:
                self._close(outer)  # a table straight inside a table, outside its cells, ends the first one

    def _make_room_in_table(self, name: str) -> None:
        """End what may not hold this part of the innermost table."""
        keep = len(self._open) - self._open[::-1].index("table")
        levels = {"tr": (ROW_GROUPS,), "td": (ROW_GROUPS, {"tr"}), "th": (ROW_GROUPS, {"tr"})}
        for level in levels.get(name, ()):
            if keep < len(self._open) and self._open[keep] in level:
                keep += 1
        if keep < len(self._open):
            self._close(keep, for_good=True)

    def _end_formatting(self, name: str) -> None:
        """What the standard calls the adoption agency."""
        waiting = self._waiting[-1]
        if name in waiting:
            del waiting[len(waiting) - 1 - waiting[::-1].index(name)]
            self._formatting -= 1
            self._out.append(f"</{name}>")
            return
        at = self._find(frozenset({name}), _SCOPE)
        if at is None:
            return
        blocks = [i for i in range(at + 1, len(self._open)) if self._open[i] in _BLOCKS]
        if len(blocks) > _MOST_UNTANGLED:
            # A parser gives up on untangling too many blocks; so end them in order.
            self._out.extend(f"</{inner}>" for inner in reversed(self._open[at:]))
            self._pop(range(at, len(self._open)))
            return
        if name != "a" and "a" in self._open[at:]:
            self._end_formatting("a")
            blocks = [i for i in range(at + 1, len(self._open)) if self._open[i] in _BLOCKS]
        self._out.append(f"</{name}>")
        # Up to each block other elements end, and formatting stays where at most three lie in a row.
        gone = [at]
        for start, stop in pairwise([at, *blocks]):
            formatting = [i for i in range(start + 1, stop) if self._open[i] in FORMATTING]
            gone += set(range(start + 1, stop)).difference(formatting[-3:])
        last = blocks[-1] if blocks else at
        inside = self._open[last + 1 :]
        self._pop([*gone, *range(last + 1, len(self._open))])
        self._wait(inner for inner in inside if inner in FORMATTING)

    def _close(self, at: int, *, for_good: bool = False) -> None:
        """The element at ``at`` ends, with all inside it. Formatting inside waits to be opened again.

        Where that must not happen an end tag is written: in ``for_good`` and at the end of a cell, since the
        parser forgets there; and always for links, which it would open again in every later block.
        """
        inside = self._open[at + 1 :]
        if for_good or self._open[at] in CELLS or self._open[at] == "table":
            self._out.extend(f"</{inner}>" for inner in reversed(self._open[at:]) if inner in FORMATTING)
            self._pop(range(at, len(self._open)))
            return
        if "a" in inside:
            self._out.append("</a>")
        self._pop(range(at, len(self._open)))
        self._wait(inner for inner in inside if inner in FORMATTING and inner != "a")

    def _wait(self, names: Iterable[str]) -> None:
        before = len(self._waiting[-1])
        self._waiting[-1].extend(names)
        self._formatting += len(self._waiting[-1]) - before

    def _open_waiting(self) -> None:
        names, self._waiting[-1] = self._waiting[-1], []
        self._formatting -= len(names)
        for name in names:
            self._push(name)

    def _push(self, name: str) -> None:
        self._open.append(name)
        self._count[name] += 1
        self._formatting += name in FORMATTING

    def _pop(self, positions: range | list[int]) -> None:
        for i in sorted(positions, reverse=True):
            name = self._open.pop(i)
            self._count[name] -= 1
            self._formatting -= name in FORMATTING
            if name in CELLS:
                self._formatting -= len(self._waiting.pop())
