"""A unit under limits of cgroup version 2 on a real machine: sampled from here, no metrics server."""

from __future__ import annotations

from machine_lab import needs_machine

pytestmark = needs_machine

BUSY = """
import os, time
held = bytearray(40 << 20)
held[::4096] = b"y" * len(held[::4096])
kept = [open("/dev/null") for _ in range(50)]
open("/run/busy.said", "w").write("x")
while True: pass
"""
LIMITS = ("CPUQuota=10%", "MemoryMax=100M", "MemorySwapMax=0", "TasksMax=20", "LimitNOFILE=100")


def test_a_unit_beside_its_limits(machine):
    machine.unit("busy", BUSY, *LIMITS)
    try:
        machine.root("for i in $(seq 90); do [ -e /run/busy.said ] && break; sleep 1; done")
        said = machine.json("metrics", "unit/busy.service", "--on", "host/vm", "--for", "10s")
        (found,) = [
            f for e in said["evidence"] for f in e["facts"] if e["probe"] == "process" and "signals" in f
        ]  # fmt: skip
        by = {}
        for signal in found["signals"]:
            if dict(signal["subject"]).get("id", "busy").rpartition("/")[2] in {"busy", "busy.service"}:  # fmt: skip
                by.setdefault((signal["resource"], signal["metric"]), signal)
        fds = by["fds", "process_open_fds"]
        assert fds["limit"] == 100
        assert 50 <= fds["after"] <= 60
        working = by["working set", "container_memory_working_set_bytes"]
        assert working["limit"] == 100 << 20
        assert 40 << 20 <= working["after"] <= 70 << 20
        assert by["threads", "container_threads"]["limit"] == 20
        assert by["cpu of limit", "container_cpu_usage_seconds"]["limit"] == 0.1
        assert by["throttled", "container_cpu_cfs_throttled_periods"]["after"] > 0.5
        assert ("cpu stalls", "container_pressure_cpu_waiting_seconds") in by
    finally:
        machine.root("systemctl stop busy; rm -f /run/busy.said")
