"""A real machine for the tests of the marker `vm` (`make test-vm`).

LOCARD_VM names an ssh configuration whose host `vm` is root on a Debian with systemd and cgroup version 2
that may be spoilt: units are made there, file systems are filled. Elsewhere these tests are skipped, and say so.
"""

from __future__ import annotations

import contextlib
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


# Until a reader of ours has attached: it catches SIGTERM then, and holds what bpf(2) gave it.
_ATTACHED = """
import os, sys, time
def has(pid):
    folder = "/proc/%s/" % pid
    if b"locard_far" not in open(folder + "cmdline", "rb").read(): return False
    caught = int(open(folder + "status").read().partition("SigCgt:")[2].split()[0], 16)
    links = [os.readlink(folder + "fd/" + fd) for fd in os.listdir(folder + "fd")]
    return caught >> 14 & 1 and any(to.startswith("anon_inode:bpf") for to in links)
until = time.time() + 90
while time.time() < until:
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if has(pid): sys.exit(0)
        except OSError: pass
    time.sleep(.1)
sys.exit("nothing has attached")
"""


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

    @contextlib.contextmanager
    def asking(self, *words):
        """locard looks at it while the block runs, which begins when all is attached; yields what it said then."""
        child = subprocess.Popen(
            self._locard.argv(*words, "-o", "json"), env=self._environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        said = {}
        try:
            self.root(f"python3 -c {shlex.quote(_ATTACHED)}")
            yield said
        except BaseException as error:
            child.kill()
            error.add_note(f"locard said: {child.communicate()[1]}")
            raise
        out, problem = child.communicate(timeout=300)
        assert out, problem
        said.update(json.loads(out))

    def json(self, *words):
        """What locard says of it, run here."""
        done = self._locard(*words, "-o", "json", env=self._environment)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)


def _ssh():
    return "/usr/bin/ssh"
