"""Reading a log of JSON lines, beside jq, DuckDB and Polars: `bench/logs.py [MEGABYTES] [RUNS]`.

Two questions to the same file (bench/gen_logs.py; one line in 200 is no JSON): errors by upstream,
and what a first pass needs (requests, errors, p50 and p99 a minute, requests and errors by every
value of every categorical field; all fields are discovered and kept, for the questions that follow). Whole processes, alternating; medians of wall time and CPU, the largest RSS. The answers are
compared. Each with one thread and, where it has them, with all cores. Polars takes as many as it
wants, and is left out where it cannot be imported; BENCH_PYTHON may name an interpreter that has it.
"""

from __future__ import annotations

import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from locard.logs.table import Table

HERE = Path(__file__).resolve()
OTHER = os.environ.get("BENCH_PYTHON", sys.executable)
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
JQ = 'fromjson? | select(type == "object" and .level == "error") | .upstream'


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


def ours(path: str, question: str) -> object:
    """The native scanner into DuckDB."""
    from locard.logs import memory, native_engine, reading, table  # noqa: PLC0415 - a contender's process loads that contender and no other

    with tempfile.TemporaryDirectory() as folder:
        db = table.connect(THREADS, memory.SPILLING_MB, folder)
        loaded = table.Table(db, "native")
        only = ("level", "upstream") if question == "errors" else ()
        engine = native_engine.NativeEngine(loaded, only=only, mines=False)
        source = reading.open_source(path)
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


def duckdb(path: str, question: str) -> object:
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


def polars(path: str, question: str) -> object:
    """Polars, which stops at a line that is no JSON: those are taken out before."""
    import polars as pl  # noqa: PLC0415 - a contender's process loads that contender and no other

    good = b"\n".join(x for x in Path(path).read_bytes().split(b"\n") if x[:1] == b"{")
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


WORKERS = {"locard": ours, "duckdb": duckdb, "polars": polars}


def measured(argv: list[str]) -> tuple[float, float, int, str]:
    """Wall s, CPU s, RSS MB and output of a process."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(argv, stdout=out)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - began
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, argv[:3])
        out.seek(0)
        text = out.read().decode()
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss >> 10, text


def answer(who: str, text: str) -> object:
    """What a process said, in one form for all; quantiles to a hundredth."""
    if who == "jq":
        return sorted([k, n] for k, n in Counter(text.splitlines()).items())
    said = json.loads(text)
    if isinstance(said, dict):
        said["minutes"] = [[n, bad, round(a, 1), round(b, 1)] for n, bad, a, b in said["minutes"]]
    return said


def compare(path: Path, question: str, who: list[str], runs: int) -> None:
    """Run the contenders by turns and print a table."""
    results: dict[str, list[tuple[float, float, int]]] = {name: [] for name in who}
    first: object = None
    same = dict.fromkeys(who, True)
    for run in range(runs):
        for name in who:
            if name == "jq" and run > 2:
                continue  # minutes on a large file: three times
            argv = [
                OTHER if name == "polars" else sys.executable,
                str(HERE),
                name,
                question,
                str(path),
            ]
            if name == "jq":
                argv = ["jq", "-Rr", JQ, str(path)]
            wall, cpu, rss, text = measured(argv)
            results[name].append((wall, cpu, rss))
            first = first if first is not None else answer(name, text)
            same[name] = same[name] and answer(name, text) == first
    print(f"| {question} | wall s | CPU s | RSS MB | wall ÷ locard | CPU ÷ locard | same answer |")
    print("|---|---|---|---|---|---|---|")
    middle = {n: [statistics.median(r[i] for r in results[n]) for i in (0, 1)] for n in who}
    for name in who:
        wall, cpu = middle[name]
        rss = max(r[2] for r in results[name])
        ratios = f"{wall / middle['locard'][0]:.1f} | {cpu / middle['locard'][1]:.1f}"
        print(
            f"| {name} | {wall:.2f} | {cpu:.2f} | {rss} | {ratios} | {'yes' if same[name] else '**no**'} |"
        )
    print()


def has_polars() -> bool:
    """Whether the interpreter for it can import it."""
    return (
        subprocess.run([OTHER, "-c", "import polars"], check=False, capture_output=True).returncode
        == 0
    )


def main() -> int:
    """Generate, compare, print a section."""
    if len(sys.argv) == 4 and sys.argv[1] in WORKERS:
        print(json.dumps(WORKERS[sys.argv[1]](sys.argv[3], sys.argv[2])))
        return 0

    from gen_logs import write  # noqa: PLC0415 - as above

    megabytes, runs = int((sys.argv[1:] or ["1000"])[0]), int((sys.argv[2:] or ["5"])[0])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "app.log"
        write(path, megabytes * 1_000_000)
        print(f"## Logs: reading\n\n`bench/logs.py {megabytes} {runs}`: {runs} alternating runs (jq three), "
              f"{megabytes} MB.\n")  # fmt: skip
        polars_too = ["polars"] if has_polars() else []
        for threads in dict.fromkeys((1, os.cpu_count() or 1)):
            os.environ["BENCH_THREADS"] = str(threads)
            print(f"{threads} thread{'s'[: threads != 1]} (jq one, Polars as many as it takes):\n")
            compare(path, "errors", ["locard", "duckdb", *polars_too, "jq"], runs)
            compare(path, "first pass", ["locard", "duckdb", *polars_too], runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
