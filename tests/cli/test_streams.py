"""Standard streams that are full, closed, gone or of another encoding: clear errors, never a crash."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

LOCARD = [sys.executable, "-m", "locard"]


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "app.log"
    rows = [
        {
            "time": f"2026-03-01T12:{i // 60:02}:{i % 60:02}Z",
            "status": 200,
            "message": f"naïve \u2603 {i}",
        }
        for i in range(600)
    ]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


def test_a_full_disk_is_said(log):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*LOCARD, "logs", log], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 4
    assert "No space left on device" in done.stderr
    assert "internal error" not in done.stderr


@pytest.mark.parametrize(
    ("closing", "code"), [(">&-", 2), ("2>&-", 0), ("<&-", 0), (">&- 2>&- <&-", 2)]
)
def test_a_closed_stream_is_no_crash(log, tmp_path, closing, code):
    words = " ".join([*LOCARD, "logs", str(log), "--state", str(tmp_path / "s")])
    done = subprocess.run(
        ["sh", "-c", f"{words} {closing}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    if code and "2>" not in closing:
        assert "standard output is closed" in done.stderr


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_what_an_encoding_cannot_say_is_escaped(log, encoding):
    done = subprocess.run(
        [*LOCARD, "logs", log, "--select", "message", "--top", "1"],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    snow = "\u2603".encode("utf-8" if encoding == "utf-8" else "ascii", "backslashreplace")
    assert snow in done.stdout


def test_a_reader_of_progress_that_goes_away_ends_nothing(locard, log, state):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*LOCARD, "investigate", "host/local", "--logs", log, "--budget", "30s"],
        stdout=subprocess.PIPE,
        stderr=write,
        check=False,
    )
    os.close(write)
    assert done.returncode in {0, 1}
    found = json.loads(locard("incident", "show", "-o", "json").stdout)
    assert {layer["layer"] for layer in found["layers"] if layer["status"] == "ran"} >= {
        "logs",
        "host",
    }


def test_what_was_cut_short_is_never_0(log):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*LOCARD, "logs", log], stdout=write, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write)
    assert done.returncode == 4
    assert "Traceback" not in done.stderr
    whole = subprocess.run([*LOCARD, "logs", log], capture_output=True, check=False)
    assert whole.returncode == 0


def test_nothing_is_imported_from_the_folder_or_pythonpath(log, tmp_path):
    evil = tmp_path / "evil"
    evil.mkdir()
    for name in ("duckdb", "jinja2", "rich", "zoneinfo", "csv", "sqlite3"):
        (evil / f"{name}.py").write_text(
            "import os\nos.write(2, b'EVIL\\n')\nraise SystemExit(9)\n"
        )
    environment = {**os.environ, "PYTHONPATH": f"{evil}{os.pathsep}."}
    code = "import csv"
    bait = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=evil, capture_output=True, check=False
    )
    assert bait.returncode == 9  # the trap works
    script = Path(sys.executable).with_name("locard")
    for start in ([script], LOCARD):
        for words in (["logs", log], ["investigate", "host/local", "-q", "--logs", log]):
            done = subprocess.run(
                [*start, *words],
                env=environment,
                cwd=evil,
                capture_output=True,
                text=True,
                check=False,
            )
            assert "EVIL" not in done.stderr + done.stdout
            assert done.returncode in {0, 1}, done.stderr


@pytest.mark.parametrize("words", [["investigate", "pid/\u00b2"], ["investigate", "pid/" + "9" * 5000],
                                   ["logs", "a" * 5000], ["logs", "x", "--top", "\u00b2"]])  # fmt: skip
def test_odd_words_are_three_sentences(locard, words):
    done = locard(*words)
    assert done.returncode in {2, 3}
    assert "next:" in done.stderr
    assert "internal error" not in done.stderr
