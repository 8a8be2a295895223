"""dns-slow: threads that wait for a name server, or messages that say that names fail."""

from locard.rules.dns_slow import judge
from rules.builders import calling, case, log, message, row, stacks, trace, waiting

SERVER = "10.96.0.10:53"


def test_fires_on_threads_that_wait_for_port_53():
    (finding,) = judge(case(log(), calling(SERVER, syscall="poll")))
    assert SERVER in finding.title
    assert "@10.96.0.10" in finding.next_commands[0]


def test_threads_in_getaddrinfo_without_a_word_of_the_kernel():
    frames = ("getaddrinfo <lib>/socket.py:962", "fetch app.py:9", "handle app.py:4")
    (finding,) = judge(case(log(), stacks(*(waiting(n, n, *frames) for n in range(6)))))
    assert finding.title == "Threads wait for the DNS answer"


def test_messages_alone():
    text = "[Errno -3] Temporary failure in name resolution"
    (finding,) = judge(case(log(changed=("errors",), messages=(message(text, after=38),))))
    assert finding.title == "Names cannot be resolved"


def test_quiet_where_few_look_up_or_all_is_well():
    assert not list(judge(case(log(), calling("10.0.0.9:5432"))))
    assert not list(judge(case(log(changed=()), calling(SERVER))))


STORM = row(
    "lookup of db.shop", "ok", 30, total_s=4.3, p50_s=0.145,
    detail="search path: 8 questions per lookup, 6 answered NXDOMAIN; a final dot or ndots saves 6",
)  # fmt: skip


def test_fires_on_the_search_path_and_names_the_slow_question():
    slow = row("db.shop.svc.example A", "NXDOMAIN", 30, p50_s=0.12, detail="server 10.0.0.53:53")
    (finding,) = judge(case(trace("dns-latency", STORM, slow)))
    assert finding.title.startswith("Each lookup of db.shop takes 145 ms: search path: 8 questions")
    assert "the slowest question is db.shop.svc.example A: 120 ms" in finding.detail


def test_quiet_on_a_quick_lookup_and_on_one():
    quick = row("lookup of db.shop", "ok", 46, total_s=0.46, p50_s=0.01)
    one = row("lookup of db.shop", "ok", 1, total_s=0.2, p50_s=0.2)
    for quiet in (quick, one):
        assert not list(judge(case(trace("dns-latency", quiet))))
