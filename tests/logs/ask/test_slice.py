"""Slices: what jq prints for the article's pipelines, counts, samples, windows, traces, SQL."""

from __future__ import annotations

import collections
import datetime as dt
import json
import shutil
import subprocess
import time

import duckdb
import pytest

from locard.logs.ask import jq_stop, kept_scans, open_log
from locard.logs.ask import slice as slicing
from locard.logs.ask.slice import Question
from locard.logs.input.log_source import open_source
from locard.logs.table import parquet
from locard.model.errors import UsageError
from locard.where.times import Clock

BEGIN = 1_772_366_400  # 2026-03-01T12:00:00Z
FIELDS = ("time", "trace_id", "path", "status", "duration_ms", "upstream")
CLOCK = Clock(dt.UTC, BEGIN + 1000, BEGIN + 1000)
needs_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")


def record(i):
    bad = i % 7 == 0
    found = {
        "time": dt.datetime.fromtimestamp(BEGIN + i / 2, dt.UTC).isoformat(),
        "level": "error" if bad else "info", "trace_id": f"t{i // 2}", "path": f"/o/{i}",
        "status": 503 if bad else 200, "duration_ms": i * 1.25, "ok": not bad,
        "upstream": ("cards", "ledger", 'mail é"x')[i % 3],
    }  # fmt: skip
    if i % 11 == 0:
        del found["upstream"]
    return found


@pytest.fixture
def clean(tmp_path):
    path = tmp_path / "clean.log"
    path.write_text("".join(json.dumps(record(i)) + "\n" for i in range(1000)))
    return path


@pytest.fixture
def dirty(tmp_path):
    """As clean, with a stack trace after 300 records and a torn record after 600."""
    path = tmp_path / "dirty.log"
    lines = [json.dumps(record(i)) for i in range(1000)]
    lines.insert(600, '{"level": "error", "msg": "tor')
    lines.insert(300, "\tat com.example.Client.call(Client.java:12)")
    lines.insert(10, "")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def ask():
    def asked(path, text=None, *, by=(), **more):
        with open_log.asked(str(path), 30, 2) as sheet:
            question = Question.of(text, by=by, **more)
            answer = (slicing.counts if by else slicing.records)(sheet, question, CLOCK)
            return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]

    return asked


def run_jq(path, program, *words):
    return subprocess.run(
        ["jq", *words, program, path], capture_output=True, text=True, check=False
    )


FIRST = "select(.status >= 500) | {time, trace_id, path, status, duration_ms, upstream}"


@needs_jq
def test_the_first_pipeline_prints_what_jq_prints(clean, locard):
    ours = locard(
        "logs", clean, "--where", "status >= 500", "--select", ",".join(FIELDS), "-o", "jsonl"
    )
    theirs = run_jq(clean, FIRST, "-c")
    assert theirs.returncode == 0
    got, expected = ([json.loads(x) for x in out.stdout.splitlines()] for out in (ours, theirs))
    assert len(expected) == 143
    assert got == expected
    assert [list(x) for x in got] == [list(x) for x in expected]


@needs_jq
def test_the_second_pipeline_counts_what_jq_counts(clean, locard):
    done = locard("logs", clean, "--where", '.level == "error"', "--by", "upstream")
    rows = [line.split(None, 4) for line in done.stdout.splitlines()[1:]]  # 12  90  13.3 %  cards
    got = {value: int(count) for count, _, _, _, value in rows}
    said = run_jq(clean, 'select(.level == "error") | .upstream', "-r").stdout.splitlines()
    assert got == collections.Counter(said)
    counts = [int(r[0]) for r in rows]
    assert counts == sorted(counts, reverse=True)


@needs_jq
def test_on_a_dirty_log_it_says_where_jq_dies_and_what_it_loses(dirty, locard):
    theirs = run_jq(dirty, FIRST, "-c")
    assert "parse error" in theirs.stderr
    ours = locard(
        "logs", dirty, "--where", "status >= 500", "--select", ",".join(FIELDS), "-o", "jsonl"
    )
    got, expected = ([json.loads(x) for x in out.stdout.splitlines()] for out in (ours, theirs))
    assert got[: len(expected)] == expected
    assert len(got) == 143 > len(expected)
    assert "jq would have stopped at line 302 of 1,003 and not read the 701 records" in ours.stderr


