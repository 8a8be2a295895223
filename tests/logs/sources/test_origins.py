"""What each kind of source knows of where its log begins; answers as real programs gave them."""

from __future__ import annotations

import json
import os
import shlex
import time
from dataclasses import replace

import pytest

from locard.logs.input import log_source
from locard.logs.judge.beginnings import _why

INSPECTED = {
    "Created": "2026-11-27T18:04:05.531552694Z",
    "State": {"StartedAt": "2026-11-27T18:04:05.678829041Z"},
    "RestartCount": 0,
    "LogPath": "/var/lib/docker/containers/3e8f/3e8f-json.log",
    "HostConfig": {"LogConfig": {"Type": "json-file", "Config": {}}},
}
HEADER = """File path: /var/log/journal/0f/system@1b.journal
Machine ID: 0f
Head realtime timestamp: Fri 2026-11-27 18:00:00 UTC ({late:x})
Tail realtime timestamp: Fri 2026-11-27 18:30:00 UTC (65497a0a4a4a4)

File path: {folder}/journal/0f/system.journal
Head realtime timestamp: Fri 2026-11-27 17:00:00 UTC ({early:x})
"""
EARLY = 1_795_798_800


@pytest.fixture
def origins():
    """The origins of a source, once it was read."""

    def ask(name, **wants):
        source = log_source.open_source(str(name), log_source.Wants(**wants))
        try:
            list(source.blocks(20.0))
            return source.origins()
        finally:
            source.close()

    return ask


def docker(program, record, first="2026-11-27T18:04:06.000000001Z"):
    program(
        "docker",
        f"""case "$*" in
container*) echo {shlex.quote(json.dumps([record]))};;
*--timestamps*) echo '{first} {{"status":200}}';;
*) echo '{{"status":200}}';;
esac
""",
    )


@pytest.mark.parametrize(
    ("driver", "options", "rotates"),
    [
        ("json-file", {}, ""),
        ("json-file", {"max-size": "-1"}, ""),
        ("json-file", {"max-size": "10m", "max-file": "3"}, "docker keeps 3 files of 10m of it"),
        ("json-file", {"max-size": "10m"}, "docker keeps 1 file of 10m of it"),
        ("local", {}, "docker keeps 5 files of 20m of it"),
        ("journald", {}, "it is kept in the journal, which removes what is old"),
        ("awslogs", {}, "its log driver is awslogs: docker logs reads a copy of at most 5 files"),
    ],
)
def test_how_docker_keeps_a_log(program, origins, driver, options, rotates):
    log = {"LogConfig": {"Type": driver, "Config": options}}
    docker(program, {**INSPECTED, "HostConfig": log})
    (found,) = origins("container/pay-1")
    assert found.rotates.startswith(rotates)
    assert bool(found.rotates) == bool(rotates)
    assert [round(s) for s in found.starts] == [1795802646, 1795802646]
    assert round(found.first) == 1795802646
    inspected, first = found.evidence
    assert "LogPath=/var/lib/docker" in inspected
    assert "docker logs --timestamps pay-1: its first line" in first


@pytest.mark.parametrize("record", [{}, {"State": None}, [], {**INSPECTED, "HostConfig": 7}])
def test_a_record_that_is_another_one_is_no_crash(program, origins, record):
    docker(program, record)
    (found,) = origins("container/pay-1")
    assert "does not say how" in found.note
    assert not found.starts


def test_a_max_file_that_is_no_number_is_no_crash(program, origins):
    log = {"LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "x"}}}
    docker(program, {**INSPECTED, "HostConfig": log})
    (found,) = origins("container/pay-1")
    assert "does not say how" in found.note


def journal(program, header, complaint=""):
    program(
        "journalctl",
        f"""case "$*" in
--header*) cat <<'X'
{header}
X
echo {shlex.quote(complaint)} >&2;;
*) echo '{{"MESSAGE":"x","__REALTIME_TIMESTAMP":"1795798800000000"}}';;
esac
""",
    )


def test_how_far_back_the_journal_goes(program, origins):
    header = HEADER.format(late=(EARLY + 3600) * 10**6, early=EARLY * 10**6, folder="/var/log")
    journal(program, header)
    (found,) = origins("unit/pay.service")
    assert found.kept_from == EARLY
    assert found.keeper == "the journal"
    (told,) = found.evidence
    assert (
        told == "journalctl --header --no-pager: 2 files, the oldest entry of 2026-11-27T17:00:00Z"
    )
    assert not found.rest  # nothing that this journalctl reads is older
    assert "journalctl --directory" in found.others[0]
    (asked,) = origins("unit/pay.service", since_s=60.0)
    assert asked.asked
    # A journal that was vacuumed begins later than what was asked for: then that is why.
    assert asked.asked_from == pytest.approx(time.time() - 120.0, abs=30)
    assert _why(replace(asked, asked_from=EARLY - 600.0), EARLY + 1.0)[0] == "kept-from"
    assert _why(replace(asked, asked_from=EARLY - 600.0), EARLY - 599.0)[0] == "asked"


def test_a_journal_in_memory_is_one_of_this_boot(program, origins):
    header = HEADER.replace("/var/log", "/run/log").format(
        late=(EARLY + 3600) * 10**6, early=EARLY * 10**6, folder="/run/log"
    )
    journal(program, header)
    assert "since this boot" in origins("journald")[0].keeper


def test_a_user_who_may_not_see_all_of_it_is_told_who_may(program, origins):
    hint = "Hint: You are currently not seeing messages from other users and the system."
    journal(program, HEADER.format(late=EARLY * 10**6, early=EARLY * 10**6, folder="/x"), hint)
    (found,) = origins("journald")
    assert found.rest == (f"sudo journalctl: {hint}",)


def test_a_journal_that_does_not_say_is_unknown(program, origins):
    journal(program, "", "No permission to read system.journal")
    (found,) = origins("journald")
    assert found.kept_from is None
    assert "could not be read" in found.note
    assert "No permission" in found.evidence[0]


def container(name, started, restarts=0, last=None):
    status = {"name": name, "restartCount": restarts, "state": {"running": {"startedAt": started}}}
    return {**status, "lastState": {"terminated": {"startedAt": last}} if last else {}}


def pod(name, *containers):
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "uid": "u-1"},
        "spec": {"nodeName": "node-3"},
        "status": {"containerStatuses": list(containers)},
    }


