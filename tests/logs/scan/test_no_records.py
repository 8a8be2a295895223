"""Sources without a record: why, and what to do."""

from __future__ import annotations

import os

import pytest

from locard.logs.ask import open_log
from locard.logs.judge import first_pass
from locard.logs.scan.no_records import nothing_read
from locard.model.errors import LocardError


def read(name, *, sliced):
    if sliced:
        with open_log.asked(name, 20, 1):
            return
    with open_log.scanned(name, 20, 1) as table:
        first_pass.judge(name, table)


@pytest.mark.parametrize(
    ("data", "why", "step"),
    [
        (b"", "it is empty", "Check that the service"),
        (b"\n \n\n", "nothing but blank lines", "Check that the service"),
        (b"\x7fELF\x02\0\0\0\0\0\n" * 9, "looks like a binary file", "Point locard at"),
        (b"a,b,c\nd,e,f\n", "none of its 2 lines is a record in a format that is known; one of them: 'a,b,c'", "Point locard at"),
        (b"hello", "its line is no record", "Point locard at"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("sliced", [False, True])
def test_why_nothing_was_read(tmp_path, data, why, step, sliced):
    path = tmp_path / "app.log"
    path.write_bytes(data)
    if sliced and data[:1] in {b"a", b"h"}:  # text, which can be asked for what it says
        with open_log.asked(str(path), 20, 1) as sheet:
            assert sheet.records == len(data.splitlines())
        return
    with pytest.raises(LocardError) as error:
        read(str(path), sliced=sliced)
    assert why in error.value.why
    assert step in error.value.next_step


def test_a_pipe_in_which_nothing_comes_names_the_budget(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(LocardError) as error, open_log.asked(str(path), 0.1, 1):
        pass
    assert error.value.why.startswith("nothing came before the time budget ended")
    assert "--budget" in error.value.next_step


def test_an_empty_name_is_no_log():
    with pytest.raises(LocardError) as error, open_log.asked("", 1, 1):
        pass
    assert "no such file" in error.value.why


def test_records_that_the_memory_does_not_hold_are_no_blank_lines(tmp_path):
    path = tmp_path / "app.log"
    path.write_text("\n\n")
    with open_log.scanned(str(path), 20, 1) as table:
        assert "blank lines" in nothing_read("x", table).why
        table.lines, table.partial, table.skipped = 9, table.cap_reached, ()
        assert "could not be held: the memory cap of" in nothing_read("x", table).why
