"""close-wait-leak: a mechanism where descriptors run out as well, quiet on a few of them."""

from __future__ import annotations

from locard.model import semconv
from locard.model.facts import Peer, Peers
from locard.model.finding import Role
from locard.rules.close_wait_leak import judge
from rules.builders import case, readings

LEAK = (semconv.PROCESS_CLOSE_WAIT, "peer 127.0.0.1:9102", 210, "warning")
FULL = (semconv.PROCESS_OPEN_FDS, "pid 7", 250, "critical", 256)


def test_fires_with_the_peer_named():
    peer = Peer("127.0.0.1:9102", "tcp", None, 20, "bank", False, (7,), 3, 0, 210)
    (found,) = judge(case(Peers((peer,)), readings(LEAK, FULL)))
    assert found.role is Role.MECHANISM
    assert found.title.startswith("210 connections to 127.0.0.1:9102 (bank, pid 20")
    assert found.next_commands == ("ss -tanp state close-wait dst 127.0.0.1:9102",)


def test_with_descriptors_to_spare_it_is_background():
    (found,) = judge(case(readings(LEAK)))
    assert found.role is Role.CONTEXT


def test_clients_that_hung_up_are_said_as_what_they_are():
    waiting = (semconv.PROCESS_CLOSE_WAIT, "clients of port 8080", 60, "warning")
    (found,) = judge(case(readings(waiting)))
    assert found.title == "60 clients of port 8080 hung up and wait to be closed (CLOSE_WAIT)"
    assert found.next_commands == ("ss -tanp state close-wait sport = :8080",)


def test_quiet_on_a_few():
    few = (semconv.PROCESS_CLOSE_WAIT, "peer 127.0.0.1:9102", 3, "ok")
    assert list(judge(case(readings(few, FULL)))) == []