@needs_jq
@pytest.mark.parametrize(
    "lines",
    [
        ['{"a":1}'] * 5,
        ['{"a":1}', "", "  ", '{"a":2}{"a":3}', "5", "null", '"x"', "[1]"],
        ['{"a":1}', "plain text", '{"a":2}'],
        ['{"a":1}', "{", '  "a": 2,', '  "b": [1,', "  2]", "}", '{"a":3}', "oops"],
        ['{"a":1}', '{"a":', '{"a":2}'],
        ['{"a":1}', "2026-03-01T12:00:00Z stdout F {}"],
        ["\ufeff" + '{"a":1}', '{"a":"\x1b[31mred"}', "#"],
        ['{"a":1}', '{"a":1}}', '{"a":2}'],
        ['{"a":1}', '{"torn'],
    ],
)
def test_the_stop_is_where_jq_stops(tmp_path, lines):
    path = tmp_path / "log"
    path.write_text("\n".join(lines) + "\n")
    theirs = run_jq(path, "input_line_number", "-c")
    source = open_source(str(path))
    stop = jq_stop.first_stop(source, 5)
    source.close()
    with open_log.asked(str(path), 30, 1) as sheet:  # which knows up to where all is well
        assert open_log.find_jq_stop(sheet).line == stop.line
    assert (stop.line is not None) == ("parse error" in theirs.stderr), theirs.stderr
    if stop.line is None:
        assert stop.records == len(theirs.stdout.splitlines())
        return
    # jq notices at this line or, in an unfinished text, further on.
    assert int(theirs.stderr.split("line ")[1].split(",")[0]) >= stop.line
    before = tmp_path / "before"
    before.write_text("\n".join(lines[: stop.line - 1]) + "\n")
    assert run_jq(before, ".").returncode == 0


def test_counts_with_the_share_of_errors(ask, clean):
    rows = ask(clean, by=("upstream",))
    assert sum(r["count"] for r in rows) == 1000
    assert sum(r["errors"] for r in rows) == 143
    assert all(r["error_rate"] == r["errors"] / r["count"] for r in rows)
    matched = ask(clean, "status >= 500", by=("upstream", "level"), top=2)
    assert len(matched) == 2
    assert all(r["count"] == r["of"] and r["level"] == "error" for r in matched)
    shares = ask(clean, "status >= 500", by=("upstream",))
    assert {r["upstream"]: r["of"] for r in shares} == {r["upstream"]: r["count"] for r in rows}


def test_a_sample_is_uniform_and_the_same_for_a_seed(ask, clean):
    first = [r["path"] for r in ask(clean, sample=100, seed=7)]
    assert first == [r["path"] for r in ask(clean, sample=100, seed=7)]
    assert first != [r["path"] for r in ask(clean, sample=100, seed=8)]
    assert len(set(first)) == 100
    numbers = [int(p[3:]) for p in first]
    assert numbers == sorted(numbers)
    hits = collections.Counter(
        int(r["path"][3:]) // 250 for seed in range(20) for r in ask(clean, sample=100, seed=seed)
    )
    # 500 of 2000 are due to each quarter, with a standard deviation of 18: five of them are allowed.
    assert all(abs(n - 500) < 90 for n in hits.values())
    assert len(ask(clean, "status >= 500", sample=5000)) == 143


def test_around_since_and_top(ask, clean):
    near = ask(clean, around=BEGIN + 100.0, window_s=2.0)
    assert [r["path"] for r in near] == [f"/o/{i}" for i in range(196, 205)]
    assert [r["path"] for r in ask(clean, top=2)] == ["/o/0", "/o/1"]
    assert len(ask(clean, since_s=10.0)) == pytest.approx(20, abs=2)


