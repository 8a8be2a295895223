"""A metrics page in protobuf as lines of text, so that what is stored and cleaned is text.

Stands behind `far/protobuf_wire.py` in one namespace. Read are delimited messages io.prometheus.client.MetricFamily: each its length, then the family. Written
are the lines of OpenMetrics, for a native histogram those that OpenMetrics 2.0 proposes:

    latency{method="GET"} {count:3,sum:1.2,schema:3,zero_threshold:1e-09,zero_count:0,positive_spans:[-2:2],positive_buckets:[1,2]}

with the count of each bucket for itself, and spans as distance:length. Unknown fields are skipped. A family
that is garbled costs only itself; one that reaches beyond the end, and all behind it, is said to be cut.
Source: prometheus/client_model's metrics.proto.
"""

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Tuple

    from locard.far.protobuf_wire import (
        BYTES,
        MOST_BUCKETS,
        VARINT,
        GarbledError,
        Span,
        double,
        fields,
        many,
        many_doubles,
        of_wire,
        signed,
        string,
        varint,
        zigzag,
    )

MOST_FAMILIES = 50000
TYPES = ("counter", "gauge", "summary", "unknown", "histogram", "gaugehistogram")
VALUES = {2: "gauge", 3: "counter", 4: "summary", 5: "untyped", 7: "histogram"}
PLAIN_NAME = re.compile("[a-zA-Z_:][a-zA-Z0-9_:]*\\Z")
PLAIN_LABEL = re.compile("[a-zA-Z_][a-zA-Z0-9_]*\\Z")
NOT_IN_A_NAME = re.compile("[\x00-\x20\x7f]")
NOT_IN_A_PAGE = re.compile(
    '[\x00-\x20\x7f{}"=,]'
)  # what tells a name from a text that begins alike
NEXT = (b"\x12", b"\x18", b"\x22", b"\x2a")  # the field behind the name


def number(value: "float") -> str:
    """A number as the text formats write it."""
    if isinstance(value, int):
        return str(value)
    if value != value:  # noqa: PLR0124 - not a number
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)


def quoted(text: str) -> str:
    """A text between quotation marks."""
    return '"' + text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"') + '"'


def head(name: str, labels: "List[Tuple[str, str]]") -> str:
    """A name with its labels; one that is no plain word stands between the braces."""
    parts = [] if PLAIN_NAME.match(name) else [quoted(name)]
    parts += [(k if PLAIN_LABEL.match(k) else quoted(k)) + "=" + quoted(v) for k, v in labels]
    return (name if PLAIN_NAME.match(name) else "") + "{" + ",".join(parts) + "}"


def label(data: bytes, span: "Span") -> "Tuple[str, str]":
    """One LabelPair."""
    name = value = ""
    for field, wire, found in fields(data, *span):
        if field == 1:
            name = string(data, wire, found)
        elif field == 2:
            value = string(data, wire, found)
    return name, value


def moment(data: bytes, span: "Span") -> float:
    """A Timestamp in Unix seconds."""
    seconds, nanos = 0, 0
    for field, wire, value in fields(data, *span):
        if field <= 2:
            of_wire(wire, VARINT)
            seconds, nanos = (signed(value), nanos) if field == 1 else (seconds, value)
    return seconds + nanos / 1e9


def exemplar(data: bytes, span: "Span") -> str:
    """One Exemplar as it stands behind a sample."""
    labels, value, at = [], 0.0, ""
    for field, wire, found in fields(data, *span):
        if field == 1:
            of_wire(wire, BYTES)
            labels.append(label(data, found))
        elif field == 2:
            value = double(wire, found)
        elif field == 3:
            of_wire(wire, BYTES)
            at = " " + number(moment(data, found))
    return " # " + head("_", labels)[1:] + " " + number(value) + at


def simple(data: bytes, span: "Span", name: str) -> "Tuple[float, str, str]":
    """A Gauge, Counter or Untyped: value, exemplar, creation time."""
    value, last, created = 0.0, "", ""
    for field, wire, found in fields(data, *span):
        if field == 1:
            value = double(wire, found)
        elif name == "counter" and field == 2:
            of_wire(wire, BYTES)
            last = exemplar(data, found)
        elif name == "counter" and field == 3:
            of_wire(wire, BYTES)
            created = number(moment(data, found))
    return value, last, created


def buckets(spans: "List[Tuple[int, int]]", deltas: "List[int]", counts: "List[float]") -> str:
    """Spans and the count of each bucket for itself."""
    if counts:
        values = counts  # type: List[Any]
    else:
        values, last = [], 0
        for delta in deltas:
            last += delta
            values.append(last)
    if sum(length for _, length in spans) != len(values) or len(values) > MOST_BUCKETS:
        raise GarbledError
    said = ",".join("%d:%d" % span for span in spans)
    return "spans:[" + said + "],%sbuckets:[" + ",".join(map(number, values)) + "]"


