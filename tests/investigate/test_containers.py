"""What an engine's record says of a container, and of one that has ended."""

from __future__ import annotations

import json

import pytest

from locard.investigate import containers
from locard.model.errors import NotPermittedError, TargetNotFoundError
from locard.model.evidence import Output
from locard.model.place import Ground

RUNS = {"Id": "4f" * 32, "State": {"Pid": 4242, "Running": True, "Status": "running"}}
ENDED = {
    "Id": "4f" * 32,
    "RestartCount": 3,
    "State": {"Pid": 0, "Running": False, "Status": "exited", "ExitCode": 137, "OOMKilled": True,
              "FinishedAt": "2026-11-27T10:00:00.1Z"},
}  # fmt: skip


def output(data, **options):
    return Output(("docker",), json.dumps([data]).encode(), **options)


def test_one_that_runs():
    record = containers.record_of("container/pay", "docker", output(RUNS))
    assert (record.pid, record.id[:4]) == (4242, "4f4f")


def test_one_that_has_ended_says_how():
    with pytest.raises(TargetNotFoundError) as raised:
        containers.record_of("container/pay", "docker", output(ENDED))
    for word in ("exited", "killed for memory", "exit code 137", "3 restarts", "10:00:00"):
        assert word in raised.value.why
    assert "locard logs container/pay" in raised.value.next_step


@pytest.mark.parametrize("said", [b"", b"[]", b"[{}]", b"[1]", b'[{"State": null}]', b"{"])
def test_no_record_is_said_in_the_engines_words(said):
    failed = Output(("podman",), said, b"Error: no such container pay", exit_code=1)
    with pytest.raises(TargetNotFoundError, match="no such container") as raised:
        containers.record_of("container/pay", "podman", failed)
    assert "podman ps -a" in raised.value.next_step


def test_which_engine():
    both = Ground("h", "u", 0, tools=(("docker", "/d"), ("podman", "/p")))
    assert containers.engines(both) == ("docker", "podman")
    assert containers.engines(Ground("h", "u", 0, tools=(("podman", "/p"),))) == ("podman",)
    with pytest.raises(NotPermittedError, match="no container engine"):
        containers.engines(Ground("h", "u", 0))


@pytest.mark.parametrize("data", [b"[" * 100_000, b'[{"State": {"Pid": 1e999}}]', b"{"])
def test_an_answer_that_cannot_be_read_is_said_to_be_one(data):
    with pytest.raises(TargetNotFoundError) as raised:
        containers.record_of("container/pay", "docker", Output(("docker",), data))
    assert raised.value.why == "what docker answered could not be read"
