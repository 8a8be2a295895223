"""The audit log of Kubernetes' API server: one event a line for each stage of a request.

Source: the type Event of audit.k8s.io/v1.
"""

from __future__ import annotations

from locard.logs.lines.line_format import Dialect, LineSample, Pick

DIALECT = Dialect(
    ("auditID", "verb"),
    {
        "time": (Pick("stageTimestamp"), Pick("requestReceivedTimestamp")),
        "status": Pick("responseStatus.code"),
        "endpoint": Pick("requestURI"),
        "trace_id": Pick("auditID"),
        "message": Pick("responseStatus.message"),
        "segment": Pick("user.username"),
        "service": Pick("objectRef.resource"),
        "": Pick("level"),  # how much is written of the request
    },
)

SAMPLES = (
    LineSample(
        '{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a1","stage":"ResponseComplete","requestURI":'
        '"/api/v1/namespaces/shop/pods?limit=500","verb":"list","user":{"username":"system:node:n1","groups":["system:nodes"]},'
        '"sourceIPs":["10.0.0.3"],"objectRef":{"resource":"pods","namespace":"shop"},"responseStatus":{"metadata":{},"code":503},'
        '"requestReceivedTimestamp":"2025-11-22T12:00:00.250000Z","stageTimestamp":"2025-11-22T12:00:00.500000Z"}',
        {"time": 1763812800.5, "status": 503, "endpoint": "/api/v1/namespaces/shop/pods?limit=500", "trace_id": "a1",
         "user.username": "system:node:n1"},
    ),
    LineSample(
        '{"kind":"Event","level":"Request","auditID":"a2","stage":"RequestReceived","requestURI":"/livez","verb":"get",'
        '"user":{"username":"system:anonymous"},"requestReceivedTimestamp":"2025-11-22T12:00:01Z","stageTimestamp":"2025-11-22T12:00:01Z"}',
        {"time": 1763812801.0, "status": None, "endpoint": "/livez"},
    ),
    LineSample(
        '{"kind":"Event","level":"Metadata","auditID":"a3","stage":"ResponseComplete","requestURI":"/apis","verb":"get",'
        '"user":{"username":"ann"},"responseStatus":{"code":403,"reason":"Forbidden","message":"ann cannot get /apis"},'
        '"requestReceivedTimestamp":"2025-11-22T12:00:02Z","stageTimestamp":"2025-11-22T12:00:02Z"}',
        {"status": 403, "message": "ann cannot get /apis"},
    ),
)  # fmt: skip

NEAR_MISSES = ('{"auditID":"a1","level":"Metadata","stage":"Panic"}',)