class HistogramMessage:
    """A Histogram of protobuf, classic, native or both."""

    def __init__(self, data: bytes, span: "Span") -> None:
        """Read it; raises GarbledError."""
        self.numbers = {1: 0, 7: 0}  # type: Dict[int, Any]
        self.classic = []  # type: List[Tuple[float, Any, str]]
        self.spans = {9: [], 12: []}  # type: Dict[int, List[Tuple[int, int]]]
        self.deltas = {10: [], 13: []}  # type: Dict[int, List[int]]
        self.counts = {11: [], 14: []}  # type: Dict[int, List[float]]
        self.schema = 0
        self.created = ""
        self.exemplars = []  # type: List[str]
        for field, wire, found in fields(data, *span):
            if field in (2, 4, 6, 8):
                self.numbers[field] = double(wire, found)
            elif field in (1, 7):
                of_wire(wire, VARINT)
                self.numbers[field] = found
            elif field == 5:
                of_wire(wire, VARINT)
                self.schema = zigzag(found)
            elif field in self.deltas:
                self.deltas[field] += [zigzag(one) for one in many(data, wire, found)]
            elif field in self.counts:
                self.counts[field] += many_doubles(data, wire, found)
            elif field in (3, 9, 12, 15, 16):
                of_wire(wire, BYTES)
                self.part(data, field, found)

    def part(self, data: bytes, field: int, span: "Span") -> None:
        """A message inside of it."""
        if field == 3:
            self.classic.append(self.bucket(data, span))
        elif field == 15:
            self.created = number(moment(data, span))
        elif field == 16:
            self.exemplars.append(exemplar(data, span))
        else:
            found = {f: v for f, w, v in fields(data, *span) if w == VARINT}
            self.spans[field].append((zigzag(found.get(1, 0)), found.get(2, 0)))

    def bucket(self, data: bytes, span: "Span") -> "Tuple[float, Any, str]":
        """Upper bound, cumulative count, exemplar."""
        count, bound, last = 0, 0.0, ""  # type: Tuple[Any, float, str]
        for field, wire, found in fields(data, *span):
            if field == 1:
                of_wire(wire, VARINT)
                count = count or found
            elif field == 4:
                count = double(wire, found) or count
            elif field == 2:
                bound = double(wire, found)
            elif field == 3:
                of_wire(wire, BYTES)
                last = exemplar(data, found)
        return bound, count, last

    def native(self) -> str:
        """The native part as text; empty where it has none."""
        spans = self.spans[9] + self.spans[12]
        zero = self.numbers.get(8) or self.numbers[7]
        if not (spans or self.numbers.get(6) or zero):
            return ""
        said = "{count:%s,sum:%s,schema:%d,zero_threshold:%s,zero_count:%s" % (
            number(self.count()),
            number(self.numbers.get(2, 0.0)),
            self.schema,
            number(self.numbers.get(6, 0.0)),
            number(zero),
        )
        for sign, at in (("negative_", 9), ("positive_", 12)):
            if self.spans[at]:
                said += (
                    ","
                    + sign
                    + buckets(self.spans[at], self.deltas[at + 1], self.counts[at + 2]) % sign
                )
        return said + "}"

    def count(self) -> "Any":
        """How many events."""
        return self.numbers.get(4) or self.numbers[1]


def histogram(
    data: bytes, span: "Span", name: str, labels: "List[Tuple[str, str]]", at: str
) -> "List[str]":
    """The lines of one histogram."""
    found = HistogramMessage(data, span)
    native = found.native()
    lines = []
    if native:
        lines.append(head(name, labels) + " " + native + at + "".join(found.exemplars))
    # One that is native only still has count and sum, in the line above.
    if found.classic or not native:
        bounds = [bound for bound, _, _ in found.classic]
        if float("inf") not in bounds:
            found.classic.append((float("inf"), found.count(), ""))
        for bound, count, last in found.classic:
            key = head(name + "_bucket", labels + [("le", number(bound))])
            lines.append(key + " " + number(count) + at + last)
        lines.append(head(name + "_sum", labels) + " " + number(found.numbers.get(2, 0.0)) + at)
        lines.append(head(name + "_count", labels) + " " + number(found.count()) + at)
    if found.created:
        lines.append(head(name + "_created", labels) + " " + found.created)
    return lines


