"""Takes off what runtimes and collectors put around lines, before an engine reads them.

What it takes off is kept beside and fills the fields of the records at the end. The number of
lines stays the same, but for formats that hold many records a line.
"""

from __future__ import annotations

import functools
import json
import re
from itertools import islice
from typing import TYPE_CHECKING

from locard.logs.lines.added_fields import SideTable
from locard.logs.lines.line_format import Wrapper, expanders, wrappers
from locard.logs.lines.text_sql import ESCAPE_SEQUENCE, any_of, plain
from locard.logs.table.sql_text import literal
from locard.logs.table.table import TEXT_LINES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.logs.lines.text_lines import TextLines
    from locard.logs.table.table import Table

_MOST_BESIDE = 96  # fields of a wrapper that no file names
_LOOKED_AT = 64  # lines at the start, in the middle and at the end of a block
_LOOKED_BYTES = 1 << 16
# Engines take these off by themselves, and quicker.
_ENGINES_DO = re.compile(r"\d{4}-\d\d-\d\dT\S+(?: std(?:out|err) F)? \{")
_CUT = (b" stdout P ", b" stderr P ")
_SEQUENCE = re.compile(ESCAPE_SEQUENCE)
_TIME = "prefix.time"
_TIMES = (_TIME, "__REALTIME_TIMESTAMP")
# Of what else stands in a collector's object.
_WRITERS = ("pod_name", "pod_id", "container_name", "container_id", "docker_id", "host")


