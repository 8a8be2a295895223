"""Levels as logs write them: their ranks, their spellings and numbers, and the SQL that reads them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.logs.fields.times import mostly
from locard.logs.lines.text_sql import ESCAPE_SEQUENCE, plain
from locard.logs.table.sql_text import literal

if TYPE_CHECKING:
    from locard.logs.fields.profile import FieldProfile

# Each level with its rank, the other words that most logs have for it, and those that few have:
# of syslog, Java, .NET, Go, Rust, JavaScript.
_LEVELS = (
    ("trace", 1, "", "t trc trce finest verbose vrb silly all"),
    ("debug", 2, "", "d dbg dbug finer fine"),
    ("info", 3, "information", "i inf informational default config log http success"),
    ("notice", 3, "", "notification"),
    ("warn", 4, "warning", "w wrn"),
    ("error", 5, "err", "e eror erro severe fail failure"),
    ("critical", 6, "crit", ""),
    ("alert", 6, "", ""),
    ("fatal", 7, "", "f ftl"),
    ("panic", 7, "", "pnc dpanic"),
    ("emerg", 7, "emergency", ""),
)
ERROR_RANK = 5
_WORDS = tuple(
    ((level, *common.split()), tuple(rare.split()), rank) for level, rank, common, rare in _LEVELS
)
RANKS = {
    word: rank for common, rare, rank in _WORDS for word in common + rare
}  # lower-case word to rank
_SPELLINGS = {word: (common, rare) for common, rare, _ in _WORDS for word in common + rare}
ERROR_WORDS = tuple(word for word, rank in RANKS.items() if rank >= ERROR_RANK)
_NO_LEVEL = "off"
_MOST_LEVELS = 40

# From the highest number down: at least so much is this level.
_NUMBERED = {
    "bunyan": ((60, "fatal"), (50, "error"), (40, "warn"), (30, "info"), (20, "debug"), (0, "trace")),
    "otlp": ((21, "fatal"), (17, "error"), (13, "warn"), (9, "info"), (5, "debug"), (1, "trace")),
    "gcp": ((800, "emergency"), (700, "alert"), (600, "critical"), (500, "error"), (400, "warning"),
            (300, "notice"), (200, "info"), (100, "debug")),
    "syslog": ((7, "debug"), (6, "info"), (5, "notice"), (4, "warning"), (3, "error"), (2, "crit"),
               (1, "alert"), (0, "emerg")),
    "windows": ((5, "verbose"), (4, "information"), (3, "warning"), (2, "error"), (1, "critical"),
                (0, "information")),
    "windows_entry": ((16, "error"), (4, "information"), (2, "warning"), (1, "error"), (0, "information")),
}  # fmt: skip
_NUMBER_WORDS = {
    "bunyan": "50 is an error",
    "syslog": "3 and less are errors",
    "otlp": "17 and more are errors",
    "gcp": "500 and more are errors",
    "windows": "1 and 2 are errors",
    "windows_entry": "1 is an error",
}
_OF_BUNYAN = frozenset({"10", "20", "30", "40", "50", "60"})
_OF_SYSLOG = frozenset("01234567")
_OF_OTLP = frozenset(map(str, range(1, 25)))
_SYSLOG_NAMES = ("severity", "priority", "pri", "syslogseverity", "syslogpriority", "sev")

# A level that a message names: glog (E1120), logging frameworks (ERROR, [error]), pairs (level=error).
_SEQUENCE = re.compile(ESCAPE_SEQUENCE)
_AT = 64  # characters of a message in which its level stands
_PAIR = r"(?:level|lvl|severity)[\"']?[=:][ ]?[\"']?"


def _in_text(words: str, letters: str) -> str:
    lower = words.lower()
    return (
        rf"^(?:{letters})[0-9]{{4}}[ \t]|\b(?:{words})\b|\[(?:{lower})\]|^(?:{lower}):"
        rf"|{_PAIR}(?:{lower}|{letters})\b"
    )


_TEXT_LEVELS = (
    ("error", _in_text("ERROR|SEVERE|ERR", "E")),
    ("fatal", _in_text("FATAL|PANIC|EMERG", "F")),
    ("critical", _in_text("CRITICAL|CRIT|ALERT", "C")),
    ("warn", _in_text("WARN|WARNING|WRN", "W")),
    ("info", _in_text("INFO|NOTICE|INF", "I")),
    ("debug", _in_text("DEBUG|TRACE|DBG|TRC", "D")),
)


def spellings(word: str) -> tuple[str, ...]:
    """The lower-case words that mean the same level as one of them; empty where it is no level."""
    common, rare = _SPELLINGS.get(word.lower(), ((), ()))
    return common + rare


def common_spellings(word: str) -> tuple[str, ...]:
    """Those of the spellings that most logs have: what a backend is asked for without seeing the log."""
    return _SPELLINGS.get(word.lower(), ((), ()))[0]


def is_level(item: FieldProfile) -> bool:
    """Whether a field's values are levels: words, or the numbers of bunyan, pino and syslog."""
    return item.distinct <= _MOST_LEVELS and (
        mostly(item, _is_word) or numbering_of(item) is not None
    )