def summary(
    data: bytes, span: "Span", name: str, labels: "List[Tuple[str, str]]", at: str
) -> "List[str]":
    """The lines of one summary."""
    count, total, created, lines = 0, 0.0, "", []
    for field, wire, found in fields(data, *span):
        if field == 1:
            of_wire(wire, VARINT)
            count = found
        elif field == 2:
            total = double(wire, found)
        elif field in (3, 4):
            of_wire(wire, BYTES)
            if field == 4:
                created = number(moment(data, found))
                continue
            pair = {f: double(w, v) for f, w, v in fields(data, *found) if f <= 2}
            key = head(name, labels + [("quantile", number(pair.get(1, 0.0)))])
            lines.append(key + " " + number(pair.get(2, 0.0)) + at)
    lines.append(head(name + "_sum", labels) + " " + number(total) + at)
    lines.append(head(name + "_count", labels) + " " + number(count) + at)
    if created:
        lines.append(head(name + "_created", labels) + " " + created)
    return lines


def name_of(counter: str) -> str:
    """The name of a family of counters: without its ending."""
    return re.sub("_total\\Z", "", counter)


def metric(data: bytes, span: "Span", name: str) -> "List[str]":
    """The lines of one Metric."""
    labels, at, parts = [], "", []
    for field, wire, found in fields(data, *span):
        if field == 1:
            of_wire(wire, BYTES)
            labels.append(label(data, found))
        elif field == 6:
            of_wire(wire, VARINT)
            at = " " + number(signed(found) / 1000.0) if found else ""
        elif field in VALUES:
            of_wire(wire, BYTES)
            parts.append((VALUES[field], found))
    lines = []  # type: List[str]
    for kind, part in parts:
        if kind == "histogram":
            lines += histogram(data, part, name, labels, at)
        elif kind == "summary":
            lines += summary(data, part, name, labels, at)
        else:
            value, last, created = simple(data, part, kind)
            lines.append(head(name, labels) + " " + number(value) + at + last)
            if created:
                lines.append(head(name_of(name) + "_created", labels) + " " + created)
    return lines


def family(data: bytes, at: int, end: int) -> "List[str]":
    """The lines of one MetricFamily; raises GarbledError."""
    name, words, kind, unit, metrics = "", "", 0, "", []
    for field, wire, found in fields(data, at, end):
        if field == 1:
            name = string(data, wire, found)
        elif field == 2:
            words = string(data, wire, found)
        elif field == 3:
            of_wire(wire, VARINT)
            kind = found
        elif field == 4:
            of_wire(wire, BYTES)
            metrics.append(found)
        elif field == 5:
            unit = string(data, wire, found)
    if not name or NOT_IN_A_NAME.search(name) or kind >= len(TYPES):
        raise GarbledError
    shown = name if PLAIN_NAME.match(name) else quoted(name)
    lines = ["# TYPE " + shown + " " + TYPES[kind]]
    if words:
        lines.insert(0, "# HELP " + shown + " " + words.replace("\\", "\\\\").replace("\n", "\\n"))
    if unit:
        lines.append("# UNIT " + shown + " " + unit.replace("\n", " "))
    for span in metrics:
        lines += metric(data, span, name)
    return lines


def is_protobuf(data: bytes) -> bool:
    """Whether the bytes begin as a delimited MetricFamily does: its length, then its name."""
    try:
        size, at = varint(data, 0, min(len(data), 10))
        if not size or data[at : at + 1] != b"\n":
            return False
        length, start = varint(data, at + 1, len(data))
        name = data[start : start + length].decode("utf-8")
        if not name or NOT_IN_A_PAGE.search(name) or at + size < start + length:
            return False
        if at + size > len(data):  # and cut
            return data[start + length : start + length + 1] in NEXT
        return all(field <= 16 for field, _, _ in fields(data, at, at + size))
    except (GarbledError, UnicodeDecodeError):
        return False


def text_of_protobuf(data: bytes, most: int) -> "Tuple[bytes, int, bool, bool]":
    """The page as text, how many families were garbled, whether its end is missing, and whether it is too long."""
    lines, size, bad, at, seen = [], 0, 0, 0, 0  # type: Tuple[List[str], int, int, int, int]
    while at < len(data):
        try:
            length, at = varint(data, at, len(data))
        except GarbledError:
            return "\n".join(lines + [""]).encode("utf-8", "replace"), bad, True, False
        if at + length > len(data):
            return "\n".join(lines + [""]).encode("utf-8", "replace"), bad, True, False
        try:
            found = family(data, at, at + length)
        except GarbledError:
            found, bad = [], bad + 1
        at += length
        seen += 1
        lines += found
        size += sum(map(len, found)) + len(found)
        if size > most or seen > MOST_FAMILIES:
            return b"", bad, False, True
    return "\n".join(lines + [""]).encode("utf-8", "replace"), bad, False, False
