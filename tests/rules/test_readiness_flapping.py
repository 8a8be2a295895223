"""readiness-flapping: fires where a pod is ready and not in turn; once is no flapping."""

from __future__ import annotations

from locard.model.finding import Role
from locard.rules.readiness_flapping import judge
from metric_series import END, LENGTH, ON, STEP, case_of, series, told

POD = {"namespace": "prod", "pod": "api-3", "job": "ksm"}


def ready(lost):
    values = [0.0 if i >= ON and lost(i - ON) else 1.0 for i in range(LENGTH)]
    return series("kube_pod_status_ready", values, condition="true", **POD)


def test_fires_where_it_comes_and_goes():
    (finding,) = judge(case_of(told(ready(lambda i: i % 12 < 5))))
    assert finding.role is Role.MECHANISM
    assert finding.next_commands == ("kubectl describe pod api-3 -n prod",)


def test_its_restarts_are_the_mechanism_where_there_are_some():
    starts = [
        END - 1e6 if i < ON else END - (LENGTH - 1 - i + (i - ON) % 12) * STEP
        for i in range(LENGTH)
    ]
    loop = series(
        "container_start_time_seconds", starts, namespace="prod", pod="api-3", container="api"
    )
    (finding,) = judge(case_of(told(ready(lambda i: i % 12 < 5), loop)))
    assert finding.role is Role.CONTEXT
    assert finding.against


def test_quiet_where_it_was_lost_once():
    assert not list(judge(case_of(told(ready(lambda _: True)))))
    assert not list(judge(case_of(told(ready(lambda _: False)))))