def numbering_of(item: FieldProfile) -> str | None:
    """How a field numbers its levels, as its values and its name say; None where it has words."""
    name = re.sub(r"[^a-z]", "", item.name.rpartition(".")[2].lower())
    if name == "severitynumber" and mostly(item, _OF_OTLP.__contains__):
        return "otlp"
    if mostly(item, lambda v: v in _OF_BUNYAN or _is_word(v)):
        return "bunyan" if any(v in _OF_BUNYAN for v in item.values) else None
    if not mostly(item, _OF_SYSLOG.__contains__):
        return None
    # Most lines of a log tell of what is usual: 6 or 5 there, where other numberings have low numbers.
    usual = max(set(item.values), key=item.values.count)
    return "syslog" if name in _SYSLOG_NAMES or usual in {"5", "6"} else None


def numbering_words(numbering: str | None) -> str:
    """How errors are numbered, for people."""
    return _NUMBER_WORDS.get(numbering or "", "")


def level_sql(column: str, numbering: str | None) -> str:
    """SQL of the level as a lower-case word; numbers become words by the numbering."""
    word = f"regexp_replace(lower({column}), '[+-][0-9]+$', '')"
    if numbering is None:
        return word
    number = f"TRY_CAST({column} AS DOUBLE)"
    cases = " ".join(
        f"WHEN {number} >= {least} THEN '{name}'" for least, name in _NUMBERED[numbering]
    )
    return f"CASE {cases} ELSE {word} END"


def rank_sql(column: str) -> str:
    """SQL of the rank of a level (trace 1 to fatal 7): by its word, or as pino and bunyan number them."""
    named = " ".join(f"WHEN '{word}' THEN {rank}" for word, rank in RANKS.items())
    numbered = f"CAST(floor(TRY_CAST({column} AS DOUBLE) / 10) AS INTEGER)"
    return (
        f"CASE lower({column}) {named} ELSE CASE {numbered} WHEN 6 THEN 7 ELSE {numbered} END END"
    )


def names_level(message: str) -> bool:
    """Whether a message names a level at its head."""
    bare = _SEQUENCE.sub("", message)[:_AT]
    return any(re.search(pattern, bare) for _, pattern in _TEXT_LEVELS)


def named_level_sql(message: str) -> str:
    """SQL of the level that a message names at its head, as a lower-case word; null where it names none."""
    head = f"left({plain(message)}, {_AT})"
    cases = " ".join(
        f"WHEN regexp_matches({head}, {literal(pattern)}) THEN '{level}'"
        for level, pattern in _TEXT_LEVELS
    )
    return f"CASE {cases} END"


def _is_word(value: str) -> bool:
    word = re.sub(r"[+-]\d+$", "", value.lower())
    return word in RANKS or word == _NO_LEVEL
