"""The Linux audit log: its records are pairs behind a type and a stamp.

Source: the log format that the Linux audit documentation describes.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample, TextFormat

TEXT = (
    TextFormat(
        r"(?:node=(?P<node>\S+) )?type=(?P<type>\w+) msg=audit\((?P<time>\d+\.\d+):(?P<serial>\d+)\):(?: (?P<pairs>.*))?",
        rank=5,
    ),
)

SAMPLES = (
    LineSample(
        "type=SYSCALL msg=audit(1763812800.250:101): arch=c000003e syscall=2 success=no exit=-13 pid=412 "
        'comm="cat" exe="/usr/bin/cat"',
        {"time": 1763812800.25, "type": "SYSCALL", "success": "no", "exit": "-13", "comm": "cat"},
    ),
    LineSample(
        'type=CWD msg=audit(1763812800.250:101): cwd="/root"',
        {"time": 1763812800.25, "type": "CWD", "serial": "101", "cwd": "/root"},
    ),
    LineSample(
        "node=web-1 type=EOE msg=audit(1763812801.000:102): ",
        {"time": 1763812801.0, "node": "web-1", "type": "EOE"},
    ),
)  # fmt: skip
