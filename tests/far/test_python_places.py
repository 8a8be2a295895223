"""The reader of Python in other namespaces, roots and users, and of interpreters whose file is gone: read, or refused with why."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from far.test_python_stacks import VERSIONS
from locard.runtime.python import _dump, profile, stacks
from support import PROGRAMS, source_of

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces, other users")
SYSTEM = "/usr/bin/python3"  # one that every user may run
NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")


@contextlib.contextmanager
def running(kind, *argv, env=None, **options):
    """`contended.py` behind some words; gives the pid of the interpreter as this machine numbers it."""
    process = subprocess.Popen(
        [*map(str, argv), "-B", str(PROGRAMS / "contended.py"), kind],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **(env or {})}, **options,
    )  # fmt: skip
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        assert json.loads(line)["kind"] == kind
        yield innermost(process.pid)
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()
        process.stderr.close()


def innermost(pid):
    """The last child of a chain of one child each."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return innermost(int(children[0])) if children else pid


def dump(pid, *prefix, python=sys.executable, program=stacks.OWN.program, words=("dump",)):
    return subprocess.run(
        [*prefix, python, "-I", "-S", "-", *words, str(pid)],
        input=source_of(program), capture_output=True, text=True, check=False, cwd="/",
    )  # fmt: skip


def items(pid, *prefix, **options):
    done = dump(pid, *prefix, **options)
    assert done.returncode == 0, done.stderr
    return _dump.items(done.stdout)


def holders(pid):
    """The semaphore of the program with who waits for it, and the threads that were read."""
    found = items(pid)
    (one,) = [i for i in found if i.get("waited") == "threading.BoundedSemaphore"]
    return one, {t["os_thread_id"] for t in found if "thread_id" in t}


SPACES = (
    "unshare",
    "--user",
    "--map-root-user",
    "--mount",
    "--pid",
    "--net",
    "--fork",
    "--mount-proc",
)


@pytest.mark.parametrize("version", [v for v in VERSIONS if v in {"3.8", "3.10", "3.12", "3.13"}])
def test_in_namespaces_of_its_own_its_threads_have_this_machines_ids(version):
    with running("semaphore", *SPACES, VERSIONS[version]) as pid:
        one, threads = holders(pid)
        known = {int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()}
    assert threads == known
    assert one["used"] == 2
    assert len(one["threads"]) == 2
    assert set(one["threads"]) < known


def test_a_profile_of_it_counts_who_is_on_a_cpu():
    with running("alone", *SPACES, VERSIONS["3.11"]) as pid:
        words = ("profile", "0.5", "50", "cpu")
        done = dump(pid, program=profile.PROFILE.program, words=words)
    assert done.returncode == 0, done.stderr
    assert sum(s["count"] for s in json.loads(done.stdout)["stacks"] if s["thread"] == "spin") > 5


