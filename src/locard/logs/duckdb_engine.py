"""Reads NDJSON with DuckDB alone: the engine where the native module is missing.

Blocks of text go into DuckDB as one value each and are split, checked and taken apart there; a
line that is no JSON object costs only itself and is counted with its reason and one sample.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from locard.logs.table import DEEPEST, MOST_FIELDS, SAMPLE_CHARS, Table, Tally, literal

BLANK = "blank"
NOT_JSON = "not a JSON object"
BROKEN = "broken JSON"

# A record is a JSON object after trimming. Else what stands before the first brace may be a
# prefix of a container runtime or a pager, and raw control characters may be a terminal's.
_CLASSIFY = r"""
CREATE OR REPLACE TEMP TABLE lines AS
WITH split AS (
  SELECT i - 1 AS i, trim(list_extract(l, i), E' \t\r\f\x0b' || chr(65279)) AS line
  FROM (SELECT l, unnest(range(1, len(l) + 1)) AS i FROM (SELECT string_split($block, chr(10)) AS l))
), tried AS (
  SELECT i, line, CASE
    WHEN line = '' THEN NULL
    WHEN line[1] = '{' AND json_valid(line) THEN line
    ELSE regexp_replace(substr(line, strpos(line, '{')), '[\x00-\x1f]', ' ', 'g')
  END AS json FROM split
)
SELECT i, line, CASE WHEN strpos(line, '{') > 0 AND json_valid(json) THEN json END AS json
FROM tried
"""

_REASONS = f"""
SELECT CASE WHEN line = '' THEN '{BLANK}'
            WHEN strpos(line, '{{') = 0 THEN '{NOT_JSON}' ELSE '{BROKEN}' END AS reason,
       count(*), arg_min(left(line, {SAMPLE_CHARS}), i)
FROM lines WHERE json IS NULL GROUP BY reason
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
    left_out: set[str] = field(default_factory=set)
    name: str = "duckdb"

    def add(self, block: bytes) -> None:
        """Append the records of one block."""
        table, db = self.table, self.table.db
        text = block.decode("utf-8", "replace").removesuffix("\n")
        db.execute(_CLASSIFY, {"block": text})
        for reason, lines, sample in table.rows(_REASONS):
            self.tally.add(reason, lines, sample)
        db.execute(_LAST_KEY_WINS)
        lines, records = table.one("SELECT count(*), count(json) FROM lines")
        if records:
            self._discover("", "", 1)
            self._insert()
        table.lines += lines
        table.records += records

    def finish(self) -> None:
        """Give the table what was counted."""
        self.table.skipped = self.tally.skipped()
        self.table.fields_left_out = len(self.left_out)
        self.table.db.execute("DROP TABLE IF EXISTS lines")

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

    def _add_place(self, name: str, pointer: str, *, mixed: bool) -> None:
        known = self.places.get(pointer)
        if known is not None:
            known.mixed = known.mixed or mixed
            return
        if name not in self.table.columns:
            if len(self.table.columns) >= MOST_FIELDS:
                self.left_out.add(name)
                return
            column = f"c{len(self.table.columns)}"
            self.table.db.execute(f"ALTER TABLE raw ADD COLUMN {column} VARCHAR")
            self.table.columns[name] = column
        self.places[pointer] = _Place(self.table.columns[name], mixed)

    def _insert(self) -> None:
        values: dict[str, list[str]] = {}
        for i, (pointer, place) in enumerate(self.places.items(), 1):
            value = f"v[{i}]"
            if place.mixed:
                kind = f"json_type(json, {literal(pointer)})"
                value = f"CASE WHEN {kind} NOT IN ('OBJECT', 'ARRAY') THEN {value} END"
            values.setdefault(place.column, []).append(value)
        picks = "".join(f", coalesce({', '.join(v)}) AS {c}" for c, v in values.items())
        pointers = "[" + ", ".join(map(literal, self.places)) + "]::VARCHAR[]"
        self.table.db.execute(
            f"""INSERT INTO raw BY NAME
            SELECT i + {self.table.lines} AS _n{picks}
            FROM (SELECT i, json, json_extract_string(json, {pointers}) AS v
                  FROM lines WHERE json IS NOT NULL)"""  # noqa: S608 - quoted
        )


def _escaped(key: str) -> str:
    """A key as part of a JSON pointer."""
    return key.replace("~", "~0").replace("/", "~1")
