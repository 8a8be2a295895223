"""disk-slow: fires on a device that is slow itself; a fast one, or a few requests, are healthy."""

from locard.rules.disk_slow import judge
from rules.builders import case, row, trace


def requests(count=40, each_s=0.08, **more):
    return row("vda", "ok", count, thread="wal-writer", total_s=count * each_s, max_s=0.2, **more)


def test_fires_and_names_the_device():
    (finding,) = judge(case(trace("disk-latency", requests())))
    assert finding.title == "The disk vda takes 80.0 ms for a request"


def test_quiet_on_a_fast_disk_a_few_requests_and_a_limit_alone():
    for quiet in (
        requests(each_s=0.001),
        requests(count=2),
        row("vda", "limit", 0, detail="write_iops 15"),
    ):
        assert not list(judge(case(trace("disk-latency", quiet))))
