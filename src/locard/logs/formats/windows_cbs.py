"""Windows' servicing log (CBS.log, dism.log): time, level in words, component.

Source: CBS.log and dism.log as Windows writes them.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample, TextFormat

TEXT = (
    TextFormat(
        r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d), (?P<level>Info|Warning|Error|Perf|Fatal) +"
        r"(?:(?P<component>[A-Z][A-Za-z]{1,7}) {2,})?(?P<message>.*)",
        levels={"perf": "debug"},
        rank=60,
    ),
)

SAMPLES = (
    LineSample(
        "2025-11-22 12:00:00, Info                  CBS    Loaded Servicing Stack v6.1.7601.23505",
        {"time": 1763812800.0, "level": "info", "component": "CBS",
         "message": "Loaded Servicing Stack v6.1.7601.23505"},
    ),
    LineSample(
        "2025-11-22 12:00:01, Error                 CSI    00000001 Failed [HRESULT = 0x80070490]",
        {"level": "error", "component": "CSI", "message": "00000001 Failed [HRESULT = 0x80070490]"},
    ),
    LineSample(
        "2025-11-22 12:00:02, Warning               DISM   DISM Provider Store: PID=412",
        {"level": "warning", "message": "DISM Provider Store: PID=412"},
    ),
)  # fmt: skip
