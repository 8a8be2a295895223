"""The exposition formats: Prometheus text 0.0.4 and 1.0.0 and OpenMetrics in one tolerant parser.

A native histogram is read in the form that OpenMetrics 2.0 proposes, which is also what
`far/exposition_protobuf.py` makes of a page in protobuf: `{count:3,sum:1.2,schema:3,…}` as a value.
A line that is no sample costs only itself and is counted. Nothing here backtracks more than
linearly, since a metrics endpoint is somebody else's program.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from locard.metrics import native_text
from locard.metrics.histograms import Exemplar, NativeHistogram

Labels = tuple[tuple[str, str], ...]

MAX_LINE = 65536
MOST_TRACE = (
    128  # characters of a trace id; OpenMetrics allows as many for all labels of an exemplar
)
TRACE_LABELS = ("trace_id", "traceID", "traceId", "TraceID", "trace.id", "traceid")

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_INSIDE = rf"(?:[^\"{{}}]|{_QUOTED})*"
_SAMPLE = re.compile(
    rf"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:.]*)?"
    rf"(?:\s*\{{(?P<labels>{_INSIDE})\}}\s*|\s+)"
    r"(?P<value>[^\s{}\"#]+|\{[^\s{}\"]*\})(?:\s+[-+0-9.eE]+)?\s*(?P<more>#.*)?",
    re.DOTALL,
)
_LABEL = re.compile(rf"\s*(?P<key>[a-zA-Z_][a-zA-Z0-9_.]*|{_QUOTED})\s*=\s*(?P<value>{_QUOTED})\s*")
_NAME_IN_BRACES = re.compile(rf"\s*(?P<name>{_QUOTED})\s*(?:,|$)")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_EXEMPLAR = re.compile(
    rf"#\s*\{{(?P<labels>{_INSIDE})\}}\s*(?P<value>[^\s{{}}\"#]+)(?:\s+(?P<at>[-+0-9.eE]+))?"
)
_META = re.compile(rf"#\s+(?P<what>TYPE|UNIT)\s+(?P<name>{_QUOTED}|\S+)\s+(?P<word>\S+)")
# What a name became where its reader knows plain names only: U__, and each other sign as _HEX_.
_ESCAPED = re.compile(r"__|_([0-9a-fA-F]{1,6})_")
_MOST_CODE = 0x10FFFF


@dataclass(frozen=True, slots=True)
class Series:
    """One sample line: a name, its labels in the order of their keys, a value."""

    name: str
    labels: Labels
    value: float
    exemplar: Exemplar | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Exposition:
    """One scrape. `types` and `units` are by family name; `bad_lines` counts what was no sample.

    `repeated` counts series that stand there more than once with different values: they are left
    out, since which value is true cannot be told. `ended`: the page says that it is complete.
    """

    types: dict[str, str]
    series: tuple[Series, ...]
    bad_lines: int
    natives: dict[str, dict[Labels, NativeHistogram]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    repeated: int = 0
    ended: bool = False

    @property
    def families(self) -> int:
        """How many metric families it holds."""
        return len(self.types) or len({*(s.name for s in self.series), *self.natives})

    @property
    def samples(self) -> int:
        """How many series it holds."""
        return len(self.series) + sum(map(len, self.natives.values()))


class _Page:
    """What is read of a page so far."""

    def __init__(self) -> None:
        self.types: dict[str, str] = {}
        self.units: dict[str, str] = {}
        self.found: dict[tuple[str, Labels], Series | NativeHistogram] = {}
        self.repeated: set[tuple[str, Labels]] = set()
        self.bad = 0

    def comment(self, line: str) -> None:
        found = _META.fullmatch(line)
        if found is None:
            return
        name = found["name"]
        name = plain(_unquote(name) if name.startswith('"') else name)
        (self.types if found["what"] == "TYPE" else self.units)[name] = found["word"]

    def sample(self, line: str) -> None:
        read = _sample(line)
        if read is None:
            self.bad += 1
            return
        name, labels, value = read
        before = self.found.get((name, labels))
        if before is not None and not _says_the_same(before, value):
            self.repeated.add((name, labels))
        self.found[name, labels] = value


def parse(text: str) -> Exposition:
    """All samples of one scrape. Never raises."""
    page, ended = _Page(), False
    for line in text.split("\n"):
        stripped = line.strip()
        if not stripped:
            continue
        ended = stripped == "# EOF"
        if stripped.startswith("#"):
            page.comment(stripped)
        else:
            page.sample(stripped)
    natives: dict[str, dict[Labels, NativeHistogram]] = {}
    series: list[Series] = []
    for (name, labels), value in page.found.items():
        if (name, labels) in page.repeated:
            continue
        if isinstance(value, Series):
            series.append(value)
        else:
            natives.setdefault(name, {})[labels] = value
    return Exposition(
        page.types, tuple(series), page.bad, natives, page.units, len(page.repeated), ended
    )


def plain(name: str) -> str:
    """A name in UTF-8 from the form in which it is escaped; any other as it is."""
    if not name.startswith("U__"):
        return name

    def sign(found: re.Match[str]) -> str:
        if found[1] is None:
            return "_"
        code = int(found[1], 16)
        return chr(code) if code <= _MOST_CODE else found[0]

    return _ESCAPED.sub(sign, name.removeprefix("U__"))


def _sample(line: str) -> tuple[str, Labels, Series | NativeHistogram] | None:
    if len(line) > MAX_LINE:
        return None
    found = _SAMPLE.fullmatch(line)
    if found is None:
        return None
    name, inside = found["name"], found["labels"] or ""
    if name is None:  # Prometheus 3 puts a name that is no identifier into the braces
        quoted = _NAME_IN_BRACES.match(inside)
        if quoted is None:
            return None
        name, inside = _unquote(quoted["name"]), inside[quoted.end() :]
    name, labels = plain(name), _labels(inside)
    value = None if labels is None else _value(name, labels, found["value"], found["more"])
    return None if labels is None or value is None else (name, labels, value)


def _value(
    name: str, labels: Labels, text: str, more: str | None
) -> Series | NativeHistogram | None:
    exemplars = tuple(_exemplars(more)) if more else ()
    if text.startswith("{"):
        return native_text.read(text, exemplars)
    try:
        return Series(name, labels, float(text), exemplars[0] if exemplars else None)
    except ValueError:
        return None


def _says_the_same(one: Series | NativeHistogram, other: Series | NativeHistogram) -> bool:
    """Whether two lines of one series agree; NaN is not equal to itself and yet says the same."""
    if isinstance(one, Series) and isinstance(other, Series):
        return one.value == other.value or (math.isnan(one.value) and math.isnan(other.value))
    return one == other


def _exemplars(text: str) -> list[Exemplar]:
    """Those that name a trace."""
    every = []
    for found in _EXEMPLAR.finditer(text):
        labels = dict(_labels(found["labels"]) or ())
        trace = next((labels[k] for k in TRACE_LABELS if labels.get(k)), None)
        try:
            value, at = float(found["value"]), float(found["at"]) if found["at"] else None
        except ValueError:
            continue
        if trace is not None and len(trace) <= MOST_TRACE:
            every.append(Exemplar(trace, value, at))
    return every


def _labels(text: str) -> Labels | None:
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        label = _LABEL.match(text, at)
        if label is None:
            return tuple(sorted(found.items())) if not text[at:].strip() else None
        key = label["key"]
        found[plain(_unquote(key) if key.startswith('"') else key)] = _unquote(label["value"])
        at = label.end()
        if at < len(text) and text[at] != ",":
            return None
        at += 1
    return tuple(sorted(found.items()))


def _unquote(text: str) -> str:
    return _ESCAPE.sub(lambda m: "\n" if m[1] == "n" else m[1], text[1:-1])
