"""Windows events as JSON: of winlogbeat, of nxlog, of Get-WinEvent and Get-EventLog with ConvertTo-Json.

Source: Winlogbeat's exported fields, the im_msvistalog fields of NXLog, the properties of EventLogRecord and EventLogEntry.
"""

from __future__ import annotations

from locard.logs.lines.line_format import Dialect, LineSample, Pick

# A level of 0 is "always", 1 critical, 2 an error.
_OF_RECORD: dict[str, Pick | tuple[Pick, ...]] = {
    "level": (Pick("Level", numbering="windows"), Pick("LevelDisplayName")),
    "message": Pick("Message"),
    "service": Pick("ProviderName"),
    "instance": Pick("MachineName"),
    "": Pick("Version"),
}

DIALECTS = (
    Dialect(
        ("winlog.channel",),
        {
            "service": (Pick("winlog.provider_name"), Pick("event.provider")),
            "instance": (Pick("winlog.computer_name"), Pick("host.name")),
            "": (Pick("agent.version"), Pick("event.provider")),
        },
    ),
    Dialect(
        ("EventTime", "SourceName"),
        {
            "time": Pick("EventTime"),
            "level": (Pick("Severity"), Pick("EventType")),
            "message": Pick("Message"),
            "service": Pick("SourceName"),
            "instance": Pick("Hostname"),
        },
    ),
    *(
        Dialect((time, "ProviderName"), {"time": Pick(time), **_OF_RECORD})
        for time in ("TimeCreated", "TimeCreated.value")
    ),
    Dialect(
        ("TimeGenerated", "EntryType"),
        {
            "time": Pick("TimeGenerated"),
            "level": Pick("EntryType", numbering="windows_entry"),
            "message": Pick("Message"),
            "service": Pick("Source"),
            "instance": Pick("MachineName"),
        },
    ),
)

SAMPLES = (
    LineSample(
        '{"@timestamp":"2025-11-22T12:00:00.250Z","log":{"level":"error"},"message":"service ended","event":{"code":"7031","provider":"SCM"},'
        '"winlog":{"channel":"System","computer_name":"web-1","event_id":"7031","provider_name":"SCM"}}',
        {"time": 1763812800.25, "level": "error", "message": "service ended", "winlog.event_id": "7031"},
    ),
    LineSample(
        '{"EventTime":"2025-11-22 12:00:01","Hostname":"web-1","EventType":"WARNING","SeverityValue":3,"Severity":"WARNING","EventID":5,'
        '"SourceName":"SCM","Message":"slow start","EventReceivedTime":"2025-11-22 12:00:09"}',
        {"time": 1763812801.0, "level": "warning", "message": "slow start"},
    ),
    LineSample(
        '{"Id":7031,"Level":2,"ProviderName":"SCM","LogName":"System","MachineName":"web-1","TimeCreated":"/Date(1763812802250)/",'
        '"Message":"service ended","LevelDisplayName":"Error"}',
        {"time": 1763812802.25, "level": "error", "message": "service ended"},
    ),
    LineSample(
        '{"Id":7036,"Level":4,"ProviderName":"SCM","LogName":"System","MachineName":"web-1","TimeCreated":"/Date(1763812803000)/",'
        '"Message":"service started","LevelDisplayName":null}',
        {"time": 1763812803.0, "level": "information"},
    ),
    LineSample(
        '{"EventID":7031,"EntryType":1,"Source":"SCM","MachineName":"web-1","TimeGenerated":"/Date(1763812804000)/","Message":"service ended"}',
        {"time": 1763812804.0, "level": "error", "message": "service ended"},
    ),
)  # fmt: skip

NEAR_MISSES = (
    '{"TimeCreated":"2025-11-22T12:00:00Z","Level":2}',
    '{"EventTime":"2025-11-22 12:00:00","Severity":"ERROR"}',
)
