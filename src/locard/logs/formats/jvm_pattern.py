"""Pattern layouts of logback, log4j, Spring Boot, Spark and Hadoop, with date and time or time only.

Source: the default patterns of logback's BasicConfigurator, log4j 2, Spring Boot 2 and 3, and the
log4j.properties of Spark and Hadoop.
"""

from __future__ import annotations

from locard.logs.lines.line_format import ISO, LineSample, TextFormat

_LEVEL = r"(?P<level>TRACE|DEBUG|INFO|WARN|ERROR|FATAL|OFF)"
_REST = r"(?P<logger>[\w.$\[\]/-]+) *(?:\((?P<source>[\w.]+:\d+)\) *)?[-:] (?P<message>.*)"
_TRACE = r"(?:\[(?:[\w.-]*,)?(?P<trace_id>[0-9a-f]{16,32}),(?P<span_id>[0-9a-f]{16})[^\]]*\] )?"

TEXT = (
    TextFormat(
        rf"(?P<time>{ISO}) +{_LEVEL} +{_TRACE}(?P<pid>\d+) --- (?:\[(?P<app>[^\]]*)\] )?\[ *(?P<thread>[^\]]+)\] "
        rf"{_TRACE.replace('trace_id', 'trace_b').replace('span_id', 'span_b')}(?P<logger>\S+) *: (?P<message>.*)",
        names={"trace_b": "trace_id", "span_b": "span_id"},
        rank=20,
    ),
    TextFormat(rf"(?P<time>{ISO}) +\[(?P<thread>[^\]]+)\] +{_LEVEL} +{_TRACE}{_REST}", rank=20),
    TextFormat(rf"(?P<time>{ISO}) +{_LEVEL} +\[(?P<thread>[^\]]+)\] +{_REST}", rank=20),
    TextFormat(
        rf"(?P<time>\d\d:\d\d:\d\d[.,]\d{{3}}) +\[(?P<thread>[^\]]+)\] +{_LEVEL} +{_REST}",
        time="%H:%M:%S.%f",
        rank=20,
    ),
    # log4j as Hadoop and Spark set it up for the console
    TextFormat(
        rf"(?P<time>\d\d/\d\d/\d\d \d\d:\d\d:\d\d) {_LEVEL} (?P<logger>[\w.$]+): (?P<message>.*)",
        time="%y/%m/%d %H:%M:%S",
        rank=20,
    ),
    # and as the first releases of Hadoop did for files
    TextFormat(
        rf"(?P<time>\d{{6}} \d{{6}}) (?P<thread>\d+) {_LEVEL} (?P<logger>[\w.$]+): (?P<message>.*)",
        time="%y%m%d %H%M%S",
        rank=20,
    ),
)

SAMPLES = (
    LineSample(
        "2025-11-22 12:00:00.250 [http-1] ERROR c.a.pay.Charge - card declined",
        {"time": 1763812800.25, "level": "error", "logger": "c.a.pay.Charge", "thread": "http-1",
         "message": "card declined"},
    ),
    LineSample("com.acme.pay.DeclinedException: 51", None),
    LineSample("\tat com.acme.pay.Charge.run(Charge.java:41)", None),
    LineSample("Caused by: java.net.SocketTimeoutException: Read timed out", None),
    LineSample("\t... 23 more", None),
    LineSample(
        "2025-11-22T13:00:01.000+01:00  WARN 412 --- [payment] [nio-8080-exec-1] c.a.pay.Charge   : slow reply",
        {"time": 1763812801.0, "level": "warn", "app": "payment", "message": "slow reply"},
    ),
    LineSample(
        "2025-11-22 12:00:02,125 INFO  [main] com.acme.Boot (Boot.java:12) - ready",
        {"time": 1763812802.125, "level": "info", "source": "Boot.java:12", "message": "ready"},
    ),
    LineSample(
        "12:00:03.500 [main] DEBUG com.acme.Boot - pool of 8",
        {"time": 1763812803.5 + 8 * 86400, "level": "debug", "message": "pool of 8"},
    ),
    LineSample(
        "2025-11-22T12:00:04.000Z ERROR [payment,4bf92f3577b34da6a3ce929d0e0e4736,00f067aa0ba902b7] 1 --- [exec-2] c.a.Pay : boom",
        {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7", "message": "boom"},
    ),
    LineSample(
        "25/11/22 12:00:05 WARN storage.BlockManager: Putting block rdd_2_1 failed",
        {"time": 1763812805.0, "level": "warn", "logger": "storage.BlockManager"},
    ),
    LineSample(
        "251122 120006 148 INFO dfs.DataNode$PacketResponder: PacketResponder 1 for block terminating",
        {"time": 1763812806.0, "level": "info", "logger": "dfs.DataNode$PacketResponder", "thread": "148"},
    ),
)  # fmt: skip
