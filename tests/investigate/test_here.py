"""This machine's processes through the gate."""

from __future__ import annotations

import os

import pytest

from locard.investigate import here
from locard.model.errors import TargetNotFoundError


def test_this_machine_has_processes():
    table = here.processes()
    assert os.getpid() in table.processes
    assert os.getpid() in table.own
    assert table.cgroups
    assert table.whole
    assert here.find("host/local").pids == ()


def test_another_machine_is_not_reachable():
    with pytest.raises(TargetNotFoundError) as raised:
        here.find("host/elsewhere")
    assert raised.value.exit_code == 3
