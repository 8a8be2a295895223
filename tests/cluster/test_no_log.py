"""What kubectl and the kubelet say in place of a log is taken out, and nothing else is."""

from __future__ import annotations

import pytest

from locard.cluster.last_words import telling_line
from locard.cluster.no_log import LogFilter, no_logs

LINE = b"[pod/pay-1/app] 2026-11-27T20:32:41.716749619Z "
SAID = [
    ("[pod/pay-1/app] unable to retrieve container logs for containerd://d53ce6dd3283", "pay-1", "app", "removed"),
    ('error: container "app" in pod "pay-1" is waiting to start: PodInitializing', "pay-1", "app", "not-started"),
    ('Error from server (BadRequest): container "app" in pod "pay-1" is waiting to start: trying and failing to pull image',
     "pay-1", "app", "not-started"),
    ('error: previous terminated container "app" in pod "pay-1" not found', "pay-1", "app", "no-previous-run"),
    ('Error from server (Forbidden): pods "pay-1" is forbidden: User "x" cannot get resource "pods/log"', "", "", "refused"),
    ("error: Internal error occurred: unable to return a container log stream", "", "", "refused"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "pod", "container", "kind"), SAID)
def test_it_is_no_line_of_the_log(said, pod, container, kind):
    only = LogFilter()
    before, after = LINE + b'{"status":200}\n', LINE + b"error: the service's own line\n"
    assert only(before + said.encode() + b"\n" + after) == before + after
    (found,) = no_logs(only.said)
    assert (found.pod, found.container, found.kind) == (pod, container, kind)
    assert found.says in said


@pytest.mark.parametrize(
    "own",
    [
        b"unable to retrieve container logs for containerd://d53",
        b"error: previous terminated container not found",
        b"Error from server (Forbidden): no",
        b"failed to open log file x",
    ],
)
def test_the_same_words_of_the_service_are_its_own(own):
    only = LogFilter()
    assert only(LINE + own + b"\n") == LINE + own + b"\n"
    assert not only.said


def test_lines_of_pods_that_are_not_meant_are_left_out_and_not_told():
    only = LogFilter(["pay-10", "cart.1"])
    other = LINE.replace(b"pay-1/", b"pay-10/") + b"x\n"
    assert only(other + LINE + b"y\n") == LINE + b"y\n"
    near = LINE.replace(b"pay-1/", b"cartx1/") + b"x\n"
    assert only(near) == near  # a name is no pattern
    assert not only.said


def test_a_last_line_without_its_end():
    only = LogFilter()
    assert only(b'error: previous terminated container "a" in pod "b" not found') == b""
    assert len(only.said) == 1


@pytest.mark.parametrize(
    ("lines", "telling"),
    [
        ("starting\npanic: queue mail has no exchange\n\ngoroutine 1 [running]:\nmain.main()\n\t/x.go:3\nexit status 2\n",
         "panic: queue mail has no exchange"),
        ('Traceback (most recent call last):\n  File "x.py", line 3\nKeyError: total\n', "KeyError: total"),
        ("ERROR: no relation\n", "ERROR: no relation"),
        ("one\ntwo\n\n", "two"),
        ('{"level":"info","msg":"up"}\n{"level":"fatal","msg":"no schema","status":500}\n', "fatal: no schema"),
        ('{"message":"failed","error":"disk full"}\n', "failed: disk full"),
        ('{"code":3,"error":7}\n', '{"code":3,"error":7}'),
        ('{"msg":\n', '{"msg":'),
        ("java.lang.IllegalStateException: Error closing\n\tat a.B.c(B.java:1)\n\t... 3 more\n",
         "java.lang.IllegalStateException: Error closing"),
        ("", ""),
    ],
)  # fmt: skip
def test_the_line_that_tells_why_a_run_ended(lines, telling):
    assert telling_line(lines) == telling