def test_fields_of_a_record_that_it_lacks_are_null_where_asked_for_and_else_left_out(
    locard, tmp_path
):
    path = tmp_path / "log"
    path.write_text('{"a":1,"b":{"c":"x"}}\n{"a":"7up","d":false}\n' * 60)
    whole = locard("logs", path, "--top", "2", "-o", "jsonl").stdout.splitlines()
    assert [json.loads(x) for x in whole] == [{"a": "1", "b.c": "x"}, {"a": "7up", "d": False}]
    some = locard(
        "logs", path, "--top", "2", "--select", "d,b.c", "-o", "jsonl"
    ).stdout.splitlines()
    assert [json.loads(x) for x in some] == [{"d": None, "b.c": "x"}, {"d": False, "b.c": None}]


def test_numbers_keep_their_digits(locard, tmp_path):
    path = tmp_path / "log"
    path.write_text('{"n":1.5,"id":"007"}\n{"n":12345678901234567890,"id":"008"}\n')
    done = locard("logs", path, "--select", "n,id", "-o", "jsonl")
    assert done.stdout == '{"n": 1.5, "id": "007"}\n{"n": 12345678901234567890, "id": "008"}\n'


def test_a_trace_over_several_services_in_the_order_of_time(locard, tmp_path):
    for name, key, shift in (("gateway", "trace_id", 0.2), ("payments", "traceId", 0.1)):
        lines = [
            {"time": BEGIN + i + shift, key: f"t{i % 5}", "msg": f"{name} {i}"} for i in range(20)
        ]
        (tmp_path / name).write_text("".join(json.dumps(x) + "\n" for x in lines))
    sources = [tmp_path / "gateway", tmp_path / "payments"]
    done = locard("logs", *sources, "--trace", "t3", "--select", "msg", "-o", "jsonl")
    rows = [json.loads(x) for x in done.stdout.splitlines()]
    assert [r["msg"] for r in rows] == [
        f"{name} {i}" for i in (3, 8, 13, 18) for name in ("payments", "gateway")
    ]
    assert rows[0]["source"] == str(sources[1])
    assert done.returncode == 0
    none = locard("logs", *sources, "--trace", "t'; --", "-o", "jsonl")
    assert none.stdout == ""
    assert none.returncode == 0


# --- free SQL ----------------------------------------------------------------------------------


@pytest.fixture(params=["scanned", "kept"])
def sheet(request, clean, state):
    shelf = kept_scans.Shelf.below(state) if request.param == "kept" else None
    if shelf:
        time.sleep(2 * kept_scans._TICK_NS / 1e9)  # a file that has just changed is not kept
        with open_log.asked(str(clean), 30, 2, shelf):
            pass
    with open_log.asked(str(clean), 30, 2, shelf) as found:
        assert found.kept == (request.param == "kept")
        yield found


def test_the_view_has_names_and_types(sheet):
    text = """SELECT upstream, count(*) AS n, max(duration_ms) AS slowest, min(time) AS first,
                     count(*) FILTER (ok) AS fine
              FROM log WHERE status >= 500 OR line = 2 GROUP BY ALL ORDER BY ALL"""
    answer = slicing.sql(sheet, text)
    assert answer.columns == ("upstream", "n", "slowest", "first", "fine")
    rows = list(answer.rows)
    assert sum(r[1] for r in rows) == 144
    assert isinstance(rows[0][2], float)
    assert rows[0][3].year == 2026


