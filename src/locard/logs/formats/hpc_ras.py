"""Event logs of large machines: Blue Gene/L's RAS events, and syslog as Thunderbird collected it.

Source: the logs of Blue Gene/L and Thunderbird that the USENIX Computer Failure Data Repository publishes.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample, TextFormat

_HEAD = r"(?:-|(?P<alert>[A-Z][A-Z0-9_]*)) (?P<time>\d{9,10}) \d{4}\.\d\d\.\d\d (?P<node>\S+) "

TEXT = (
    TextFormat(
        _HEAD + r"\d{4}-\d\d-\d\d-\d\d\.\d\d\.\d\d\.\d{6} \S+ (?P<kind>\S+) (?P<component>\S+) "
        r"(?P<level>INFO|WARNING|ERROR|SEVERE|FATAL|FAILURE) (?P<message>.*)",
        levels={"failure": "fatal"},
        rank=60,
    ),
    TextFormat(
        _HEAD + r"[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d (?P<source>\S+) "
        r"(?:(?P<app>[A-Za-z][^\s\[\]:]*)(?:\[(?P<pid>\d+)\])?: )?(?P<message>.*)",
        rank=61,
    ),
)

SAMPLES = (
    LineSample(
        "- 1763812800 2025.11.22 R02-M1-N0-C:J12-U11 2025-11-22-12.00.00.363779 R02-M1-N0-C:J12-U11 "
        "RAS KERNEL INFO instruction cache parity error corrected",
        {"time": 1763812800.0, "level": "info", "component": "KERNEL", "alert": None,
         "node": "R02-M1-N0-C:J12-U11", "message": "instruction cache parity error corrected"},
    ),
    LineSample(
        "KERNDTLB 1763812801 2025.11.22 R30-M0-N9-C:J16-U01 2025-11-22-12.00.01.527847 R30-M0-N9-C:J16-U01 "
        "RAS KERNEL FATAL data TLB error interrupt",
        {"time": 1763812801.0, "level": "fatal", "alert": "KERNDTLB"},
    ),
    LineSample(
        "- 1763812802 2025.11.22 dn228 Nov 22 12:00:02 dn228/dn228 crond(pam_unix)[2915]: session closed",
        {"time": 1763812802.0, "node": "dn228", "app": "crond(pam_unix)", "message": "session closed"},
    ),
)  # fmt: skip
