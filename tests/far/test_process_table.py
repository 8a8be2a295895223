"""The process table: made-up /proc folders, real processes, names that nobody wants to read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from locard.far import process_table

PROGRAM = Path(process_table.__file__)


def entry(proc, pid, ppid, *cmdline, comm=b"x", state="S", threads=1, cgroup=None, flags=0):
    folder = proc / str(pid)
    folder.mkdir(parents=True, exist_ok=True)
    numbers = ["0"] * 4 + [str(flags)] + ["0"] * 10 + [str(threads), "0", str(pid * 100), "0", "0"]
    head = f"{pid} (".encode() + comm + f") {state} {ppid} ".encode()
    (folder / "stat").write_bytes(head + " ".join(numbers).encode())
    (folder / "cmdline").write_bytes(b"\0".join(cmdline) + b"\0")
    if cgroup is not None:
        (folder / "cgroup").write_text(cgroup)
    (proc / "stat").write_text("cpu 1\nbtime 1700000000\n")


def rows(table):
    return {row["pid"]: row for row in table["processes"]}


def printed(*words):
    """What the program prints when its source comes in on standard input."""
    argv = [sys.executable, "-I", "-S", "-", *words]
    done = subprocess.run(argv, stdin=PROGRAM.open(), capture_output=True, check=False)
    assert not done.stderr, done.stderr
    return json.loads(done.stdout)


def test_a_process_is_as_the_kernel_says(tmp_path):
    entry(tmp_path, 10, 1, b"/usr/bin/a", b"--x", comm=b"a (b) c", cgroup="0::/a.service\n")
    entry(tmp_path, 1, 0, b"/sbin/init")
    table = process_table.table(str(tmp_path))
    row = rows(table)[10]
    assert (row["ppid"], row["start_ticks"], row["threads"]) == (1, 1000, 1)
    assert (row["comm"], row["cmdline"]) == ("a (b) c", ["/usr/bin/a", "--x"])
    assert table["cgroups"][row["cgroup"]] == "0::/a.service\n"
    assert (table["boot"], table["whole"], table["cut"]) == (1700000000, True, "")


def test_names_that_are_no_text(tmp_path):
    """Bytes that are no UTF-8, quotes and escapes come out as text that any JSON parser reads."""
    entry(tmp_path, 10, 0, b'/opt/\xff"\\\x1b[31m', b"a\nb", comm=b'\xfe) "\n(')
    row = json.loads(json.dumps(rows(process_table.table(str(tmp_path)))[10]))
    assert row["cmdline"] == ['/opt/�"\\\x1b[31m', "a\nb"]
    assert row["comm"] == '�) "\n('
    assert row["ppid"] == 0


def test_a_zombie_is_none_and_told(tmp_path):
    entry(tmp_path, 10, 0, b"/opt/shopd", state="Z", threads=4)
    entry(tmp_path, 11, 0, b"/opt/other", state="Z", threads=1)
    table = process_table.table(str(tmp_path))
    assert set(rows(table)) == {10}, "a main thread that has ended leaves the others at work"
    assert table["ended"] == [11]


def test_a_torn_table_is_read_again(tmp_path, monkeypatch):
    """A child whose parent is not in the table: the next look has both."""
    entry(tmp_path, 10, 0, b"/opt/shopd")
    entry(tmp_path, 11, 10, b"/opt/shopd")
    whole = process_table.snapshot(str(tmp_path))
    looks = [({11: whole[0][11]}, []), whole]
    monkeypatch.setattr(process_table, "snapshot", lambda _: looks.pop(0))
    assert set(rows(process_table.table(str(tmp_path)))) == {10, 11}
    assert not looks


def test_parents_that_stay_hidden_are_not_waited_for(tmp_path, monkeypatch):
    entry(tmp_path, 11, 10, b"/opt/shopd")
    once = process_table.snapshot
    looks = []
    monkeypatch.setattr(process_table, "snapshot", lambda p: looks.append(1) or once(p))
    assert set(rows(process_table.table(str(tmp_path)))) == {11}
    assert len(looks) == 2


def test_what_is_not_as_it_should_be_is_left_out(tmp_path):
    entry(tmp_path, 10, 0, b"/opt/shopd")
    for pid, text in ((11, b""), (12, b"12 (x) S"), (13, b"\0" * 90), (14, b"14 (x) S a b c" * 9)):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_bytes(text)
        (tmp_path / str(pid) / "cmdline").write_bytes(b"x")
    (tmp_path / "15").mkdir()
    assert set(rows(process_table.table(str(tmp_path)))) == {10}


def test_long_command_lines_are_cut_and_said(tmp_path, monkeypatch):
    monkeypatch.setattr(process_table, "MOST_CMDLINES", 8000)
    for pid in range(10, 14):
        entry(tmp_path, pid, 0, b"/opt/a", b"x" * 5000)
    table = process_table.table(str(tmp_path))
    found = rows(table)
    assert sum(len(word) for word in found[10]["cmdline"]) <= 4096
    assert [bool(found[pid]["cmdline"]) for pid in range(10, 14)] == [True, True, False, False]
    said = "2 command lines were cut after 4096 bytes; 2 command lines were not read"
    assert table["cut"] == said


def test_control_groups_are_told_once_and_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(process_table, "MOST_CGROUPS", 25)
    for pid, group in ((10, "a"), (11, "a"), (12, "b"), (13, "c" * 40)):
        entry(tmp_path, pid, 0, b"/opt/a", cgroup=f"0::/{group}\n")
    table = process_table.table(str(tmp_path))
    found = rows(table)
    assert table["cgroups"] == ["0::/a\n", "0::/b\n"]
    assert [found[p]["cgroup"] for p in (10, 11, 12, 13)] == [0, 0, 1, None]
    assert table["cut"] == "1 control groups were not read"


def test_the_trees_of_roots_alone_while_they_live(tmp_path):
    entry(tmp_path, 1, 0, b"init")
    entry(tmp_path, 10, 1, b"a")
    entry(tmp_path, 11, 10, b"a")
    entry(tmp_path, 12, 1, b"b")
    table = process_table.table(str(tmp_path), [(10, 1000)])
    assert set(rows(table)) == {10, 11}
    assert not table["whole"]
    again = process_table.table(str(tmp_path), [(10, 999)])
    assert set(rows(again)) == {1, 10, 11, 12}, "its pid has gone to another process"
    assert again["whole"]


def test_a_family_that_goes_round_in_a_circle(tmp_path):
    entry(tmp_path, 10, 11, b"a")
    entry(tmp_path, 11, 10, b"a")
    assert set(rows(process_table.table(str(tmp_path), [(10, 1000)]))) == {10, 11}


def test_where_there_is_no_procfs(tmp_path):
    with pytest.raises(OSError, match="stat"):
        process_table.table(str(tmp_path))
    entry(tmp_path, 10, 0, b"a")
    assert process_table.table(str(tmp_path))["processes"]


def test_the_real_one_over_standard_input(start):
    process = start("-c", "import time; print(1, flush=True); time.sleep(300)", "té\x7fst")
    table = printed()
    found = rows(table)
    row = found[process.pid]
    assert row["cmdline"][-1] == "té\x7fst"
    assert row["uid"] == os.geteuid()
    assert row["net"] == found[os.getpid()]["net"] > 0
    assert row["pid_ns"] == found[os.getpid()]["pid_ns"] > 0
    assert os.getpid() in table["own"]
    assert process.pid not in table["own"]
    assert abs(table["time"] - time.time()) < 60
    started = table["boot"] + row["start_ticks"] / table["ticks_per_s"]
    assert abs(started - time.time()) < 60
    tree = printed(f"{process.pid}:{row['start_ticks']}")
    assert set(rows(tree)) == {process.pid}


def test_processes_that_end_meanwhile(start):
    """While hundreds begin and end, every table is whole and valid."""
    code = (
        "import os\nprint(1, flush=True)\nwhile True:\n"
        "    pid = os.fork()\n    if not pid: os._exit(0)\n    os.waitpid(pid, 0)\n"
    )
    process = start("-c", code)
    for _ in range(5):
        assert process.pid in rows(printed())
