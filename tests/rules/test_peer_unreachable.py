"""peer-unreachable: connections that are not answered, against answers that are late."""

from locard.rules.peer_unreachable import judge
from rules.builders import calling, case, log, message, peer, peers, row, trace

GONE = "10.0.0.9:5432"


def test_fires_on_sockets_that_wait_for_the_connection():
    (finding,) = judge(case(log(), peers(peer(GONE, connecting=6, established=0))))
    assert finding.title == f"Connections to {GONE} are not answered"
    assert "syn-sent" in finding.next_commands[0]


def test_threads_in_connect():
    (finding,) = judge(case(log(), calling(GONE, syscall="connect")))
    assert GONE in finding.title


def test_messages_of_the_connection():
    said = log(changed=("errors",), messages=(message("connect timeout to rates", after=38),))
    (finding,) = judge(case(said))
    assert finding.explains


def test_quiet_where_the_answer_is_late_or_all_is_well():
    assert not list(judge(case(log(), calling(GONE), peers(peer(GONE)))))
    assert not list(judge(case(log(changed=()), peers(peer(GONE, connecting=6)))))


def test_threads_beside_a_connection_that_is_not_made():
    """A connection that does not block is waited for in poll: its socket says what it waits for."""
    beside = calling(GONE, syscall="poll", waits_for=f"tcp 127.0.0.1:5 -> {GONE} (connecting)")
    (finding,) = judge(case(log(), beside))
    assert GONE in finding.title


def test_fires_on_connects_that_nobody_answered():
    rows = (row("127.0.0.9:5432", "gave up", 9, p50_s=0.3), row("203.0.113.5:80", "ENETUNREACH", 9))
    (finding,) = judge(case(trace("tcp-connect-latency", *rows)))
    assert finding.title == "No answer to connections from 127.0.0.9:5432 and 203.0.113.5:80"
    assert "9 connects to 127.0.0.9:5432: gave up after 300 ms" in finding.detail


def test_quiet_on_refusals_and_successes():
    rows = (row("127.0.0.1:1", "ECONNREFUSED", 9), row("127.0.0.1:2", "ok", 9))
    assert not list(judge(case(trace("tcp-connect-latency", *rows))))