def test_below_a_root_of_its_own_that_is_read_only(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    mounts = f"mount --bind / {root}; mount -o remount,bind,ro {root}; exec chroot {root} "
    argv = f'{mounts} {VERSIONS["3.11"]} "$@"'
    with running("semaphore", "unshare", "--mount", "sh", "-c", argv, "sh") as pid:
        assert Path(f"/proc/{pid}/root").readlink() == root
        one, _ = holders(pid)
    assert one["used"] == 2


@pytest.mark.parametrize("replaced", [False, True])
def test_an_interpreter_whose_file_was_deleted_or_replaced_while_it_ran(tmp_path, replaced):
    version = next(
        p.name for p in sorted(Path("/usr/bin").glob("python3.*")) if p.name[8:].isdigit()
    )
    copy = tmp_path / version
    shutil.copy(f"/usr/bin/{version}", copy)
    with running("semaphore", copy, env={"PYTHONHOME": "/usr"}) as pid:
        copy.unlink()
        if replaced:
            shutil.copy(VERSIONS["3.11"], copy)
        one, _ = holders(pid)
        assert str(Path(f"/proc/{pid}/exe").readlink()).endswith("(deleted)")
    assert one["used"] == 2


def test_a_static_build_that_was_stripped_is_read_by_what_it_exports(tmp_path):
    if shutil.which("strip") is None:
        pytest.skip("strip is not installed")
    version = next(
        p.name for p in sorted(Path("/usr/bin").glob("python3.*")) if p.name[8:].isdigit()
    )
    copy = tmp_path / version
    subprocess.run(["strip", "--strip-all", "-o", copy, f"/usr/bin/{version}"], check=True)
    with running("semaphore", copy, env={"PYTHONHOME": "/usr"}) as pid:
        assert not [
            line
            for line in Path(f"/proc/{pid}/maps").read_text().splitlines()
            if "libpython" in line
        ]
        one, _ = holders(pid)
    assert one["used"] == 2


@pytest.mark.parametrize("version", [v for v in VERSIONS if v in {"3.12", "3.13"}])
def test_without_symbols_it_is_found_by_its_own_table_from_3_13_on(version):
    source = source_of(stacks.OWN.program)
    blind = source.replace(
        'if __name__ == "__main__" and',
        "address_of = lambda *_: None\nif __name__ == '__main__' and",
    )
    assert blind != source
    with running("semaphore", VERSIONS[version]) as pid:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-", "dump", str(pid)],
            input=blind, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if version == "3.13":
        assert [i for i in _dump.items(done.stdout) if i.get("waited")], done.stderr
    else:
        assert done.returncode == 1
        assert done.stderr.startswith("no _PyRuntime in what it has mapped")


def test_another_users_process_is_refused_with_whose_it_is_and_what_would_help():
    with running("semaphore", VERSIONS["3.11"]) as pid:
        assert items(pid), "root reads it"
        done = dump(pid, *NOBODY, python=SYSTEM)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"not permitted: opening /proc/{pid}/maps failed with EACCES, ")
    assert (
        "it runs as user 0 and this as 65534 without CAP_SYS_PTRACE: run as that user or with sudo"
        in done.stderr
    )


def test_ones_own_process_is_read_without_any_capability():
    with running("semaphore", *NOBODY, SYSTEM, cwd="/") as pid:
        found = items(pid, *NOBODY, python=SYSTEM)
    assert [i for i in found if i.get("waited") == "threading.BoundedSemaphore"]


def test_root_without_sys_ptrace_is_told_so_and_without_others_it_reads():
    def lacking(capability):
        return ("setpriv", "--bounding-set", f"-{capability}")

    with running("semaphore", VERSIONS["3.11"]) as pid:
        for capability in (
            "dac_read_search",
            "dac_override",
            "sys_admin",
            "perfmon",
            "sys_resource",
        ):
            assert items(pid, *lacking(capability)), capability
        done = dump(pid, *lacking("sys_ptrace"))
    assert done.returncode == 1
    assert done.stderr.startswith("not permitted: ")
    assert "root without CAP_SYS_PTRACE: grant it" in done.stderr


def test_root_of_another_user_namespace_is_told_that_it_counts_there_only():
    with running("semaphore", VERSIONS["3.11"]) as pid:
        done = dump(pid, "unshare", "--user", "--map-root-user")
    assert done.returncode == 1
    assert "CAP_SYS_PTRACE counts in this user namespace only" in done.stderr


def elf_of_32_bits():
    """A program that does nothing but wait for signals: pause(2) again and again."""
    code = b"\xb8\x1d\x00\x00\x00\xcd\x80\xeb\xf7"
    base, head = 0x8048000, 52 + 32
    size = head + len(code)
    header = (
        b"\x7fELF\x01\x01\x01"
        + bytes(9)
        + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, base + head, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    )
    return header + struct.pack("<IIIIIIII", 1, 0, base, base, size, size, 5, 4096) + code


def test_a_process_of_32_bits_is_refused_as_one(tmp_path):
    program = tmp_path / "python3.11"
    program.write_bytes(elf_of_32_bits())
    program.chmod(0o755)
    try:
        process = subprocess.Popen([program])
    except OSError as error:
        pytest.skip(f"this kernel runs no programs of 32 bits: {error}")
    try:
        while not Path(f"/proc/{process.pid}/exe").readlink().name.startswith("python"):
            time.sleep(0.01)
        done = dump(process.pid)
    finally:
        process.kill()
        process.wait()
    assert (done.returncode, done.stderr) == (
        1,
        "a 32-bit process: only those of 64 bits are read\n",
    )
