"""The cause in what a failed request says: its exception's text, or the field of the error beside the message."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_CAUSES = ("error", "err", "exception", "exc", "excinfo", "exctext", "errormessage", "errormsg",
           "errordetail", "errordetails", "exceptionmessage", "cause", "reason", "failure",
           "failurereason", "detail", "details", "lasterror", "stacktrace", "traceback", "stack")  # fmt: skip
_NESTED = {"message", "msg", "text", "reason", "detail", "details", "type", "class", "code", "name",
           "kind", "cause", "description"}  # fmt: skip
_OUTER = {"error", "err", "exception", "exc", "failure", "cause", "fault", "problem"}
# Where a status code stands its digits tell, elsewhere they are an id or an amount.
_STATUS = re.compile(
    r"(?i)((?:\b(?:status(?:[ _-]?code)?|code|http(?:/\d(?:\.\d)?)?|returned|responded|replied|answered|errno"
    r"|error|exit(?:ed)?(?: with)?|signal|sig|got)|->|=>)\"?[\s:=\[(<]{1,3}(?:code |status |with )?\"?)(\d{1,3})(?!\d|\.\d|[A-Za-z])"
)
_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
# A word of letters and digits mixed that is long, or hexadecimal: an id. Else its digits alone.
_IDS = re.compile(
    rf"{_UUID}|0x[0-9a-fA-F]+|(?<![0-9A-Za-z])(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{{6,}}(?![0-9A-Za-z])"
    r"|(?<![0-9A-Za-z])(?=[A-Za-z]*\d[A-Za-z0-9]*\d)(?=\d*[A-Za-z])[0-9A-Za-z]{16,}(?![0-9A-Za-z])"
    r"|\d+(?:[.:,]\d+)*"
)
_KEPT = str.maketrans("0123456789", "".join(map(chr, range(0xE000, 0xE00A))))
_BACK = {ord(v): k for k, v in zip("0123456789", map(chr, range(0xE000, 0xE00A)), strict=True)}
_TRACE = re.compile(r"Traceback \(most recent call last\)")
_FRAMES = re.compile(r"\s+at [\w$.<>/]+\(|\s*File \"|goroutine \d+ ")
_WHOLE, _ENDS = 800, 400
_WORTH = 200  # characters of a cause


def mask(text: str) -> str:
    """A text with its ids and numbers as `#`: status codes and exit codes stay, a message with ids is one."""
    kept = _STATUS.sub(lambda m: m[0].translate(_KEPT), text)
    return re.sub(r"#(?:[-_]#)+", "#", _IDS.sub("#", kept)).translate(_BACK)


# In SQL, where texts are counted: what tells messages apart that differ in a status code only.
STATUS_SQL = (
    r"(?i)(?:\b(?:status|code|http/[0-9.]+|returned|responded|replied|answered|got|exited|errno)|->|=>)"
    r"[^0-9]{1,9}([0-9]{1,3})(?:[^0-9.]|$)"
)


def columns_of(columns: Mapping[str, str], message: str) -> list[str]:
    """The columns in which a cause may stand, those that say most first; never the message itself."""
    found = []
    for name, column in columns.items():
        rank = _rank(name)
        if rank is not None and column != message:
            found.append((rank, name, column))
    return [column for _, _, column in sorted(found)]


def _rank(name: str) -> int | None:
    parts = [_plain(p) for p in name.split(".") if p]
    if not parts:
        return None
    if len(parts) > 1 and parts[-2] in _OUTER and parts[-1] in _NESTED:
        # The type before its text, as an exception is written.
        return 0 if parts[-1] in {"type", "class", "name", "kind"} else 1
    if parts[-1] in _CAUSES:
        return 2 + _CAUSES.index(parts[-1])
    return None


def column_sql(column: str) -> str:
    """SQL of what a cause says, as far as it is counted by: its end where it is a stack trace."""
    cut = f"CASE WHEN length({column}) > {_WHOLE} THEN left({column}, {_ENDS}) || chr(10) || right({column}, {_ENDS}) ELSE {column} END"
    return f"CASE WHEN {column} NOT IN ('', 'null', 'None', 'false', '0', '-') THEN {cut} END"


def said(message: str, causes: list[str], *, empty: bool) -> str:
    """What a line says with its cause: once each, the exception of a stack trace as its own line.

    `empty`: good requests say the same message, so that the cause alone says something.
    """
    parts: list[str] = []
    for cause in causes:
        short = exception_line(cause)
        if short and not any(short in p or p in short for p in parts):
            parts.append(short)
    text = message if not _TRACE.search(message) else exception_line(message)
    if not parts:
        return text
    cause = ": ".join(parts)[:_WORTH]
    if cause in text:
        return text
    return cause if empty or not text else f"{text}: {cause}"


def exception_line(text: str) -> str:
    """The line of a stack trace that names the exception with its text; of other texts the first line."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    if not lines:
        return ""
    if _TRACE.search(text):
        plain = [
            x for x in text.strip().splitlines() if x.strip() and not x.startswith((" ", "\t"))
        ]
        head = text.partition("Traceback (most")[0].strip()
        last = plain[-1].strip() if plain else lines[-1]
        if not last.startswith("Traceback"):
            return f"{head.splitlines()[0]}: {last}" if head else last
    return lines[0] if not _FRAMES.match(lines[0]) else lines[-1]


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())
