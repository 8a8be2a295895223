"""A native histogram as the value of a sample line: `{count:3,sum:1.2,schema:3,…}`.

Spans are distance:length, buckets are counts, each for itself.
Source: the proposal of OpenMetrics 2.0; `far/exposition_protobuf.py` writes the same.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from locard.metrics.histograms import CUSTOM, SCHEMAS, NativeHistogram

if TYPE_CHECKING:
    from locard.metrics.buckets import Buckets
    from locard.metrics.histograms import Exemplar

_PART = re.compile(r"(?P<key>[a-z_]+):(?P<value>\[[^\[\]]*\]|[^,\[\]]+)(?:,|$)")
_MOST_BUCKETS = 10_000
_MOST_NUMBER = 1 << 31


def read(text: str, exemplars: tuple[Exemplar, ...]) -> NativeHistogram | None:
    """The histogram; None where the text is none, or its counts do not fit each other."""
    parts: dict[str, str] = {}
    at, end = 1, len(text) - 1
    while at < end:
        found = _PART.match(text, at, end)
        if found is None:
            return None
        parts[found["key"]] = found["value"].strip("[]")
        at = found.end()
    try:
        schema, total = int(parts.get("schema", "0")), float(parts["count"])
        custom = tuple(map(float, filter(None, parts.get("custom_values", "").split(","))))
        found_sum = float(parts["sum"]) if "sum" in parts else None
        zero, wide = float(parts.get("zero_count", "0")), float(parts.get("zero_threshold", "0"))
        positive, negative = _buckets(parts, "positive_"), _buckets(parts, "negative_")
    except (KeyError, ValueError):
        return None
    known = schema in SCHEMAS or schema == CUSTOM
    if not known or list(custom) != sorted(set(custom)) or not all(map(math.isfinite, custom)):
        return None
    if schema == CUSTOM and (
        negative or zero or any(not 0 <= n <= len(custom) for n, _ in positive)
    ):
        return None
    counts = (total, zero, *(c for _, c in (*positive, *negative)))
    if not all(0 <= c < math.inf for c in counts) or not 0 <= wide < math.inf:
        return None
    return NativeHistogram(
        schema, wide, zero, positive, negative, total, found_sum, custom, exemplars
    )


def _buckets(parts: dict[str, str], sign: str) -> Buckets:
    """Number and count of each bucket that holds anything; raises ValueError."""
    spans, counts = parts.get(f"{sign}spans", ""), parts.get(f"{sign}buckets", "")
    values = [float(v) for v in counts.split(",") if v]
    if len(values) > _MOST_BUCKETS:
        raise ValueError(sign)
    numbers: list[int] = []
    at = 0
    for span in filter(None, spans.split(",")):
        distance, length = map(int, span.split(":"))
        if not 0 <= length <= len(values) - len(numbers) or (numbers and distance < 0):
            raise ValueError(span)
        at += distance
        if abs(at) + length > _MOST_NUMBER:
            raise ValueError(span)
        numbers += range(at, at + length)
        at += length
    return tuple((n, c) for n, c in zip(numbers, values, strict=True) if c)
