"""Tomcat and java.util.logging: one line, or two of which the first has the time.

Source: Tomcat's OneLineFormatter, java.util.logging.SimpleFormatter.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample, TextFormat

_LEVEL = r"(?P<level>SEVERE|WARNING|INFO|CONFIG|FINE|FINER|FINEST)"

TEXT = (
    TextFormat(
        rf"(?P<time>\d\d-[A-Z][a-z]{{2}}-\d{{4}} \d\d:\d\d:\d\d\.\d{{3}}) {_LEVEL} \[(?P<thread>[^\]]+)\] "
        r"(?P<logger>[\w.$]+) (?P<message>.*)",
        time="%d-%b-%Y %H:%M:%S.%f",
        rank=38,  # before what looks like a stack trace
    ),
    TextFormat(
        r"(?P<time>[A-Z][a-z]{2} \d{1,2}, \d{4},? \d{1,2}:\d\d:\d\d [AP]M) (?P<logger>[\w.$]+)(?: (?P<function>\S+))?",
        time="%b %d %Y %I:%M:%S %p",
        opens=True,
        rank=38,
    ),
)

SAMPLES = (
    LineSample(
        "22-Nov-2025 12:00:00.250 INFO [main] org.apache.catalina.startup.Catalina.start Server startup in [912] ms",
        {"time": 1763812800.25, "level": "info", "thread": "main", "message": "Server startup in [912] ms",
         "logger": "org.apache.catalina.startup.Catalina.start"},
    ),
    LineSample(
        "22-Nov-2025 12:00:01.000 SEVERE [exec-4] org.apache.catalina.core.StandardWrapperValve.invoke threw exception",
        {"level": "severe", "message": "threw exception"},
    ),
    LineSample("java.lang.NullPointerException", None),
    LineSample("\tat com.acme.Pay.doGet(Pay.java:41)", None),
    LineSample("Nov 22, 2025 12:00:02 PM com.acme.Pay charge", None),
    LineSample(
        "SEVERE: card declined",
        {"time": 1763812802.0, "level": "severe", "logger": "com.acme.Pay", "function": "charge",
         "message": "card declined"},
    ),
)  # fmt: skip
