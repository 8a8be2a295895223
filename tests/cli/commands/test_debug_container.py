"""A debug container beside one without a shell: only with --allow injects, said before, named after."""

from __future__ import annotations

import os
import sqlite3

import pytest

# A cluster of one pod; what is executed in the debug container runs here.
KUBECTL = r"""
made=$(cat "$0.made" 2>/dev/null)
pod='{"kind":"Pod","metadata":{"name":"pay-1","namespace":"shop"},"spec":{"containers":[{"name":"app"}]},"status":{"phase":"Running","containerStatuses":[{"name":"app","ready":true,"state":{"running":{}}}],"ephemeralContainerStatuses":[{"name":"'$made'","state":{"running":{}}}]}}'
case "$*" in
"exec -i"*) case "$*" in
  *--container=app*) echo 'exec: "/bin/sh": stat /bin/sh: no such file or directory' >&2; exit 126;;
  *) for last; do :; done; exec /bin/sh -c "$last";;
  esac;;
debug*) echo "$*" >>"$0.calls"
  case "$*" in *profile=restricted*) [ -n "$REFUSES" ] && { echo 'violates PodSecurity "baseline"' >&2; exit 1; };; esac
  for w; do case "$w" in --container=*) echo "${w#--container=}" >"$0.made";; esac; done;;
*can-i*) echo yes;;
*whoami*) echo '{"status":{"userInfo":{"username":"anna"}}}';;
version*) echo '{"serverVersion":{"gitVersion":"v1.33.1"}}';;
logs*) ;;
"get pods"*) echo "$pod";;
*) echo '{"kind":"List","items":[]}';;
esac
"""


@pytest.fixture
def cluster(tmp_path):
    program = tmp_path / "bin" / "kubectl"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n" + KUBECTL)
    program.chmod(0o755)
    env = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}
    return env, program.with_suffix(".calls")


def ledger_entries(path):
    with sqlite3.connect(path) as base:
        return base.execute("select kind, body from entries order by seq").fetchall()


def test_without_being_allowed_none_is_made(locard, cluster):
    env, calls = cluster
    done = locard("pod/pay-1", "-n", "shop", "-q", env=env)
    assert "neither a shell nor a python3" in done.stdout
    assert not calls.exists()


def test_with_it_one_is_made_said_before_and_named_after(locard, cluster):
    env, calls = cluster
    words = ("pod/pay-1", "-n", "shop", "--allow", "injects", "--debug-image", "tools:1")
    done = locard(*words, env=env)
    before, _, after = done.stderr.partition("runs     runtime")
    assert "cannot be removed from the pod" in before
    assert len(calls.read_text().splitlines()) == 1
    assert "--profile=restricted" in calls.read_text()
    assert "left behind at pod/pay-1/app" in done.stdout
    document = locard.json("incident", "show", "last", env=env)
    entries = ledger_entries(document["ledger"])
    kinds = [kind for kind, _ in entries]
    made = next(n for n, (_, body) in enumerate(entries) if "--profile=restricted" in body)
    assert "residue" in kinds[:made], "what stays is recorded before it is made"
    name = calls.read_text().partition("--container=")[2].split()[0]
    assert any(kind == "residue" and name in body for kind, body in entries[made:])
    assert document["place"] == "pod/pay-1/app"
    assert after == "" or "locard" in before


def test_a_policy_that_caps_it_makes_none(locard, cluster, tmp_path, monkeypatch):
    from locard.cli.main import main
    from locard.guard import policy

    env, calls = cluster
    path = tmp_path / "policy.toml"
    path.write_text('[[limit]]\nnamespace = "shop"\nmax_impact = "samples"\n')
    strict = policy.read_policy(path, owner=os.getuid())
    monkeypatch.setattr("locard.investigate.fleet.read_policy", lambda: strict)
    monkeypatch.setenv("PATH", env["PATH"])
    main(["pod/pay-1", "-n", "shop", "--allow", "injects", "-q"])
    assert not calls.exists()
