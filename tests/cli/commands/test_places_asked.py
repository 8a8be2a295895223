"""What is asked at other places: refusals before anything runs, plans, pages and what the record keeps."""

from __future__ import annotations

import json
import os

import pytest

from shell_hosts import make_ssh

# A cluster of one pod whose container is this machine; it runs nothing else.
KUBECTL = r"""#!/bin/sh
pod='{"kind":"Pod","metadata":{"name":"pay-1","namespace":"shop"},"spec":{"containers":[{"name":"app"}]},"status":{"phase":"Running","containerStatuses":[{"name":"app","ready":true,"state":{"running":{}}}]}}'
case "$*" in
"exec -i"*) for last; do :; done; exec /bin/sh -c "$last";;
*can-i*) echo yes;;
*whoami*) echo '{"status":{"userInfo":{"username":"anna"}}}';;
version*) echo '{"serverVersion":{"gitVersion":"v1.33.1"}}';;
logs*) echo "2026-11-27T10:00:00Z ERROR payment failed status=500";;
*nosuch*) echo 'Error from server (NotFound): pods "nosuch" not found' >&2; exit 1;;
"get pods"*) echo "$pod";;
*) echo '{"kind":"List","items":[]}';;
esac
"""


@pytest.fixture
def env(tmp_path):
    return {**os.environ, "LOCARD_SSH": str(make_ssh(tmp_path))}


@pytest.fixture
def cluster(tmp_path):
    program = tmp_path / "bin" / "kubectl"
    program.parent.mkdir()
    program.write_text(KUBECTL)
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("host", "web-1"), "host/web-1"),
        (("host", "--hosts", "a,b", "--on", "host/x"), "do not go together"),
        (("host", "host/c", "--hosts", "a,b"), "do not go together"),
        (("deployment/x", "--hosts", "a,b"), "do not go together"),
        (("deployment/x", "--on", "host/a"), "do not go together"),
        (("doctor", "host/a", "--sudoers"), "do not go together"),
        (("host", "--hosts", "alpha:22"), "is no host"),
    ],
)
def test_what_does_not_go_together_is_refused(locard, env, words, said):
    done = locard(*words, env=env)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr


def test_a_probe_is_known_after_its_flags(locard, env):
    words = ("--on", "host/web-1", "cpu", "host/local", "--dry-run")
    done = locard("probe", *words, env=env)
    assert done.returncode == 0, done.stderr
    assert "  cpu: " in done.stdout
    assert "  memory: " not in done.stdout


def test_a_plan_has_the_parameters_that_were_given(locard):
    words = ("thread-states", f"pid/{os.getpid()}", "--rounds", "3", "--dry-run", "-o", "json")
    document = json.loads(locard("probe", *words).stdout)
    assert {c["probe"] for c in document["commands"]} == {"thread-states"}
    assert " 3 " in " ".join(document["commands"][0]["argv"])


def test_a_plan_of_many_goes_past_the_one_that_is_down(locard, env):
    done = locard("host", "--hosts", "down-1,a", "--dry-run", "-o", "json", env=env)
    assert done.returncode == 4, done.stderr
    document = json.loads(done.stdout)
    assert {c["place"] for c in document["commands"]} == {"host/a"}
    assert [u["target"] for u in document["unreached"]] == ["host/down-1"]


def test_who_was_not_reached_is_in_the_record(locard, env):
    document = locard.json("host", "--hosts", "down-1,a,down-2", env=env)
    entries = _entries(document["ledger"])
    assert {e["place"]["ref"] for kind, e in entries if kind == "unreached"} == {
        "host/down-1",
        "host/down-2",
    }


def test_the_page_of_a_pod_is_that_of_its_logs(locard, cluster, tmp_path):
    page = tmp_path / "page.html"
    words = ("pod/pay-1", "-n", "shop", "-q", "--budget", "30s", "--html", str(page))
    done = locard(*words, env=cluster)
    assert "locard: " not in done.stderr.replace("locard: going", ""), done.stderr
    assert "pod/pay-1" in page.read_text()
    assert "-n shop" in done.stdout.rpartition("next: ")[2]


def test_a_pod_that_is_not_there_is_no_verdict(locard, cluster):
    done = locard("pod/nosuch", "-n", "shop", env=cluster)
    assert done.returncode == 3, done.stdout
    assert "kubectl get pods -n shop" in done.stderr


def test_a_cluster_that_hangs_is_not_waited_for(locard, tmp_path, cluster):
    program = tmp_path / "bin" / "kubectl"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    done = locard("pod/pay-1", "--budget", "2s", env=cluster)
    assert done.returncode == 3, done.stdout
    assert "kubectl did not answer within 2 s" in done.stderr


def _entries(path):
    import sqlite3

    with sqlite3.connect(path) as base:
        rows = base.execute("select kind, body from entries order by seq").fetchall()
    return [(kind, json.loads(body)) for kind, body in rows]
