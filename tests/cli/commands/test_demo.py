"""`locard demo`: the words of the command line, one whole short run, and its end by a signal."""

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from locard.cli.commands import demo
from locard.cli.main import main
from locard.lab import processes

SHORT = ["--seed", "9", "--scale", "0.1"]


def parsed(*words):
    parser = argparse.ArgumentParser()
    demo.arguments(parser)
    return parser.parse_args(words)


def start(tmp_path, *words):
    environment = os.environ | {
        "TMPDIR": str(tmp_path),
        "LOCARD_STATE": str(tmp_path / "state"),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "locard", "demo", *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_an_unknown_scenario_is_refused_with_the_list(capsys):
    assert main(["demo", "no-such-thing"]) == 2
    assert "upstream-slow" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("--scale", "0"), ("--healthy", "--near-miss"), ("-o", "xml")])
def test_words_that_do_not_fit_are_refused(words, capsys):
    assert main(["demo", "upstream-slow", *words]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_page_that_cannot_be_written_is_said_first(capsys, tmp_path):
    assert main(["demo", "--html", str(tmp_path / "no" / "page.html")]) == 3
    assert "cannot write" in capsys.readouterr().err


def test_the_flags_of_the_investigation_are_passed_on(tmp_path):
    words = ("--state", str(tmp_path), "--tz", "Europe/Berlin", "--no-color")
    assert demo._passed_on(parsed(*words)) == words
    assert demo._passed_on(parsed()) == ()


def test_a_quiet_run_in_a_state_of_its_own_says_that_its_service_has_ended(tmp_path):
    own = tmp_path / "own"
    words = ("upstream-slow", "--healthy", "-q", "--state", str(own), "--tz", "Asia/Tokyo", *SHORT)
    with start(tmp_path, *words) as process:
        stdout, stderr = process.communicate(timeout=150)
    assert stderr == ""
    assert "service has ended" in stdout
    assert "gave no answer" not in stdout
    assert list(own.rglob("*.ledger"))
    assert not (tmp_path / "state").exists()


def test_without_a_name_the_seed_draws_the_scenario():
    castings = {demo._casting(parsed("--seed", str(seed))).scenario for seed in range(50)}
    assert {"lock-contention", "upstream-slow"} <= castings
    assert demo._casting(parsed("--seed", "4")) == demo._casting(parsed("--seed", "4"))
    assert demo._casting(parsed("--near-miss", "--seed", "4")).variant == "near-miss"


def test_one_json_document_and_nothing_else_on_stdout(tmp_path):
    with start(tmp_path, "upstream-slow", "--healthy", "-o", "json", *SHORT) as process:
        stdout, stderr = process.communicate(timeout=150)
    document = json.loads(stdout)
    assert document["schema"] == "locard/1"
    assert document["demo"]["seed"] == 9
    assert document["demo"]["variant"] == "healthy"
    assert document["demo"]["truth"]["rules"] == []
    assert document["demo"]["exit_code"] == process.returncode
    assert document["demo"]["command"][:2] == ["locard", "investigate"]
    assert document["demo"]["target_lost"]["during"]["requests"] > 0
    assert "--seed 9" in stderr
    assert not list(tmp_path.glob("payments-*")), "the run's directory is removed"


def test_sigterm_ends_everything_and_the_command_line_tells_nothing(tmp_path):
    with start(tmp_path, "upstream-slow", "--near-miss", "--seed", "9") as process:
        for line in process.stderr:
            if "healthy for" in line:
                break
        pids = processes.family(process.pid)[1:]
        sessions = {os.getsid(pid) for pid in pids}
        shown = Path(f"/proc/{process.pid}/cmdline").read_text()
        assert "demo" in shown
        assert "upstream" not in shown
        assert "miss" not in shown
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        process.wait()
    assert len(pids) >= 8
    assert not any(processes.running(pid, sessions) for pid in pids)
    assert not list(tmp_path.glob("payments-*"))
