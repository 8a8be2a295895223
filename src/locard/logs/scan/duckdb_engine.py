"""Reads NDJSON with DuckDB alone: the engine where the native module is missing.

Blocks of text go into DuckDB as one value each and are split, checked and taken apart there; a
line that is no JSON object costs only itself and is counted with its reason and one sample.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from locard.logs.lines.continued import BROKEN
from locard.logs.table.sql_text import literal
from locard.logs.table.table import DEEPEST, MOST_FIELDS, SAMPLE_CHARS, TEXT_LINES, Table, Tally

if TYPE_CHECKING:
    from locard.logs.table.table import OnText

BLANK = "blank"
NOT_JSON = "not a JSON object"

_BLANKS = r"E' \t\r\f\x0b' || chr(65279)"
_PAIR = r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"

# What makes a record of text that is none at first sight: raw control characters are a terminal's
# and become spaces; half a surrogate pair becomes U+FFFD. To find those, every other escape is
# marked as well, with a character that cannot occur any more, and the mark taken away again.
_MACROS = rf"""
CREATE OR REPLACE TEMP MACRO plain(t) AS regexp_replace(t, '[\x00-\x1f]', ' ', 'g');
CREATE OR REPLACE TEMP MACRO whole_pairs(t) AS CASE WHEN NOT regexp_matches(t, '\\u[dD][89a-fA-F]')
  THEN t ELSE replace(regexp_replace(regexp_replace(t,
    '(\\[^u]|{_PAIR})|\\u[dD][89a-fA-F][0-9a-fA-F]{{2}}', '\1' || chr(1), 'g'),
    '(\\[^u]|{_PAIR})' || chr(1), '\1', 'g'), chr(1), chr(65533)) END;
CREATE OR REPLACE TEMP MACRO salvaged(t) AS whole_pairs(plain(t));
"""

# A prefix as CRI and `kubectl logs --timestamps` write it; any other is kept as it is.
_STAMPED = (
    r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))(?: (stdout|stderr) [FP])?$"
)
# A prefix that says where a record comes from and nothing more; any other makes the line text.
_WRAPPER = rf"(?:{_STAMPED})|^[^ ]+ *\|$|^\[[^\[\]]*\]$|^\x1b"
_PREFIXES = {
    "prefix": f"CASE WHEN NOT regexp_matches(prefix, '{_STAMPED}') THEN prefix END",
    "prefix.time": f"nullif(regexp_extract(prefix, '{_STAMPED}', 1), '')",
    "prefix.stream": f"nullif(regexp_extract(prefix, '{_STAMPED}', 2), '')",
}

# A record is a JSON object after trimming. Else what stands before the first brace may be a
# prefix of a container runtime or a pager.
_CLASSIFY = rf"""
CREATE OR REPLACE TEMP TABLE lines AS
WITH split AS (
  SELECT i - 1 AS i, whole, trim(whole, {_BLANKS}) AS line FROM (
    SELECT l, unnest(l) AS whole, unnest(range(1, len(l) + 1)) AS i
    FROM (SELECT string_split($block, chr(10)) AS l))
), tried AS (
  SELECT *, CASE
    WHEN line = '' THEN NULL
    WHEN line[1] = '{{' AND json_valid(line) THEN line
    ELSE salvaged(substr(line, strpos(line, '{{')))
  END AS json FROM split
)
SELECT i, line, rtrim(whole, {_BLANKS}) AS whole,
       CASE WHEN strpos(line, '{{') > 0 AND json_valid(json)
             AND NOT ($text AND prefix IS NOT NULL AND NOT regexp_matches(prefix, '{_WRAPPER}'))
            THEN json END AS json, prefix
FROM (SELECT *, nullif(rtrim(left(line, greatest(strpos(line, '{{') - 1, 0)), {_BLANKS}), '') AS prefix
      FROM tried)
"""  # noqa: S608 - our own words

# Objects that share a line become lines of their own.
_SHARED = r"""
SELECT i, line FROM lines
WHERE json IS NULL AND line[1] = '{' AND regexp_matches(line, '\}[\x00-\x20]*\{')
"""
_APART = """
CREATE OR REPLACE TEMP TABLE lines AS
WITH pieces AS (SELECT unnest($i) AS i, unnest($k) AS k, unnest($piece) AS piece)
SELECT row_number() OVER (ORDER BY i, k) - 1 AS i, line, whole,
       CASE WHEN json_valid(json) THEN json END AS json, prefix
FROM (SELECT i, 0 AS k, line, whole, json, prefix FROM lines
      WHERE i NOT IN (SELECT i FROM pieces)
      UNION ALL SELECT i, k, piece, piece, salvaged(piece), NULL FROM pieces)
