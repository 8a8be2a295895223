"""Logs that are tables: CSV, TSV and their like, whose columns a first line names or a format knows.

Each row becomes a JSON object on a line. A quoted value may hold line ends: its row is one record. A row
with another number of columns, or whose quotes do not end, stays a line of text.

Source: RFC 4180; PostgreSQL's, AWS's and others' tables differ in the delimiter and in what stands for nothing.
"""

from __future__ import annotations

import codecs
import csv
import functools
import itertools
import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from locard import catalogue
from locard.logs.lines.line_format import Delimited, columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_HEADS = 4  # lines of which one may name the columns
_DELIMITERS = ("\t", ",", ";", "|", " ")
_FEWEST = {" ": 5}  # columns: words with blanks between them are everywhere
_FEWEST_NAMES = 3  # of others
_FEWEST_ROWS = {" ": 3}
_ODD = 0.1  # of the rows at most have another number of columns
_LOOKED_AT = 64  # rows
_MOST_LINES = 5_000  # of a row
_MOST_CHARS = 4 << 20
_MOST_COLUMNS = 512
_LINE_BYTES = 1 << 20
_NAME = re.compile(r"[A-Za-z_@$#][\w .@/()%:#\[\]?*&+'-]{0,63}")
_WORD = re.compile(r"[A-Za-z_][\w().-]{0,63}")
_WHOLE = re.compile(r"-?(?:0|[1-9]\d{0,17})(?:\.\d{1,17})?")
_DAY = re.compile(r"\d{4}([-/])\d\d\1\d\d")
_OF_DAY = re.compile(r"\d\d:\d\d:\d\d")
_DIGIT = re.compile(r"\d")
_NAMES_OF_EVENTS = re.compile(
    r"(?i)[@_]*(?:(?:.*[ _-])?(?:time|timestamp|date|datetime|level|severity|message|msg|status|host|event)|ts)"
)


@dataclass(frozen=True, slots=True)
class Table:
    """How the rows are read: their delimiter and the names of the columns."""

    kind: Delimited
    names: tuple[str, ...]
    head: str = ""  # the line that names them
    day_and_time: tuple[int, int] | None = None  # columns that are one time, in two parts


def find_table(head: bytes) -> Table | None:
    """How a log that begins so is read as a table; None where it is none."""
    text = head.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
    whole, newline, _ = text.rpartition("\n")
    lines = (whole if newline else text).split("\n")
    if any(line.startswith(c.head) for line in lines[:_LOOKED_AT] for c in columns()):
        return None
    for at, line in enumerate(lines[:_HEADS]):
        if line[:1] in {"{", "["}:
            return None
        if line.strip() and (found := _with_names(line.rstrip("\r"), lines[at + 1 :])):
            return found
    return _known(lines)


def lines_of(chunks: Iterable[bytes], table: Table) -> Iterator[bytes]:
    """Blocks of lines, a JSON object for each row; what is no row is a line as it is."""
    csv.field_size_limit(_MOST_CHARS)
    rest = b""
    chunks = iter(chunks)
    chunks = itertools.chain((next(chunks, b"").removeprefix(codecs.BOM_UTF8),), chunks)
    pending: list[str] = []
    for chunk in chunks:
        whole, newline, tail = (rest + chunk).rpartition(b"\n")
        if not newline:
            rest = tail
            continue
        rest = tail
        pending += whole.decode("utf-8", "surrogateescape").split("\n")
        out, pending = _converted(pending, table, ended=False)
        if out:
            yield _block(out)
    if rest:
        pending.append(rest.decode("utf-8", "surrogateescape"))
    out, _ = _converted(pending, table, ended=True)
    if out:
        yield _block(out)


