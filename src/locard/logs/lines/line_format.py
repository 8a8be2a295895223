"""What a format file holds: a regular expression, a field map, or a wrapper; and its samples.

Every pattern is in RE2's syntax and matches a whole line without its surrounding blanks. Its named
groups are the fields. The groups `pri` (a syslog priority, which becomes the level) and `pairs`
(text with key=value pairs, each of which becomes a field) are special.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from locard import catalogue
from locard.logs.lines import zones

if TYPE_CHECKING:
    from collections.abc import Mapping

ISO = (
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?"
    rf"(?: ?(?:Z|{zones.NAMES}|[+-]\d\d(?::?\d\d)?))?"
)
LEVELS = (
    r"TRACE|DEBUG|INFO|INFORMATION|NOTICE|WARN|WARNING|ERROR|ERR|SEVERE|CRITICAL|CRIT|FATAL|PANIC|"
    r"ALERT|EMERG|FINE|FINER|FINEST|CONFIG"
)
SYSLOG_LEVELS = ("emerg", "alert", "crit", "error", "warning", "notice", "info", "debug")
MOST_BEFORE = 61  # characters

Scale = Literal["s", "ms", "us", "ns"]
Numbering = Literal["bunyan", "syslog", "otlp", "gcp", "windows", "windows_entry"]


@dataclass(frozen=True, slots=True)
class LineSample:
    """A line and what must be read from it; the meta-tests read the samples of a file together.

    Keys of `has` are roles, with typed values (`time` is Unix time in s, `level` a lower-case word,
    `status` an int, `duration_ms` a float), or else names of fields, with their text. A line that
    joins the record before it has None.
    """

    line: str
    has: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class TextFormat:
    """Lines of text. `time` is "iso" or strptime's form of the group `time`, or several that it may have.

    A comma before the fraction is a point there, and one before a blank is left out. A form without a year or a date takes them from the day on which the log was last written. With
    `day_or_month` the form has the day first, and the log's times tell whether the month is. `names`
    gives groups another field name (dots cannot stand in a group's name, and two groups may be the two
    ways of writing one field). `levels` translates what the group `level` holds; `level_end` is a level
    with what ends it. A field `since_start_s` becomes the time where there is none. `opens` says that
    some of its records have their message, or their level too, in the next line. Lines of formats that are
    `joined` are one record where they follow each other; one that `begins` is the first of its record.

    The rest is for speed alone. Each of `pieces` holds the patterns of what double quotes cut a line
    into, in usual lines, at most four groups each: what they read must be what `pattern` reads.
    A line in this format has one of the `words`.
    `looks` fits the same lines as `pattern`, and is quicker to try.
    `unbounded` reads the same as `pattern` where its own group `before` has at most `MOST_BEFORE`
    characters: RE2 is slow where a repetition has bounds. `plain_pairs` says that all of a line is pairs with one blank between them, and that no value has
    a backslash or the character U+0001.
    """

    pattern: str
    time: str | tuple[str, ...] = "iso"
    day_or_month: bool = False
    opens: bool = False
    joined: bool = False
    begins: bool = False
    names: Mapping[str, str] = field(default_factory=dict)
    levels: Mapping[str, str] = field(default_factory=dict)
    pieces: tuple[tuple[str, ...], ...] = ()
    words: tuple[str, ...] = ()
    looks: str = ""
    unbounded: str = ""
    plain_pairs: bool = False
    pair: str = ""  # the pattern of a pair in the group `pairs`, key and value, where it is not the usual one
    rank: int = 50  # of two formats that fit a line the one with the lower rank reads it

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of the groups, in their order."""
        return tuple(re.compile(self.pattern).groupindex)

    @property
    def forms(self) -> tuple[str, ...]:
        """Those that `time` may have."""
        return (self.time,) if isinstance(self.time, str) else self.time


