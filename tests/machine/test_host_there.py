"""A real far machine: journals with holes, units at their limits, file systems that are full."""

from __future__ import annotations

import pytest

from machine_lab import needs_machine

pytestmark = needs_machine

BURST = """
import sys, time
def say(level, text): sys.stdout.write("%s %s\\n" % (level, text))
for n in range({calm}): say("INFO", "order %d stored" % n); sys.stdout.flush(); time.sleep(.004)
for n in range({fast}): say("WARN", "attempt %d at the till" % n)
for n in range(40): say("ERROR", "order %d lost" % n)
sys.stdout.flush()
open("/run/{name}.said", "w").write("x")
time.sleep(9999)
"""
EATER = """
import time
held = []
while True:
    if len(held) < {mib}: held.append(bytearray(b"y" * (1 << 20)))
    time.sleep({pause})
"""


def said(machine, name):
    machine.root(f"for i in $(seq 90); do [ -e /run/{name}.said ] && break; sleep 1; done; sleep 3")


def kinds(found):
    return {claim["kind"] for claim in found["claims"]} if "claims" in found else set()


def rules(found):
    return {f["rule"]: f for f in found["findings"]}


@pytest.mark.parametrize("own", [True, False])
def test_a_burst_above_the_limit_leaves_a_hole(machine, own):
    """The unit's own limit, and that of journald."""
    name = f"till{int(own)}"
    limits = ("LogRateLimitIntervalSec=90s", "LogRateLimitBurst=250") if own else ()
    if not own:
        machine.root(
            "mkdir -p /etc/systemd/journald.conf.d; printf '[Journal]\\nRateLimitIntervalSec=90s\\n"
            "RateLimitBurst=300\\n' > /etc/systemd/journald.conf.d/t.conf; systemctl restart systemd-journald"
        )
    try:
        machine.unit(name, BURST.format(calm=150, fast=3000, name=name), *limits)
        said(machine, name)
        found = machine.json("logs", f"unit/{name}.service", "--on", "host/vm", "--since", "10m")
        log = found["log_summary"]
        (hole,) = log["holes"]
        assert (hole["how"], hole["lines"], hole["until"]) == ("exact", None, None)
        assert hole["kept"] < 3190
        assert log["coverage"]["kind"] == "rate-limited"
        assert log["silences"] == []
    finally:
        machine.root(
            f"systemctl stop {name}; rm -f /run/{name}.said /etc/systemd/journald.conf.d/t.conf;"
            "systemctl restart systemd-journald"
        )


def test_a_unit_that_writes_little_has_no_hole(machine):
    machine.unit("quiet", BURST.format(calm=40, fast=0, name="quiet"))
    said(machine, "quiet")
    found = machine.json("logs", "unit/quiet.service", "--on", "host/vm", "--since", "10m")
    assert found["log_summary"]["holes"] == []
    assert found["log_summary"]["records"] >= 80
    machine.root("systemctl stop quiet; rm -f /run/quiet.said")


def test_a_unit_at_its_memory_high_and_one_that_is_killed(machine):
    no_swap = "MemorySwapMax=0"
    machine.unit(
        "edge", EATER.format(mib=150, pause=0.02), "MemoryHigh=30M", "MemoryMax=300M", no_swap
    )
    loop = ("MemoryMax=50M", "Restart=always", "RestartSec=1", no_swap)
    machine.unit("batch", EATER.format(mib=150, pause=0.02), *loop)
    try:
        machine.root("sleep 35")
        edge = rules(machine.json("investigate", "unit/edge", "--on", "host/vm"))
        assert "held back at its memory.high of 30 MiB" in edge["memory-pressure"]["title"]
        assert edge["memory-pressure"]["role"] == "mechanism"
        assert "restart-loop" not in edge
        kills = edge.get("oom-kill")
        assert kills is None or kills["role"] == "context", "those of the other unit"
        batch = rules(machine.json("investigate", "unit/batch", "--on", "host/vm"))
        assert "of the target" in batch["oom-kill"]["title"]
        assert "batch.service" in batch["restart-loop"]["title"]
        host = rules(machine.json("host", "host/vm"))
        assert "edge.service" in host["memory-pressure"]["title"]
    finally:
        machine.root("systemctl stop edge batch")


def test_a_unit_that_is_between_two_lives(machine):
    """Nothing of it runs for most of the time, and it is what is asked about."""
    settings = ("Restart=always", "RestartSec=8", "StartLimitIntervalSec=0")
    machine.unit(
        "crasher", "import sys; print('INFO starting', flush=True); sys.exit(3)\n", *settings
    )
    try:
        machine.root("sleep 40")
        found = rules(machine.json("investigate", "unit/crasher", "--on", "host/vm"))
        assert "crasher.service" in found["restart-loop"]["title"]
    finally:
        machine.root("systemctl stop crasher")


FULL = r"""set -e
mk() { truncate -s $3 /var/tmp/$1.img; mke2fs -q -t ext4 $4 /var/tmp/$1.img; mkdir -p $2; mount -o loop /var/tmp/$1.img $2; }
mk one /mnt/one 30M '-m 0'
mk two /mnt/two 30M '-N 256 -m 0'
mk three /mnt/three 30M '-m 20'
mkdir -p /mnt/two/cache; i=0; while : > /mnt/two/cache/c_$i 2>/dev/null; do i=$((i+1)); done
chown svc /mnt/three; su svc -c 'dd if=/dev/zero of=/mnt/three/fill bs=64k 2>/dev/null' || true
"""
HOLDER = """
import os, time
f = open("/mnt/one/old.log", "wb")
try:
    while True: f.write(b"x" * 65536); f.flush()
except OSError: pass
os.unlink("/mnt/one/old.log")
time.sleep(9999)
"""


def test_three_file_systems_have_three_answers(machine):
    machine.root(FULL)
    try:
        machine.unit("keeper", HOLDER)
        machine.root("sleep 5")
        found = machine.json("host", "host/vm")
        titles = {
            (f["rule"], f["title"].split(" (")[0].rpartition(" ")[2]): f for f in found["findings"]
        }
        assert ("disk-full", "/mnt/one") in titles, [
            e for e in found["evidence"] if e["probe"] == "disk"
        ]
        one = titles["disk-full", "/mnt/one"]
        assert "keeper.service" in one["detail"]
        assert "ordinary users" not in one["title"]
        two = titles["inode-exhaustion", "/mnt/two"]
        assert "/mnt/two/cache" in two["detail"]
        three = titles["disk-full", "/mnt/three"]
        assert "for ordinary users" in three["title"]
        assert "root may still write" in three["detail"]
        assert ("disk-full", "/") not in titles
        assert ("disk-full", "/mnt/two") not in titles
    finally:
        machine.root("systemctl stop keeper; umount /mnt/one /mnt/two /mnt/three", check=False)