def _block(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


@functools.cache
def _kinds() -> tuple[Delimited, ...]:
    found = (getattr(e.load(), "DELIMITED", ()) for e in catalogue.entries("format"))
    return tuple(kind for kinds in found for kind in kinds)


def _known(lines: list[str]) -> Table | None:
    """The table of a format that knows its columns, if a line fits; the first lines may be a row's rest."""
    for kind in _kinds():
        if not kind.row:
            continue
        for at, line in enumerate(lines[:_LOOKED_AT]):
            if re.match(kind.row, line):
                text, _ = _next_row(lines, at, ended=True)
                found = _cells(text, kind.delimiter)
                return (
                    Table(kind, _numbered(_renamed(kind, kind.columns), len(found)))
                    if found
                    else None
                )
    return None


def _with_names(first: str, lines: list[str]) -> Table | None:
    """The table whose columns a line names, and whose rows come behind it."""
    for delimiter in _DELIMITERS:
        names = [name.strip() for name in _cells(first.lstrip("# "), delimiter)]
        names = names[:-1] if len(names) > 1 and not names[-1] else names
        if not _are_names(names, delimiter):
            continue
        rows = _rows(lines, delimiter)
        width = len(names)
        counts = [len(row) for row in rows]
        wide = max(set(counts), key=counts.count, default=0)
        alike = counts.count(wide)
        odd = len(rows) - alike
        few = alike < max(_FEWEST_ROWS.get(delimiter, 1), odd)
        if few or not width <= wide <= width + 1 or odd > max(1, _ODD * len(rows)):
            continue
        if not any(_DIGIT.search(cell) for row in rows for cell in row):
            continue  # two lines of prose with as many commas
        kind = next((k for k in _kinds() if k.columns and set(k.columns) <= set(names)), None)
        kind = replace(kind or Delimited(), delimiter=delimiter)
        if delimiter == " ":
            kind = replace(kind, empty="-")
        named = _numbered(_renamed(kind, names), wide)
        return Table(kind, named, first, _day_and_time(named, rows))
    return None


def _are_names(names: list[str], delimiter: str) -> bool:
    """Whether words may be the names of columns."""
    if len(names) > _MOST_COLUMNS or len(set(names)) < len(names):
        return False
    form = _WORD if delimiter == " " else _NAME
    if not all(form.fullmatch(name) for name in names):
        return False
    fewest = _FEWEST.get(delimiter, _FEWEST_NAMES)
    known = sum(_NAMES_OF_EVENTS.fullmatch(name) is not None for name in names)
    # Two columns may be prose with a comma, unless their names say what they are.
    return len(names) >= fewest or (delimiter != " " and known == len(names) > 1)


def _rows(lines: list[str], delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    at = 0
    while at < len(lines) and len(rows) < _LOOKED_AT:
        text, at = _next_row(lines, at, ended=False)
        if not at:
            break
        if text.strip():
            rows.append(_cells(text, delimiter))
    return rows


def _next_row(lines: list[str], at: int, *, ended: bool) -> tuple[str, int]:
    """The row that begins at a line, and where the next one begins: 0 where it is not all there."""
    quotes, end, size = 0, at, 0
    while end < len(lines):
        line = lines[end]
        quotes += line.count('"')
        size += len(line)
        end += 1
        if quotes % 2 == 0:
            return "\n".join(lines[at:end]).rstrip("\r"), end
        if end - at > _MOST_LINES or size > _MOST_CHARS:
            return lines[at], at + 1  # a quote that is none
    return (lines[at], at + 1) if ended else ("", 0)


def _cells(row: str, delimiter: str) -> list[str]:
    """The values of a row; none where its quotes do not end."""
    if '"' not in row:
        return row.split(delimiter)
    try:
        return next(csv.reader([row], delimiter=delimiter, strict=False), [])
    except csv.Error:
        return []


def _day_and_time(names: tuple[str, ...], rows: list[list[str]]) -> tuple[int, int] | None:
    """The columns of the date and of the time of day, where each has its own."""
    lower = [name.lower() for name in names]
    if "date" not in lower or "time" not in lower or "timestamp" in lower:
        return None
    day, time = lower.index("date"), lower.index("time")
    parts = [(row[day], row[time]) for row in rows if len(row) > max(day, time)]
    good = all(_DAY.fullmatch(d) and _OF_DAY.match(t) for d, t in parts)
    return (day, time) if parts and good else None


def _renamed(kind: Delimited, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(kind.names.get(name, name) for name in names)


def _numbered(names: tuple[str, ...], wide: int) -> tuple[str, ...]:
    """The names of as many columns; those that have none are numbered."""
    return (*names[:wide], *(f"column_{i}" for i in range(len(names) + 1, wide + 1)))


def _converted(lines: list[str], table: Table, *, ended: bool) -> tuple[list[str], list[str]]:
    """Lines for the rows, and the lines of a row that is not all there."""
    out: list[str] = []
    keys = [json.dumps(name) for name in table.names]
    kind, width, at = table.kind, len(keys), 0
    if table.day_and_time is not None:
        keys.append('"timestamp"')
    begins = re.compile(kind.row) if kind.row else None
    while at < len(lines):
        if begins is not None and not begins.match(
            lines[at]
        ):  # the rest of a row that was rotated away
            out.append(lines[at])
            at += 1
            continue
        text, end = _next_row(lines, at, ended=ended)
        if not end:
            break
        at = end
        cells = _cells(text, kind.delimiter)
        if len(cells) == width and text != table.head:
            if table.day_and_time is not None:
                day, time = table.day_and_time
                cells.append(f"{cells[day].replace('/', '-')}T{cells[time]}")
            out.append(_json_of(keys, cells, kind.empty))
        elif text != table.head:
            out += text.split("\n")
    return out, lines[at:]


def _json_of(keys: list[str], cells: list[str], empty: str) -> str:
    pairs = (
        f"{key}:{cell if _WHOLE.fullmatch(cell) else json.dumps(cell)}"
        for key, cell in zip(keys, cells, strict=True)
        if cell not in {"", empty}
    )
    return "{" + ",".join(pairs) + "}"
