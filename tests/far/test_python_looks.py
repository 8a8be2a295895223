"""The sampler on each CPython that this machine has, beside a program whose shares are known."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from far.test_python_stacks import EVERY, VERSIONS
from locard.runtime.python import profile
from support import PROGRAMS, source_of


def sampled(pid, mode, seconds="2", hz="300"):
    """What the sampler prints of a process."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-", "profile", seconds, hz, mode, str(pid)],
        input=source_of(profile.PROFILE.program), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def begun(python, *words):
    process = subprocess.Popen(
        [python, "-B", PROGRAMS / "shares.py", *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    process.stdout.readline()
    return process


def ended(process):
    process.stdin.close()
    assert process.wait(10) == 0  # it ends as it would have
    process.stdout.close()


@pytest.mark.parametrize("version", EVERY)
def test_shares_threads_and_whole_stacks(version):
    process = begun(VERSIONS[version], "3:1", "--here", "--idle", "20")
    try:
        for mode in ("cpu", "wall", "gil"):
            told = sampled(process.pid, mode)
            (one,) = told["processes"]
            assert one["version"] == version
            assert one["threads"] == 22
            own, threads = {}, {}
            for stack in told["stacks"]:
                names = [told["table"][n]["name"].rpartition(".")[2] for n in stack["frames"]]
                threads[stack["tid"]] = threads.get(stack["tid"], 0) + stack["count"]
                if stack["thread"] == "works":
                    assert names[:4] == ["_bootstrap", "_bootstrap_inner", "run", "work"]
                    own[names[-1]] = own.get(names[-1], 0) + stack["count"]
                else:
                    assert mode == "wall" or names[-1] in {"<module>", "main"}
            # Waiting for a CPU it stands mostly where it came back from its system call: in `work`.
            share = own["heavy"] / (own["heavy"] + own["light"])
            assert abs(share - 0.75) < 0.12, (mode, own)
            assert set(own) <= {"heavy", "light", "work"}
            assert one["torn"] <= 0.02 * one["looks"]
            if mode == "wall":
                assert len(threads) == 22
                idle = [s["count"] for s in told["stacks"] if s["thread"].startswith("idle")]
                assert set(idle) == {one["looks"]}  # who never moved is counted at each look
    finally:
        ended(process)
