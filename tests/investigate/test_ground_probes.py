"""What the readers beside the target print is untrusted: all of it is checked, nothing raises but an error of ours."""

from __future__ import annotations

import json

import pytest

from locard.guard.command import Impact
from locard.guard.gate import Gate
from locard.investigate import ground_probes
from locard.investigate.ground_probes import read_process_table, read_surroundings
from locard.model.errors import LocardError, RefusedError
from locard.model.evidence import Output

ROW = {"pid": 7, "ppid": 1, "start_ticks": 500, "uid": 3, "comm": "a", "cmdline": ["/a", "-x"],
       "threads": 2, "state": "S", "cgroup": 0, "net": 11, "pid_ns": 12}  # fmt: skip
TABLE = {"boot": 1000, "ticks_per_s": 100, "node": "web-17", "time": 1e9, "own": [3], "whole": True,
         "cgroups": ["1:cpu:/x\n0::/a.service\n"], "ended": [9], "cut": "", "processes": [ROW]}  # fmt: skip


def output(found):
    data = found if isinstance(found, bytes) else json.dumps(found).encode()
    return Output(("python3",), data)


def test_a_table_is_read():
    table = read_process_table(output(TABLE))
    process = table.processes[7]
    assert (process.started, process.uid, process.threads) == (1005.0, 3, 2)
    assert (process.comm, process.cmdline, process.state) == ("a", ("/a", "-x"), "S")
    assert (table.node, table.own, table.ended) == ("web-17", {3}, {9})
    assert "0::/a.service" in table.cgroups[7]
    assert (table.net[7], table.pid_ns[7]) == (11, 12)


RUBBISH = [
    b"", b"\0" * 100, b"\xff\xfe{", b"[]", b"null", b"{" * 100_000, b"[" * 100_000, b"1" * 10_000,
    b'"x"', b"{}x",
]  # fmt: skip


@pytest.mark.parametrize("data", RUBBISH, ids=range(len(RUBBISH)))
@pytest.mark.parametrize("read", [read_process_table, read_surroundings])
def test_what_is_no_document_is_an_error_of_ours(read, data):
    with pytest.raises(LocardError) as caught:
        read(output(data))
    assert caught.value.why
    assert caught.value.next_step


def test_why_there_is_none_is_said():
    broken = Output(("python3",), b"", stderr=b"Traceback\nSyntaxError: no", exit_code=1)
    with pytest.raises(LocardError, match="SyntaxError: no"):
        read_process_table(broken)
    with pytest.raises(LocardError, match="not installed"):
        read_process_table(Output(("python3",), b"", problem="python3 is not installed"))
    with pytest.raises(LocardError, match="cannot read /proc"):
        read_process_table(output({"error": "no such file: /proc/stat"}))


WRONG = [
    None,
    "x",
    "\ud800",
    -1,
    1.5,
    True,
    10**30,
    1e400,
    float("nan"),
    [],
    {},
    [[]],
    [{}],
    ["\ud800"],
]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_a_value_of_the_wrong_kind_costs_only_itself(wrong):
    """Each key in turn holds what it never should: the other row stays, and all can be written."""
    for key in TABLE:
        table = read_process_table(output({**TABLE, key: wrong}))
        assert 7 in table.processes or key == "processes"
        repr(table).encode()
    for key in ROW:
        rows = [{**ROW, key: wrong}, {**ROW, "pid": 8}]
        table = read_process_table(output({**TABLE, "processes": rows}))
        assert table.processes[8].cmdline == ("/a", "-x")
        repr(table).encode()


AROUND = {
    "files": [{"pid": 7, "fd": 1, "path": "/a.log", "open": "/proc/7/root/a.log", "size": 5}],
    "listening": [{"port": 80, "address": None, "loopback": "[::1]", "pids": [7]}],
    "own_network": True, "cgroups": {"memory": ["/sys/fs/cgroup/a"]}, "scripts": [7],
    "request_logs": ["/a.log"], "missed": ["x"], "not_asked": [{"path": "/n/a.log", "type": "nfs"}],
}  # fmt: skip


def test_surroundings_are_read():
    around = read_surroundings(output(AROUND))
    (file,) = around.files
    assert (file.opens_as, file.size) == ("/proc/7/root/a.log", 5)
    (port,) = around.listening
    assert (port.port, port.address, port.loopback, port.pids) == (80, None, "[::1]", (7,))
    assert around.cgroups == {"memory": ("/sys/fs/cgroup/a",)}
    assert (around.scripts, around.request_logs) == ({7}, {"/a.log"})
    assert around.not_asked == (("/n/a.log", "nfs"),)


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_surroundings_of_the_wrong_kind_cost_only_themselves(wrong):
    for key in AROUND:
        around = read_surroundings(output({**AROUND, key: wrong}))
        assert around.files or key == "files"
        repr(around).encode()
    for key in ("files", "listening", "not_asked"):
        for inner in AROUND[key][0]:
            rows = [{**AROUND[key][0], inner: wrong}, AROUND[key][0]]
            around = read_surroundings(output({**AROUND, key: rows}))
            assert getattr(around, key)
            repr(around).encode()


def test_an_address_is_one():
    """It becomes part of a URL: nothing else may slip into that."""
    bad = {**AROUND["listening"][0], "address": "evil.example/x?"}
    good = {**AROUND["listening"][0], "address": "10.0.0.7"}
    around = read_surroundings(output({**AROUND, "listening": [bad, good]}))
    assert [p.address for p in around.listening] == ["10.0.0.7"]


def test_the_gate_knows_them():
    gate = Gate(ground_probes.DECLARED, Impact.READS, cap=Impact.READS, why="")
    gate.admit("process-table", ground_probes.PROCESS_TABLE.fill(root=("7:500",)))
    gate.admit("look-around", ground_probes.LOOK_AROUND.fill(pid=(7,), log=("/a.log",)))
    with pytest.raises(RefusedError):
        gate.admit("process-table", ground_probes.LOOK_AROUND.fill(pid=(7,), log=("/a.log",)))
    with pytest.raises(RefusedError):
        ground_probes.PROCESS_TABLE.fill(root=("--help",))
