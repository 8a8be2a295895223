"""The reader of logs beside the target: order, compression, links, and what it does not open."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from locard.far import read_log
from support import wait_until

SOURCE = Path(read_log.__file__).read_text("utf-8")


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


@pytest.mark.parametrize(
    ("kind", "hangs"),
    [("nfs4", True), ("fuse.sshfs", True), ("cifs", True), ("ext4", False), ("fusectl", False)],
)
def test_network_and_fuse_mounts_are_not_asked(monkeypatch, tmp_path, kind, hangs):
    table = tmp_path / "mountinfo"
    table.write_text(
        f"1 0 8:1 / / rw - ext4 /dev/sda rw\n2 1 0:9 / /srv/far\\040away rw - {kind} server:/x rw\n"
    )
    real = open
    monkeypatch.setattr(
        read_log,
        "open",
        lambda path, *a: real(table if "mountinfo" in path else path, *a),
        raising=False,
    )
    assert bool(read_log.far_type("/srv/far away/a.log")) is hangs
    assert read_log.far_type("/srv/farther/a.log") == ""


def test_an_open_file_is_read_by_its_descriptor(tmp_path):
    log = tmp_path / "a.log"
    log.write_bytes(b"kept\n")
    with log.open("rb") as held:
        log.unlink()
        done = run(f"/proc/{os.getpid()}/fd/{held.fileno()}", "once")
    assert done.stdout == b"kept\n"


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
