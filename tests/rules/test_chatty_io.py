"""chatty-io: fires on many small exchanges with one peer; clients, streams and blocks are healthy."""

from locard.rules.chatty_io import judge
from rules.builders import case, row, system_calls

PEER = "tcp 127.0.0.1:40000 -> 127.0.0.1:5432"


def exchange(name=PEER, sends=3000, size=60, receives=3000):
    return (
        row(name, "sendto", sends, bytes=sends * size, detail="peer", total_s=0.1),
        row(name, "recvfrom", receives, bytes=receives * 200, detail="peer", total_s=4.0, pid=7),
    )


def test_fires_on_small_exchanges_with_one_peer():
    (finding,) = judge(case(system_calls(files=exchange())))
    assert finding.title == "600 small exchanges a second with 127.0.0.1:5432"
    assert "in which it spent 4.00 s" in finding.detail


def test_quiet_where_it_is_a_client_a_stream_blocks_or_few():
    for quiet in (
        exchange(name="tcp 127.0.0.1:80 <- 127.0.0.1:40000"),
        exchange(receives=10),
        exchange(size=20000),
        exchange(sends=200, receives=200),
    ):
        assert not list(judge(case(system_calls(files=quiet))))
