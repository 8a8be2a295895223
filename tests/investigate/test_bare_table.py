"""The process table without python3: from what find and grep print."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from locard.investigate import bare_table
from locard.model.errors import NotPermittedError
from locard.model.evidence import Output
from locard.model.place import Ground

GROUND = Ground("box", "root", 0, lacks="none")


def drive(plan):
    """Run each command here, as sh over there would."""
    try:
        step = next(plan)
        while True:
            done = subprocess.run(step.argv, capture_output=True, check=False)
            step = plan.send(Output(step.argv, done.stdout, done.stderr, done.returncode))
    except StopIteration as end:
        return end.value


def test_this_machine_is_read():
    with subprocess.Popen([sys.executable, "-c", "import time\n\ntime.sleep(600)"]) as process:
        try:
            table = drive(bare_table.ask(GROUND))
        finally:
            process.kill()
    found = table.processes[process.pid]
    assert found.ppid == os.getpid()
    assert found.cmdline[1:] == ("-c", "import time\n\ntime.sleep(600)")
    assert found.uid == os.getuid()
    assert abs(found.started - table.boot) > 1


def test_nothing_can_be_listed():
    plan = bare_table.ask(GROUND)
    next(plan)
    with pytest.raises(NotPermittedError, match="cannot be read"):
        plan.send(Output(("find",), b"", problem="find is not installed", exit_code=None))


@pytest.mark.parametrize("text", [b"", b"nonsense\n", b"/proc/7/stat:7 (x) S\n", b"\xff" * 100])
def test_what_is_no_table_gives_none(text):
    table = bare_table.table_of(GROUND, Output(("grep",), text), Output(("grep",), text))
    assert table.processes == {}
