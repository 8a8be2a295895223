"""The command line as a user meets it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest

from locard import catalogue


def test_help_lists_every_command(locard):
    done = locard("--help")
    assert done.returncode == 0
    for entry in catalogue.entries("command"):
        assert re.search(rf"^  {entry.name} +\w", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("entry", catalogue.entries("command"), ids=lambda e: e.name)
def test_help_of_each_command(locard, entry):
    done = locard(entry.name, "--help")
    assert done.returncode == 0
    assert f"usage: locard {entry.name}" in done.stdout


@pytest.mark.parametrize(
    "words", [["no-such-command"], ["investigate"], ["investigate", "x", "--no-such-flag"],
              ["investigate", "pid/1", "--budget", "soon"], ["investigate", "pid/1", "--allow", "all"],
              ["investigate", "host/local", "--metrics", "ftp://x"],
              ["investigate", "host/local", "--tz", "Moon/Base"], []],
)  # fmt: skip
def test_usage_errors(locard, words):
    done = locard(*words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    if words:
        assert re.search(r"^  next: .", done.stderr, re.MULTILINE)


def test_start_up_imports_nothing_heavy():
    heavy = ("duckdb", "rich", "jinja2", "sqlite3", "asyncio", "locard.investigate.run")
    code = (
        "import sys; from locard.cli.main import main; main([]);"
        f"print([m for m in {heavy!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_a_reader_that_goes_away_is_no_error():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "locard", "--help"],
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write)
    assert b"Traceback" not in done.stderr
    assert done.returncode == 0


def test_an_internal_error_is_said_as_one(capsys, monkeypatch):
    from locard.cli import main

    monkeypatch.setattr(main, "_dispatch", lambda _: 1 // 0)
    assert main.main([]) == 70
    said = capsys.readouterr().err
    assert "internal error: ZeroDivisionError" in said
    assert "Traceback" not in said


def test_a_hostile_name_does_not_reach_the_terminal_raw(locard):
    done = locard("investigate", "proc/\x1b[31mx\u202ey")
    assert done.returncode == 3
    assert "\x1b" not in done.stderr
    assert "\u202e" not in done.stderr


def test_doctor(locard):
    done = locard("doctor", "-o", "json")
    document = json.loads(done.stdout)
    assert document["schema"] == "locard/1"
    names = {p["name"] for p in document["probes"]}
    assert names == {e.name for e in catalogue.entries("probe")}
    assert done.returncode == (
        0 if all(c["works"] or c["optional"] for c in document["capabilities"]) else 4
    )
    assert all(c["adds"] and c["get"] for c in document["capabilities"])


def test_progress_is_cut_at_the_width_of_the_terminal(locard):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    running = subprocess.Popen(
        locard.argv("investigate", "host/local"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env=environment,
    )
    os.close(theirs)
    said = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while data := os.read(ours, 1 << 16):
            said += data
    os.close(ours)
    assert running.wait() in {0, 1}
    lines = said.decode().replace("\r", "").splitlines()
    assert max(map(len, lines)) <= 60
    assert any(line.endswith("…") and " skipped " in line for line in lines)
    assert not [line for line in lines if line != line.rstrip()]
    piped = locard("investigate", "host/local").stderr.splitlines()
    assert max(map(len, piped)) > 60
