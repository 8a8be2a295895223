"""A real machine for the tests of the marker `vm` (`make test-vm`).

LOCARD_VM names an ssh configuration whose host `vm` is root on a Debian with systemd and cgroup version 2
that may be spoilt: units are made there, file systems are filled. Elsewhere these tests are skipped, and say so.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess

import pytest

_NAMED = os.environ.get("LOCARD_VM", "")
needs_machine = [
    pytest.mark.vm,
    pytest.mark.timeout(600),  # it may be emulated
    pytest.mark.skipif(not _NAMED, reason="no machine: LOCARD_VM names no ssh configuration"),
]


class Machine:
    """The machine, as root over plain ssh, and locard that looks at it from here."""

    def __init__(self, folder, locard):
        self._locard = locard
        wrapper = folder / "ssh"
        wrapper.write_text(f'#!/bin/sh\nexec {_ssh()} -F {shlex.quote(_NAMED)} "$@"\n')
        wrapper.chmod(0o755)
        self._environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}

    def root(self, script, *, check=True):
        """Run a script there; its output."""
        done = subprocess.run(
            [_ssh(), "-F", _NAMED, "vm", script],
            capture_output=True, text=True, timeout=400, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert not check or not done.returncode, done.stderr
        return done.stdout

    def put(self, path, text, mode="644"):
        """Write a file there."""
        subprocess.run(
            [_ssh(), "-F", _NAMED, "vm", f"cat > {path} && chmod {mode} {path}"],
            input=text, text=True, timeout=60, check=True,
        )  # fmt: skip

    def unit(self, name, program, *settings):
        """Start a unit that runs a Python program."""
        self.put(f"/usr/local/bin/{name}", f"#!/usr/bin/env python3\n{program}", "755")
        lines = [f"ExecStart=/usr/local/bin/{name}", *settings]
        self.put(f"/etc/systemd/system/{name}.service", "[Service]\n" + "\n".join(lines) + "\n")
        self.root(f"systemctl daemon-reload; systemctl restart {name}")

    def json(self, *words):
        """What locard says of it, run here."""
        done = self._locard(*words, "-o", "json", env=self._environment)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)


def _ssh():
    return "/usr/bin/ssh"
