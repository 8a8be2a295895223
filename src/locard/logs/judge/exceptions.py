"""Exceptions in a log, grouped by their type and the frame that they came from.

Stack traces of Java, JavaScript, .NET, Python and Go are read; a type without a trace is taken from the
field that names it, or from the message of an error line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.logs.table.sql_text import literal
from locard.model.log_facts import ExceptionCount

if TYPE_CHECKING:
    from locard.logs.judge.change import Change
    from locard.logs.table.table import Table

_MOST = 6
_CHARS = 8000  # of a stack trace
_STACKS = {"exception", "stacktrace", "stack", "excinfo", "exctext", "traceback", "errorstack",
           "extendedstacktrace", "x", "error", "err", "thrown"}  # fmt: skip
_TYPES = {"exceptiontype", "errortype", "exceptionclass", "exctype", "errorclass", "errorname",
          "errorkind"}  # fmt: skip
_NAME = r"(?:[A-Za-z_$][\w$]*[.:\\/]{1,2})*[A-Z][\w$]*(?:Error|Exception|Exit|Interrupt|Fault|Failure|Panic|Timeout)\b"
# In Python the exception stands last, elsewhere first.
_TYPE = f"""CASE WHEN contains(s, 'Traceback (most') THEN regexp_extract_all(s, {literal("(?m)^" + _NAME)})[-1]
  WHEN starts_with(s, 'panic: ') THEN 'panic' ELSE nullif(regexp_extract(s, {literal(_NAME)}), '') END"""
_FRAME = r"""coalesce(
  CASE WHEN contains(s, 'Traceback (most')
       THEN regexp_replace(regexp_extract_all(s, 'File "[^"]*", line \d+, in [^\n]+')[-1],
                           'File "(?:[^"]*/)?([^"/]*)", line (\d+), in ([^\n]+)', '\3 (\1:\2)') END,
  nullif(regexp_extract(s, '(?m)^\s*at ([^\n]+)$', 1), ''),
  nullif(regexp_extract(s, 'goroutine [^\n]*\n([^\n(]+)\(', 1), ''), '')"""


def count(table: Table, change: Change) -> tuple[ExceptionCount, ...]:
    """The most frequent since the onset, at most six."""
    parts = [f"nullif({c}, '')" for c in _named(table, _STACKS)] + _named(table, _TYPES)
    some = ""
    if parts:
        some = f"OR n IN (SELECT _n FROM raw WHERE coalesce({', '.join(parts)}) IS NOT NULL)"  # noqa: S608 - columns are ours
    if table.message:
        parts.append(f"CASE WHEN err THEN {table.message} END")
    if not parts:
        return ()
    start = change.onset.earliest if change.onset else 0.0
    rows = table.rows(
        f"""SELECT type, frame, count(*) FILTER (NOT since), count(*) FILTER (since) AS now, min(n)
            FROM (SELECT n, since, {_TYPE} AS type, left({_FRAME}, 200) AS frame FROM (
                    SELECT n, coalesce(t_end >= $start, true) AS since,
                           left(coalesce({", ".join(parts)}), {_CHARS}) AS s
                    FROM (FROM ev WHERE err {some}) JOIN raw ON n = _n)
                  WHERE s IS NOT NULL)
            WHERE type IS NOT NULL
            GROUP BY type, frame ORDER BY now DESC, type, frame LIMIT {_MOST}""",  # noqa: S608 - quoted
        {"start": start},
    )
    return tuple(ExceptionCount(t, frame, early, late, n + 1) for t, frame, early, late, n in rows)


def _named(table: Table, words: set[str]) -> list[str]:
    """The columns of the fields with such names."""
    return [
        column
        for name, column in table.columns.items()
        if _plain(name) in words or _plain(name.rpartition(".")[2]) in words
    ]


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())
