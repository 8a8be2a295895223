"""Watching in other namespaces, for other users, under filters and limits: done, or refused with the reason; never harmed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from support import PROGRAMS, children_of
from watch_here import begin, lines, run


@contextlib.contextmanager
def filtered(*words, prefix=(), python=sys.executable, folder=PROGRAMS):
    """tests/programs/filtered.py, with its pid as this machine numbers it; at the end it ended well and silent."""
    process = subprocess.Popen(
        [*prefix, python, "-B", str(folder / "filtered.py"), *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        line = process.stdout.readline()
        if not line:
            pytest.skip(f"it cannot be started so here: {process.stderr.read().strip()}")
        pid = json.loads(line)["ready"]
        if prefix and prefix[0] == "unshare":
            every = children_of(process.pid) or {process.pid}
            pid = next(iter(every))
        yield pid
    finally:
        process.stdin.close()
        said = process.stderr.read()
        assert process.wait(10) == 0, said
        assert not said


@pytest.fixture
def everybodys():
    """A folder that every user may enter, with the program."""
    folder = Path(tempfile.mkdtemp(prefix="locard-test-"))
    folder.chmod(0o755)
    shutil.copy(PROGRAMS / "filtered.py", folder)
    yield folder
    shutil.rmtree(folder)


def ours(pid):
    """Mappings that are as an agent's are."""
    rows = [line.split() for line in Path(f"/proc/{pid}/maps").read_text().splitlines()]
    return [r for r in rows if r[1] == "r-xp" and len(r) == 5]


def told(rows):
    """(calls that were told, reasons of refusal)."""
    return sum(r.get("ev") == "call" for r in rows), [r["refused"] for r in rows if "refused" in r]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("allow", "28"), None),
        (("nosys", "435"), None),
        (("kill", "165"), None),
        (("kill", "28"), "the call madvise of a watch is not let through"),
        (("kill", "10"), "the call mprotect of a watch is not let through"),
        (("errno", "9"), "the call mmap of a watch fails"),
        (("errno", "435"), "the call clone3 of a watch fails"),
        (("memory", "0"), "no thread could be started in it"),
    ],
    ids=lambda v: "-".join(v) if isinstance(v, tuple) else "",
)
def test_filters_and_limits(words, why):
    with filtered(*words) as pid:
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
        calls, refused = told(run(pid, "__main__:work", most=1))
        if why is None:
            assert (calls, refused) == (1, [])
        else:
            assert calls == 0
            assert why in refused[0]
        assert len(list(Path(f"/proc/{pid}/task").iterdir())) == threads
        assert ours(pid) == []


@pytest.mark.parametrize(
    "prefix",
    [
        ("unshare", "--pid", "--fork", "--mount-proc", "--net", "--ipc", "--uts"),
        ("unshare", "--user", "--map-root-user"),
        ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
        ("setpriv", "--bounding-set=-all", "--inh-caps=-all"),
    ],
    ids=["namespaces", "user namespace", "another user", "no capabilities"],
)
def test_other_namespaces_and_users(prefix, everybodys):
    if not shutil.which(prefix[0]):
        pytest.skip(f"no {prefix[0]} here")
    python = sys.executable
    if "--reuid=65534" in prefix:  # who may not enter the folders of ours
        python = shutil.which("python3", path="/usr/bin") or pytest.skip(
            "no python3 that others may run"
        )
    with filtered("allow", "28", prefix=prefix, python=python, folder=everybodys) as pid:
        calls, refused = told(run(pid, "__main__:work", most=2))
        assert (calls, refused) == (2, [])
        assert ours(pid) == []


def test_a_binary_that_was_deleted_meanwhile(tmp_path):
    source = Path(sys.executable).resolve()
    copy = tmp_path / source.name
    shutil.copy(source, copy)
    environment = {"PYTHONHOME": sys.base_prefix}
    with filtered(
        "allow", "28", prefix=("env", *(f"{k}={v}" for k, v in environment.items())), python=copy
    ) as pid:
        copy.unlink()
        assert told(run(pid, "__main__:work", most=1)) == (1, [])


def test_who_may_not_look_into_it_is_told_so():
    if os.geteuid() or not shutil.which("setpriv"):
        pytest.skip("only root can become somebody else")
    with filtered("allow", "28") as pid:
        watching = begin(
            pid,
            "__main__:work",
            prefix=(
                "setpriv",
                "--bounding-set=-sys_ptrace",
                "--inh-caps=-all",
                "--reuid=65534",
                "--clear-groups",
                "--regid=65534",
            ),
            python="/usr/bin/python3",
        )
        _, refused = told(lines(watching))
        assert re.search(r"not permitted: .*E(ACCES|PERM)", refused[0])
        assert "CAP_SYS_PTRACE" in refused[0]
        assert ours(pid) == []


def test_a_traced_process_is_refused_and_the_tracer_named():
    if not shutil.which("strace"):
        pytest.skip("no strace here")
    with filtered("allow", "28") as pid:
        tracer = subprocess.Popen(
            ["strace", "-o", "/dev/null", "-p", str(pid)], stderr=subprocess.DEVNULL
        )
        try:
            end = time.monotonic() + 10
            while f"TracerPid:\t{tracer.pid}" not in Path(f"/proc/{pid}/status").read_text():
                assert time.monotonic() < end
                time.sleep(0.02)
            _, refused = told(run(pid, "__main__:work", most=1))
            assert refused == [f"process {tracer.pid} traces it already (strace)"]
        finally:
            tracer.terminate()
            tracer.wait()
        assert told(run(pid, "__main__:work", most=1)) == (1, [])
