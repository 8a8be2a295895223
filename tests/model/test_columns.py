"""Text that fits the terminal of its stream."""

from __future__ import annotations

import io
import os
import pty

import pytest

from locard.model import columns


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    with os.fdopen(theirs, "w") as stream:
        yield stream
    os.close(ours)


def test_a_stream_that_is_no_terminal_has_no_width(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    assert columns.of(io.StringIO()) is None
    assert columns.asked_for() == 60


def test_a_terminal_has_one(terminal, monkeypatch):
    assert columns.of(terminal) >= 40
    monkeypatch.setenv("COLUMNS", "60")
    assert columns.of(terminal) == 60


def test_a_line_is_cut_and_has_no_blanks_at_its_end():
    assert columns.cut("a word and more  ", None) == "a word and more"
    assert columns.cut("a word and more", 15) == "a word and more"
    assert columns.cut("a word and more", 14) == "a word and mo…"
    assert columns.cut("a word and more", 8) == "a word…"


def test_words_stay_whole_and_lists_stay_lists():
    path = "/var/log/" + "x" * 40
    assert columns.labelled("why: ", f"see {path} or not", 40).split("\n") == [
        "why: see",
        f"     {path}",
        "     or not",
    ]
    assert columns.labelled("why: ", "two:\n  pid/1  a b\n  pid/2  c", 40).split("\n") == [
        "why: two:",
        "  pid/1  a b",
        "  pid/2  c",
    ]
