from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import os
import pty
import shlex
import signal
import subprocess
import sys
import threading

import jsonschema
import pytest

from locard.cli.commands import logs
from locard.report.schema import schema
from locard.transport import footprint


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "service.log"
    records = []
    for i in range(900):
        user = ("plus", "free", "free")[i % 3]
        bad = i > 600 and user == "plus"
        records.append({
            "time": 1763812800 + i / 10, "status": 503 if bad else 200, "segment": user,
            "msg": "\x1b[31mtime\u202eout" if bad else "ok", "trace_id": f"t-{i};rm",
        })  # fmt: skip
    path.write_text("\n".join(map(json.dumps, records)) + "\nplain \x1b[2J text\n")
    return path


def test_json_is_versioned_and_exits_1_on_a_change(locard, log):
    done = locard("logs", log, "-o", "json")
    assert done.returncode == 1
    body = json.loads(done.stdout)
    assert body["schema"] == "locard/1"
    assert body["log_summary"]["correlates"][0]["values"] == [["segment", "plus"]]
    first = body["findings"][0]
    assert (first["rule"], first["values"]) == ("one-segment-affected", [["segment", "plus"]])
    assert first["confidence"] == "moderate"
    assert {s["evidence"] for s in first["supports"]} == {e["id"] for e in body["evidence"]}
    assert body["evidence"][0]["facts"] == [], "they are the summary"
    jsonschema.validate(body, schema())


def test_one_screen_at_80_columns_the_key_finding_last(locard, log):
    done = locard("logs", log, "--tz", "UTC", "--threads", "2")
    lines = done.stdout.splitlines()
    assert len(lines) <= 40
    assert all(len(line) <= 80 for line in lines[:-1])  # the last is a command, whole
    assert "12:01:0" in done.stdout
    title = next(n for n, line in enumerate(lines) if line.startswith("Only segment=plus"))
    assert lines[title].endswith("(one-segment-affected, moderate evidence)")
    rest = lines[title + 1 :]
    said = next(n for n, line in enumerate(rest) if line.endswith("such request:"))
    assert all(line.startswith("    ") for line in rest[:said])
    assert all(line.startswith("  locard logs ") for line in rest[said + 1 :: 2])
    command = shlex.split(lines[-1])
    assert command[:3] == ["locard", "logs", str(log)]
    shown = locard(*command[1:])
    assert shown.returncode == 0
    assert command[-1] in shown.stdout


def test_the_rules_are_asked_and_the_next_command_shows_what_they_mean(locard, tmp_path):
    path = tmp_path / "service.log"
    records = [
        {"time": 1763812800 + i / 10, "status": 503 if i > 600 and i % 3 else 200, "msg": "done"}
        for i in range(900)
    ]
    hostile = "config reloaded: limit 9 -> 0\x1b[2J'; rm -rf /"
    records.insert(601, {"time": 1763812860.05, "level": "info", "msg": hostile})
    path.write_text("\n".join(map(json.dumps, records)) + "\n")
    done = locard("logs", path, "--tz", "UTC")
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
    lines = done.stdout.splitlines()
    assert "  near onset   12:01:00  config reloaded: limit 9 -> 0" in done.stdout
    text = " ".join(done.stdout.split())
    assert "It got worse as the configuration changed" in text
    assert "(bad-config-value, moderate evidence)" in text
    assert lines[-2] == "next:"
    command = shlex.split(lines[-1])
    shown = locard(*command[1:])
    assert shown.returncode == 0, shown.stderr
    assert "config reloaded" in shown.stdout


