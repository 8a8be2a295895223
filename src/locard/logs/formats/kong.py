"""Kong's log plugins: one object a request, with what it took inside Kong and behind it, in ms.

Source: the log format of Kong's File Log and HTTP Log plugins.
"""

from __future__ import annotations

from locard.logs.lines.line_format import Dialect, LineSample, Pick

DIALECT = Dialect(
    ("started_at", "latencies.request"),
    {
        "time": Pick("started_at", "ms"),
        "status": Pick("response.status"),
        "duration": Pick("latencies.request", "ms"),
        "endpoint": Pick("request.uri"),
        "trace_id": Pick("request.id"),
        "upstream": Pick("service.host"),
        "segment": (Pick("consumer.username"), Pick("authenticated_entity.id")),
        "service": Pick("service.name"),
    },
)

SAMPLES = (
    LineSample(
        '{"latencies":{"request":515,"kong":58,"proxy":457},"service":{"host":"pay.internal","name":"pay","port":80,"created_at":1614232642,'
        '"path":"/"},"route":{"created_at":1614232648,"https_redirect_status_code":426,"paths":["/pay"]},"request":{"uri":"/pay","size":138,'
        '"method":"GET"},"response":{"status":503,"size":827},"client_ip":"192.0.2.9","started_at":1763812800250}',
        {"time": 1763812800.25, "status": 503, "duration_ms": 515.0, "endpoint": "/pay", "service.name": "pay"},
    ),
    LineSample(
        '{"latencies":{"request":1,"kong":1,"proxy":-1},"request":{"uri":"/none","method":"GET"},"response":{"status":404},'
        '"client_ip":"192.0.2.9","started_at":1763812801000}',
        {"time": 1763812801.0, "status": 404, "duration_ms": 1.0},
    ),
    LineSample(
        '{"latencies":{"request":12,"kong":2,"proxy":10},"request":{"uri":"/cart?x=1","id":"2f69"},"response":{"status":200},'
        '"service":{"name":"cart","host":"cart.internal"},"upstream_status":"200","started_at":1763812802000}',
        {"time": 1763812802.0, "status": 200, "trace_id": "2f69", "service.host": "cart.internal"},
    ),
)  # fmt: skip

NEAR_MISSES = ('{"started_at":1763812800250,"latency":12,"response":{"status":200}}',)
