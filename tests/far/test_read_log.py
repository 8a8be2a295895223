"""The reader of logs beside the target: order, compression, links, and what it does not open."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import json
import lzma
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from locard.far import line_times, read_log
from support import wait_until

LINE_TIMES = Path(line_times.__file__).read_text("utf-8")
SOURCE = LINE_TIMES + "\n" + Path(read_log.__file__).read_text("utf-8")  # as it is sent


def run(*words, **options):
    argv = [sys.executable, "-I", "-S", "-", *map(str, words)]
    return subprocess.run(argv, input=SOURCE.encode(), capture_output=True, check=False, **options)


def test_rotated_files_come_in_the_order_in_which_they_were_written(tmp_path):
    (tmp_path / "a.log").write_bytes(b"three\n")
    (tmp_path / "a.log.1").write_bytes(b"two")  # no line end: the next one begins anew
    with gzip.open(tmp_path / "a.log.2.gz", "wb") as packed:
        packed.write(b"one\n")
    for age, name in enumerate(("a.log", "a.log.1", "a.log.2.gz")):
        os.utime(tmp_path / name, (1e9 - age * 100, 1e9 - age * 100))
    done = run(f"{tmp_path}/a.log*", "once")
    assert done.stdout == b"one\ntwo\nthree\n"
    said = json.loads(done.stderr.splitlines()[0])
    assert (said["files"], said["skipped"], said["cut"]) == (3, 0, 0)
    assert run(tmp_path, "once").stdout == done.stdout
    assert run(tmp_path / "a.log", "once").stdout == b"three\n"


def test_since_leaves_out_files_that_are_older(tmp_path):
    (tmp_path / "a.log.1").write_bytes(b"old\n")
    os.utime(tmp_path / "a.log.1", (1e9, 1e9))
    (tmp_path / "a.log").write_bytes(b"new\n")
    assert run(f"{tmp_path}/a.log*", "once", "600").stdout == b"new\n"
    assert run(f"{tmp_path}/a.log*", "once").stdout == b"old\nnew\n"


@pytest.fixture
def seeking(monkeypatch):
    """What is small is sought in, too."""
    monkeypatch.setattr(read_log, "offset_since", line_times.offset_since, raising=False)
    monkeypatch.setattr(line_times, "_AT_LEAST", 0)
    monkeypatch.setattr(line_times, "_NEAR", 64)


@pytest.mark.usefixtures("seeking")
@pytest.mark.parametrize("most", [1 << 20, 100])
def test_since_leaves_out_what_is_older_by_its_lines(tmp_path, monkeypatch, capfdbinary, most):
    lines = [b"2026-11-27T10:%02d:00Z a line\n" % n for n in range(60)]
    log = tmp_path / "a.log"
    log.write_bytes(b"".join(lines))
    monkeypatch.setattr(read_log, "MOST", most)
    assert read_log.main([str(log), "once", "600"]) == 0
    out, err = capfdbinary.readouterr()
    said = json.loads(err)
    read = out.splitlines(keepends=True)
    assert lines[-len(read) :] == read
    assert said["skipped"] == log.stat().st_size - said["size"] + said["cut"]
    if most == 100:
        assert len(read) == 3
        assert said["cut"] == said["size"] - 100
    else:
        assert 10 < len(read) < 15
        assert (said["cut"], said["size"]) == (0, len(out))


@pytest.mark.usefixtures("seeking")
def test_what_has_no_times_is_read_whole(tmp_path, capfdbinary):
    (tmp_path / "a.log").write_bytes(b"no time\n" * 100)
    assert read_log.main([str(tmp_path / "a.log"), "once", "600"]) == 0
    assert capfdbinary.readouterr().out == b"no time\n" * 100
    (tmp_path / "a.log").write_bytes(gzip.compress(b"2026-11-27T10:00:00Z a line\n" * 100))
    assert read_log.main([str(tmp_path / "a.log"), "once", "600"]) == 0
    assert len(capfdbinary.readouterr().out) == 2800


def test_of_too_much_the_newest_is_read(tmp_path, monkeypatch, capfdbinary):
    monkeypatch.setattr(read_log, "MOST", 10)
    (tmp_path / "a.log").write_bytes(b"first line\nsecond\nthird\n")
    assert read_log.main([str(tmp_path / "a.log"), "once"]) == 0
    out, err = capfdbinary.readouterr()
    assert out == b"third\n"
    said = json.loads(err.splitlines()[0])
    assert (said["skipped"], said["cut"], said["size"]) == (14, 14, 24)


def test_a_packed_file_that_is_too_long_is_not_begun_in_its_middle(
    tmp_path, monkeypatch, capfdbinary
):
    monkeypatch.setattr(read_log, "MOST", 10)
    (tmp_path / "a.log.1").write_bytes(b"older\n")
    with gzip.open(tmp_path / "a.log", "wb") as packed:
        packed.write(b"one\ntwo\n")
    os.utime(tmp_path / "a.log.1", (1e9, 1e9))
    assert read_log.main([str(tmp_path), "once"]) == 0
    out, err = capfdbinary.readouterr()
    assert out == b"one\ntwo\n"
    assert json.loads(err.splitlines()[0])["cut"] == 6


def test_it_follows_over_a_rename(tmp_path):
    log = tmp_path / "a.log"
    log.write_bytes(b"one\n")
    argv = [sys.executable, "-I", "-S", "-c", SOURCE, str(log), "follow"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout.readline() == b"one\n"
            with log.open("ab") as file:
                file.write(b"two\n")
            assert process.stdout.readline() == b"two\n"
            log.rename(tmp_path / "a.log.1")
            log.write_bytes(b"three\n")
            assert process.stdout.readline() == b"three\n"
        finally:
            process.kill()


@pytest.mark.parametrize("name", ["missing.log", "missing*"])
def test_what_is_not_there(tmp_path, name):
    done = run(tmp_path / name, "once")
    assert done.returncode == 1
    assert b"No such file" in done.stderr or b"no file fits" in done.stderr


def test_a_pipe_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    done = run(tmp_path / "pipe", "once", timeout=20)
    assert done.returncode == 1
    assert b"no regular file" in done.stderr


def test_links_are_followed_step_by_step(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.log").write_bytes(b"x\n")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "a.log").symlink_to(tmp_path / "link" / "a.log")
    assert run(tmp_path / "a.log", "once").stdout == b"x\n"
    (tmp_path / "ring").symlink_to("ring")
    assert run(tmp_path / "ring", "once").returncode == 1


@pytest.fixture
def mounts(tmp_path_factory, monkeypatch):
    """Make the reader believe that a file system of a type is mounted somewhere."""
    table = tmp_path_factory.mktemp("proc") / "mountinfo"
    real = open

    def mount(folder, kind):
        table.write_text(
            f"1 0 8:1 / / rw - ext4 /dev/sda rw\n2 1 0:9 / {folder} rw - {kind} server:/x rw\n"
        )
        monkeypatch.setattr(
            read_log,
            "open",
            lambda path, *a: real(table if "mountinfo" in path else path, *a),
            raising=False,
        )

    return mount


@pytest.mark.parametrize(
    ("kind", "hangs"),
    [("nfs4", True), ("fuse.sshfs", True), ("cifs", True), ("ext4", False), ("fusectl", False)],
)
def test_network_and_fuse_mounts_are_not_asked(mounts, kind, hangs):
    mounts("/srv/far\\040away", kind)
    assert bool(read_log.far_type("/srv/far away/a.log")) is hangs
    assert read_log.far_type("/srv/farther/a.log") == ""


@pytest.mark.parametrize(
    "name", ["far/a.log", "far/*.log", "far", "far/", "link", "near/../far/a.log"]
)
def test_what_lies_on_one_is_neither_opened_nor_asked(
    tmp_path, monkeypatch, capfdbinary, mounts, name
):
    for folder in ("far", "near"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.log").write_bytes(b"x\n")
    (tmp_path / "link").symlink_to(tmp_path / "far" / "a.log")
    mounts(tmp_path / "far", "nfs4")
    asked = []
    for call in ("open", "stat", "lstat", "listdir", "readlink"):
        real = getattr(os, call)
        monkeypatch.setattr(
            os, call, lambda path, *a, real=real, **k: (asked.append(path), real(path, *a, **k))[1]
        )
    assert read_log.main([f"{tmp_path}/{name}", "once"]) == 1
    out, err = capfdbinary.readouterr()
    assert out == b""
    assert b"it lies on nfs4, which may hang whoever asks it: not opened" in err
    assert not [path for path in asked if str(path).startswith(f"{tmp_path}/far")]
    assert read_log.main([f"{tmp_path}/near/a.log", "once"]) == 0


def test_a_link_in_a_folder_that_leads_to_one_is_left_out(tmp_path, capfdbinary, mounts):
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "b.log").write_bytes(b"far\n")
    (tmp_path / "near").mkdir()
    (tmp_path / "near" / "a.log").write_bytes(b"near\n")
    (tmp_path / "near" / "b.log").symlink_to(tmp_path / "far" / "b.log")
    mounts(tmp_path / "far", "fuse.sshfs")
    assert read_log.main([f"{tmp_path}/near", "once"]) == 0
    assert capfdbinary.readouterr().out == b"near\n"


def test_an_open_file_is_read_by_its_descriptor(tmp_path):
    log = tmp_path / "a.log"
    log.write_bytes(b"kept\n")
    with log.open("rb") as held:
        log.unlink()
        done = run(f"/proc/{os.getpid()}/fd/{held.fileno()}", "once")
    assert done.stdout == b"kept\n"


def test_an_open_file_that_lies_on_one_is_not_asked(tmp_path, capfdbinary, mounts):
    log = tmp_path / "a.log"
    log.write_bytes(b"kept\n")
    mounts(tmp_path, "cifs")
    with log.open("rb") as held:
        assert read_log.main([f"/proc/{os.getpid()}/fd/{held.fileno()}", "once"]) == 1
    assert b"it lies on cifs" in capfdbinary.readouterr().err


def test_what_lies_beside_a_log_is_told_but_not_what_may_hang(tmp_path, capfdbinary, mounts):
    for name in ("a.log", "a.log.1", "a-2.log", "b.log", "a.log.2"):
        (tmp_path / name).write_bytes(b"x\n")
        os.utime(tmp_path / name, (1e9, 1e9))
    (tmp_path / "a.log.3").mkdir()
    (tmp_path / "a.log.4").symlink_to("a.log.1")
    mounts(tmp_path / "a.log.2", "nfs")
    assert read_log.main([f"{tmp_path}/a.log", "once"]) == 0
    said = json.loads(capfdbinary.readouterr().err)
    assert said["beside"] == [["a-2.log", 2, 10**9], ["a.log.1", 2, 10**9]]
    assert (said["path"], said["written"]) == (f"{tmp_path}/a.log", 10**9)


def test_of_many_files_beside_a_log_no_more_is_said_than_is_taken(tmp_path):
    (tmp_path / "a.log").write_bytes(b"x\n")
    for n in range(300):
        (tmp_path / f"a.log.{n}.{'é' * 100}").write_bytes(b"x\n")
    done = run(tmp_path / "a.log", "once")
    assert len(done.stderr) < 32 << 10
    assert json.loads(done.stderr)["beside"]


PACKED = {"gzip": gzip.compress, "bzip2": lambda data: bz2.compress(data, 1), "xz": lzma.compress}


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("end", ["cut", "damaged"])
def test_of_a_packed_file_that_is_not_whole_what_unpacks_is_read(tmp_path, kind, end):
    text = b"".join(b"line %d of %d\n" % (n, n * n * 7919 % 100003) for n in range(12_000))
    assert len(text) < read_log.CHUNK
    packed = PACKED[kind](text)
    most = len(packed) * 3 // 4
    rest = b"" if end == "cut" else random.Random(1).randbytes(most)
    (tmp_path / "a.log.1").write_bytes(packed[:most] + rest)
    os.utime(tmp_path / "a.log.1", (1e9, 1e9))
    (tmp_path / "a.log").write_bytes(b"the newest\n")
    done = run(tmp_path, "once")
    assert done.returncode == 1
    assert b"a.log.1: " in done.stderr.splitlines()[-1]
    assert done.stdout.startswith(text[: len(text) // 4])
    assert done.stdout.endswith(b"\nthe newest\n")


@contextlib.contextmanager
def following(log, err=subprocess.DEVNULL):
    """The reader that follows a log."""
    argv = [sys.executable, "-I", "-S", "-c", SOURCE, str(log), "follow"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=err) as process:
        try:
            yield process
        finally:
            process.kill()


def most_memory(process):
    """The most that a process has had in memory, in bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text("utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def test_a_burst_does_not_go_through_the_memory_of_the_machine(tmp_path):
    log = tmp_path / "a.log"
    log.write_bytes(b"one\n")
    with following(log) as process:
        assert process.stdout.readline() == b"one\n"
        burst = 64 << 20
        with log.open("ab") as file:
            file.truncate(4 + burst)  # a hole
        with log.open("ab") as file:
            file.write(b"\nend\n")
        assert process.stdout.read(burst + 5)[-5:] == b"\nend\n"
        assert most_memory(process) < 40 << 20


@pytest.mark.parametrize("other", ["pipe", "packed"])
def test_what_is_no_plain_log_and_takes_its_name_is_not_read(tmp_path, other):
    log = tmp_path / "a.log"
    log.write_bytes(b"one\n")
    with following(log, subprocess.PIPE) as process:
        assert process.stdout.readline() == b"one\n"
        process.stderr.readline()
        log.rename(tmp_path / "a.log.1")
        if other == "pipe":
            os.mkfifo(log)
        else:
            (tmp_path / "made").write_bytes(gzip.compress(b"x"))
            (tmp_path / "made").rename(log)
        said = {"pipe": b"no regular file", "packed": b"packed"}[other]
        assert said in process.stderr.readline()
        (tmp_path / "next").write_bytes(b"two\n")
        (tmp_path / "next").rename(log)
        assert process.stdout.readline() == b"two\n"


def test_what_takes_the_name_from_a_network_file_system_is_not_opened(tmp_path, monkeypatch):
    log = tmp_path / "a.log"
    log.write_bytes(b"one\n")
    with log.open("rb") as file:
        there = read_log.Follower(file, str(log))
        log.rename(tmp_path / "a.log.1")
        log.write_bytes(b"two\n")
        monkeypatch.setattr(read_log, "far_type", lambda _: "nfs4")
        monkeypatch.setattr(read_log, "opened", lambda _: pytest.fail("it was opened"))
        with pytest.raises(OSError, match="nfs4"):
            there.newer()
        assert there.newer() is None  # not asked again and again


@pytest.mark.parametrize(
    ("now", "goes_on"),
    [
        (b"new 1\n" * 4, b"new 1\n"),  # shorter
        (b"first\n" + b"new 2\n" * 40, b"first\n"),  # longer again
        (b"\0" * 60 + b"x\n", b"x\n"),  # by a writer that keeps its place
        (b"old 1\n" * 10 + b"more\n", b"more\n"),
    ],
    ids=["shorter", "longer", "hole", "appended"],
)
def test_a_file_that_was_truncated_is_read_from_its_start(tmp_path, now, goes_on):
    log = tmp_path / "a.log"
    log.write_bytes(b"old 1\n" * 10)
    with log.open("rb") as file:
        assert len(file.read()) == 60
        there = read_log.Follower(file, str(log))
        assert there.newer() is None
        assert file.tell() == 60
        log.write_bytes(now)
        assert there.newer() is None
        assert file.readline() == goes_on


def test_followed_files_are_waited_for(tmp_path):
    """Between one name and the next there may be no file for a moment."""
    log = tmp_path / "a.log"
    log.write_bytes(b"one\n")
    argv = [sys.executable, "-I", "-S", "-c", SOURCE, str(log), "follow"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout.readline() == b"one\n"
            log.unlink()
            wait_until(lambda: not log.exists())
            log.write_bytes(b"again\n")
            assert process.stdout.readline() == b"again\n"
        finally:
            process.kill()
