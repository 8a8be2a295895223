"""What surrounds a target: its logs, its ports, its control groups; real processes and made-up ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from locard.far import look_around
from support import needs_root

PROGRAM = Path(look_around.__file__)
SERVICE = """
import socket, sys, time
s = socket.create_server(("127.0.0.1", 0))
log = open(sys.argv[1], "a")
log.write("x\\n"); log.flush()
print(s.getsockname()[1], flush=True)
time.sleep(300)
"""


def printed(*words):
    argv = [sys.executable, "-I", "-S", "-", *map(str, words)]
    done = subprocess.run(argv, stdin=PROGRAM.open(), capture_output=True, check=False)
    assert not done.stderr, done.stderr
    return json.loads(done.stdout)


def test_logs_and_ports_of_a_real_process(start, tmp_path):
    path = tmp_path / "service.log"
    process = start("-c", SERVICE, path)
    found = printed(process.pid)
    (file,) = [f for f in found["files"] if f["path"] == str(path)]
    assert (file["open"], file["size"]) == (str(path), 2)
    (port,) = found["listening"]
    assert port["port"] == int(process.line)
    assert (port["address"], port["pids"]) == ("127.0.0.1", [process.pid])
    assert found["own_network"]
    assert found["request_logs"] == []
    # Its log tells of requests: then it does.
    path.write_text('10.0.0.1 - - [x] "GET /a HTTP/1.1" 200 5\n')
    assert printed(process.pid)["request_logs"] == [str(path)]


def test_a_log_that_was_renamed_or_deleted_opens_through_its_descriptor(start, tmp_path):
    path = tmp_path / "service.log"
    process = start("-c", SERVICE, path)
    path.rename(tmp_path / "service.log.1")
    path.write_text("another file\n")
    (tmp_path / "service.log.1").unlink()
    (file,) = [f for f in printed(process.pid)["files"] if "service" in f["path"]]
    assert Path(file["open"]).read_text() == "x\n"


def test_a_log_whose_name_is_no_text_opens_through_its_descriptor(start, tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff.log"
    code = (
        f"import time; f = open({path!r}, 'a'); f.write('x\\n'); f.flush()\n"
        "print(1, flush=True); time.sleep(300)"
    )
    process = start("-c", code)
    (file,) = [f for f in printed(process.pid)["files"] if f["path"].endswith("�.log")]
    assert Path(file["open"]).read_text() == "x\n"


def test_a_log_that_the_user_named_is_looked_at(tmp_path):
    log = tmp_path / "named.log"
    log.write_text('1.1.1.1 - - [d] "GET /a HTTP/1.1" 200 5\n')
    assert printed(os.getpid(), log, tmp_path / "none", tmp_path)["request_logs"] == [str(log)]


@pytest.mark.parametrize(
    ("line", "speaks"),
    [
        ('1.1.1.1 - - [d] "GET /a HTTP/1.1" 200 5', True),
        ("2026-01-01 INFO GET /u/1 200 3.1ms", True),
        ('{"path": "/a", "status": 200}', True),
        ("1:M Possible SECURITY ATTACK detected", False),
        ('{"level": "info", "message": "job done", "status": 3}', False),
    ],
)
def test_which_logs_tell_of_requests(tmp_path, line, speaks):
    log = tmp_path / "x.log"
    log.write_text(line + "\n")
    found = look_around.look([], [str(log)], str(tmp_path))["request_logs"]
    assert found == [str(log)] * speaks


@pytest.fixture
def made_up(tmp_path):
    """A /proc with one process, 7, whose folder is given."""
    folder = tmp_path / "7"
    (folder / "cwd").mkdir(parents=True)
    (folder / "fd").mkdir()
    return tmp_path, folder


@pytest.mark.parametrize(
    ("text", "speaks"),
    [
        ("from http.server import ThreadingHTTPServer\n", True),
        ("import json\nimport flask\n", True),
        ("import socketserver, sys\n", False),
        ("import http.client\n", False),
        ("# from flask import Flask\nimport requests\n", False),
    ],
)
def test_scripts(made_up, text, speaks):
    proc, folder = made_up
    (folder / "cwd" / "app.py").write_text(text)
    for words in (("python3", "app.py", "1"), ("python3", "-c", text)):
        (folder / "cmdline").write_bytes("\0".join(words).encode() + b"\0")
        assert look_around.look([7], (), str(proc))["scripts"] == [7] * speaks


def test_a_script_whose_name_is_rubbish(made_up):
    proc, folder = made_up
    (folder / "cmdline").write_bytes(b"python3\0\xff\n/../x.py\0")
    assert look_around.look([7, 8], (), str(proc))["scripts"] == []


@pytest.mark.parametrize(
    ("kind", "far"),
    [("nfs4", True), ("fuse.sshfs", True), ("autofs", True), ("ext4", False), ("fuseblk", False)],
)
def test_a_network_mount_is_not_asked(made_up, kind, far):
    """Its fdinfo says on which mount a file is: nothing else is asked."""
    proc, folder = made_up
    (folder / "app.log").write_text("x\n")
    (folder / "fd" / "1").symlink_to(folder / "app.log")
    (folder / "fdinfo").mkdir()
    (folder / "fdinfo" / "1").write_text("pos:\t2\nflags:\t0102001\nmnt_id:\t29\n")
    (folder / "mountinfo").write_text(f"29 1 8:1 / /a rw shared:1 - {kind} /dev/x rw\n")
    found = look_around.look([7], (), str(proc))
    assert [f["path"] for f in found["files"]] == [] if far else [str(folder / "app.log")]
    assert [m["type"] for m in found["not_asked"]] == [kind] * far


def test_the_type_of_a_path_is_that_of_its_nearest_mount():
    text = (
        "1 0 8:1 / / rw - ext4 a rw\n2 1 0:4 / /srv rw - nfs4 b rw\n"
        "3 2 0:5 / /srv/a\\040b rw - xfs c rw\nrubbish\n4 1 0:6 / /srv rw - fuse.x d rw\n"
    )
    mounts = look_around.Mounts(text)
    assert mounts.type_of("/srv/x") == "fuse.x", "the later of two at one point"
    assert mounts.type_of("/srv/a b/x") == "xfs"
    assert mounts.type_of("/srvx/x") == "ext4"


@pytest.mark.parametrize(
    ("raw", "address"),
    [
        ("00000000", None),
        ("0100007F", "127.0.0.1"),
        ("0" * 32, None),
        ("00000000000000000000000001000000", "[::1]"),
        ("0000000000000000FFFF00000100007F", "127.0.0.1"),
    ],
)
def test_addresses(raw, address):
    assert look_around.address_of(raw) == address


def test_socket_tables_that_are_rubbish():
    good = "0: 0100007F:1F90 00000000:0000 0A 0:0 0:0 0 0 0 77 1"
    assert list(look_around.listeners(f"head\n{good}\nx y\n")) == [("127.0.0.1", 8080, "77")]
    assert not list(look_around.listeners("head\n0: ZZ:QQ 0:0 0A 0:0 0:0 0 0 0 77 1\n\0\n"))


@pytest.fixture
def machine(tmp_path):
    """A function that lays out /proc/7/cgroup and the mounts, and gives what is found there."""
    proc, mounts = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "7").mkdir(parents=True)

    def found(text, *directories, controller="memory"):
        (proc / "7" / "cgroup").write_bytes(text.encode())
        for directory in directories:
            (mounts / directory).mkdir(parents=True)
        every = look_around.look([7], (), str(proc), str(mounts))["cgroups"][controller]
        return [d.removeprefix(str(mounts)) for d in every]

    return found


def test_version_1_beside_version_2(machine):
    text = "11:memory:/pods/pod1/a\n4:cpu,cpuacct:/pods\n1:name=systemd:/x\n0::/init.scope\n"
    found = machine(text, "memory/pods/pod1/a", "cpu,cpuacct/pods", "unified/init.scope")
    assert found == [
        "/memory/pods/pod1/a", "/memory/pods/pod1", "/memory/pods", "/memory",
        "/unified/init.scope", "/unified",
    ]  # fmt: skip
    assert machine(text, controller="cpu")[:2] == ["/cpu,cpuacct/pods", "/cpu,cpuacct"]


def test_version_2_alone(machine):
    text = "0::/system.slice/cri-containerd:abc.scope\n"
    found = machine(text, "system.slice/cri-containerd:abc.scope")
    assert found == ["/system.slice/cri-containerd:abc.scope", "/system.slice", ""]


def test_a_group_outside_of_the_namespace_or_gone_is_left_out(machine):
    assert machine("0::/../../other/pod\n", "system.slice") == [""]
    assert machine("rubbish\n\x1b[31m:::\n0::/a\x1b[31m\n0::/a\0b\n") == [""]


def test_deep_groups_are_bounded(machine):
    deep = "/".join(map(str, range(40)))
    assert len(machine(f"0::/{deep}\n", deep)) == 16


def test_a_process_that_is_gone_has_nothing(tmp_path):
    found = look_around.look([7], (), str(tmp_path), str(tmp_path))
    assert found["cgroups"] == {"memory": [], "cpu": [], "pids": []}
    assert found["missed"] == ["open files of 7: No such file or directory"]
    assert not found["own_network"]


@needs_root
def test_a_log_in_another_mount_namespace_is_not_the_file_of_that_path_here(start, tmp_path):
    here = tmp_path / "x"
    here.mkdir()
    (here / "app.log").write_text("the host's own file\n")
    code = (
        "import os, sys, time, ctypes\n"
        "libc = ctypes.CDLL(None)\n"
        f"path = {str(here)!r}\n"
        "assert libc.unshare(0x20000) == 0\n"
        "assert libc.mount(b'none', b'/', None, 0x44000, None) == 0\n"
        "assert libc.mount(b'tmpfs', path.encode(), b'tmpfs', 0, None) == 0\n"
        "log = open(path + '/app.log', 'a'); log.write('inside\\n'); log.flush()\n"
        "print('ready', flush=True); time.sleep(300)\n"
    )
    process = start("-c", code)
    (found,) = [f["open"] for f in printed(process.pid)["files"] if f["path"].endswith("app.log")]
    assert Path(found).read_text() == "inside\n"
    assert (here / "app.log").read_text() == "the host's own file\n"
