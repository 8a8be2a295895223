"""What describes a kept scan beside its files: the log, its fields, what was skipped; and a sheet of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from locard.logs.ask.log_view import Sheet
from locard.logs.fields.meaning import NUMBER_COLUMNS, Meaning
from locard.logs.table.sql_text import literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import duckdb

    from locard.logs.ask.jq_stop import Stop
    from locard.logs.ask.kept_columns import KeptColumns
    from locard.logs.ask.kept_scans import Identity
    from locard.logs.ask.projection import Reads
    from locard.logs.table.kept_values import Stored


def number_columns(meaning: Meaning) -> list[str]:
    """Time and duration as numbers: their texts would be read anew with every question."""
    found = meaning.expressions
    return [f"{found[role]} AS {name}" for role, name in NUMBER_COLUMNS.items() if role in found]


def covers(meaning: Meaning, absent: Iterable[str], reads: Reads | None) -> bool:
    """Whether a copy without some fields has what is read."""
    from locard.logs.ask.projection import needed  # noqa: PLC0415 - most copies have all fields

    fields = None if reads is None else needed(meaning, reads)
    return fields is not None and fields.isdisjoint(absent)


def open_parts(parts: list[Path], threads: int, kept: KeptColumns) -> duckdb.DuckDBPyConnection:
    """A private database that can read these files and nothing else."""
    import duckdb  # noqa: PLC0415 - see table.connect

    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": threads,
        "memory_limit": "512MB",
        "temp_directory": "",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "preserve_insertion_order": False,
    }
    db = duckdb.connect(":memory:", config=config)
    files = "[" + ", ".join(literal(str(part)) for part in parts) + "]"
    for column, texts in kept.texts.items():
        name = kept.values[column].dictionary
        db.execute(f"SET VARIABLE {name} = $texts::VARCHAR[]", {"texts": texts})
    db.execute(f"SET allowed_paths = {files}")
    db.execute("SET enable_external_access = false")
    db.execute("SET lock_configuration = true")
    picks = ", ".join(["*", *kept.views()])
    db.execute(f"CREATE VIEW raw AS SELECT {picks} FROM read_parquet({files})")  # noqa: S608 - columns are ours
    return db


def described(
    identity: Identity, sheet: Sheet, kept: KeptColumns, size: int, last: int, *, cheap: bool
) -> dict[str, Any]:
    """The description of a copy, as JSON has it."""
    meaning = sheet.meaning
    return {
        "identity": asdict(identity),
        "bytes": size,
        "columns": dict(meaning.columns),
        "raws": dict(meaning.raws),
        "roles": dict(meaning.roles),
        "role_of": dict(meaning.role_of),
        "expressions": dict(meaning.expressions),
        "duration_unit": meaning.duration_unit,
        "numbers": dict(meaning.numbers),
        "truths": sorted(meaning.truths),
        "last_time": meaning.last,
        "last": last,
        "lines": sheet.lines,
        "records": sheet.records,
        "skipped": sheet.skipped,
        "engine": sheet.engine,
        "stop": sheet.stop,
        "stored": {c: (s.kind, s.written) for c, s in kept.values.items()},
        "texts": kept.texts,
        "absent": sorted(kept.absent) if cheap else None,
    }


def sheet(
    found: dict[str, Any],
    db: duckdb.DuckDBPyConnection,
    source: str,
    meaning: Meaning,
    stored: Mapping[str, Stored],
) -> Sheet:
    """The sheet of a copy whose files `db` has open."""
    return Sheet(
        db=db,
        relation="raw",
        source=source,
        meaning=meaning,
        lines=found["lines"],
        records=found["records"],
        skipped=tuple((str(r), int(n), str(s)) for r, n, s in found["skipped"]),
        engine=found["engine"],
        kept=True,
        stop=_stop(found["stop"]),
        stored=stored,
    )


def meaning(found: dict[str, Any]) -> Meaning:
    """What the fields of a copy mean, by its description."""
    expressions = dict(found["expressions"])
    expressions |= {role: name for role, name in NUMBER_COLUMNS.items() if role in expressions}
    return Meaning(
        columns=found["columns"],
        raws=found["raws"],
        roles=found["roles"],
        role_of=found["role_of"],
        expressions=expressions,
        duration_unit=found["duration_unit"],
        numbers=found["numbers"],
        truths=frozenset(found["truths"]),
        last=found["last_time"],
    )


def _stop(found: list[Any] | None) -> Stop | None:
    if found is None:
        return None
    from locard.logs.ask.jq_stop import Stop  # noqa: PLC0415 - only where there is one

    return Stop(*found)
