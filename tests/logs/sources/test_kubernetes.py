"""The argv that kubectl gets, and what becomes of what it says."""

from __future__ import annotations

import pytest

from locard.logs.sources import kubernetes
from locard.model.errors import RefusedError, SourceUnreadableError, UsageError
from support import is_alive, wait_until

SAY_ARGV = 'for a in "$@"; do echo "$a"; done\n'


def test_flags_reach_kubectl(program, read):
    program("kubectl", SAY_ARGV)
    lines, _ = read(
        "label/app=pay,tier!=x", namespace="shop", context="prod", since_s=600.0, previous=True
    )
    assert lines == [
        "logs", "--prefix=true", "--timestamps=true", "--tail=-1", "--all-containers=true", "--previous=true",
        "--follow=false", "--since=1200s", "--max-log-requests=50", "--ignore-errors=true",
        "--namespace=shop", "--context=prod", "--selector=app=pay,tier!=x",
    ]  # fmt: skip


def test_one_container_of_a_pod(program, read):
    program("kubectl", SAY_ARGV)
    lines, _ = read("pod/pay-7d9", container="app")
    assert "--container=app" in lines
    assert "--all-containers=false" in lines
    assert lines[-1] == "pod/pay-7d9"


def test_a_deployment_means_all_of_its_pods(program, read):
    program(
        "kubectl",
        'if [ "$1" = get ]; then echo \'{"spec":{"selector":{"matchLabels":{"app":"pay","a":"b"}}}}\'\n'
        "else " + SAY_ARGV + "fi\n",
    )
    assert read("deployment/pay")[0][-1] == "--selector=a=b,app=pay"


def test_what_kubectl_complains_of_is_said(program, read):
    program("kubectl", 'echo "Error from server (Forbidden): pods is forbidden" >&2; exit 1\n')
    for name in ("pod/pay", "deployment/pay"):
        with pytest.raises(SourceUnreadableError) as raised:
            read(name)
        assert "Forbidden" in raised.value.why
        assert "kubectl" in raised.value.command


def test_a_failure_in_the_middle_keeps_what_came(program, read):
    program("kubectl", 'echo "{}"; echo "unexpected EOF" >&2; exit 1\n')
    lines, source = read("pod/pay")
    assert lines == ["{}"]
    assert source.partial == "its command failed: unexpected EOF"


def test_a_stalled_kubectl_ends_with_the_budget_and_leaves_no_child(program, read):
    program("kubectl", "echo $$; exec sleep 600\n")
    (pid,), source = read("pod/pay", budget=2.0)
    assert source.partial == "the time budget ended"
    wait_until(lambda: not is_alive(int(pid)))


def test_much_complaint_does_not_stall_it(program, read):
    program(
        "kubectl",
        "i=0; while [ $i -lt 3000 ]; do echo 'warning: something long is said here, again and again' >&2; i=$((i+1)); done; echo done\n",
    )
    assert read("pod/pay")[0] == ["done"]


def test_names_cannot_become_options(read):
    with pytest.raises(RefusedError):
        read("pod/x", namespace="-A --all")
    with pytest.raises(UsageError, match="is no pod"):
        read("pod/x y")


def test_without_kubectl(tmp_path, read, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceUnreadableError) as raised:
        read("pod/pay")
    assert "not installed" in raised.value.why


def test_a_file_of_that_name_is_a_file(tmp_path, read, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pod").mkdir()
    (tmp_path / "pod" / "x").write_text("a\n")
    assert not kubernetes.fits("pod/x")
    assert read("pod/x")[0] == ["a"]


CLUSTER = """case "$*" in
*"get deployment/pay "*) cat <<'X'
{"kind":"Deployment","metadata":{"name":"pay","uid":"d"},"spec":{"replicas":1,"selector":{"matchLabels":{"app":"pay"}}}}
X
;;
*"get replicasets"*) echo '{"kind":"List","items":[{"kind":"ReplicaSet","metadata":{"name":"pay-1","uid":"r","ownerReferences":[{"uid":"d","controller":true}]}}]}';;
*"get pods"*) cat <<'X'
{"kind":"List","items":[
{"kind":"Pod","metadata":{"name":"pay-1-a","labels":{"app":"pay"},"ownerReferences":[{"uid":"r","controller":true}]},
 "spec":{"containers":[{"name":"app"}]},
 "status":{"containerStatuses":[{"name":"app","ready":true,"restartCount":1,"state":{"running":{"startedAt":"2026-11-27T20:00:00Z"}},
  "lastState":{"terminated":{"exitCode":3,"finishedAt":"2026-11-27T19:59:59Z"}}}]}},
{"kind":"Pod","metadata":{"name":"stray","labels":{"app":"pay"}},"spec":{},"status":{}}]}
X
;;
*"get events"*) echo "Error from server (Forbidden): events is forbidden" >&2; exit 1;;
"logs pay-1-a"*) [ "$4" = --previous=true ] && printf 'starting\\npanic: no database\\n';;
logs*) cat <<'X'
[pod/pay-1-a/app] 2026-11-27T20:00:01.0Z {"status":200}
[pod/stray/app] 2026-11-27T20:00:01.0Z {"status":500}
error: container "side" in pod "pay-1-a" is waiting to start: ErrImagePull
X
;;
esac
"""


def test_states_come_with_the_logs_and_others_lines_do_not(program, read):
    program("kubectl", CLUSTER)
    lines, source = read("deployment/pay")
    assert lines == ['[pod/pay-1-a/app] 2026-11-27T20:00:01.0Z {"status":200}']
    found = source.workload()
    assert [p.name for p in found.pods] == ["pay-1-a"]
    (one,) = found.containers
    assert (one.last_words, one.words_of) == ("panic: no database", "the run before")
    assert [(n.container, n.kind) for n in found.no_logs] == [("side", "not-started")]
    assert "events is forbidden" in found.missed[0]
    assert any("get replicasets.apps" in e for e in found.evidence)


def test_a_log_that_fails_where_the_cluster_answers_is_no_failure_to_reach_it(program, read):
    program("kubectl", CLUSTER.replace("logs*) cat", "logs*) echo 'boom' >&2; exit 1;;\nx) cat"))
    lines, source = read("pod/pay-1-a")
    assert lines == []
    assert source.partial == "its command failed: boom"
    assert source.workload().pods


def test_pods_by_name_where_the_deployment_may_not_be_read(program, read):
    named = CLUSTER.replace('"labels":{"app":"pay"},"ownerReferences":[{"uid":"r",',
                            '"labels":{"app":"pay","v":"1","pod-template-hash":"1"},"ownerReferences":[{"kind":"ReplicaSet","name":"pay-1","uid":"r",')  # fmt: skip
    refused = "*\"get deployment/pay \"*) echo 'Error from server (Forbidden): no deployments for you' >&2; exit 1;;\nx) cat"
    program("kubectl", named.replace('*"get deployment/pay "*) cat', refused))
    _, source = read("deployment/pay")
    found = source.workload()
    assert found.by_name
    assert [p.name for p in found.pods] == ["pay-1-a"]
    assert "no deployments for you" in found.missed[0]