def test_an_error_is_what_the_user_says(locard, tmp_path):
    path = tmp_path / "log"
    rows = [
        {
            "time": 1763812800 + i / 5,
            "status": 429 if i > 900 and i % 3 else 200,
            "plan": "ab"[i % 2],
        }
        for i in range(1500)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    unasked = locard("logs", path)
    assert unasked.returncode == 1
    assert "status=429 rose" in " ".join(unasked.stdout.split())
    assert not locard.json("logs", path)["log_summary"]["changed"]
    done = locard("logs", path, "--errors", "status = 429", "-o", "json", "--tz", "UTC")
    summary = json.loads(done.stdout)["log_summary"]
    assert summary["error_means"] == "status = 429"
    assert summary["changed"] == ["errors"]
    assert summary["onset"]["earliest"] <= 1763812800 + 901 / 5 <= summary["onset"]["latest"]
    assert all(group["field"] != "status" for group in summary["groups"])
    wrong = locard("logs", path, "--errors", "stats = 429")
    assert wrong.returncode == 2
    assert "Similar ones: status" in wrong.stderr
    assert locard("logs", path, "--errors", "status = 1", "--by", "plan").returncode == 2


def test_nothing_hostile_reaches_the_terminal(locard, log):
    shown = locard("logs", log).stdout
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "skipped 1 line:" in " ".join(shown.split())


def test_nothing_changed_exits_0(locard, tmp_path):
    path = tmp_path / "log"
    path.write_text("".join(f'{{"time":{1763812800 + i},"status":200}}\n' for i in range(300)))
    done = locard("logs", path)
    assert done.returncode == 0
    assert "Nothing changed" in done.stdout


def test_an_endless_pipe_ends_partial(locard, start):
    code = (
        "import sys, time\nprint('ready', file=sys.stderr)\ni = 0\n"
        "print('{}', flush=True)\n"
        'while True:\n    i += 1; print(\'{"time":%f,"status":200}\' % (1.7e9 + i), flush=True)\n'
    )
    program = start("-c", code, stderr=-3)
    done = locard("logs", "-", "--budget", "2s", stdin=program.stdout)
    assert done.returncode == 4
    assert "the time budget ended" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("/nowhere.log",), 3, "no such file"),
        (("/dev/null",), 3, "empty"),
        ((), 2, "no SOURCE was given"),
        (("x", "--budget", "soon"), 2, "no duration"),
        (("x", "--threads", "0"), 2, "not 1 to 256"),
    ],
)
def test_bad_input_is_three_sentences(locard, words, code, why):
    done = locard("logs", *words)
    assert done.returncode == code
    assert why in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_a_binary_file_says_so(locard, tmp_path):
    path = tmp_path / "blob"
    path.write_bytes(bytes(range(256)) * 200)
    done = locard("logs", path)
    assert done.returncode == 3
    assert "looks like a binary file" in done.stderr


# --- slicing -----------------------------------------------------------------------------------


def test_a_slice_in_every_form(locard, log):
    words = ("logs", log, "--where", "status >= 500 and segment = plus", "--top", "2")
    select = ("--select", "trace_id,status,msg")
    text = locard(*words, *select).stdout.splitlines()
    assert text[0].split() == ["trace_id", "status", "msg"]
    assert len(text) == 3
    document = json.loads(locard(*words, *select, "-o", "json").stdout)
    assert document["schema"] == "locard/1"
    assert (document["kind"], document["matched"], document["records"]) == ("slice", 2, 901)
    expected = {"trace_id": "t-603;rm", "status": 503, "msg": "\x1b[31mtime\u202eout"}
    assert document["rows"][0] == expected
    rows = [json.loads(x) for x in locard(*words, *select, "-o", "jsonl").stdout.splitlines()]
    assert rows == document["rows"]
    table = list(csv.DictReader(io.StringIO(locard(*words, *select, "-o", "csv").stdout)))
    assert table[0] == {k: str(v) for k, v in expected.items()}
    assert locard(*words).stdout.startswith("time=176")


def test_counts_on_the_screen(locard, log):
    done = locard("logs", log, "--by", "segment,status")
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["count", "errors", "error_rate", "segment", "status"],
        ["600", "0", "0", "%", "free", "200"],
        ["201", "0", "0", "%", "plus", "200"],
        ["99", "99", "100", "%", "plus", "503"],
        ["1", "0", "0", "%", "null", "null"],
    ]
    assert done.returncode == 0
    assert "4 rows, of 901 records" in done.stderr
    assert "kept as text 1 line" in done.stderr
    assert "jq would have stopped at line 901" in done.stderr
    assert not locard("logs", log, "--by", "segment", "-q").stderr


