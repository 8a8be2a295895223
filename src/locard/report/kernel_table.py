"""Tables that fit a screen: the least useful columns go first, and what went is told at the end.

A `Sheet` is one screen of a width. Nothing on it is cut unseen: a text that is too long is shortened in its
middle by `…`, its detail goes on below it, columns that were left out are in `dropped`.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from locard.model import columns
from locard.model.wording import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# What goes first where there is no room: what is least needed. The result stays.
_GO_FIRST = (
    "min", "rate", "p99", "bytes", "state", "p50", "errors", "since", "max", "longest",
    "threads", "thread", "count", "wall",
)  # fmt: skip
_GAP = 2
_TEXT = 0.4  # of the width: what the text beside the numbers should have before columns go
_LEAST_TEXT = 16
_HEAD = 0.4  # of what is left of a path is its begin
_BELOW = 6  # where a detail begins that does not fit below its text
_WIDE = 240  # of a text in a pipe or a page, where there is no limit


# What a head means, said below the first table that has it.
_MEANINGS = {
    "wall": "wall: time that passed, not CPU time, added up",
    "on CPU": "on CPU: by samples on a CPU or waiting for one, added up",
    "has GIL": "has GIL: by samples that had Python's lock, added up",
    "for": "for: how long by now",
    "p50": "p50: half took at most so long",
    "p99": "p99: 99 % took at most so long",
    "errors": "errors: without calls that a signal interrupted and the kernel began anew",
    "op": "op: how they wait at the lock word, see futex(2)",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One row: the cells of its columns, its text, the detail of it, and lines that follow it as they are."""

    cells: tuple[str, ...]
    text: str
    detail: str = ""
    below: tuple[str, ...] = ()


@dataclass(slots=True)
class Sheet:
    """One screen: `room` columns, or no limit; which columns were shown on it, and which left out."""

    room: int | None = None
    shown: dict[str, None] = field(default_factory=dict)
    dropped: dict[str, None] = field(default_factory=dict)
    explained: dict[str, None] = field(default_factory=dict)

    def prose(self, line: str, indent: str = "    ") -> Iterator[str]:
        """A sentence, filled: where there is no limit as wide as a page."""
        text = line.lstrip()
        begin = line[: len(line) - len(text)]
        yield from textwrap.wrap(
            text, self.room or columns.WIDEST, initial_indent=begin, subsequent_indent=begin + indent,
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip

    def fitted(self, line: str) -> str:
        """A line that stays one, shortened in its middle where it does not fit."""
        if self.room is None or len(line) <= self.room:
            return line
        begin = line[: len(line) - len(line.lstrip())]
        return begin + _short(line.lstrip(), self.room - len(begin))

    def grid(
        self, heads: Sequence[str], lines: Sequence[Line], last: str = "what", indent: str = ""
    ) -> Iterator[str]:
        """The lines under their heads, cells to the right; a column that is empty in every row is left out."""
        if not lines:
            return
        used = [k for k in range(len(heads)) if any(row.cells[k] for row in lines)]
        wide = {k: max(len(heads[k]), *(len(r.cells[k]) for r in lines)) for k in used}
        longest = max(len(r.text) for r in lines)
        used = self._that_fit(heads, used, wide, len(indent), longest)
        self.shown.update(dict.fromkeys(heads[k] for k in used))
        left = sum(wide[k] + _GAP for k in used) + len(indent)
        head = "".join(heads[k].rjust(wide[k]) + " " * _GAP for k in used)
        yield columns.cut(f"{indent}{head}{last}", self.room)
        for row in lines:
            numbers = "".join(row.cells[k].rjust(wide[k]) + " " * _GAP for k in used)
            yield from self._line(f"{indent}{numbers}", row, left)
            yield from row.below

    def _that_fit(
        self, heads: Sequence[str], used: list[int], wide: dict[int, int], indent: int, longest: int
    ) -> list[int]:
        """The columns beside which the text has room enough."""
        if self.room is None:
            return used
        want = min(longest, max(_LEAST_TEXT, int(self.room * _TEXT)))
        left = list(used)
        for head in _GO_FIRST:
            if indent + sum(wide[k] + _GAP for k in left) + want <= self.room or len(left) == 1:
                break
            gone = [k for k in left if heads[k] == head]
            self.dropped.update(dict.fromkeys(heads[k] for k in gone))
            left = [k for k in left if k not in gone]
        return left

    def _line(self, numbers: str, row: Line, left: int) -> Iterator[str]:
        room = _WIDE if self.room is None else max(_LEAST_TEXT, self.room - left)
        whole = f"{row.text}  {row.detail}" if row.detail else row.text
        if self.room is None:
            yield f"{numbers}{_short(row.text, room)}{'  ' + row.detail if row.detail else ''}"
        elif len(whole) <= room:
            yield f"{numbers}{whole}"
        else:
            yield f"{numbers}{_short(row.text, room)}"
            begin = " " * (left if len(row.detail) <= room else _BELOW)
            words = (_short(word, self.room - len(begin) - 1) for word in row.detail.split())
            yield from textwrap.wrap(
                " ".join(words), self.room, initial_indent=begin, subsequent_indent=begin + " ",
                break_on_hyphens=False,
            )  # fmt: skip

    def legend(self, *more: str) -> Iterator[str]:
        """What words mean that stand here for the first time on this screen."""
        fresh = [h for h in self.shown if h in _MEANINGS and h not in self.explained]
        self.explained.update(dict.fromkeys(fresh))
        words = [*more, *(_MEANINGS[h] for h in fresh)]
        if words:
            yield from self.prose(f"  {'; '.join(words)}")

    def left_out(self) -> Iterator[str]:
        """Which columns are not on the screen, and how to see them."""
        if gone := [head for head in self.dropped if head]:
            yield from self.prose(
                f"columns left out at this width: {', '.join(gone)}; in a wider terminal, in a pipe, or -o json"
            )


def _short(text: str, width: int) -> str:
    """At most so wide: of one word, such as a path, the middle goes and its end stays longest."""
    if len(text) <= width or " " in text:
        return shorten(text, width)
    head = int(_HEAD * (width - 1))
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"
