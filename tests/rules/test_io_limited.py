"""io-limited: fires on slow calls, a fast device and a limit in force; a slow device is disk-slow."""

from locard.rules.io_limited import judge
from rules.builders import case, row, system_calls, trace

LIMIT = row("loop0", "limit", 0, detail="write_iops 15 for cgroup /case of the target")
FAST = row("loop0", "ok", 80, total_s=0.04)
SLOW_WRITE = row(
    "/srv/wal", "pwrite64", 26, total_s=4.7, p50_s=0.19, detail="file, on /dev/loop0", pid=7
)


def test_fires_where_calls_are_slow_and_the_device_is_fast():
    (finding,) = judge(case(trace("disk-latency", FAST, LIMIT), system_calls(files=(SLOW_WRITE,))))
    assert finding.title == "The cgroup's I/O limit holds pwrite64 on /srv/wal back: 181 ms each"
    assert (
        "in force: write_iops 15 for cgroup /case of the target; loop0 itself answers in 500 us"
        in finding.detail
    )


def test_fires_on_what_the_fsync_program_counted():
    write = row("/srv/wal", "ok", 21, total_s=3.9, detail="pwrite64, O_DSYNC; on loop0")
    (finding,) = judge(case(trace("disk-latency", LIMIT), trace("fsync", write)))
    assert "holds pwrite64, O_DSYNC on /srv/wal back" in finding.title


def test_quiet_without_a_limit_on_a_slow_device_and_on_fast_calls():
    slow_device = row("loop0", "ok", 80, total_s=8.0)
    calls = system_calls(files=(SLOW_WRITE,))
    assert not list(judge(case(trace("disk-latency", FAST), calls)))
    assert not list(judge(case(trace("disk-latency", slow_device, LIMIT), calls)))
    fast = row("/srv/wal", "pwrite64", 400, total_s=0.2, detail="file, on /dev/loop0")
    assert not list(judge(case(trace("disk-latency", FAST, LIMIT), system_calls(files=(fast,)))))
    elsewhere = row("/srv/wal", "pwrite64", 26, total_s=4.7, detail="file, on /dev/vda")
    assert not list(
        judge(case(trace("disk-latency", FAST, LIMIT), system_calls(files=(elsewhere,))))
    )