@pytest.mark.parametrize("form", ["text", "json", "jsonl"])
@pytest.mark.parametrize(
    "slicing", [("--where", "status >= 500"), ("--by", "msg"), ("--sql", "FROM log")]
)
def test_a_slice_shows_nothing_hostile(locard, log, form, slicing):
    done = locard("logs", log, *slicing, "-o", form)
    assert done.returncode == 0
    assert "time" in done.stdout
    for shown in (done.stdout, done.stderr):
        assert "\x1b" not in shown
        assert "\u202e" not in shown


def test_csv_shows_nothing_hostile_on_a_terminal(locard, log):
    here, there = pty.openpty()
    try:
        done = subprocess.run(
            locard.argv("logs", log, "--by", "msg", "-o", "csv"), stdout=there,
            stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
        shown = os.read(here, 10_000)
    finally:
        os.close(there)
        os.close(here)
    assert done.returncode == 0
    assert b"time" in shown
    assert b"\x1b" not in shown


def test_a_pipe_is_sliced_too(locard, log):
    with log.open() as stream:
        done = locard("logs", "-", "--where", "status = 503", "--by", "segment", "-o", "jsonl",
                      stdin=stream)  # fmt: skip
    assert json.loads(done.stdout) == {"count": 99, "of": 300, "share": 0.33, "segment": "plus"}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--where", "stat = 5"), "no field 'stat'"),
        (("--where", "status >"), "expected a value"),
        (("--where", ""), "expected a field name"),
        (("--select", "nope"), "no record of the log has it"),
        (("--by", "nope"), "no record of the log has it"),
        (("--by", ","), "no field"),
        (("--by", "status", "--select", "status"), "--by counts records"),
        (("--sql", "SELECT 1", "--top", "5"), "the SQL is the whole question"),
        (("--sql", "DROP TABLE raw"), "only one statement"),
        (("--around", "noon"), "no time"),
        (("--around", "12:00", "--window", "wide"), "a duration is"),
        (("--top", "0"), "a whole number"),
        (("--sample", "-1"), "a whole number"),
        (("-o", "csv"), "rows come from slicing"),
        (("/dev/null", "--where", "a = 1"), "2 were given"),
        (("--where", "a = 1", "--as", "cobol"), "there is"),
    ],
)
def test_bad_questions_are_three_sentences(locard, log, words, why):
    done = locard("logs", log, *words)
    assert done.returncode == 2, done.stderr
    assert why in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_what_a_field_means_can_be_said(locard, tmp_path):
    path = tmp_path / "odd.log"
    lines = [
        json.dumps({"time": f"2026-11-23T12:00:{n:02d}Z", "outcome": 500 + n % 2, "n": n})
        for n in range(60)
    ]
    path.write_text("\n".join(lines) + "\n")
    words = ("--where", "status = 501", "-o", "jsonl", "-q", "--no-keep")
    assert locard("logs", path, *words).returncode == 2
    said = locard("logs", path, "--field", "status=outcome", *words)
    assert said.returncode == 0, said.stderr
    assert len(said.stdout.splitlines()) == 30
    refused = locard("logs", path, "--field", "status=nothing", *words)
    assert refused.returncode == 2
    assert "next:" in refused.stderr


def test_the_end_of_a_log_alone(locard, tmp_path):
    path = tmp_path / "long.log"
    lines = [
        json.dumps({"time": 1_763_812_800 + n, "status": 200, "path": "/pay"})
        for n in range(90_000)
    ]
    path.write_text("\n".join(lines) + "\n")
    whole = json.loads(locard("logs", path, "-o", "json", "--no-keep").stdout)["log_summary"]
    end = json.loads(locard("logs", path, "-o", "json", "--since", "5m").stdout)["log_summary"]
    assert whole["records"] == 90_000
    # So small a log is read whole, for a baseline before the window; the end of it is judged.
    assert end["first"] >= end["last"] - 2 * 300
    assert end["last"] == whole["last"]


def asked(source, *, beside=False):
    return argparse.Namespace(source=[source], beside=beside)


