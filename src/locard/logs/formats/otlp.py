"""OpenTelemetry's OTLP/JSON, as the collector's file exporter writes it: many records a line.

Source: the JSON encoding of OTLP logs, and the severity numbers of the logs data model.
"""

from __future__ import annotations

from locard.logs.lines.line_format import Dialect, Expander, LineSample, Pick

DIALECT = Dialect(
    ("timeUnixNano",),
    {"time": Pick("timeUnixNano", "ns"), "level": Pick("severityNumber", numbering="otlp")},
)

_SHAPE = (
    """'[{"key": "VARCHAR", "value": {"stringValue": "VARCHAR", "intValue": "VARCHAR", """
    """"doubleValue": "VARCHAR", "boolValue": "VARCHAR"}}]'"""
)


def _flat(path: str) -> str:
    """SQL of an attribute list as one flat object; nothing where it cannot be read."""
    value = (
        "coalesce(a.value.stringValue, a.value.intValue, a.value.doubleValue, a.value.boolValue)"
    )
    pairs = (
        f"list_transform(from_json(coalesce({path}, '[]'), {_SHAPE}), "
        f"lambda a: {{'k': a.key, 'v': {value}}})"
    )
    return f"coalesce(TRY(to_json(map_from_entries({pairs}))), '{{}}')"


_OWN = (
    "timeUnixNano", "observedTimeUnixNano", "severityNumber", "severityText", "traceId", "spanId"
)  # fmt: skip
_FIELDS = ", ".join(f"'{name}', json_extract_string(r.entry, '/{name}')" for name in _OWN)
_ENTRIES = "json_extract(r.resource, '$.scopeLogs[*].logRecords[*]')"

EXPANDER = Expander(
    '"resourceLogs"',
    f"""(SELECT list(CAST(json_merge_patch(json_merge_patch({_flat("json_extract(r.resource, '/resource/attributes')")},
             {_flat("json_extract(r.entry, '/attributes')")}),
             json_object('body', coalesce(json_extract_string(r.entry, '/body/stringValue'),
                                          CAST(json_extract(r.entry, '/body') AS VARCHAR)),
                         {_FIELDS})) AS VARCHAR))
         FROM (SELECT resource, unnest({_ENTRIES.replace("r.", "")}) AS entry
               FROM (SELECT unnest(json_extract(rest, '$.resourceLogs[*]')) AS resource)) r)""",  # noqa: S608 - our own words
)

SAMPLES = (
    LineSample(
        '{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"pay"}}]},"scopeLogs":[{"logRecords":[{"timeUnixNano":"1763812800250000000","severityNumber":17,"severityText":"ERROR","body":{"stringValue":"card declined"},"attributes":[{"key":"http.response.status_code","value":{"intValue":"503"}}],"traceId":"4bf92f35"}]}]}]}',
        {
            "time": 1763812800.25,
            "level": "error",
            "status": 503,
            "trace_id": "4bf92f35",
            "service.name": "pay",
            "message": "card declined",
        },
    ),
    LineSample(
        '{"resourceLogs":[{"resource":{},"scopeLogs":[{"logRecords":[{"timeUnixNano":"1763812801000000000","severityNumber":9,"body":{"stringValue":"ready"}}]}]}]}',
        {"time": 1763812801.0, "level": "info", "message": "ready"},
    ),
    LineSample(
        '{"timeUnixNano":"1763812802000000000","severityNumber":13,"severityText":"WARN","body":"slow reply"}',
        {"time": 1763812802.0, "level": "warn", "message": "slow reply"},
    ),
)
