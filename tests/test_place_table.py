"""docs/places.md: what works at which kind of place, written from what was tried here.

`LOCARD_WRITE_TABLE=1 pytest tests/test_place_table.py` writes it anew. A cell that says yes there and is
not so here fails; a place that cannot be had here is left as it stands.
"""

import os
import re
import socket
from pathlib import Path

import pytest

import place_rows
from place_rows import Row

DOCS = Path(__file__).parent.parent / "docs" / "places.md"
PAGE = "http://127.0.0.1:8000/metrics"
START = (
    "cat >/srv/service.py <<'X'\n" + place_rows.SERVICE + "\nX\n"
    "su {user} -c 'setsid /usr/bin/python3 /srv/service.py /tmp/app.log 8000 >/dev/null 2>&1 </dev/null &'\n"
)
ROWS = {
    "here": Row("here", "pid/{pid}", (), "{log}", "http://127.0.0.1:{port}/metrics", ""),
    "ssh": Row("ssh", "proc/service.py", ("--on", "host/oncall@served"), "/tmp/app.log", PAGE, "host/oncall@served"),
    "ssh, another user's target": Row(
        "ssh", "proc/service.py", ("--on", "host/other@served"), "/tmp/app.log", PAGE, "host/other@served"
    ),
    "ssh --sudo": Row(
        "ssh", "proc/service.py", ("--on", "host/free@served", "--sudo"), "/tmp/app.log", PAGE, "host/free@served"
    ),
    "docker or podman, from beside": Row("b", "container/served", (), "container/served", "", ""),
    "docker or podman, from inside": Row("i", "pid/1", ("--on", "container/served"), "/tmp/app.log", PAGE, "container/served"),
    "the same, with CAP_BPF and CAP_PERFMON": Row("a", "pid/1", ("--on", "container/able"), "/tmp/app.log", PAGE, "container/able"),
    "BusyBox only, from inside": Row("t", "pid/1", ("--on", "container/toolbox"), "/tmp/app.log", "", "container/toolbox"),
    "no shell (distroless), from beside": Row("d", "container/bone", (), "", "", ""),
}  # fmt: skip


@pytest.fixture(scope="module")
def served(network):
    users = [(u, "/bin/bash") for u in ("oncall", "other", "free")]
    rules = (
        "mkdir -p /etc/sudoers.d; echo 'free ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/free;"
        " chmod 440 /etc/sudoers.d/free; hostname localhost\n"
    )
    network.host("served", users=users, setup=rules + START.format(user="oncall"))
    place_rows.settle()
    return {"LOCARD_SSH": str(network.ssh)}


@pytest.fixture(scope="module")
def boxes(containers):
    run = ("/usr/bin/python3", "-c", place_rows.SERVICE, "/tmp/app.log", "8000")
    containers.with_python(
        "served", "--read-only", "--tmpfs", "/tmp:rw,mode=1777", "--user", "1000", command=run
    )
    caps = ("--cap-add", "CAP_BPF", "--cap-add", "CAP_PERFMON")
    containers.with_python("able", *caps, "--security-opt", "seccomp=unconfined", command=run)
    loop = (
        'while :; do echo "2026-11-27T10:00:00Z INFO done" | tee -a /tmp/app.log; sleep 0.1; done'
    )
    containers.run(
        "toolbox",
        "busybox",
        "--read-only",
        "--tmpfs",
        "/tmp:rw,mode=1777",
        command=("/bin/sh", "-c", loop),
    )
    containers.run("bone", "distroless")
    place_rows.settle()
    return {"PATH": f"{containers.client.parent}:{os.environ['PATH']}"}


@pytest.fixture
def here(start, tmp_path):
    log = tmp_path / "app.log"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    child = start("-c", place_rows.SERVICE, str(log), str(port))
    place_rows.settle()
    return {"pid": child.pid, "log": log, "port": port}


def written():
    """The table as it stands: row -> {column: cell}."""
    if not DOCS.exists():
        return {}
    lines = [
        re.split(r"\s*\|\s*", x.strip("| "))
        for x in DOCS.read_text().splitlines()
        if x.startswith("| ")
    ]
    if not lines:
        return {}
    names = lines[0][1:]
    return {
        name: dict(zip(lines[0][1:], cells, strict=True)) for name, *cells in lines[1:] if names
    }


def write(table):
    columns = [
        *place_rows.VERBS,
        *sorted({c for cells in table.values() for c in cells} - set(place_rows.VERBS)),
    ]
    head = (
        "# What works where\n\nWritten by tests/test_place_table.py from what was tried with a real sshd and real"
        " containers; a service with a log, a page of metrics and threads was looked at.\n\n"
        "*in part*: some of it, and why is said; *failed*: it said why (another user's process,"
        " no python3, no Python); *-*: not asked there.\n\n"
        "`waits`, `syscalls`, `libcalls` and `trace` (of run-queue) ran for 1 s. *here* and *from beside* are root's. Without"
        " CAP_BPF and CAP_PERFMON where it runs, the last three fail and name them, and `waits` looks through /proc."
        " None of them works without python3 there; `libcalls` wants the functions in the target, which the static program"
        " of *distroless* has not."
        " Through kubectl (tests/cluster/test_kernel_in_pods.py) `waits`, `syscalls` and `trace` work in a pod with both"
        " capabilities, and in one without them `waits` does; `libcalls` was not tried there."
        " `watch` ran for 1 s with --allow injects; inside of a container its seccomp filter cannot be read, so it is refused there and"
        " works from beside. `stacks` and `profile` read a CPython from where it runs or from beside it: a place without python3 has none, and"
        " another user's process is refused with what it would take. Beside these places it was tried (tests/far/test_python_places.py,"
        " tests/machine/test_python_there.py): in other mount, pid, network and user namespaces, below a read-only root of its own,"
        " with its interpreter deleted or replaced meanwhile, by root without each of CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE,"
        " CAP_SYS_ADMIN, CAP_PERFMON, CAP_SYS_RESOURCE (all read); refused with the reason: without CAP_SYS_PTRACE, from another user"
        " namespace, under Yama 1 and 2 as an ordinary user, 32 bits.\n\n"
    )
    lines = ["| place | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [
        f"| {name} | " + " | ".join(table[name].get(c, "-") for c in columns) + " |"
        for name in ROWS
        if name in table
    ]
    DOCS.write_text(head + "\n".join(lines) + "\n")


@pytest.mark.parametrize("name", list(ROWS))
def test_what_the_table_promises_is_so(name, request, locard, tmp_path):
    row, env, fill = ROWS[name], {}, {}
    if "ssh" in name:
        env = request.getfixturevalue("served")
    elif name == "here":
        fill = request.getfixturevalue("here")
    else:
        env = request.getfixturevalue("boxes")
    row = Row(*(f.format(**fill) if isinstance(f, str) else f for f in vars(row).values()))
    whole = bool(os.environ.get("LOCARD_WRITE_TABLE"))
    env = place_rows.environment(**env)
    cells = place_rows.look(locard, row, env, str(tmp_path / "looked"), whole=whole)
    table = written()
    if whole:
        write({**table, name: cells})
        return
    broken = {
        column: (promised, cells[column])
        for column, promised in table[name].items()
        if promised == "yes" and cells.get(column, "yes") != "yes"
    }
    assert not broken
    assert cells["host/cpu"] == "yes"
