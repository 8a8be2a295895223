"""The contenders of `logs.py`, each in a process of its own: `bench/log_contenders.py NAME QUESTION LOG FOLDER`.

It loads that contender and little else: starting up is measured too. Prints the answer as JSON.
"""

from __future__ import annotations

import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from locard.logs.table.table import Table

THREADS = int(os.environ.get("BENCH_THREADS", "1"))
CATEGORICAL = (
    "level",
    "service",
    "pod",
    "region",
    "version",
    "method",
    "upstream",
    "segment",
    "agent",
)


def by_sql(db: object, source: str, column: dict[str, str], question: str) -> object:
    """The answer by the same SQL, whatever holds the records."""

    def rows(sql: str) -> list[list[object]]:
        return [list(row) for row in db.execute(sql).fetchall()]  # type: ignore[attr-defined]

    if question == "errors":
        up, level = column["upstream"], column["level"]
        return rows(
            f"SELECT {up}, count(*) FROM {source} WHERE {level} = 'error' GROUP BY 1 ORDER BY 1"
        )
    time_, took, status = column["time"], column["duration_ms"], column["status"]
    # One scan: the text of the numbers is cast once.
    cats = ", ".join(column[c] for c in CATEGORICAL)
    db.execute(  # type: ignore[attr-defined]
        f"CREATE TEMP TABLE few AS SELECT {cats}, CAST({status} AS INT) >= 500 AS bad, "
        f"CAST({took} AS DOUBLE) AS took, left(CAST({time_} AS VARCHAR), 16) AS minute FROM {source}"
    )
    minutes = rows(
        "SELECT minute, count(*), count_if(bad), round(quantile_cont(took, 0.5), 3), "
        "round(quantile_cont(took, 0.99), 3) FROM few GROUP BY 1 ORDER BY 1"
    )
    groups = {
        c: rows(f"SELECT {column[c]}, count(*), count_if(bad) FROM few GROUP BY 1 ORDER BY 1")
        for c in CATEGORICAL
    }
    return {"minutes": [m[1:] for m in minutes], "groups": groups}


def ours(path: str, question: str, folder: str) -> object:
    """The native scanner into DuckDB; what does not fit into the memory goes below `folder`."""
    from locard.logs.input import log_source  # noqa: PLC0415 - a contender's process loads that contender and no other
    from locard.logs.scan import native_engine  # noqa: PLC0415 - a contender's process loads that contender and no other
    from locard.logs.table import memory, table  # noqa: PLC0415 - a contender's process loads that contender and no other

    db = table.connect(THREADS, memory.SPILLING_MB, folder)
    loaded = table.Table(db, "native")
    only = ("level", "upstream") if question == "errors" else ()
    engine = native_engine.NativeEngine(loaded, only=only, mines=False)
    source = log_source.open_source(path)
    while place := source.unread():
        reached, _ = engine.scan(source.fd, *place)
        source.skip(reached - place[0])
        if reached == place[0]:
            break
    engine.finish()
    if question == "errors":
        return by_sql(db, "raw", loaded.columns, question)
    return first_pass(loaded)


def first_pass(loaded: Table) -> object:
    """Group counts by code, with the texts looked up at the end."""
    column = loaded.columns
    bad = loaded.lifted(column["status"], f"CAST({column['status']} AS INT) >= 500")
    cats = ", ".join(f"{column[c]}_kept AS {c}" for c in CATEGORICAL)
    loaded.db.execute(
        f"CREATE TEMP TABLE few AS SELECT {cats}, {bad} AS bad, {loaded.number(column['duration_ms'])} AS took, "
        f"CAST(floor({loaded.number(column['time'])} / 60) AS BIGINT) AS minute FROM raw_kept"
    )
    minutes = loaded.rows(
        "SELECT n, bad, round(p[1], 3), round(p[2], 3) FROM (SELECT minute, count(*) AS n, count_if(bad) AS bad, "
        "quantile_cont(took, [0.5, 0.99]) AS p FROM few GROUP BY 1) ORDER BY minute"
    )
    groups = {
        c: [list(row) for row in loaded.rows(
            f"SELECT getvariable('{loaded.stored[column[c]].dictionary}')[k] AS v, n, bad FROM ("
            f"SELECT {c} AS k, count(*) AS n, count_if(bad) AS bad FROM few GROUP BY 1) ORDER BY 1")]
        for c in CATEGORICAL
    }  # fmt: skip
    return {"minutes": [list(m) for m in minutes], "groups": groups}


def duckdb(path: str, question: str, _folder: str) -> object:
    """DuckDB's own reader, told to go on at lines that are no JSON, one thread."""
    import duckdb as module  # noqa: PLC0415 - a contender's process loads that contender and no other

    db = module.connect(config={"threads": THREADS})
    names = (
        ("level", "upstream")
        if question == "errors"
        else (*CATEGORICAL, "time", "duration_ms", "status")
    )
    types = {"time": "VARCHAR", "duration_ms": "DOUBLE", "status": "INT"}
    columns = ", ".join(f"{n}: '{types.get(n, 'VARCHAR')}'" for n in names)
    form = f"columns = {{{columns}}}"
    if question != "errors":  # all fields, as nobody has said which ones there are
        form = "sample_size = 20000"
    source = f"read_ndjson('{path}', ignore_errors = true, {form})"
    if question != "errors":
        db.execute(f"CREATE TABLE logs AS FROM {source}")
        source = "logs"
    # Lines that are no JSON are rows of nulls there.
    return by_sql(
        db,
        f"(FROM {source} WHERE level IS NOT NULL)",
        {n: n for n in (*names, *CATEGORICAL)},
        question,
    )


def polars(path: str, question: str, _folder: str) -> object:
    """Polars, which stops at a line that is no JSON: those are taken out before."""
    import io  # noqa: PLC0415 - as below

    import polars as pl  # noqa: PLC0415 - a contender's process loads that contender and no other

    with open(path, "rb") as file:  # noqa: PTH123 - pathlib takes its time to load
        good = b"\n".join(x for x in file.read().split(b"\n") if x[:1] == b"{")
    frame = pl.read_ndjson(io.BytesIO(good))
    if question == "errors":
        found = frame.filter(pl.col("level") == "error").group_by("upstream").len().sort("upstream")
        return [list(row) for row in found.rows()]
    frame = frame.with_columns(bad=pl.col("status") >= 500, minute=pl.col("time").str.slice(0, 16))
    took = pl.col("duration_ms")
    p = [took.quantile(q, "linear").round(3).alias(str(q)) for q in (0.5, 0.99)]
    minutes = frame.group_by("minute").agg(pl.len(), pl.col("bad").sum(), *p).sort("minute")
    groups = {
        c: [list(r) for r in frame.group_by(c).agg(pl.len(), pl.col("bad").sum()).sort(c).rows()]
        for c in CATEGORICAL
    }
    return {"minutes": [list(r)[1:] for r in minutes.rows()], "groups": groups}


if __name__ == "__main__":
    _, who, asked, log, room = sys.argv
    print(json.dumps({"locard": ours, "duckdb": duckdb, "polars": polars}[who](log, asked, room)))
