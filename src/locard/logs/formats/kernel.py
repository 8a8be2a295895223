"""The kernel's log as dmesg prints it, and journalctl with times since the start of the machine.

Source: dmesg(1) of util-linux with its options -T and -x; journalctl(1), -o short-monotonic.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample, TextFormat

_LEVEL = (
    r"(?:(?P<facility>[a-z0-9]+) *:(?P<level>emerg|alert|crit|err|warn|notice|info|debug) *: )?"
)

TEXT = (
    TextFormat(
        r"(?:<(?P<pri>\d{1,3})>)?" + _LEVEL + r"\[ *(?P<since_start_s>\d{1,9}\.\d{6})\]"
        r"(?: (?P<host>[\w.-]+) (?P<app>[A-Za-z][^\s\[\]:]*)\[(?P<pid>\d+)\]:)? ?(?P<message>.*)",
        rank=60,
    ),
    TextFormat(
        _LEVEL
        + r"\[(?P<time>[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})\] (?P<message>.*)",
        time="%a %b %d %H:%M:%S %Y",
        rank=60,
    ),
)

SAMPLES = (
    LineSample(
        "[12345.500000] EXT4-fs error (device sda1): ext4_find_entry:1455: reading directory lblock 0",
        {"time": 1764547198.5, "level": None,
         "message": "EXT4-fs error (device sda1): ext4_find_entry:1455: reading directory lblock 0"},
    ),
    LineSample(
        "kern  :err   : [12346.000000] Out of memory: Killed process 4242 (java)",
        {"time": 1764547199.0, "level": "err", "facility": "kern"},
    ),
    LineSample(
        "[12347.000000] web-1 systemd[1]: pay.service: Failed with result 'exit-code'.",
        {"time": 1764547200.0, "host": "web-1", "app": "systemd", "pid": "1"},
    ),
    LineSample(
        "[Sat Nov 22 12:00:00 2025] eth0: link up",
        {"time": 1763812800.0, "message": "eth0: link up"},
    ),
)  # fmt: skip
