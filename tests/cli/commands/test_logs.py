from __future__ import annotations

import json

import pytest


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


def test_one_screen_at_80_columns_the_key_finding_last(locard, log):
    done = locard("logs", log, "--tz", "UTC", "--threads", "2")
    lines = done.stdout.splitlines()
    assert len(lines) <= 40
    assert all(len(line) <= 80 for line in lines)
    assert "12:01:0" in done.stdout
    assert "segment=plus" in lines[-3]
    assert lines[-1].startswith("one such request: grep 't-")


def test_nothing_hostile_reaches_the_terminal(locard, log):
    shown = locard("logs", log).stdout
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "skipped 1 lines" in shown


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
        (("/",), 3, "a directory"),
        (("/dev/null",), 3, "empty"),
        ((), 2, "required"),
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
    assert "JSON object" in done.stderr