@dataclass(frozen=True, slots=True, eq=False)
class Wrapper:
    """What a container runtime or a collector puts around each line.

    Either a `pattern` with the group `rest`, or, for a JSON object, the key that holds the line
    (`rest`), further keys as `fields` (field name to its JSON pointer, or to several of which the first counts that is there) and a word that stands in each; with
    `others` all further keys are fields too.
    The group `flag` says P where the line goes on in the next one.
    """

    pattern: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    rest: str = ""
    fields: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    word: str = ""
    others: bool = False
    only_json: bool = False  # opened only where the line inside is a JSON object
    may_be_bytes: bool = False  # the line may stand there as a list of its bytes
    rank: int = 50


@dataclass(frozen=True, slots=True)
class Columns:
    """Lines of columns that a line before them names: it begins with `head`.

    What begins with `comment` is no record. `names` gives columns the name of a field.
    """

    head: str
    comment: str
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Delimited:
    """Rows of a table: `columns` are those that tell it by the names in its first line, or, with `row`, all
    columns in their order of a table without such a line, whose rows begin as the expression `row` says.

    `names` gives columns the name of a field; `empty` stands where there is no value.
    """  # noqa: D205 - one sentence

    delimiter: str = ","
    columns: tuple[str, ...] = ()
    row: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    empty: str = ""


@dataclass(frozen=True, slots=True)
class Expander:
    """Lines that hold many records: those that contain `word`.

    `sql` makes the list of their JSON texts from the column `rest`.
    """

    word: str
    sql: str


@dataclass(frozen=True, slots=True)
class Pick:
    """Where a dialect keeps a meaning: the field, and how a number in it is to be read."""

    field: str
    scale: Scale | None = None  # of a time or a duration
    plus: tuple[str, Scale] | None = None  # a second field that is added to it
    numbering: Numbering | None = None  # of a level
    words: Mapping[str, str] | None = None  # of a level: what its own words mean


@dataclass(frozen=True, slots=True)
class Dialect:
    """A logger's JSON: records that have all `markers` keep their meanings where `roles` says.

    What a field's own name and values tell need not stand in `roles`; under "" stand fields without a role,
    whatever their names say. The first of several picks counts
    whose field the log has.
    """

    markers: tuple[str, ...]
    roles: Mapping[str, Pick | tuple[Pick, ...]] = field(default_factory=dict)
    default_level: str = ""  # where the dialect leaves out the usual one

    def picks(self, role: str) -> tuple[Pick, ...]:
        """Where it may keep a role, the best first."""
        found = self.roles.get(role, ())
        return found if isinstance(found, tuple) else (found,)


@functools.cache
def text_formats() -> tuple[tuple[str, TextFormat], ...]:
    """Every text format with the name of its file, those that are tried first at the front."""
    found = [
        (e.name, f) for e in catalogue.entries("format") for f in getattr(e.load(), "TEXT", ())
    ]
    return tuple(sorted(found, key=lambda item: (item[1].rank, not item[1].words)))


@functools.cache
def wrappers() -> tuple[tuple[str, Wrapper], ...]:
    """Every wrapper with the name of its file, the outer ones first."""
    found = [
        (e.name, w) for e in catalogue.entries("format") for w in getattr(e.load(), "WRAPPERS", ())
    ]
    return tuple(sorted(found, key=lambda item: item[1].rank))


@functools.cache
def columns() -> tuple[Columns, ...]:
    """Every kind of columns."""
    return tuple(c for e in catalogue.entries("format") for c in getattr(e.load(), "COLUMNS", ()))


@functools.cache
def expanders() -> tuple[tuple[str, Expander], ...]:
    """Every expander with the name of its file."""
    found = catalogue.entries("format")
    return tuple((e.name, e.load().EXPANDER) for e in found if hasattr(e.load(), "EXPANDER"))


@functools.cache
def dialects() -> tuple[tuple[str, Dialect], ...]:
    """Every JSON dialect with the name of its file, those with the most markers first."""
    found = [
        (e.name, d)
        for e in catalogue.entries("format")
        for d in (
            *getattr(e.load(), "DIALECTS", ()),
            *([e.load().DIALECT] if hasattr(e.load(), "DIALECT") else ()),
        )
    ]
    return tuple(sorted(found, key=lambda item: (-len(item[1].markers), item[0])))
