from __future__ import annotations

import os
import subprocess
import sys

import pytest
from planted_logs import Incident, lines, write

from locard.logs.input import log_source
from locard.logs.judge import first_pass
from locard.logs.scan import loader
from locard.logs.table import memory


@pytest.mark.parametrize(("free", "cap"), [(1e9, 512), (8e9, 2000), (1e12, 4096), (0.0, 512)])
def test_the_cap_is_a_share_of_what_is_free(monkeypatch, free, cap):
    monkeypatch.setattr(memory, "_free_bytes", lambda: free)
    monkeypatch.setattr(os, "getpriority", lambda *_: 0)
    assert memory.cap_mb() == cap


def test_where_locard_has_stepped_back_the_cap_is_the_least(monkeypatch):
    monkeypatch.setattr(memory, "_free_bytes", lambda: 1e12)
    monkeypatch.setattr(os, "getpriority", lambda *_: 19)
    assert memory.cap_mb() == memory.LEAST_MB


def test_a_group_with_less_room_counts(monkeypatch, tmp_path):
    (tmp_path / "max").write_text("1000000\n")
    (tmp_path / "used").write_text("400000\n")
    monkeypatch.setattr(memory, "_GROUPS", ((f"{tmp_path}/max", f"{tmp_path}/used"),))
    assert memory._free_bytes() == 600_000
    (tmp_path / "max").write_text("max\n")
    assert memory._free_bytes() > 600_000


def test_the_newer_half_is_judged_where_all_does_not_fit(tmp_path):
    path = write(
        tmp_path / "log", lines(7, seconds=600.0, incident=Incident(400.0, error_rate=0.5))
    )
    source = log_source.open_source(str(path))
    try:
        table = loader.load(source, 60.0, 1)
    finally:
        source.close()
    before = table.records
    first_pass.judge(str(path), table)  # leaves its own tables behind
    table.keep_newer_half()
    assert table.records == pytest.approx(before / 2, abs=2)
    summary = first_pass.judge(str(path), table)
    table.db.close()
    assert summary.partial
    assert summary.changed == ("errors",)
    assert any("only the newer" in gap for gap in summary.gaps)


def test_one_value_cannot_go_past_the_bound(tmp_path):
    code = """
import resource
import duckdb
from locard.logs.table import memory
from locard.logs.table.table import connect
db = connect(1)
big = "SELECT length(repeat('x', 1500000000))"
with memory.bounded():
    try:
        db.execute(big).fetchall()
    except duckdb.OutOfMemoryException:
        print("bounded")
    print(db.execute("SELECT count(*) FROM range(1000000)").fetchone()[0])
print(resource.getrlimit(resource.RLIMIT_DATA)[0] == resource.RLIM_INFINITY)
peak = open("/proc/self/status").read().partition("VmHWM:")[2].split()[0]  # ru_maxrss has pytest's in it
print(int(peak) < 600_000)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["bounded", "1000000", "True", "True"]