def test_cores_and_priority_where_a_target_writes(tmp_path, monkeypatch):
    """All cores, but beside a log that is being written one, with the lowest priority."""
    stepped = []
    monkeypatch.setattr(footprint, "step_back", lambda: stepped.append(1))
    path = tmp_path / "log"
    path.write_text('{"a":1}\n')
    assert logs._cores(asked(str(path))) == 1
    assert stepped
    os.utime(path, (1, 1))
    assert logs._cores(asked(str(path))) == len(os.sched_getaffinity(0))
    assert logs._cores(asked("-")) == len(os.sched_getaffinity(0))
    assert logs._cores(asked("-", beside=True)) == 1


def test_stepping_back_is_the_lowest_priority():
    code = (
        "import os; from locard.transport.footprint import step_back; step_back(); "
        "print(os.getpriority(os.PRIO_PROCESS, 0), open('/proc/self/stat').read().split()[18])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["19", "19"]


@pytest.mark.parametrize("stalls", [False, True])
def test_a_pipe_that_goes_on_is_shown_early_and_judged_when_interrupted(locard, stalls):
    process = subprocess.Popen(
        locard.argv("logs", "-", "--budget", "60s"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    done = threading.Event()

    def write():
        number = 0
        while not done.is_set() and (number < 20 or not stalls):
            number += 1
            status = 200 if number % 10 else 503
            process.stdin.write(f'{{"time":{1763812800 + number},"status":{status}}}\n')
            process.stdin.flush()
            done.wait(0.01)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        said = process.stderr.readline()
        assert said.startswith("locard: so far ")
        assert "errors (status >= 500)" in said
        process.send_signal(signal.SIGINT)
        shown = process.stdout.read()
        done.set()
        writer.join()
        assert process.wait(60) == 4
    finally:
        done.set()
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
    assert "read in part: it was interrupted" in shown
    assert "Bad from its first line" in shown, "one request in ten fails"


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ('{"msg":"x"}', "Whether anything changed cannot be told: no times of its records could be read"),
        ('{"time":"2026-11-25T10:00:00Z","msg":"x"}', "Whether anything changed cannot be told: no field"),
        ('{"time":"2026-11-25T10:00:00Z","status":200}', "That nothing changed cannot be said: all"),
        ('{"time":"2026-11-25T10:00:0TZ","status":200}', "Nothing changed in this log"),
    ],
)  # fmt: skip
def test_nothing_changed_is_claimed_only_of_what_is_known(locard, tmp_path, record, said):
    path = tmp_path / "log"
    path.write_text("".join(f"{record}\n".replace("0T", f"{n:02d}") for n in range(50)))
    assert said in " ".join(locard("logs", path).stdout.split())


def test_sql_that_wants_too_much_is_an_error(locard, log):
    done = locard("logs", log, "--sql", "SELECT length(repeat('x', 1500000000))", "--budget", "20s")
    assert done.returncode == 2
    assert "Out of Memory" in done.stderr
    assert locard("logs", log, "--sql", "SELECT length(repeat('x', 15000))").returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--window", "5s"], "--window alone has no effect"),
        (["--seed", "0"], "--seed alone has no effect"),
        (["--where", "a = 1", "--window", "5s"], "--window alone has no effect"),
        (["--budget", "0"], "the budget is zero"),
        (["--previous"], "--previous is a flag of kubectl"),
        (["--all-containers"], "--all-containers is a flag of kubectl"),
    ],
)
def test_a_flag_without_effect_is_said(locard, tmp_path, words, said):
    log = tmp_path / "app.log"
    log.write_text('{"a": 1}\n')
    done = locard("logs", str(log), *words)
    assert done.returncode == 2
    assert said in done.stderr
    done = locard("logs", str(log), "--sample", "1", "--seed", "0")
    assert done.returncode == 0


def test_without_a_source_every_kind_is_named(locard):
    done = locard("logs")
    assert done.returncode == 2
    for kind in ("a file", "a directory", "journald", "container/", "pod/", "deployment/", "or -"):
        assert kind in " ".join(done.stderr.split())


def test_a_relative_path(locard, tmp_path):
    (tmp_path / "app.log").write_text('{"a": 1}\n')
    done = locard("logs", "app.log", "--where", "a = 1", "-o", "jsonl", cwd=tmp_path)
    assert done.stdout == '{"a": 1}\n'