def kubectl(program, answer, code=0):
    program(
        "kubectl",
        f"""case "$*" in
get*) echo {shlex.quote(answer)}; exit {code};;
*) echo '[pod/pay-1/app] 2026-11-27T18:04:06.000000001Z {{"status":200}}';;
esac
""",
    )


def test_each_container_with_its_start_and_what_has_older_lines(program, origins):
    first = container("app", "2026-11-27T18:00:00Z", 2, "2026-11-27T17:00:00Z")
    pods = {
        "kind": "List",
        "items": [pod("pay-1", first, container("side", "2026-11-27T16:00:00Z"))],
    }
    kubectl(program, json.dumps(pods))
    app, side = origins("label/app=pay", namespace="shop")
    assert (app.name, app.restarts, app.starts) == ("pay-1/app", 2, (1795802400.0,))
    assert app.rest == (
        "kubectl logs --previous pod/pay-1 -n shop -c app",
        "the files /var/log/pods/shop_pay-1_u-1/app/ on node node-3",
    )
    assert "10 MiB" in app.rotates
    (told,) = app.evidence
    asked = "kubectl get pods --selector=app=pay --output=json --namespace=shop: "
    assert told.startswith(asked)
    assert told.endswith("container app: startedAt=2026-11-27T18:00:00Z, restartCount=2")
    assert (side.name, side.restarts, len(side.rest)) == ("pay-1/side", 0, 1)
    (only,) = origins("label/app=pay", container="side")
    assert only.name == "pay-1/side"
    before, _ = origins("label/app=pay", previous=True)
    assert before.starts == (1795798800.0,)
    assert not any("--previous" in r for r in before.rest)


@pytest.mark.parametrize(
    "answer", ["", "{", "[]", "7", '{"kind":"List","items":[7]}', '{"kind":"Pod","status":7}']
)
def test_an_answer_that_is_no_pod_is_said(program, origins, answer):
    kubectl(program, answer, 1)
    (found,) = origins("pod/pay-1")
    assert "10 MiB" in found.rotates
    assert found.evidence[0].startswith("kubectl get pods pay-1")


def test_what_came_through_a_pipe_does_not_say(locard):
    lines = "".join(
        f'{{"time":"2026-11-27T18:00:{n % 60:02}.{n:03}Z","status":{503 if n % 2 else 200}}}\n'
        for n in range(600)
    )
    found = locard.json("logs", "-", input=lines)["log_summary"]["beginnings"]
    assert found[0]["kind"] == "unknown"
    assert "pipe" in found[0]["detail"]


def test_a_redirected_file_that_is_read_from_its_middle(locard, tmp_path):
    path = tmp_path / "app.log"
    path.write_text(
        "".join(f'{{"time":"2026-11-27T18:00:{n:02}Z","status":200}}\n' for n in range(60))
    )
    with path.open() as file:
        os.lseek(file.fileno(), 1035, os.SEEK_SET)
        found = locard.json("logs", "-", stdin=file)["log_summary"]["beginnings"]
    assert "from byte 1,035" in found[0]["detail"]


def test_a_window_says_that_it_was_asked_for(tmp_path, origins, monkeypatch):
    monkeypatch.setattr("locard.far.line_times._AT_LEAST", 0)
    monkeypatch.setattr("locard.far.line_times._NEAR", 1 << 10)
    path = tmp_path / "app.log"
    path.write_text(
        "".join(
            f'{{"time":"2026-11-27T18:{n // 60:02}:{n % 60:02}Z","status":200}}\n'
            for n in range(3000)
        )
    )
    (found,) = origins(path, since_s=60.0)
    assert found.asked
    assert "bytes are older" in found.note
    assert not origins(path)[0].asked