@pytest.mark.parametrize(
    "text",
    [
        "COPY log TO '/tmp/locard-out.csv'",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_parquet('/etc/passwd')",
        "SELECT * FROM parquet_metadata('/etc/passwd')",
        "SELECT * FROM read_blob('/proc/self/environ')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "SELECT * FROM 'http://127.0.0.1:9/x.csv'",
        "ATTACH '/tmp/locard-x.db' AS x",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "SET allowed_directories = ['/']",
        "PRAGMA enable_profiling = 'json'",
        "CALL enable_logging('QueryLog', storage = 'file', storage_path = '/tmp/locard-x')",
        "SELECT * FROM enable_logging('QueryLog', storage = 'file', storage_path = '/tmp/locard-x')",
        "EXPORT DATABASE '/tmp/locard-x'",
        "CREATE TABLE x AS SELECT 1",
        "DELETE FROM raw",
        "DROP VIEW log",
        "SELECT 1; DELETE FROM raw",
        "SELECT 1; SELECT 2",
        "SELECT * FROM query('DELETE FROM raw')",
        "WITH x AS (INSERT INTO raw (_n) VALUES (1) RETURNING *) SELECT * FROM x",
        "WITH x AS (DELETE FROM raw RETURNING *) SELECT * FROM x",
        "EXPLAIN ANALYZE DELETE FROM raw",
        "SELECT * FROM nothing",
        "SELEC 1",
        "",
        "-- nothing",
        "\x00",
        "SELECT getenv('HOME')",
    ],
)
def test_sql_reads_the_log_and_nothing_else(sheet, text):
    with pytest.raises(UsageError) as caught:
        slicing.sql(sheet, text)
    assert "log has" in caught.value.next_step
    # And it still answers.
    assert list(slicing.sql(sheet, "SELECT count(*) FROM log").rows) == [(1000,)]


def test_sql_gives_no_more_rows_than_fit(sheet, monkeypatch):
    """All of them would stand in the memory."""
    monkeypatch.setattr(slicing, "MOST_ROWS", 3)
    rows = slicing.sql(sheet, "SELECT * FROM range(4)").rows
    assert [next(rows) for _ in range(3)] == [(0,), (1,), (2,)]
    with pytest.raises(UsageError, match="more than 3 rows"):
        next(rows)


def test_sql_ends_with_its_budget(locard, clean):
    endless = "SELECT count(*) FROM range(1000000000000) a, log"
    done = locard("logs", clean, "--sql", endless, "--budget", "2s")
    assert done.returncode == 2
    assert "interrupted" in done.stderr.lower()
    assert "Traceback" not in done.stderr


def test_names_that_differ_in_case_or_are_locards_own(ask, locard, tmp_path):
    path = tmp_path / "log"
    path.write_text('{"Level":"a","level":"b","line":7,"_n":8,"c0":9,"w\\"x":1}\n')
    done = locard("logs", path, "--sql", 'SELECT "Level", level_, line, line_, _n, c0, "w""x" FROM log',
                  "-o", "jsonl")  # fmt: skip
    (row,) = [json.loads(x) for x in done.stdout.splitlines()]
    assert row["Level"], row["level_"] == ("a", "b")
    assert row["line"] == 1
    assert row["line_"] == 7
    assert ask(path, '_n = 8 and c0 = 9 and `w"x` = 1', select=("level", "_n")) == [
        {"level": "b", "_n": "8"}
    ]


def test_parquet_holds_the_rows_with_types(locard, clean, tmp_path):
    out = tmp_path / "rows.parquet"
    words = ("--where", "status >= 500", "--select", "time,status,upstream", "-o", "parquet")
    with out.open("wb") as file:
        done = subprocess.run(
            locard.argv("logs", clean, *words), stdout=file, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 0, done.stderr
    rows = duckdb.execute(
        "SELECT column_name, column_type FROM (DESCRIBE FROM read_parquet(?))", [str(out)]
    ).fetchall()
    assert rows == [("time", "TIMESTAMP"), ("status", "BIGINT"), ("upstream", "VARCHAR")]
    assert duckdb.execute("SELECT count(*) FROM read_parquet(?)", [str(out)]).fetchall() == [(143,)]


def test_parquet_of_counts_and_of_sql(sheet, tmp_path):
    for number, answer in enumerate(
        (
            slicing.counts(sheet, Question.of("status >= 500", by=("upstream",)), CLOCK),
            slicing.sql(sheet, "SELECT upstream, count(*) AS n FROM log GROUP BY 1"),
        )
    ):
        path = tmp_path / f"{number}.parquet"
        parquet.to_parquet(sheet.db, answer.typed_sql, path, answer.parameters)
        assert duckdb.execute("SELECT count(*) FROM read_parquet(?)", [str(path)]).fetchall() == [
            (4,)
        ]
