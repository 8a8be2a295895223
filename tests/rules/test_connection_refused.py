"""connection-refused: fires on messages that became more, and names who refuses."""

from locard.rules.connection_refused import judge
from rules.builders import case, log, message, row, trace

TEXT = "call to http://10.0.0.7:9102/charge failed: [Errno 111] Connection refused"


def test_fires_on_messages_since_the_onset():
    (finding,) = judge(case(log(changed=("errors",), messages=(message(TEXT, after=38),))))
    assert finding.title == "Connections are refused, for example by 10.0.0.7:9102"
    assert finding.next_commands[0] == "nc -vz -w 2 10.0.0.7 9102"


def test_quiet_where_it_was_as_frequent_before_or_nothing_changed():
    for quiet in (
        log(changed=("errors",), messages=(message(TEXT, before=90, after=38),)),
        log(changed=(), messages=(message(TEXT, after=38),)),
        log(changed=("errors",), messages=(message("boom", after=38),)),
    ):
        assert not list(judge(case(quiet)))


def test_fires_on_connects_that_the_kernel_saw_refused_v4_and_v6_apart():
    rows = (row("127.0.0.1:5433", "ECONNREFUSED", 8), row("[::1]:5433", "ECONNREFUSED", 8))
    (finding,) = judge(case(trace("tcp-connect-latency", *rows, row("10.0.0.7:5432", "ok", 50))))
    assert finding.title == "Connections are refused by 127.0.0.1:5433 and [::1]:5433"


def test_quiet_on_one_refusal_and_on_connects_that_were_given_up():
    rows = (row("127.0.0.1:5433", "ECONNREFUSED", 1), row("127.0.0.9:5432", "gave up", 9))
    assert not list(judge(case(trace("tcp-connect-latency", *rows))))
