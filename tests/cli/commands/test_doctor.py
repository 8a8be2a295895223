import errno
import os
import re
import shutil
import subprocess
import sys

import pytest

from locard.guard import capability
from support import needs_root


def test_text_lists_what_there_is_and_how_to_get_the_rest(locard):
    done = locard("doctor")
    checks = capability.checks()
    assert done.returncode == (0 if all(c.works for c in checks) else 4)
    for check in checks:
        line = re.search(rf"^  (yes|NO ) +{re.escape(check.name)}", done.stdout, re.MULTILINE)
        assert line
        if not check.works:
            assert check.get in done.stdout
    assert "lock-contention" in done.stdout


def test_checks_try_and_do_not_guess(monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    root = next(c for c in capability.checks() if c.name == "root")
    assert not root.works
    assert "CAP_SYS_PTRACE" in root.adds


@needs_root
def test_what_is_present_and_not_permitted_does_not_work():
    code = (
        "import os, sys; from locard.guard import capability as c;"
        "c.checks();"  # what is imported stays: another user may not read this installation
        "sys.argv[1] == 'root' or os.setuid(65534);"
        "found = {x.name: x for x in c.checks()};"
        "print(found['dmesg'].works, found['dmesg'].detail)"
    )
    told = {
        user: subprocess.run(
            [sys.executable, "-c", code, user], capture_output=True, text=True, check=True
        ).stdout
        for user in ("root", "nobody")
    }
    assert told["root"].startswith("True")
    with open("/proc/sys/kernel/dmesg_restrict") as restricted:  # noqa: PTH123
        is_open = restricted.read().strip() == "0"
    assert told["nobody"].startswith("True" if is_open else "False")
    assert is_open or os.strerror(errno.EPERM) in told["nobody"]


@pytest.mark.parametrize(
    ("scope", "capable", "works"), [(1, False, False), (0, False, True), (1, True, True)]
)
def test_py_spy_works_where_the_kernel_lets_it(monkeypatch, scope, capable, works):
    monkeypatch.setattr(capability, "_path_of", lambda _: "/bin/x")
    monkeypatch.setattr(capability, "_has_capability", lambda _: capable)
    monkeypatch.setattr(capability, "_ptrace_scope", lambda: scope)
    check = next(c for c in capability.checks() if c.name == "py-spy")
    assert check.works is works


def test_what_is_missing_stands_first(locard, capsys, monkeypatch):
    from locard.cli.main import main

    monkeypatch.setattr(capability, "_path_of", lambda _: None)
    assert main(["doctor"]) == 4
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "missing"
    assert lines[3].split()[:2] == ["NO", "py-spy"]
    assert lines.index("missing") < lines.index("works") < lines.index("probes")
    assert (
        "locard demo" in capability._module("gunicorn", "the service of `locard demo`", "x").detail
    )


def test_a_zone_means_nothing_here(locard):
    assert locard("doctor", "--tz", "UTC").returncode == 2


CLUSTER = """case "$*" in
*whoami*) echo '{"status":{"userInfo":{"username":"anna"}}}';;
version*) echo '{"serverVersion":{"gitVersion":"v1.33.1"}}';;
*"can-i get pods --subresource=exec"*) echo yes;;
*"can-i create pods --subresource=exec"*|*ephemeralcontainers*) echo no; exit 1;;
*can-i*) echo yes;;
*"get pods"*) echo '{"kind":"Pod","metadata":{"name":"pay-1"},"spec":{"containers":[{"name":"app"}]},"status":{"phase":"Running","containerStatuses":[{"name":"app","ready":true,"state":{"running":{}}}]}}';;
*) echo '{"kind":"List","items":[]}';;
esac
"""


def with_kubectl(tmp_path, script):
    program = tmp_path / "kubectl"
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}


def test_a_target_in_a_cluster_who_may_do_what(locard, tmp_path):
    env = with_kubectl(tmp_path, CLUSTER)
    done = locard("doctor", "pod/pay-1", "-n", "shop", env=env)
    assert done.returncode == 4, done.stderr  # no debug container
    assert "what anna may do in namespace shop, v1.33.1" in done.stdout
    words = " ".join(done.stdout.split())
    assert "this role only reads, and it may run commands" in words
    assert "NO debug-container" in words
    assert "yes pay-1/app" in words
    found = locard.json("doctor", "pod/pay-1", "-n", "shop", env=env)
    assert found["may_exec"] is True
    assert found["places"][0]["pod"] == "pay-1"


def test_a_cluster_that_does_not_answer(locard, tmp_path):
    env = with_kubectl(tmp_path, "echo 'Unable to connect to the server: refused' >&2; exit 1\n")
    done = locard("doctor", "deployment/pay", env=env)
    assert done.returncode == 3, done.stderr
    assert "Unable to connect to the server" in done.stdout


def test_flags_and_targets_that_mean_nothing_are_said(locard):
    assert locard("doctor", "-n", "shop").returncode == 2
    assert locard("doctor", "pid/1").returncode == 2


def test_the_rules_for_sudo_are_exact_lines_that_sudo_accepts(locard, tmp_path):
    done = locard("doctor", "--sudoers", "op")
    rules = [line for line in done.stdout.splitlines() if not line.startswith("#")]
    assert done.returncode == 0
    assert rules
    assert all(line.startswith("op ALL=(root) NOPASSWD: /") for line in rules)
    assert not any("*" in line.replace("\\*", "") for line in rules)
    if visudo := shutil.which("visudo", path="/usr/sbin:/usr/bin:/sbin"):
        path = tmp_path / "rules"
        path.write_text(done.stdout)
        check = subprocess.run([visudo, "-c", "-f", path], capture_output=True, check=False)
        assert check.returncode == 0, check


def test_rules_for_no_user_are_refused(locard):
    assert locard("doctor", "--sudoers", "op ALL=(ALL) NOPASSWD: ALL").returncode == 2