class Unwrapper:
    """Opens blocks of lines; `finish` brings the fields of the wrappers into `raw`."""

    def __init__(self, table: Table, text: TextLines) -> None:
        """`text` reads what stands before a JSON object on its line."""
        self.table = table
        self.text = text
        self.joined = 0  # lines that were cut and are parts of others now
        self._wrapped: dict[Wrapper, SideTable] = {}  # apart, as a line may have several

    def open(self, block: bytes, base: int) -> bytes:
        """The block without wrappers. `base` is the number of its first line in the source."""
        if not looks_wrapped(block):
            return block
        spelled = _spell_bytes(block)
        self._split(spelled.decode("utf-8", "replace").removesuffix("\n"))
        changed = self._expand() or spelled is not block
        for _, wrapper in wrappers():
            changed = self._take_off(wrapper, base) or changed
        changed = self._cut_heads(base) or changed
        if not changed:
            return block
        (out,) = self.table.one("SELECT string_agg(rest, chr(10) ORDER BY i) FROM opened")
        return (out or "").encode() + b"\n"

    def read_text(self) -> None:
        """Give the lines that an engine hands out to the text formats, without their wrappers."""
        any_wrapper = any_of(w.pattern for _, w in wrappers() if w.pattern)
        (wrapped,) = self.table.one(
            f"SELECT count(*) FROM {TEXT_LINES} WHERE regexp_full_match({plain('line')}, {literal(any_wrapper)})"  # noqa: S608
        )
        if not wrapped:
            self.text.add_query(f"SELECT _n AS n, line FROM {TEXT_LINES}")  # noqa: S608
            return
        self.table.db.execute(
            f"CREATE OR REPLACE TEMP TABLE opened AS SELECT _n AS i, {plain('line')} AS rest FROM {TEXT_LINES}"  # noqa: S608
        )
        for _, wrapper in wrappers():
            if wrapper.pattern:
                self._take_off(wrapper, 0)
        self.text.add_query("SELECT i AS n, rest AS line FROM opened")

    def finish(self) -> None:
        """Bring the fields into `raw`."""
        for wrapped in self._wrapped.values():
            wrapped.fill_raw()

    def _split(self, text: str) -> None:
        whole = "rtrim(list_extract(l, i), E'\\r')"
        line = f"CASE WHEN ltrim({whole})[1] = '{{' THEN {whole} ELSE {plain(whole)} END"  # values stay whole
        self.table.db.execute(
            f"""CREATE OR REPLACE TEMP TABLE opened AS
            SELECT i - 1 AS i, {line} AS rest
            FROM (SELECT l, unnest(range(1, len(l) + 1)) AS i
                  FROM (SELECT string_split($block, chr(10)) AS l))""",  # noqa: S608 - our own words
            {"block": text},
        )

    def _expand(self) -> bool:
        """Lines that hold many records become as many lines."""
        changed = False
        for _, expander in expanders():
            fits = f"contains(rest, {literal(expander.word)}) AND json_valid(rest)"
            if not self.table.one(f"SELECT count(*) FROM opened WHERE {fits}")[0]:  # noqa: S608 - ours
                continue
            self.table.db.execute(
                f"""CREATE OR REPLACE TEMP TABLE opened AS
                SELECT row_number() OVER (ORDER BY i, k) - 1 AS i, rest FROM (
                  SELECT i, 0 AS k, rest FROM opened WHERE NOT ({fits})
                  UNION ALL
                  SELECT i, unnest(range(1, len(many) + 1)) AS k, unnest(many) AS rest
                  FROM (SELECT i, {expander.sql} AS many FROM opened WHERE {fits}))"""  # noqa: S608 - ours
            )
            changed = True
        return changed

    def _take_off(self, wrapper: Wrapper, base: int) -> bool:
        fits = _fits(wrapper)
        if not self.table.one(f"SELECT count(*) FROM opened WHERE {fits}")[0]:  # noqa: S608 - ours
            return False
        rest, values, partial = _parts(wrapper)
        if wrapper.others:
            values = self._beside(wrapper, fits) | values
        self.table.db.execute(
            f"""CREATE OR REPLACE TEMP TABLE taken AS
            SELECT i, {rest} AS inner_text, {partial} AS partial
                   {"".join(f", {sql} AS f{k}" for k, sql in enumerate(values.values()))}
            FROM (SELECT i, rest{_groups(wrapper)} FROM opened WHERE {fits})"""  # noqa: S608 - ours
        )
        if self.table.one("SELECT count(*) FROM taken WHERE partial")[0]:
            self._join_cut(list(values))
        fields = {name: f"f{k}" for k, name in enumerate(values)}
        if wrapper not in self._wrapped:
            self._wrapped[wrapper] = SideTable(self.table, f"wrapped{len(self._wrapped)}")
        self._wrapped[wrapper].insert(fields, f"i + {base}", "taken WHERE inner_text <> ''")
        if _TIME in fields:
            self.text.add_stamped(
                f"SELECT i + {base} FROM taken WHERE inner_text <> '' AND {fields[_TIME]} IS NOT NULL"  # noqa: S608 - ours
            )
        if writers := [column for name, column in fields.items() if _tells_writer(name, wrapper)]:
            self.text.add_writers(f"SELECT i + {base}, hash({', '.join(writers)}) FROM taken")  # noqa: S608 - ours
        self.table.db.execute(
            "UPDATE opened SET rest = taken.inner_text FROM taken WHERE opened.i = taken.i"
        )
        return True

    def _beside(self, wrapper: Wrapper, fits: str) -> dict[str, str]:
        """SQL of what else stands in JSON wrappers, by the name that it has as a field."""
        sql = f"SELECT CAST(json_group_structure(TRY_CAST(rest AS JSON)) AS VARCHAR) FROM opened WHERE {fits}"  # noqa: S608 - ours
        found = json.loads(self.table.one(sql)[0] or "{}")
        named = {f"/{wrapper.rest}"}.union(*map(_pointers, wrapper.fields.values()))
        leaves = ((n, p) for n, p in _leaves(found) if p not in named)
        return {
            name: f"json_extract_string(rest, {literal(pointer)})"
            for name, pointer in islice(leaves, _MOST_BESIDE)
        }

    def _join_cut(self, fields: list[str]) -> None:
        """Lines that a runtime has cut become one again, at the place of the first part."""
        stream = f"f{fields.index('prefix.stream')}" if "prefix.stream" in fields else "''"
        db = self.table.db
        db.execute(f"""
            CREATE OR REPLACE TEMP TABLE whole AS
            SELECT s, g, min(i) AS i, string_agg(inner_text, '' ORDER BY i) AS text, count(*) AS parts
            FROM (SELECT i, inner_text, {stream} AS s,
                         coalesce(count(*) FILTER (NOT partial) OVER (PARTITION BY {stream} ORDER BY i
                           ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS g FROM taken)
            GROUP BY s, g HAVING count(*) > 1""")  # noqa: S608 - columns are ours
        db.execute(f"""
            UPDATE taken SET inner_text = coalesce(p.text, '')
            FROM (SELECT t.i, CASE WHEN t.i = whole.i THEN whole.text END AS text
                  FROM (SELECT i, {stream} AS s,
                         coalesce(count(*) FILTER (NOT partial) OVER (PARTITION BY {stream} ORDER BY i
                           ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS g FROM taken) t
                  JOIN whole USING (s, g)) p
            WHERE taken.i = p.i""")  # noqa: S608 - as above
        (gone,) = self.table.one("SELECT coalesce(sum(parts - 1), 0)::BIGINT FROM whole")
        self.joined += gone

    def _cut_heads(self, base: int) -> bool:
        """What stands before a JSON object on its line, where a text format knows it."""
        cut = "strpos(rest, '{')"
        fits = (
            f"{cut} > 1 AND rtrim(rest)[-1] = '}}' AND trim(left(rest, {cut} - 1)) <> '' "
            f"AND json_valid(substr(rest, {cut}))"
        )
        numbers = self.text.add_heads(
            f"SELECT i + {base} AS n, left(rest, {cut} - 1) AS line FROM opened WHERE {fits}"  # noqa: S608
        )
        if not numbers:
            return False
        self.table.db.execute(
            f"UPDATE opened SET rest = substr(rest, {cut}) WHERE {fits} AND i + {base} IN "  # noqa: S608
            "(SELECT n FROM sorted WHERE f >= 0)"
        )
        return True


