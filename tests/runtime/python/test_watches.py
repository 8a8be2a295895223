"""The live watches of a machine: what is no agent of ours is none, what is one is told. See also test_watch.py."""

from __future__ import annotations

import json
import mmap

from locard.model.evidence import Output
from locard.runtime.python import watches
from watch_here import begin, program, wait_for


def test_lines_that_are_broken_are_passed_over():
    output = Output(argv=("list",), stdout=b'{"agent":{"pid":1}}\nnonsense\n{"end":"listed"}\n')
    (fact,) = watches.read([output])
    assert fact.probes == ()


def test_memory_that_only_looks_like_an_agent_is_none(locard):
    room = mmap.mmap(-1, 65 * 4096)
    with program() as target:
        watching = begin(target.pid, "__main__:pay", seconds=60.0, stats=True)
        wait_for(watching, lambda r: r.get("ev") == "on")
        listed = json.loads(locard("watch", "--list", "-o", "json", "-q").stdout)
        (fact,) = [f for e in listed["evidence"] for f in e["facts"]]
        assert [p["pid"] for p in fact["probes"] if p["by"] == "tester"] == [target.pid]
        watching.kill()
        watching.wait()
        watching.stdout.close()
    room.close()
