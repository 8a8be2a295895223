"""Reads lines as locard does and gives back their fields and the meanings of these, typed."""

from __future__ import annotations

import json
import os
import re
import tempfile

from locard.logs.fields import roles, times
from locard.logs.fields.amounts import duration_sql
from locard.logs.fields.levels import level_sql
from locard.logs.fields.profile import profile
from locard.logs.input import log_source
from locard.logs.scan import loader

NOW = 1764547200.0  # 2025-12-01: gives lines without a year or a date theirs


def load(lines, engine=None, now=NOW):
    data = lines if isinstance(lines, bytes) else "\n".join(lines).encode() + b"\n"
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        os.utime(file.name, (now, now))
        source = log_source.open_source(file.name)
        try:
            return loader.load(source, 20, 1, engine)
        finally:
            source.close()


def records(lines, engine=None, now=NOW, given=None):
    """A dictionary a record, by line: every field, and every role under `role:NAME`."""
    table = load(lines, engine, now)
    fields = profile(table)
    found = roles.assign(fields, table.records, given)
    picks = {"_n": "_n", **{f.name: f.column for f in fields}}
    if found.time:
        picks["role:time"] = times.epoch_sql(found.time.column, found.time_format)
    if found.level:
        picks["role:level"] = level_sql(found.level.column, "bunyan")
    if found.status:
        picks["role:status"] = f"CAST(TRY_CAST({found.status.column} AS DOUBLE) AS INTEGER)"
    if found.duration:
        picks["role:duration_ms"] = duration_sql(found.duration.column, found.duration_unit)
    for role in ("trace_id", "endpoint", "message"):
        item = getattr(found, role)
        if item:
            picks[f"role:{role}"] = item.column
    rows = table.rows(f"SELECT {', '.join(picks.values())} FROM raw ORDER BY _n")
    return [dict(zip(picks, row, strict=True)) for row in rows], found, table


def check(samples, engine=None):
    """Fail where a sample is not read as it says."""
    found, _, table = records([s.line for s in samples], engine)
    expected = [s for s in samples if s.has is not None]
    assert not table.skipped, table.skipped
    assert len(found) == len(expected), found
    for row, sample in zip(found, expected, strict=True):
        for name, value in sample.has.items():
            got = row.get(f"role:{name}", row.get(name))
            if isinstance(value, float):
                assert abs((got or 0.0) - value) < 1e-5, (sample.line, name, got, value)
            else:
                assert got == value, (sample.line, name, got, value)


def _taken(module, line):
    """Whether a text format of a module reads a line, or a dialect of its has all its markers in it."""
    if any(re.fullmatch(f.pattern, line) for f in getattr(module, "TEXT", ())):
        return True
    dialects = getattr(module, "DIALECTS", None) or [getattr(module, "DIALECT", None)]
    if not line.startswith("{"):
        return False
    names = set(_names(json.loads(line)))
    return any(d is not None and names.issuperset(d.markers) for d in dialects)


def _names(value, name=""):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _names(inner, f"{name}.{key}" if name else key)
    else:
        yield name


def check_near_misses(module):
    """Fail where a module takes one of its near misses, or would not take its own samples."""
    own = [s for s in module.SAMPLES if s.has is not None]
    assert any(_taken(module, s.line) for s in own), "nothing is taken at all"
    for line in module.NEAR_MISSES:
        assert not _taken(module, line), line
