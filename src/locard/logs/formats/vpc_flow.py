"""VPC flow logs of AWS: a table with its names, as S3 keeps them, or lines of the default columns.

Source: AWS's documentation, Flow log records; `start` is when the first packet came, in Unix seconds.
"""

from __future__ import annotations

from locard.logs.lines.line_format import ISO, Delimited, LineSample, TextFormat

DELIMITED = (
    Delimited(delimiter=" ", columns=("srcaddr", "dstaddr", "start"), names={"start": "time"}),
    Delimited(delimiter=" ", columns=("interface-id", "start"), names={"start": "time"}),
)
TEXT = (
    TextFormat(
        rf"(?:(?P<received>{ISO}) )?(?P<version>\d) (?P<account_id>\d{{12}}|unknown) (?P<interface_id>eni-\w+) "
        r"(?P<srcaddr>\S+) (?P<dstaddr>\S+) (?P<srcport>\d+|-) (?P<dstport>\d+|-) (?P<protocol>\d+|-) "
        r"(?P<packets>\d+|-) (?P<bytes>\d+|-) (?P<time>\d{10}) (?P<end>\d{10}) (?P<action>ACCEPT|REJECT|-) "
        r"(?P<log_status>OK|NODATA|SKIPDATA)",
        words=("eni-",),
        rank=20,
    ),
)
SAMPLES = (
    LineSample(
        "2 123456789012 eni-0a1b 10.0.1.4 10.0.9.8 41234 5432 6 12 3400 1763812800 1763812860 REJECT OK",
        {"time": 1763812800.0, "action": "REJECT", "dstport": "5432", "bytes": "3400"},
    ),
    LineSample(
        "2 123456789012 eni-0a1b - - - - - - - 1763812860 1763812920 - NODATA",
        {"time": 1763812860.0, "action": None, "log_status": "NODATA"},
    ),
    LineSample(
        "2025-11-22T12:02:05.000Z 2 123456789012 eni-0a1b 2001:db8::4 10.0.9.8 41234 443 6 1 40 1763812920 1763812980 ACCEPT OK",
        {"time": 1763812920.0, "action": "ACCEPT", "srcaddr": "2001:db8::4"},
    ),
)
