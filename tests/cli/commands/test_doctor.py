import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from locard.far import capabilities as tries
from locard.guard import capability, needs
from locard.model.place import Ground
from shell_hosts import make_ssh
from support import needs_root


def test_text_lists_what_there_is_and_how_to_get_the_rest(locard):
    done = locard("doctor", "--all")
    checks = locard.json("doctor")["capabilities"]
    assert done.returncode == (0 if all(c["works"] or c["optional"] for c in checks) else 4)
    for check in checks:
        line = re.search(
            rf"^  (yes|NO |-- ) +{re.escape(check['name'])}", done.stdout, re.MULTILINE
        )
        assert line
        if not check["works"]:
            assert check["get"][:30] in " ".join(done.stdout.split())
    assert "lock-contention" in done.stdout
    assert "postgres" in done.stdout, "formats are listed, too"


def test_what_is_looked_for_is_what_commands_declare_to_need(locard):
    from locard.cli.commands.doctor import wanted

    names = {c["name"] for c in locard.json("doctor")["capabilities"]}
    declared = {need.of or need.program for need in wanted(here=True)}
    assert {"py-spy", "journalctl", "kubectl", "docker"} <= declared
    assert declared <= names


def test_another_place_is_looked_at_there(locard, tmp_path):
    env = {**os.environ, "LOCARD_SSH": str(make_ssh(tmp_path))}
    found = locard.json("doctor", "host/web-1", env=env)
    assert found["place"] == "host/web-1"
    names = {c["name"] for c in found["capabilities"]}
    assert "python3" in names
    assert "native module" not in names, "that is of this installation"
    assert "kubectl" not in names, "a cluster is asked from here"
    assert "at host/web-1" in locard("doctor", "host/web-1", env=env).stdout
    assert locard("doctor", "host/down-1", env=env).returncode == 3


HAS = Ground("h", "root", 0, python="3.11.0", executable="/usr/bin/python3", capabilities="1ffffffffff",
             tools=(("py-spy", "/bin/py-spy"), ("dmesg", "/bin/dmesg")))  # fmt: skip
TRIED = {"ptrace_scope": 0, "kernel_log": "", "kernel_stack": ""}


def at_place(ground, tried=TRIED):
    checks = capability.at_place(ground, tried, needs.ALL)
    return {check.name: check for check in checks}


def test_programs_and_permissions_of_a_place():
    found = at_place(HAS)
    assert found["root"].works
    assert found["py-spy"].works
    assert found["dmesg"].works
    assert not found["docker"].works
    assert "apt-get" in found["docker"].get
    bare = at_place(Ground("h", "u", 1000, lacks="old"))
    assert "older than 3.6" in bare["python3"].detail
    assert "CAP_SYS_PTRACE" in bare["root"].adds


def test_what_is_present_and_not_permitted_does_not_work():
    closed = {"kernel_log": "Operation not permitted", "kernel_stack": "Permission denied"}
    found = at_place(HAS, {**TRIED, **closed})
    assert not found["dmesg"].works
    assert "Operation not permitted" in found["dmesg"].detail
    assert not found["kernel stacks"].works
    assert not at_place(HAS, {})["kernel stacks"].works, "not tried is not there"


@pytest.mark.parametrize(
    ("scope", "capable", "works"), [(1, False, False), (0, False, True), (1, True, True)]
)
def test_py_spy_works_where_the_kernel_lets_it(scope, capable, works):
    ground = replace(HAS, uid=1000, capabilities="80000" if capable else "0")
    assert at_place(ground, {**TRIED, "ptrace_scope": scope})["py-spy"].works is works


@needs_root
def test_what_is_tried_there_is_tried_and_not_guessed():
    source = Path(tries.__file__).read_text("utf-8")
    argv = [sys.executable, "-I", "-S", "-c", source]
    told = {
        uid: json.loads(
            subprocess.run(
                ["setpriv", "--reuid", uid, "--clear-groups", "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", *argv]
                if uid != "0" else argv, capture_output=True, text=True, check=True,
            ).stdout
        )
        for uid in ("0", "65534")
    }  # fmt: skip
    assert told["0"]["kernel_log"] == ""
    with open("/proc/sys/kernel/dmesg_restrict") as restricted:  # noqa: PTH123
        is_open = restricted.read().strip() == "0"
    assert (told["65534"]["kernel_log"] == "") is is_open
    assert told["0"]["kernel_stack"] == ""
    assert told["65534"]["kernel_stack"]


@pytest.mark.parametrize(
    ("ground", "code", "head"),
    [
        ({"executable": "", "lacks": "unfit"}, 4, "missing"),
        ({}, 0, "nothing that locard itself needs is missing"),
    ],
)
def test_what_works_is_one_line_then_what_is_missing_and_details_last(
    ground, code, head, capsys, monkeypatch
):
    from locard.cli.main import main
    from locard.investigate import start

    has = replace(HAS, tools=(), **ground)
    monkeypatch.setattr(start, "try_place", lambda _: (has, TRIED))
    assert main(["doctor"]) == code
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("works: native module, duckdb")
    optional = lines.index("optional, and not here")
    assert lines.index(head) < optional < lines.index("in detail")
    assert any(line.startswith("  NO   ltrace ") for line in lines[optional:])
    assert "by name: locard doctor --all" in " ".join(lines[-3:])
    assert "rules" not in lines


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
    assert "Unable to connect to the server" in done.stderr
    assert "kubectl config get-contexts" in done.stderr


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
