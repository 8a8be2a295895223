"""Logs at another host: read there, scanned here, the same answer as at home."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from locard.far import read_log
from shell_hosts import make_ssh
from support import Locard

WITH_PROGRAMS_OF = """import sys, pathlib
from locard.transport import prepared
prepared._PACKAGE = pathlib.Path(sys.argv.pop(1))
from locard.cli.main import main
sys.exit(main())
"""


@pytest.fixture
def env(tmp_path):
    return {**os.environ, "LOCARD_SSH": str(make_ssh(tmp_path))}


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "app.log"
    lines = [
        json.dumps(
            {
                "time": f"2026-11-27T10:{n // 60:02}:{n % 60:02}Z",
                "status": 500 if n % 5 == 0 else 200,
            }
        )
        for n in range(600)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_same_answer_as_at_home(locard, log, env):
    words = ("--by", "status", "-o", "jsonl")
    here = locard("logs", log, *words)
    there = locard("logs", log, "--on", "host/web-1", *words, env=env)
    assert here.stdout
    assert there.stdout == here.stdout


def test_the_first_pass_over_it(locard, log, env):
    document = locard.json("logs", log, "--on", "host/web-1", env=env)
    assert document["log_summary"]["records"] == 600


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("/no/such.log", "No such file"),
        ("app.log", "by its whole path"),
        ("deployment/pay", "a cluster is asked from here"),
    ],
)
def test_what_cannot_be_read(locard, env, name, why):
    done = locard("logs", name, "--on", "host/web-1", env=env)
    assert done.returncode == 3
    assert why in done.stderr


def test_a_host_that_is_down(locard, log, env):
    done = locard("logs", log, "--on", "host/down-1", env=env)
    assert done.returncode == 3
    assert "connection refused" in done.stderr


def test_an_investigation_there_reads_it_too(locard, log, env):
    document = locard.json(
        "investigate", f"pid/{os.getpid()}", "--on", "host/web-1", "--logs", log, env=env
    )
    first = next(e for e in document["evidence"] if e["probe"] == "first-pass")
    assert first["facts"][0]["records"] == 600
    assert first["ran"][0]["argv"][-1] == "json"
    assert "--on=host/web-1" in first["ran"][0]["argv"]


class Limited(Locard):
    """`locard` that sends a reader which has other limits."""

    def __init__(self, folder, **limits):
        package = Path(read_log.__file__).parent.parent
        for part in ("far", "transport"):
            shutil.copytree(package / part, folder / part)
        for program in ("read_log", "line_times"):
            path = folder / "far" / f"{program}.py"
            text = path.read_text("utf-8")
            for name, value in limits.items():
                text = re.sub(rf"^{name} = .*", f"{name} = {value}", text, flags=re.MULTILINE)
            path.write_text(text, "utf-8")
        self.folder = folder

    def argv(self, *words):
        return [sys.executable, "-c", WITH_PROGRAMS_OF, str(self.folder), *map(str, words)]


@pytest.mark.parametrize("words", [(), ("--by", "status")])
def test_of_a_log_that_is_too_long_the_rest_is_said_to_be_unread(tmp_path, log, env, words):
    limited = Limited(tmp_path / "limited", MOST=8 << 10)
    done = limited("logs", log, "--on", "host/web-1", *words, env=env)
    said = f"read in part: only the newest 8 KiB of {log.stat().st_size / 1024:.3g} KiB were read"
    assert done.returncode == 4, done.stderr
    if words:
        assert said in done.stderr
        return
    assert said.partition(": ")[2] in done.stdout
    document = limited.json("logs", log, "--on", "host/web-1", env=env)
    assert document["log_summary"]["partial"] is True
    assert said in document["log_summary"]["gaps"]


def test_a_log_that_is_not_too_long_is_whole(tmp_path, log, env):
    limited = Limited(tmp_path / "limited", MOST=log.stat().st_size)
    document = limited.json("logs", log, "--on", "host/web-1", env=env)
    assert document["log_summary"]["records"] == 600
    assert document["log_summary"]["partial"] is False


def test_of_a_packed_log_that_ends_in_the_middle_what_came_is_kept(locard, tmp_path, log, env):
    packed = gzip.compress(log.read_bytes() * 20)
    cut = tmp_path / "app.log.1.gz"
    cut.write_bytes(packed[: len(packed) // 2])
    done = locard("logs", cut, "--on", "host/web-1", "-o", "json", env=env)
    assert done.returncode == 4, done.stderr
    summary = json.loads(done.stdout)["log_summary"]
    assert summary["records"] > 3000
    assert any("app.log.1.gz: Compressed file ended" in gap for gap in summary["gaps"])


@pytest.fixture
def rotated(log):
    """The log, with what was rotated away from it and what was not beside it."""
    begin = 1_795_773_600  # 2026-11-27T10:00:00Z, as the log does
    beside = {
        "app.log.1": begin,
        "app.log.2.gz": begin - 3600,
        "app-2.log": begin + 600,  # of another instance, which goes on
        "other.log.1": begin,
    }
    for name, written in beside.items():
        path = log.with_name(name)
        path.write_bytes(gzip.compress(b"older\n") if name.endswith("gz") else b"older\n")
        os.utime(path, (written, written))
    return log


def first_beginning(locard, env, log, *words):
    return locard.json("logs", log, "--on", "host/web-1", *words, env=env)["log_summary"][
        "beginnings"
    ][0]


def test_what_was_rotated_away_is_said_to_be_unread(locard, rotated, env):
    found = first_beginning(locard, env, rotated)
    assert found["kind"] == "rotated"
    assert found["detail"] == "2 older files of it were not read (app.log.2.gz, app.log.1)"
    assert f"locard logs '{rotated}*' --on host/web-1" in found["rest"]
    assert f"stat {rotated}.1: 6 bytes, last written 2026-11-27T10:00:00Z" in found["evidence"]
    whole = first_beginning(locard, env, f"{rotated}*")
    assert whole["kind"] != "rotated"


def test_where_a_pattern_would_fit_others_too_the_files_are_named(locard, rotated, env):
    bak = rotated.with_name("app.log.bak")
    bak.write_bytes(b"x\n")
    os.utime(bak, (1e9, 1e9))
    found = first_beginning(locard, env, rotated)
    assert found["detail"] == "2 older files of it were not read (app.log.2.gz, app.log.1)"
    assert found["rest"][:2] == [f"{rotated}.2.gz", f"{rotated}.1"]


def test_of_a_log_alone_nothing_is_unread(locard, log, env):
    found = first_beginning(locard, env, log)
    assert found["kind"] == "unknown"
    assert found["detail"] == "no older file of its name stands beside it"


def test_since_does_not_fetch_what_is_older(tmp_path, log, env):
    seeking = Limited(tmp_path / "limited", _AT_LEAST=0, _NEAR=1 << 10)
    words = ("logs", log, "--on", "host/web-1", "--since", "1m")
    summary = seeking.json(*words, env=env)["log_summary"]
    assert 120 <= summary["records"] < 200  # and as much again for a baseline
    assert summary["partial"] is False
    (beginning,) = summary["beginnings"]
    assert beginning["kind"] == "asked"
    assert re.fullmatch(r"its first [0-9,]+ bytes are older than that", beginning["detail"])
    whole = Limited(tmp_path / "whole").json(*words, env=env)["log_summary"]
    assert whole["records"] == 600
