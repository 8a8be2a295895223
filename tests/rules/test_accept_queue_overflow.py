"""accept-queue-overflow: a mechanism where the target's own queue is full, else background."""

from __future__ import annotations

from locard.model import semconv
from locard.model.finding import Role
from locard.rules.accept_queue_overflow import judge
from rules.builders import case, readings, row, trace

DROPS = (semconv.SYSTEM_LISTEN_OVERFLOWS, "network namespace", 40, "critical")


def queue(value, verdict):
    return (semconv.PROCESS_ACCEPT_QUEUE, "port 8080", value, verdict, 64)


def test_fires_on_a_full_queue_with_its_drops():
    (found,) = judge(case(readings(queue(65, "critical"), DROPS)))
    assert found.role is Role.MECHANISM
    assert (
        found.title
        == "The accept queue of port 8080 is full: 65 connections wait, with room for 64"
    )
    assert len(found.supports) == 2
    assert found.next_commands == ("ss -ltnp sport = :8080",)


def test_a_short_queue_is_background_and_drops_may_be_anybodys():
    (found,) = judge(case(readings(queue(5, "warning"), DROPS)))
    assert found.role is Role.CONTEXT
    assert len(found.supports) == 1


def test_quiet_on_an_empty_queue():
    assert list(judge(case(readings(queue(0, "ok"), DROPS)))) == []


def test_fires_on_what_the_kernel_dropped():
    rows = (row("0.0.0.0:8080", "dropped", 7), row("0.0.0.0:8080", "accepted", 3, p50_s=0.14))
    (finding,) = judge(case(trace("accept-queue", *rows)))
    assert (
        finding.title == "The accept queue of port 8080 overflows: 7 packets of connections dropped"
    )


def test_quiet_where_connections_are_accepted_at_once():
    assert not list(
        judge(case(trace("accept-queue", row("0.0.0.0:8080", "accepted", 900, p50_s=0.0002))))
    )
