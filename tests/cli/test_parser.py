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