def _tells_writer(name: str, wrapper: Wrapper) -> bool:
    """Whether a field of a wrapper says who wrote the line; others may be new in each."""
    known = name in wrapper.fields or name in wrapper.names.values()
    return (known and name not in _TIMES) or name.rpartition(".")[2] in _WRITERS


def _pointers(where: str | tuple[str, ...]) -> tuple[str, ...]:
    return (where,) if isinstance(where, str) else where


def _leaves(structure: object, name: str = "", pointer: str = "") -> Iterator[tuple[str, str]]:
    """The name and the JSON pointer of each value in what `json_structure` gives that is no object."""
    if not isinstance(structure, dict):
        if name:
            yield name, pointer
        return
    for key, inner in structure.items():
        step = key.replace("~", "~0").replace("/", "~1")
        yield from _leaves(inner, f"{name}.{key}" if name else key, f"{pointer}/{step}")


def looks_wrapped(block: bytes) -> bool:
    """Whether a block has lines that look wrapped, by some from its start, middle and end."""
    return any(map(is_wrapped, _some_lines(block))) or any(cut in block for cut in _CUT)


def _some_lines(block: bytes) -> Iterator[bytes]:
    for begin in (0, len(block) // 2, max(0, len(block) - _LOOKED_BYTES)):
        lines = block[begin : begin + _LOOKED_BYTES].split(b"\n")
        # All but the first piece begins where a line does.
        yield from islice(lines, 1 if begin else 0, _LOOKED_AT)


def is_wrapped(line: bytes) -> bool:
    """Whether a line looks like one that holds another line, or a record."""
    line = line.lstrip()
    if not line.startswith(b"{"):
        text = _SEQUENCE.sub("", line.decode("utf-8", "replace"))
        if _ENGINES_DO.match(text):
            return False
        if any(w.pattern and re.match(w.pattern, text) for _, w in wrappers()):
            return True
        return b"{" in line and line.rstrip().endswith(b"}")
    return any(word in line and key.search(line) for word, key in _signs())


@functools.cache
def _lists_of_bytes() -> tuple[re.Pattern[bytes], ...]:
    rests = sorted({w.rest for _, w in wrappers() if w.may_be_bytes})
    return tuple(re.compile(rb'("%s"\s*:\s*)\[([\d,\s]*)\]' % re.escape(r).encode()) for r in rests)


def _spell_bytes(block: bytes) -> bytes:
    """The block with texts where lines stand as lists of their bytes; itself where none does."""

    def text_of(match: re.Match[bytes]) -> bytes:
        try:
            text = bytes(map(int, match[2].split(b","))).decode("utf-8", "replace")
        except ValueError:  # no bytes
            return match[0]
        return match[1] + json.dumps(text).encode()

    for pattern in _lists_of_bytes():
        if pattern.search(block):
            block = pattern.sub(text_of, block)
    return block


@functools.cache
def _signs() -> tuple[tuple[bytes, re.Pattern[bytes]], ...]:
    """What stands in a JSON line that holds another: a word, and the key of the line inside."""
    inside = (
        (w.word, rf'"{re.escape(w.rest)}"\s*:\s*"' + (r"\s*\{" if w.only_json else ""))
        for _, w in wrappers()
        if w.word
    )
    listed = (
        (w.word, rf'"{re.escape(w.rest)}"\s*:\s*\[\s*\d') for _, w in wrappers() if w.may_be_bytes
    )
    expanded = ((e.word, re.escape(e.word)) for _, e in expanders())
    return tuple(
        (word.encode(), re.compile(key.encode())) for word, key in (*inside, *listed, *expanded)
    )


@functools.cache
def wrapping_words() -> tuple[str, ...]:
    """What stands in JSON lines that hold other lines or records."""
    return (*(w.word for _, w in wrappers() if w.word), *(e.word for _, e in expanders()))


def _fits(wrapper: Wrapper) -> str:
    if wrapper.pattern:
        return f"regexp_full_match(rest, {literal(wrapper.pattern)})"
    inside = f"json_extract_string(rest, {literal('/' + wrapper.rest)})"
    fits = (
        f"rest[1] = '{{' AND contains(rest, {literal(wrapper.word)}) AND json_valid(rest) "
        f"AND json_type(rest, {literal('/' + wrapper.rest)}) = 'VARCHAR'"
    )
    return f"{fits} AND json_valid({inside}) AND {inside}[1] = '{{'" if wrapper.only_json else fits


def _groups(wrapper: Wrapper) -> str:
    if not wrapper.pattern:
        return ""
    names = ", ".join(map(literal, re.compile(wrapper.pattern).groupindex))
    return f", regexp_extract(rest, {literal(f'^(?:{wrapper.pattern})$')}, [{names}]) AS v"


def _parts(wrapper: Wrapper) -> tuple[str, dict[str, str], str]:
    """SQL of what is inside, of each field, and of whether the line goes on in the next one."""
    if wrapper.pattern:
        groups = tuple(re.compile(wrapper.pattern).groupindex)
        values = {
            wrapper.names.get(g, g): f"nullif(v.{g}, '')"
            for g in groups
            if g not in {"rest", "flag"}
        }
        return "v.rest", values, "v.flag = 'P'" if "flag" in groups else "false"
    inside = f"json_extract_string(rest, {literal('/' + wrapper.rest)})"
    values = {
        name: f"coalesce({', '.join(f'json_extract_string(rest, {literal(p)})' for p in _pointers(where))})"
        for name, where in wrapper.fields.items()
    }
    # A collector may take off the ends of all lines: then none is cut.
    whole = f"ends_with({inside}, chr(10))"
    partial = "false" if wrapper.only_json else f"NOT {whole} AND bool_or({whole}) OVER ()"
    one_line = f"replace(rtrim({inside}, E'\\r\\n'), chr(10), ' ')"
    return one_line, values, partial
