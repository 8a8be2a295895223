"""`locard top` as typed: lines, JSON lines, a terminal's screen, its end by Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import time

import pytest


@pytest.fixture
def program(start):
    return start("shares.py", "3:1", "--here", stdin=subprocess.PIPE)


def test_a_line_for_each_interval(locard, program):
    done = locard("top", f"pid/{program.pid}", "-n", "2", "--every", "500ms")
    assert done.returncode in {0, 4}, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    for line in lines:
        assert re.search(r"\d\d:\d\d:\d\d \S+  0\.[56] s  \d\.\d\d cores.*, GIL held in \d+%", line)
        assert "heavy (programs/shares.py)" in line
    assert "record: " in done.stderr


def test_json_lines_and_the_whole_as_json(locard, program):
    words = (f"pid/{program.pid}", "--intervals", "2", "--every", "500ms", "-q")
    rows = [json.loads(line) for line in locard("top", *words, "-o", "jsonl").stdout.splitlines()]
    assert [r["program"] for r in rows] == ["top", "top"]
    assert rows[1]["observed"]["began"] > rows[0]["observed"]["began"]
    (evidence,) = locard.json("top", *words)["evidence"]
    assert len(evidence["facts"]) == 2


def test_ctrl_c_ends_it_and_what_was_counted_is_told(locard, program):
    words = locard.argv("top", f"pid/{program.pid}", "--every", "600ms")
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "cores" in process.stdout.readline()
    time.sleep(0.3)
    process.send_signal(2)
    out, err = process.communicate(timeout=30)
    assert process.returncode in {0, 4}, err
    assert "Traceback" not in err
    assert "record: " in err
    assert 0 < out.count(" cores") <= 3


def test_who_has_seen_enough_ends_it(locard, program):
    words = locard.argv("top", f"pid/{program.pid}", "--every", "300ms", "-q")
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(30) == 0, err
    assert "Traceback" not in err


def test_a_terminal_gets_a_screen_that_is_given_back(locard, program):
    parent, child = pty.openpty()
    process = subprocess.Popen(
        locard.argv("top", f"pid/{program.pid}", "-n", "2", "--every", "400ms", "-q"),
        stdout=child, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"},
    )  # fmt: skip
    os.close(child)
    seen = b""
    while process.poll() is None or select.select([parent], [], [], 0.2)[0]:
        try:
            seen += os.read(parent, 65536)
        except OSError:  # its other end is closed
            break
    os.close(parent)
    assert process.wait(30) in {0, 4}
    text = seen.decode()
    assert "\x1b[?1049h" in text
    assert text.rindex("\x1b[?1049l") > text.rindex("own    all  function")
    assert "CPU    GIL  thread" in text
    assert re.search(r"\d+%  +\d+%  heavy \(programs/shares\.py\)", text)


def test_what_cannot_be_is_said(locard):
    for words, said in (
        (("pid/1", "pid/2"), "shows one target"),
        (("pid/1", "--every", "0s"), "--every 0s cannot be"),
        ((), "no TARGET"),
    ):
        done = locard("top", *words)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
