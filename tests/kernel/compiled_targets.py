"""Targets that a test writes in C or C++: they say `ready`, wait for a line, work, print their truth as JSON.

program = compiled(tmp_path, SOURCE, "-O2", cc="g++")   # skips without the compiler
with running(program, "10") as target:
    truth = target.go()
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess

import pytest

from support import is_alive

HEAD = """
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>
static inline void ready(void) { puts("ready"); fflush(stdout); char c[8]; if (read(0, c, sizeof c) < 0) exit(3); }
static inline double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec / 1e9; }
"""


def compiled(folder, source, *flags, cc="cc", name="orders"):
    """The program; skips where there is no compiler."""
    if shutil.which(cc) is None:
        pytest.skip(f"no {cc}")
    program = folder / name
    done = subprocess.run(
        [cc, "-x", "c++" if "++" in cc else "c", "-", "-o", str(program), *flags, "-pthread"],
        input=HEAD + source, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return program


class Running:
    """One that is ready."""

    def __init__(self, program, *argv, prefix=(), env=None, cwd=None):
        self._process = subprocess.Popen(
            [*prefix, str(program), *map(str, argv)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **(env or {})}, cwd=cwd,
        )  # fmt: skip
        self.pid = self._process.pid
        self.line = self._process.stdout.readline().strip()
        assert self.line, "the program ended before it was ready"

    def begin(self):
        """Let it go on."""
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def go(self):
        """Let it go on; what it tells, as JSON."""
        self.begin()
        return json.loads(self._process.stdout.readline())

    def ended_well(self):
        """Whether it came to its own end."""
        return self._process.wait(timeout=20) == 0

    def close(self):
        """End it, by its pid."""
        if is_alive(self.pid):
            self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


@contextlib.contextmanager
def running(program, *argv, prefix=(), env=None, cwd=None):
    """Started and ready; ended with the block."""
    target = Running(program, *argv, prefix=prefix, env=env, cwd=cwd)
    try:
        yield target
    finally:
        target.close()