"""
_SPACE = "".join(map(chr, range(33)))
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[{}]', re.DOTALL)

# Lines that are handed out.
_TEXT = "json IS NULL AND line <> ''"

_REASONS = f"""
SELECT CASE WHEN line = '' THEN '{BLANK}'
            WHEN strpos(line, '{{') = 0 THEN '{NOT_JSON}' ELSE '{BROKEN}' END AS reason,
       count(*), arg_min(left(line, {SAMPLE_CHARS}), i)
FROM lines WHERE json IS NULL AND NOT ($text AND {_TEXT}) GROUP BY reason
"""  # noqa: S608 - our own words

# Of a key that stands twice in a record the last one counts, as everywhere else.
_LAST_KEY_WINS = """
UPDATE lines SET json = (
  SELECT json_group_object(key, v) FROM (
    SELECT j.key, last(j.value ORDER BY j.rowid) AS v FROM json_each(lines.json) j GROUP BY j.key)
) WHERE json IS NOT NULL AND len(json_keys(json)) <> len(list_distinct(json_keys(json)))
"""


@dataclass(slots=True)
class _Place:
    """The column of a place in a record; `mixed` where an object or array ever stood there too."""

    column: str
    mixed: bool = False


@dataclass(slots=True)
class DuckdbEngine:
    """Appends blocks to the table with SQL alone."""

    table: Table
    tally: Tally = field(default_factory=Tally)
    # By JSON pointer: {"a": {"b": 1}} and {"a.b": 1} are two places of one field.
    places: dict[str, _Place] = field(default_factory=dict)
    # By JSON pointer, the columns of arrays and of objects that are empty or too deep, and of the latter.
    raw_places: dict[str, tuple[str, bool]] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)
    on_text: OnText | None = None
    raws: bool = False
    name: str = "duckdb"
    _ready: bool = False

    def add(self, block: bytes) -> None:
        """Append the records of one block."""
        table, db = self.table, self.table.db
        text = block.decode("utf-8", "replace").removesuffix("\n")
        if not self._ready:
            db.execute(_MACROS)
            self._ready = True
        asked = {"text": self.on_text is not None}
        db.execute(_CLASSIFY, {"block": text, **asked})
        self._take_apart()
        for reason, lines, sample in table.rows(_REASONS, asked):
            self.tally.add(reason, lines, sample)
        db.execute(_LAST_KEY_WINS)
        lines, records, prefixes = table.one(
            "SELECT count(*), count(json), count(prefix) FILTER (json IS NOT NULL) FROM lines"
        )
        if records:
            self._discover("", "", 1)
            self._insert(self._prefixes() if prefixes else {})
        if self.on_text is not None:
            self._hand_out(self.on_text)
        table.lines += lines
        table.records += records

    def flush(self) -> None:
        """Every block is in the table at once."""
        self.table.show()

    def finish(self) -> None:
        """Give the table what was counted."""
        self.table.skipped = self.tally.skipped()
        self.table.fields_left_out = len(self.left_out)
        self.table.db.execute("DROP TABLE IF EXISTS lines")
        self.table.show()

    def _hand_out(self, on_text: OnText) -> None:
        """Give the lines that are not JSON to whoever reads text."""
        self.table.db.execute(
            f"""CREATE OR REPLACE TEMP TABLE {TEXT_LINES} AS
            SELECT i + {self.table.lines} AS _n, whole AS line FROM lines WHERE {_TEXT}"""  # noqa: S608
        )
        if self.table.one(f"SELECT count(*) FROM {TEXT_LINES}")[0]:  # noqa: S608 - our own name
            on_text()
        self.table.db.execute(f"DROP TABLE {TEXT_LINES}")

    def _take_apart(self) -> None:
        """Make lines of their own of objects that share one."""
        pieces = [
            (i, k, piece)
            for i, text in self.table.rows(_SHARED)
            for k, piece in enumerate(split_objects(text))
        ]
        if pieces:
            i, k, piece = (list(column) for column in zip(*pieces, strict=True))
            self.table.db.execute(_APART, {"i": i, "k": k, "piece": piece})

    def _prefixes(self) -> dict[str, str]:
        """Columns and values of what stood before the records."""
        found = self.table.one(
            f"SELECT {', '.join(f'count({v})' for v in _PREFIXES.values())} "  # noqa: S608
            "FROM lines WHERE json IS NOT NULL"
        )
        picks = {}
        for (name, value), count in zip(_PREFIXES.items(), found, strict=True):
            column = self._column(name) if count else None
            if column:
                picks[column] = value
        return picks

    def _column(self, name: str) -> str | None:
        """The column of a field, made if it is not there yet; None beyond the limit."""
        if name not in self.table.columns:
            if len(self.table.columns) >= MOST_FIELDS:
                self.left_out.add(name)
                return None
            column = f"c{len(self.table.columns)}"
            self.table.columns[name] = self.table.text_column(column)
        return self.table.columns[name]

    def _discover(self, prefix: str, pointer: str, depth: int) -> None:
        """Find the fields below a pointer, and below those that are objects."""
        keys = self.table.rows(
            f"""SELECT DISTINCT unnest(json_keys(json, {literal(pointer)})) AS k
                FROM lines WHERE json IS NOT NULL ORDER BY k"""  # noqa: S608 - quoted
        )
        below = [(prefix + key, pointer + "/" + _escaped(key)) for (key,) in keys]
        if not below:
            return
        pointers = ", ".join(literal(p) for _, p in below)
        seen = ", ".join(
            f"bool_or(t[{i}] = 'OBJECT'), bool_or(t[{i}] = 'ARRAY'), "
            f"bool_or(t[{i}] NOT IN ('OBJECT', 'ARRAY', 'NULL'))"
            for i in range(1, len(below) + 1)
        )
        kinds = self.table.one(
            f"""SELECT {seen} FROM (SELECT json_type(json, [{pointers}]) AS t
                FROM lines WHERE json IS NOT NULL)"""  # noqa: S608 - quoted
        )
        for i, (name, at) in enumerate(below):
            is_object, is_array, is_scalar = kinds[3 * i : 3 * i + 3]
            if is_scalar:
                self._add_place(name, at, mixed=bool(is_object or is_array))
            elif at in self.places and (is_object or is_array):
                self.places[at].mixed = True
            if is_object and depth < DEEPEST:
                self._discover(name + ".", at, depth + 1)
            if self.raws and (is_array or is_object):
                self._add_raw(name, at, deepest=depth >= DEEPEST)

    def _add_place(self, name: str, pointer: str, *, mixed: bool) -> None:
        known = self.places.get(pointer)
        if known is not None:
            known.mixed = known.mixed or mixed
            return
        column = self._column(name)
        if column:
            self.places[pointer] = _Place(column, mixed)

    def _add_raw(self, name: str, pointer: str, *, deepest: bool) -> None:
        """A column for what is kept as it is written; None beyond the limit."""
        if pointer in self.raw_places:
            return
        if name not in self.table.raws:
            if len(self.table.columns) + len(self.table.raws) >= MOST_FIELDS:
                self.left_out.add(name)
                return
            column = f"r{len(self.table.raws)}"
            self.table.raws[name] = self.table.text_column(column)
        self.raw_places[pointer] = self.table.raws[name], deepest

    def _raw_values(self) -> dict[str, list[str]]:
        """For each column of raw values the SQL of them."""
        values: dict[str, list[str]] = {}
        for pointer, (column, deepest) in self.raw_places.items():
            at = literal(pointer)
            kept = f"json_type(json, {at}) = 'ARRAY' OR (json_type(json, {at}) = 'OBJECT' AND "
            kept += "true)" if deepest else f"len(json_keys(json, {at})) = 0)"
            values.setdefault(column, []).append(
                f"CASE WHEN {kept} THEN CAST(json_extract(json, {at}) AS VARCHAR) END"
            )
        return values

    def _insert(self, prefixes: dict[str, str]) -> None:
        values: dict[str, list[str]] = {}
        for i, (pointer, place) in enumerate(self.places.items(), 1):
            value = f"v[{i}]"
            if place.mixed:
                kind = f"json_type(json, {literal(pointer)})"
                value = f"CASE WHEN {kind} NOT IN ('OBJECT', 'ARRAY') THEN {value} END"
            values.setdefault(place.column, []).append(value)
        values |= self._raw_values()
        for column, value in prefixes.items():  # a field of the record comes first
            values.setdefault(column, []).append(value)
        picks = "".join(f", coalesce({', '.join(v)}) AS {c}" for c, v in values.items())
        pointers = "[" + ", ".join(map(literal, self.places)) + "]::VARCHAR[]"
        self.table.db.execute(
            f"""INSERT INTO texts BY NAME
            SELECT i + {self.table.lines} AS _n{picks}
            FROM (SELECT i, json, prefix, json_extract_string(json, {pointers}) AS v
                  FROM lines WHERE json IS NOT NULL)"""  # noqa: S608 - quoted
        )


def split_objects(text: str) -> list[str]:
    """The objects of a line that holds several, the last one perhaps cut off.

    Empty if there is but one, or anything but white space between them.
    """
    pieces, start, depth = [], 0, 0
    for token in _TOKEN.finditer(text):
        if token[0] not in "{}":
            continue
        if token[0] == "{":
            if depth == 0 and text[start : token.start()].strip(_SPACE):
                return []
            start = token.start() if depth == 0 else start
            depth += 1
            continue
        depth -= 1
        if depth < 0:
            return []
        if depth == 0:
            pieces.append(text[start : token.end()])
            start = token.end()
    rest = text[start:].strip(_SPACE)
    if rest:
        if depth == 0:
            return []
        pieces.append(text[start:])
    return pieces if len(pieces) > 1 else []


def _escaped(key: str) -> str:
    """A key as part of a JSON pointer."""
    return key.replace("~", "~0").replace("/", "~1")
