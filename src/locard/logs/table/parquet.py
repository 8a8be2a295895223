"""Rows of a locked database as Parquet: handed over as Arrow to a connection that may write one file.

The database that holds a log never gets to write: `enable_external_access` stays off in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from locard.logs.table.sql_text import literal

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb


class _Stream:
    """A query's result, as DuckDB scans it from another connection."""

    def __init__(self, relation: duckdb.DuckDBPyRelation) -> None:
        self._relation = relation

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._relation.__arrow_c_stream__(requested_schema)


def to_parquet(
    db: duckdb.DuckDBPyConnection,
    sql: str,
    path: Path,
    parameters: dict[str, Any] | None = None,
    threads: int = 1,
    *,
    packed: bool = True,
) -> None:
    """Write what a query gives to a file; raises OSError where that is not possible."""
    import duckdb  # noqa: PLC0415 - see table.connect

    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": threads,
        "memory_limit": "512MB",
        "temp_directory": "",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    writer = duckdb.connect(":memory:", config=config)
    try:
        relation = db.sql(sql, params=parameters) if parameters else db.sql(sql)
        writer.register("rows", _Stream(relation))
        writer.execute(
            f"COPY rows TO {literal(str(path))} (FORMAT parquet{'' if packed else ', COMPRESSION uncompressed'})"
        )
    except duckdb.IOException as error:
        raise OSError(None, str(error).partition("\n")[0]) from error
    finally:
        writer.close()
