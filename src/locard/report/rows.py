"""Rows of a log on standard output: text, JSON, JSON lines, CSV.

A value of a field whose values are numbers is printed as a number if it is one, in the digits of the
log. What goes to a terminal is made harmless; JSON is ASCII and so harmless anywhere; CSV into a file
or a pipe is exact.
"""

from __future__ import annotations

import csv
import datetime as dt
import itertools
import json
import math
import re
from typing import TYPE_CHECKING, Any

from locard.report.plain import safe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from locard.logs.ask.slice import Answer

_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
_COMMA = re.compile(r",\s*\]")  # some loggers end a list so, and readers let it pass
_COMMA_OR_STRING = re.compile(r'("(?:[^"\\]|\\.)*")|,(\s*\])')
_OUTSIDE_ASCII = re.compile(r"[^\x20-\x7e]")
_LOOK_AHEAD = 200  # rows whose widths make the columns
_WIDEST = 40
_BARE = re.compile(r"[^\s\"=]+")


def write(answer: Answer, form: str, out: TextIO, head: dict[str, Any] | None = None) -> None:
    """Write an answer as text, json, jsonl or csv. `head` goes into the JSON document first."""
    if form == "json":
        _write_json(answer, out, head or {})
    elif form == "jsonl":
        out.writelines(line + "\n" for line in json_records(answer))
    elif form == "csv":
        _write_csv(answer, out)
    else:
        out.writelines(line + "\n" for line in text_lines(answer))


def json_records(answer: Answer) -> Iterator[str]:
    """Each row as one JSON object; fields that a record lacks are null, or left out of a record
    that is shown whole.
    """  # noqa: D205 - two clauses of one sentence
    keys = [json.dumps(name) + ": " for name in answer.columns]
    typed = list(zip(keys, answer.kinds, strict=True))
    for row in answer.rows:
        parts = [
            key + _json_value(value, kind)
            for (key, kind), value in zip(typed, row, strict=True)
            if answer.whole or value is not None
        ]
        yield "{" + ", ".join(parts) + "}"


def _json_value(value: Any, kind: str) -> str:
    if value is None:
        return "null"
    if kind == "json":
        if _COMMA.search(value):
            value = _COMMA_OR_STRING.sub(lambda m: m[1] or m[2], value)
        return _OUTSIDE_ASCII.sub(_escaped, value)
    if kind == "number" and _NUMBER.fullmatch(value):
        return str(value)  # in its own digits: no float rounds it
    if kind == "truth" and value in {"true", "false"}:
        return str(value)
    return json.dumps(_plain(value))


def _escaped(found: re.Match[str]) -> str:
    """A character of a JSON string as an escape; of what stands between strings only blanks are odd."""
    return " " if found[0] == "\t" else json.dumps(found[0])[1:-1].replace("\x7f", r"\u007f")


def _as_text(value: Any, kind: str) -> Any:
    """A JSON string as its text; arrays and objects stay as they are."""
    return json.loads(value) if kind == "json" and value is not None and value[:1] == '"' else value


def _plain(value: Any) -> Any:
    """A value of DuckDB as JSON has it; what JSON has no form for becomes text."""
    plain = value
    if isinstance(value, float):
        plain = value if math.isfinite(value) else None
    elif isinstance(value, dict):
        plain = {str(k): _plain(v) for k, v in value.items()}
    elif isinstance(value, list | tuple):
        plain = [_plain(v) for v in value]
    elif isinstance(value, dt.datetime):
        plain = value.isoformat() + ("Z" if value.tzinfo is None else "")
    elif isinstance(value, bytes | bytearray):
        plain = value.hex()
    elif value is not None and not isinstance(value, str | bool | int):
        plain = str(value)
    return plain


def _write_json(answer: Answer, out: TextIO, head: dict[str, Any]) -> None:
    """One document, written row by row: an answer of any size needs no memory."""
    out.write("{")
    out.writelines(f"\n  {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items())
    out.write('\n  "rows": [')
    between = "\n    "
    for line in json_records(answer):
        out.write(between + line)
        between = ",\n    "
    out.write(f'\n  ],\n  "matched": {answer.matched}\n}}\n')


def _write_csv(answer: Answer, out: TextIO) -> None:
    shown = safe if out.isatty() else str
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([shown(name) for name in answer.columns])
    for row in _as_texts(answer):
        writer.writerow(["" if v is None else shown(_text(v)) for v in row])


def _as_texts(answer: Answer) -> Iterator[tuple[Any, ...]]:
    """The rows with texts as people read them."""
    if "json" not in answer.kinds:
        return answer.rows
    return (tuple(map(_as_text, row, answer.kinds)) for row in answer.rows)


def _text(value: Any) -> str:
    plain = _plain(value)
    if plain is None:
        return "null"
    if isinstance(plain, bool):
        return "true" if plain else "false"
    return plain if isinstance(plain, str) else json.dumps(plain)


def text_lines(answer: Answer) -> Iterator[str]:
    """Lines for people: columns under their names, or `name=value` for records shown whole."""
    if not answer.whole:
        for record in _as_texts(answer):
            pairs = zip(answer.columns, record, strict=True)
            yield " ".join(f"{safe(n)}={_bare(v)}" for n, v in pairs if v is not None)
        return
    rows = ([_cell(answer.columns[i], v) for i, v in enumerate(row)] for row in _as_texts(answer))
    first = list(itertools.islice(rows, _LOOK_AHEAD))
    if not first:
        return
    names = [safe(name) for name in answer.columns]
    right = [k == "number" or n in _COUNTS for k, n in zip(answer.kinds, names, strict=True)]
    widths = [
        min(_WIDEST, max(len(name), *(len(row[i]) for row in first)))
        for i, name in enumerate(names)
    ]
    for row in itertools.chain([names], first, rows):
        cells = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ]
        yield "  ".join(cells).rstrip()


_COUNTS = {"count", "of", "errors", "share", "error_rate"}


def _cell(name: str, value: Any) -> str:
    if name in {"share", "error_rate"} and isinstance(value, float):
        return f"{100 * value:.3g} %"
    return safe(_text(value))


def _bare(value: Any) -> str:
    text = safe(_text(value))
    return text if _BARE.fullmatch(text) else json.dumps(text, ensure_ascii=False)
