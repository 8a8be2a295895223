from __future__ import annotations

import glob
import os
import threading

import pytest

from locard.logs.input import log_source
from locard.model.errors import NotPermittedError, SourceUnreadableError


def all_of(source, budget=10.0):
    try:
        return list(source.blocks(budget))
    finally:
        source.close()


def test_blocks_hold_whole_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(log_source, "BLOCK_BYTES", 10)
    path = tmp_path / "log"
    path.write_bytes(b"".join(b"line %d\n" % i for i in range(50)) + b"last")
    blocks = all_of(log_source.open_source(str(path)))
    assert b"".join(blocks) == path.read_bytes()
    assert all(b.endswith(b"\n") for b in blocks[:-1])
    assert blocks[-1] == b"last"


def test_a_line_that_is_too_long_costs_only_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(log_source, "BLOCK_BYTES", 16)
    monkeypatch.setattr(log_source, "LONGEST_LINE", 40)
    path = tmp_path / "log"
    path.write_bytes(b"one\n" + b"x" * 200 + b"\ntwo\n")
    source = log_source.open_source(str(path))
    assert b"".join(all_of(source)) == b"one\ntwo\n"
    assert source.dropped_long == 1


def test_a_growing_file_ends_at_the_size_it_had(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"a\n")
    source = log_source.open_source(str(path))
    path.write_bytes(b"a\nb\n")
    assert all_of(source) == [b"a\n"]


def test_a_file_that_shrinks_ends(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"a\n" * 100)
    source = log_source.open_source(str(path))
    os.truncate(path, 20)
    assert all_of(source) == [b"a\n" * 10]


def test_an_endless_pipe_ends_with_the_budget(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    source = log_source.open_source(str(path))  # does not wait for a writer
    writer = os.open(path, os.O_WRONLY)
    try:
        os.write(writer, b'{"a":1}\n')
        assert all_of(source, 0.3) == [b'{"a":1}\n']
        assert source.partial == "the time budget ended"
    finally:
        os.close(writer)


def test_a_pipe_ends_with_its_writer(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    source = log_source.open_source(str(path))
    writer = os.open(path, os.O_WRONLY)

    def write():
        for i in range(20_000):
            os.write(writer, b'{"n":%d}\n' % i)
        os.close(writer)

    thread = threading.Thread(target=write)
    thread.start()
    blocks = all_of(source, 30)
    thread.join()
    assert b"".join(blocks).count(b"\n") == 20_000
    assert not source.partial


def test_what_a_pipe_gives_at_once_is_one_block():
    reading, writing = os.pipe()
    line = b"x" * 99 + b"\n"

    def write():
        for _ in range(100):
            os.write(writing, line * 40)  # 4 KB at a time, as fast as it goes
        os.close(writing)

    writer = threading.Thread(target=write)
    writer.start()
    source = log_source.Source("-", reading, None)
    blocks = list(source.blocks(10))
    writer.join()
    source.close()
    assert b"".join(blocks) == line * 4000
    assert len(blocks) < 20  # not a hundred


def test_a_line_of_a_pipe_that_goes_on_is_not_held_back():
    reading, writing = os.pipe()
    os.write(writing, b"first\n")
    source = log_source.Source("-", reading, None)
    assert next(source.blocks(10)) == b"first\n"  # while the writer is still there
    os.close(writing)
    source.close()


def test_a_device_without_line_ends_is_given_up(monkeypatch):
    monkeypatch.setattr(log_source, "_GIVE_UP_BYTES", 1 << 20)
    source = log_source.open_source("/dev/zero")
    assert all_of(source, 20) == []
    assert source.partial == "it has no line ends"


def test_a_line_beyond_all_bounds_costs_only_itself(tmp_path, monkeypatch):
    """Even as the first one of a file, and longer than what makes a device no log."""
    monkeypatch.setattr(log_source, "_GIVE_UP_BYTES", 1 << 20)
    monkeypatch.setattr(log_source, "LONGEST_LINE", 1 << 20)
    path = tmp_path / "log"
    path.write_bytes(b"a" * (4 << 20) + b'\n{"n":1}\n' + b"b" * (4 << 20))
    source = log_source.open_source(str(path))
    assert b"".join(all_of(source, 20)) == b'{"n":1}\n'
    assert source.dropped_long == 2
    assert not source.partial
    path.write_bytes(b"a" * (4 << 20))
    source = log_source.open_source(str(path))
    assert all_of(source, 20) == []
    assert source.partial == "it has no line ends"


@pytest.mark.parametrize("name", ["/nowhere/app.log", "/proc/self/task", "/proc/self/mem", "a\0b"])
def test_what_cannot_be_read_says_why(name):
    with pytest.raises(SourceUnreadableError) as raised:
        all_of(log_source.open_source(name))
    assert raised.value.why
    assert raised.value.next_step


def test_no_permission_is_told_apart(tmp_path, monkeypatch):
    path = tmp_path / "log"
    path.write_bytes(b"{}\n")

    def refuse(*_args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(NotPermittedError):
        log_source.open_source(str(path))


@pytest.mark.parametrize(
    "name", ["-", "", "journald", "unit/x", "container/a", "pod/b", "/a/b.log"]
)
def test_what_is_no_relative_path_stays_as_it_is(name):
    assert log_source.absolute(name) == name


def test_a_relative_path_is_named_as_from_every_folder(tmp_path, monkeypatch):
    here = tmp_path / "a[1]"  # its name looks like a pattern
    (here / "logs").mkdir(parents=True)
    (here / "logs" / "x.log").write_text("x")
    monkeypatch.chdir(here / "logs")
    assert log_source.absolute("x.log") == f"{here}/logs/x.log"
    assert log_source.absolute("./x.log") == f"{here}/logs/x.log"
    monkeypatch.chdir(here)
    assert log_source.absolute("logs") == f"{here}/logs"
    found = glob.glob(log_source.absolute("logs/*.log"))  # noqa: PTH207 - as it will be read
    assert found == [f"{here}/logs/x.log"]
