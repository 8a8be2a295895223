"""Help and tables fit 80 columns; near words are named; no common flag is silently without effect."""

from __future__ import annotations

import os

import pytest

from locard import catalogue
from locard.cli import parser

COMMANDS = [e.name for e in catalogue.entries("command")]
COMMON = ("--since", "--around", "--budget", "--allow", "--max-overhead", "--for", "--dry-run", "--where",
          "-o", "--incident", "--tz", "--no-color", "-q", "--no-input")  # fmt: skip


@pytest.mark.parametrize("columns", [80, 60, 200])
@pytest.mark.parametrize(
    "words", [["--help"], *([name, "--help"] for name in COMMANDS), ["doctor"]]
)
def test_it_fits(locard, words, columns):
    done = locard(*words, env={**os.environ, "COLUMNS": str(columns)})
    lines = done.stdout.splitlines()
    assert len(lines) > 5
    assert max(map(len, lines)) <= min(columns, 80), max(lines, key=len)


def test_paragraphs_are_filled_and_lists_stay_lists():
    text = "one two\nthree four five\n\n  locard logs x --where y\n  name   words that go on and on"
    assert parser.filled(text, 22).split("\n") == [
        "one two three four",
        "five",
        "",
        "  locard logs x",
        "      --where y",
        "  name   words that go",
        "         on and on",
    ]


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (["logs", "x", "--sicne", "3m"], "--since"),
        (["invstigate", "pid/1"], "investigate"),
        (["prc/nginx"], "proc"),
        (["investigate", "prc/nginx"], "proc"),
        (["incident", "shwo"], "show"),
        (["demo", "upstrem-slow"], "upstream-slow"),
        (["logs", "--as", "cloudwtch", "--where", "a = 1"], "cloudwatch"),
    ],
)
def test_a_word_that_is_nearly_right(locard, words, near):
    done = locard(*words)
    assert done.returncode == 2
    assert "did you mean" in done.stderr
    assert near in done.stderr.partition("did you mean")[2]


@pytest.mark.parametrize(
    ("words", "step"),
    [
        (["4242"], "locard pid/4242"),
        (["nginx"], "locard proc/nginx"),
        (["4242", "--budget", "1m"], "locard pid/4242"),
        (["help"], "locard --help"),
        (["version"], "locard --version"),
        (["app.log"], "locard logs app.log"),
        (["logs/bad day.log"], "locard logs 'logs/bad day.log'"),
        (["--budget", "1m", "pid/1"], "the command first"),
    ],
)
def test_a_word_that_is_no_command_is_shown_how_to_write(locard, tmp_path, words, step):
    (tmp_path / "logs").mkdir()
    for name in ("app.log", "logs/bad day.log"):
        (tmp_path / name).write_text("x")
    done = locard(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert step in done.stderr.partition("next:")[2]


def test_a_kind_that_there_is_not_is_refused_with_those_that_there_are(locard):
    done = locard("service/foo")
    assert done.returncode == 2
    assert {"pid", "host", "container", "pod", "deployment"} <= set(
        done.stderr.replace(",", " ").split()
    )
    gone = locard("container/no-such-container")
    assert gone.returncode == 3
    assert (
        "cannot find container/no-such-container" in gone.stderr
        or "no container engine" in gone.stderr
    )


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (["investigate", "pid/1", "--dryrun"], "did you mean --dry-run?"),
        (["logs", "x", "--were", "a = 1"], "did you mean --where?"),
        (
            ["investigate", "pid/1", "--arround", "1m"],
            "did you mean --around? It is a flag of logs and metrics",
        ),
        (
            ["doctor", "--dryrun"],
            "did you mean --dry-run? It is a flag of investigate, host and probe",
        ),
    ],
)
def test_only_flags_of_the_command_are_offered_as_its_own(locard, words, near):
    done = locard(*words)
    assert done.returncode == 2
    assert done.stderr.partition("why:")[2].strip().startswith(f"{near}\n")


@pytest.mark.parametrize("columns", ["80", "50"])
def test_complaints_fit_the_columns_that_are_asked_for(locard, columns):
    environment = {**os.environ, "COLUMNS": columns}
    done = locard("logs", env=environment)
    lines = done.stderr.splitlines()
    assert len(lines) > 3
    assert max(map(len, lines)) <= int(columns)
    del environment["COLUMNS"]
    assert len(locard("logs", env=environment).stderr.splitlines()) == 3


def test_a_word_that_is_nothing_like_it(locard):
    done = locard("qqqq")
    assert done.returncode == 2
    assert "did you mean" not in done.stderr
    assert "investigate" in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_each_common_flag_works_or_says_why_not(locard, command):
    told = locard(command, "--help").stdout
    for flag in COMMON:
        if f" {flag}" in told:
            continue
        for words in ([flag], [flag, "1"]):
            done = locard(command, *words)
            assert done.returncode == 2
            assert f"locard {command} has no {flag}" in done.stderr
    assert " --no-input" in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["syscalls", "pid/1", "--slow", "-1ms"], "--slow -1ms cannot be"),
        (["waits", "--for", "-1s", "pid/1"], "--for -1s cannot be"),
        (["trace", "opens", "pid/1", "--for", "-.5"], "--for -.5 cannot be"),
        (["logs", "--since", "-5m", "x"], "'-5m' is no duration"),
        (["libcalls", "pid/1", "-e"], "--expression has no value"),
        (["waits", "pid/1", "--for"], "--for has no value"),
    ],
)
def test_a_value_that_cannot_be_is_said_as_one(locard, words, said):
    done = locard(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "expected one argument" not in done.stderr
    assert "next:" in done.stderr


@pytest.mark.parametrize("first", [True, False])
def test_targets_stand_before_flags_or_behind_them(locard, start, first):
    words = ("--for", "2s", "--allow", "samples")
    target = (f"pid/{start('-c', 'print(1, flush=True); import time; time.sleep(600)').pid}",)
    words = (*target, *words) if first else (*words, *target)
    done = locard("trace", "opens", *words, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert target[0] in done.stdout


def test_what_stands_behind_two_dashes_is_no_flag(locard, tmp_path):
    (tmp_path / "-w.log").write_text('{"a": 1}\n')
    done = locard("logs", "--", "-w.log", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
