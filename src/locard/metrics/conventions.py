"""What a metric means, told by the naming conventions that the common libraries share.

OpenTelemetry, the Prometheus clients, Spring (Micrometer), gRPC, Envoy and nginx exporters, and
what people name by analogy. A name that fits nothing is left alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from locard.model import semconv

if TYPE_CHECKING:
    from locard.metrics.text_format import Labels

Kind = Literal["server", "client"]
Subject = tuple[tuple[str, str], ...]  # the kind of call and its far end

# Labels that name the far end of a call, the most telling first.
UPSTREAM_LABELS = (
    "upstream",
    "upstream_name",
    "peer_service",
    semconv.PEER_SERVICE,
    "dependency",
    "backend",
    "target_service",
    "destination_service",
    "upstream_cluster",
    "envoy_cluster_name",
    "remote_service",
    "client_name",
    "server_address",
    semconv.SERVER_ADDRESS,
    "net_peer_name",
    "host",
    "peer",
)
PORT_LABELS = ("server_port", semconv.SERVER_PORT, "net_peer_port", "port")
PATH_LABELS = frozenset(
    {
        "handler",
        "path",
        "route",
        "http_route",
        "http.route",
        "endpoint",
        "uri",
        "url",
        "http_target",
    }
)
_STATUS_WORDS = (
    "status status_code code http_status http_status_code http_response_status_code "
    "http.response.status_code response_code envoy_response_code envoy_response_code_class "
    "response_code_class status_class outcome result grpc_code grpc_status "
    "rpc_grpc_status_code grpc_type_status"
)
_STATUS_LABELS = frozenset(_STATUS_WORDS.split())
_ERROR_LABELS = ("error_type", "error.type", "exception")
_FAILED = (
    "error errors err failure failed fail timeout timed_out exception server_error unavailable "
    "unknown deadlineexceeded deadline_exceeded internal dataloss data_loss aborted "
    "resourceexhausted resource_exhausted 5xx 5"
)
_ERROR_WORDS = frozenset(_FAILED.split())
_REQUESTS = frozenset(
    {
        "request",
        "requests",
        "response",
        "responses",
        "rq",
        "rpc",
        "call",
        "calls",
        "handled",
        "handling",
    }
)
_HTTP = frozenset({"http", "grpc", "rpc"})
_CLIENT = frozenset(
    {"client", "upstream", "outbound", "outgoing", "egress", "external", "backend", "dependency"}
)
_NOT_TIME = frozenset({"size", "bytes", "body", "length", "queue", "gc", "lag"})
_UNITS = (
    (re.compile(r"_(milliseconds|millis|ms|rq_time)$"), 1e-3),
    (re.compile(r"_(microseconds|micros|us)$"), 1e-6),
    (re.compile(r"_(nanoseconds|nanos|ns)$"), 1e-9),
    (re.compile(r"_(seconds|secs|s)$|(duration|latency|_time)$"), 1.0),
)
# Durations of OpenTelemetry before 1.21, which were counted in ms and had no unit in their name.
_OLD_MILLISECONDS = frozenset(
    f"{protocol}_{side}_duration" for protocol in ("http", "rpc") for side in ("server", "client")
)
_SERVER_ERROR = 500


def tokens(name: str) -> frozenset[str]:
    """The words of a metric name."""
    return frozenset(w for w in re.split(r"[^a-z0-9]+", name.lower()) if w)


def call_kind(name: str, labels: Labels) -> Kind | None:
    """Whether a family counts requests served or calls made; None if it is neither."""
    words = tokens(name)
    asks = bool(words & _REQUESTS) or bool(words & _HTTP and words & {"server", "client"})
    if not asks or words & _NOT_TIME or "progress" in words or "flight" in words:
        return None
    if "server" in words:
        return "server"
    if words & _CLIENT or upstream(labels, sure=True):
        return "client"
    return "server"


def subject(name: str, labels: Labels) -> Subject | None:
    """Whose signal a series is part of: the kind of call, and of those made the far end."""
    kind = call_kind(name, labels)
    if kind is None:
        return None
    return (("kind", kind), *(upstream(labels) if kind == "client" else ()))


def upstream(labels: Labels, *, sure: bool = False) -> Labels:
    """The label that names the far end, and its port where one is given; empty if there is none.

    `sure` leaves out labels that may as well name the near end.
    """
    known = dict(labels)
    names = UPSTREAM_LABELS[: UPSTREAM_LABELS.index("client_name")] if sure else UPSTREAM_LABELS
    for name in names:
        if known.get(name):
            port = next((p for p in PORT_LABELS if known.get(p)), None)
            return ((name, known[name]), (port, known[port])) if port else ((name, known[name]),)
    return ()


def seconds(name: str, unit: str = "") -> float | None:
    """What one unit of a duration family is in seconds; None if it measures no time.

    `unit` is what the page says of it: names of OpenTelemetry as they are have none in themselves.
    """
    if tokens(name) & _NOT_TIME:
        return None
    plain = underscored(name).lower()
    said = f"_{unit.lower()}" if unit else ""
    if plain in _OLD_MILLISECONDS and not said:
        return 1e-3
    for pattern, scale in _UNITS:
        if pattern.search(said or plain):
            return scale
    return None


def underscored(name: str) -> str:
    """A name of OpenTelemetry as Prometheus writes it: `http.route` is `http_route`."""
    return name.replace(".", "_")


def has_status(labels: Labels) -> bool:
    """Whether the labels can tell a failed call from one that went well."""
    return any(underscored(k) in _STATUS_LABELS or k in _ERROR_LABELS for k, _ in labels)


def is_error(labels: Labels) -> bool:
    """Whether the labels say that the call failed by the fault of the one who served it."""
    for key, value in labels:
        if key in _ERROR_LABELS and value.lower() not in {"", "none", "false"}:
            return True
        if underscored(key) in _STATUS_LABELS:
            if value.isdigit() and len(value) == 3:  # noqa: PLR2004 - an HTTP status
                if int(value) >= _SERVER_ERROR:
                    return True
            elif value.lower() in _ERROR_WORDS:
                return True
    return False
