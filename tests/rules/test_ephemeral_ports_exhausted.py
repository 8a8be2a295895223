"""ephemeral-ports-exhausted: fires on EADDRNOTAVAIL of connects; one address that is not here is none."""

from locard.rules.ephemeral_ports_exhausted import judge
from rules.builders import case, row, system_calls, trace


def test_fires_and_names_the_peer():
    connects = row("connect", count=500, errors=40)
    calls = system_calls(connects, errors=(row("connect", "EADDRNOTAVAIL", 40),))
    peers = trace("tcp-connect-latency", row("10.0.0.7:5432", "EADDRNOTAVAIL", 40))
    (finding,) = judge(case(calls, peers))
    assert finding.title == "No local port is left for connections to 10.0.0.7:5432"
    assert "40 of 500 connect calls fail with EADDRNOTAVAIL" in finding.detail


def test_quiet_on_one_failure_other_errors_and_bind():
    for error in (
        row("connect", "EADDRNOTAVAIL", 1),
        row("connect", "ECONNREFUSED", 40),
        row("bind", "EADDRNOTAVAIL", 40),
    ):
        assert not list(judge(case(system_calls(row("connect", count=50), errors=(error,)))))
