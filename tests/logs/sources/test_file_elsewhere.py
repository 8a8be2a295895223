"""Logs at another host: read there, scanned here, the same answer as at home."""

from __future__ import annotations

import json
import os

import pytest

from shell_hosts import make_ssh


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
