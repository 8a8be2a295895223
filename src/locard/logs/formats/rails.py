"""Lines of Ruby's Logger and what Rails writes with it: request, status and duration.

Source: Logger::Formatter of Ruby, ActionController::LogSubscriber of Rails.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample, TextFormat

_WHAT = (
    r"(?:\[(?P<request_id>[0-9a-fA-F-]{16,})\] )?(?P<message>"
    r"Completed (?P<status>\d{3}) [A-Za-z' -]*in (?P<duration_ms>[\d.]+)ms.*"
    r'|Started (?P<method>[A-Z]+) "(?P<path>[^"]+)" for .*|%s)'
)

TEXT = (
    TextFormat(
        r"[DIWEFA], \[(?P<time>\d{4}-\d\d-\d\dT[\d:.]+) #(?P<pid>\d+)\] +(?P<level>[A-Z]+) -- "
        r"(?P<progname>[^:]*): " + _WHAT % ".*",
        rank=10,
    ),
    TextFormat(_WHAT % r"Processing by \S+ as \S+", rank=30),
)

SAMPLES = (
    LineSample(
        'I, [2025-11-22T12:00:00.250000 #412]  INFO -- : [0ddc0ffe-1111-2222-3333-444455556666] Started POST "/pay" for 10.0.0.4 at 2025-11-22 12:00:00 +0000',
        {"time": 1763812800.25, "level": "info", "endpoint": "/pay",
         "trace_id": "0ddc0ffe-1111-2222-3333-444455556666"},
    ),
    LineSample(
        "I, [2025-11-22T12:00:02.254000 #412]  INFO -- : [0ddc0ffe-1111-2222-3333-444455557777] Completed 500 Internal Server Error in 2004ms (ActiveRecord: 1.2ms)",
        {"status": 500, "duration_ms": 2004.0, "time": 1763812802.254},
    ),
    LineSample(
        "E, [2025-11-22T12:00:02.255000 #412] ERROR -- : Net::ReadTimeout with #<TCPSocket:(closed)>",
        {"level": "error", "message": "Net::ReadTimeout with #<TCPSocket:(closed)>"},
    ),
    LineSample(
        "Completed 200 OK in 12ms (Views: 3.1ms | ActiveRecord: 0.9ms)",
        {"status": 200, "duration_ms": 12.0, "time": None},
    ),
)  # fmt: skip
