"""The same question as a query of PromQL, to paste into Grafana. Names that are no identifiers are quoted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from locard.metrics.grid import Row
    from locard.metrics.history import Labels

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
WINDOW = "1m"


def selector(name: str, labels: Labels, *more: str) -> str:
    """A selector: `name{label="value"}`; names in UTF-8 stand in the braces (Prometheus 3)."""
    inside = [] if _NAME.fullmatch(name) else [_quoted(name)]
    inside += [
        f"{key if _LABEL.fullmatch(key) else _quoted(key)}={_quoted(value)}"
        for key, value in labels
    ]
    inside += more
    head = name if _NAME.fullmatch(name) else ""
    return f"{head}{{{','.join(inside)}}}" if inside else head


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def rate(name: str, labels: Labels, *more: str) -> str:
    """How much all of them grow a second."""
    return f"sum(rate({selector(name, labels, *more)}[{WINDOW}]))"


def rate_each(name: str, labels: Labels) -> str:
    """How much each of them grows a second."""
    return f"rate({selector(name, labels)}[{WINDOW}])"


def mean_each(base: str, labels: Labels) -> str:
    """Sum over count of each label set."""
    return f"{rate_each(base + '_sum', labels)} / {rate_each(base + '_count', labels)}"


def total(name: str, rows: list[Row]) -> str:
    """What the counters hold, of the label sets that these have in common."""
    shared = set(rows[0].series.labels)
    for row in rows[1:]:
        shared &= set(row.series.labels)
    return f"sum({selector(name, tuple(sorted(shared)))})"


def share(name: str, labels: Labels, failed: list[Row]) -> str:
    """What failed as a share of all."""
    if not failed:
        return rate(name, labels)
    values: dict[str, set[str]] = {}
    for row in failed:
        for key, value in row.series.labels:
            values.setdefault(key, set()).add(value)
    shared = {k for k, _ in labels}
    every = [set(dict(r.series.labels)) for r in failed]
    status = [
        k for k in sorted(values)
        if k not in shared and all(k in e for e in every)
        and k in {"code", "status", "status_code", "outcome", "result", "http_status_code", "http_response_status_code",
                  "grpc_code", "response_code", "error_type", "http.response.status_code", "error.type"}
    ]  # fmt: skip
    more = []
    if status:
        alike = "|".join(
            sorted(re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", v) for v in values[status[0]])
        )
        key = status[0] if _LABEL.fullmatch(status[0]) else _quoted(status[0])
        more.append(f"{key}=~{_quoted(alike)}")
    return f"{rate(name, labels, *more)} / {rate(name, labels)}"


def mean(base: str, labels: Labels) -> str:
    """Sum over count."""
    return f"{rate(base + '_sum', labels)} / {rate(base + '_count', labels)}"


def quantile(base: str, labels: Labels, q: float = 0.99) -> str:
    """A quantile of added buckets, as Prometheus reckons it: never above the last finite bound."""
    return f"histogram_quantile({q:g}, sum by (le) (rate({selector(base + '_bucket', labels)}[{WINDOW}])))"
