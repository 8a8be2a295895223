"""Where a target is found though nothing of it runs right now: a unit between two of its lives."""

from __future__ import annotations

import json

import pytest

from locard.investigate.survey import survey
from locard.model.errors import TargetNotFoundError
from locard.model.evidence import Output
from locard.model.investigation import Question
from locard.model.place import HERE, Ground

TABLE = {"boot": 1, "ticks_per_s": 100, "node": "vm", "time": 1e9, "own": [], "cgroups": [], "processes": [
    {"pid": 7, "ppid": 0, "start_ticks": 5, "uid": 0, "comm": "a", "cmdline": ["a"]}]}  # fmt: skip
LOOPING = "LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nSlice=work-shop.slice\n"


def surveyed(ref, state):
    """The context, with what systemd says of the unit."""
    ground = Ground(host="vm", user="root", uid=0, python="3.11", executable="/usr/bin/python3")
    plan = survey(Question(ref), ref, HERE, ground)
    asked = []
    try:
        step = next(plan)
        while True:
            asked.append(step)
            text = state if step.argv[0] == "systemctl" else json.dumps(TABLE)
            step = plan.send(Output(step.argv, text.encode()))
    except StopIteration as end:
        return end.value, asked


def test_a_unit_that_is_about_to_be_started_again_is_a_target():
    context, _ = surveyed("unit/batch", LOOPING)
    assert (context.target.kind, context.target.name, context.target.pids) == ("unit", "batch", ())
    assert context.memory_cgroups == ("/sys/fs/cgroup/work.slice/work-shop.slice/batch.service",)
    assert context.log_sources == ("unit/batch",)
    failed, _ = surveyed(
        "unit/batch.service", "LoadState=loaded\nActiveState=failed\nSlice=system.slice\n"
    )
    assert failed.memory_cgroups == ("/sys/fs/cgroup/system.slice/batch.service",)


@pytest.mark.parametrize(
    ("ref", "state"),
    [
        ("unit/batch", "LoadState=not-found\nActiveState=inactive\nSubState=dead\n"),
        ("unit/batch", "LoadState=loaded\nActiveState=inactive\nSubState=dead\n"),
        ("unit/batch", "\x00\xff"),
        ("unit/a b", LOOPING),
        ("unit/batch.socket", LOOPING),
        ("proc/batch", LOOPING),
    ],
)
def test_what_does_not_run_and_will_not_is_none(ref, state):
    with pytest.raises(TargetNotFoundError):
        surveyed(ref, state)
