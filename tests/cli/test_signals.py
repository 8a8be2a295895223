"""Being told to end is as Ctrl-C: what came is shown and recorded, and nothing of ours runs on."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

from locard.transport import ssh
from support import is_alive, wait_until

WRAPPER = """#!/bin/sh
[ "$1" = -V ] && { echo "OpenSSH_9.2p1" >&2; exit 0; }
for last; do :; done
sleep 600 &
echo $! >"$PIDS"
/bin/sh -c "$last"
sleep 600
"""


@pytest.fixture
def env(tmp_path):
    """An ssh that is a script with a child of its own, as a proxy command makes one."""
    path = tmp_path / "wrapper"
    path.write_text(WRAPPER)
    path.chmod(0o755)
    return {**os.environ, "LOCARD_SSH": str(path), "PIDS": str(tmp_path / "pids")}


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_came_is_kept_and_the_clients_own_child_ends(locard, env, tmp_path, number, twice):
    with subprocess.Popen(
        locard.argv("host", "--on", "host/q", "-o", "json"), env=env,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        for line in running.stderr:
            if "runs" in line:
                break
        running.send_signal(number)
        if twice and number != signal.SIGINT:  # as `timeout` does
            running.send_signal(number)
        out, err = running.communicate(timeout=60)
    document = json.loads(out)
    assert (document["exit_code"], running.returncode) == (4, 4), err
    assert "interrupted" in str(document["partial"])
    child = int((tmp_path / "pids").read_text())
    wait_until(lambda: not is_alive(child))
    assert locard("incident", "verify", "last").returncode == 0


def test_who_ignores_the_end_of_the_terminal_goes_on(locard, env):
    with subprocess.Popen(
        ["nohup", *locard.argv("host", "--on", "host/q", "-o", "json")], env=env,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        for line in running.stderr:
            if "runs" in line:
                break
        running.send_signal(signal.SIGHUP)
        out, _ = running.communicate(timeout=60)
    assert "interrupted" not in str(json.loads(out)["partial"])


def test_a_client_that_hangs_is_ended_with_its_children(tmp_path, monkeypatch):
    path = tmp_path / "hangs"
    path.write_text(f"#!/bin/sh\nsleep 600 &\necho $! >{tmp_path}/pid\nwait\n")
    path.chmod(0o755)
    monkeypatch.setattr(ssh, "_VERSION_S", 1.0)
    assert ssh.client_version(str(path)) == (0, 0)
    child = int((tmp_path / "pid").read_text())
    wait_until(lambda: not is_alive(child))
