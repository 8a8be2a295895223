"""A process table goes into the record: its command lines are cleaned as such, its numbers stay."""

from __future__ import annotations

import json

import pytest

from locard.guard.redact import Redactor

ROW = {"pid": 4111111111111111, "ppid": 1, "start_ticks": 5500005555555559, "uid": 0, "comm": "mysql",
       "cmdline": ["mysql", "-phunter2pw", "--host", "db"], "threads": 2, "state": "S", "cgroup": 0}  # fmt: skip
TABLE = {"boot": 1700000000, "ticks_per_s": 100, "node": "web-17", "time": 1.7e9, "own": [1, 2],
         "whole": True, "cgroups": ["0::/system.slice/pay@web.example.service\n"], "ended": [],
         "cut": "", "processes": [ROW, ROW]}  # fmt: skip


def treat(found):
    data = found if isinstance(found, bytes) else json.dumps(found).encode()
    return Redactor(b"0" * 16).treat(data, "processes")


def test_command_lines_are_judged_as_such():
    clean, count = treat(TABLE)
    assert b"hunter2pw" not in clean
    assert count == 2
    found = json.loads(clean)
    first, second = found["processes"]
    assert first["cmdline"][0::2] == ["mysql", "--host"]
    assert first["cmdline"][1].startswith("-p<secret:")
    assert first == second


def test_numbers_and_control_groups_stay():
    """A pid that looks like a card and an instance that looks like a mail address are neither."""
    found = json.loads(treat(TABLE)[0])
    for key in ("boot", "ticks_per_s", "node", "time", "own", "whole", "ended", "cgroups"):
        assert found[key] == TABLE[key]
    for key in ("pid", "ppid", "start_ticks", "uid", "comm", "threads", "state", "cgroup"):
        assert found["processes"][0][key] == ROW[key]


def test_what_is_not_known_of_a_table_is_not_kept():
    row = {**ROW, "environ": "PASSWORD=hunter2pw"}
    clean, _ = treat({**TABLE, "processes": [row], "more": "hunter2pw"})
    assert b"hunter2pw" not in clean
    assert json.loads(clean)["processes"][0]["pid"] == ROW["pid"]


def test_a_cut_table_is_cleaned_as_text():
    data = b'{"processes":[{"comm":"curl","cmdline":["curl","https://u:hunter2pw@x.example/"]},{"pi'
    clean, count = treat(data)
    assert b"hunter2pw" not in clean
    assert count


@pytest.mark.parametrize("wrong", [None, 1, "x", [], [None, 1, "x", [[]]], {"a": {}}, "\ud800", [{"cmdline": "x", "comm": ["\ud800"]}]])  # fmt: skip
def test_rubbish(wrong):
    for key in TABLE:
        clean, _ = treat({**TABLE, key: wrong})
        assert key == "processes" or json.loads(clean)["processes"][0]["pid"] == ROW["pid"]
    treat(json.dumps(wrong).encode())
