"""What was read of many series over a window: far/metric_lines.py's lines, as arrays.

Shapes: every series has its own times (Unix seconds, growing) and as many values.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from locard.model.foreign_json import parsed

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from locard.model.evidence import Output

    Floats = NDArray[np.float64]

Labels = tuple[tuple[str, str], ...]
_SLACK_S = 1.0  # by which a sample may lie outside of the window: times are rounded
_MOST_UNPACKED = 64 << 20  # bytes of one block: more is no series of ours


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One series. `labels` are sorted, without the name."""

    name: str
    labels: Labels
    times: Floats
    values: Floats

    def label(self, name: str) -> str:
        """The value of a label; empty where it has none."""
        return next((v for k, v in self.labels if k == name), "")


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One request that a series remembers: its trace id, its value and its time (Unix seconds)."""

    name: str
    labels: Labels
    trace_id: str
    value: float
    at: float


@dataclass(slots=True)
class History:
    """Everything that one reading said. `problem`: (HTTP status or 0, words) where it ended early."""

    source: dict[str, Any] = field(default_factory=dict)
    window: tuple[float, float] | None = None
    match: str = ""
    counted: int | None = None
    jobs: dict[str, Any] = field(default_factory=dict)
    interval: float = 0.0
    step: float = 0.0  # of values that were read at even steps; 0: as they were written
    unread: int = 0
    queries: int = 0
    types: dict[str, str] = field(default_factory=dict)
    rules: list[dict[str, Any]] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)
    exemplars: list[Exemplar] = field(default_factory=list)
    problem: tuple[int, str] | None = None
    how: str = ""  # it ended: late, cut, tls, …: far/http_api.py's Refused
    warned: list[str] = field(default_factory=list)  # by the server: its answers may lack something
    disordered: int = 0  # series whose samples came out of order, or as two at one time
    tried: list[str] = field(default_factory=list)
    instead: str = ""  # the path of what else is served there
    interest: float = 0.0  # seconds of the window of interest
    fired: list[tuple[Labels, float]] = field(default_factory=list)  # by an Alertmanager
    asked: dict[str, Any] = field(default_factory=dict)


def read(output: Output, *, words_alone: bool = False) -> History:
    """One reading. Never raises: what is no line is left out. `words_alone`: without its series."""
    found = History()
    for line in output.stdout.split(b"\n"):
        head, *blocks = line.split(b"\t")
        if blocks and words_alone:
            continue
        try:
            said = parsed(head)
        except ValueError:
            continue
        if not isinstance(said, dict):
            continue
        if blocks:
            series = _series(said, blocks)
            if series is not None:
                found.series.append(series)
        else:
            _words(found, said)
    _put_in_order(found)
    return found


def _put_in_order(found: History) -> None:
    """Each series once, its times growing and within the window: a part of it comes with each stretch that was read."""
    parts: dict[tuple[str, Labels], list[Series]] = {}
    for one in found.series:
        parts.setdefault((one.name, one.labels), []).append(one)
    found.series = []
    for (name, labels), every in parts.items():
        times = np.concatenate([s.times for s in every]) if len(every) > 1 else every[0].times
        values = np.concatenate([s.values for s in every]) if len(every) > 1 else every[0].values
        if not (np.diff(times) > 0).all():
            order = np.argsort(times, kind="stable")
            late = any((np.diff(s.times) < 0).any() for s in every)
            times, values = times[order], values[order]
            again = np.flatnonzero(np.diff(times) <= 0) + 1
            same = (values[again] == values[again - 1]) | np.isnan(values[again])
            found.disordered += bool(late or not same.all())
            times, values = np.delete(times, again), np.delete(values, again)
        if found.window is not None:
            known = (times >= found.window[0] - _SLACK_S) & (times <= found.window[1] + _SLACK_S)
            if not known.all():
                found.disordered += 1
                times, values = times[known], values[known]
        if times.size:
            found.series.append(Series(name, labels, times, values))


def _series(said: dict[str, Any], blocks: list[bytes]) -> Series | None:
    try:
        labels = {str(k): str(v) for k, v in said["labels"].items()}
        values = _unpacked(blocks[0], "<f8").astype(np.float64)
        if len(blocks) > 1:
            times = _unpacked(blocks[1], "<i8").astype(np.float64) / 1000
        else:
            times = (float(said["t0"]) + float(said["step"]) * np.arange(values.size)) / 1000
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error, zlib.error):
        return None
    if not values.size or times.size != values.size or not np.isfinite(times).all():
        return None
    name = labels.pop("__name__", "")
    return Series(name, tuple(sorted(labels.items())), times, values)


def _unpacked(block: bytes, kind: str) -> NDArray[Any]:
    reader = zlib.decompressobj()
    data = reader.decompress(base64.b64decode(block, validate=True), _MOST_UNPACKED)
    return np.frombuffer(data, dtype=kind)


def _words(into: History, said: dict[str, Any]) -> None:
    """One line of words; what has another form is left out."""
    try:
        for key, value in said.items():
            _word(into, key, value)
    except (KeyError, TypeError, ValueError, AttributeError):
        return


def _word(into: History, key: str, value: Any) -> None:
    take = _TAKE.get(key)
    if key in {"source", "types", "jobs", "asked"}:
        setattr(into, key, dict(value))
    elif key in {"interval", "step"}:
        setattr(into, key, float(value))
    elif take is not None:
        take(into, value)


def _window(into: History, value: Any) -> None:
    into.window = (float(value["start"]), float(value["end"]))
    into.match = str(value["match"])
    into.interest = float(value.get("interest", 0.0))


def _alert(into: History, value: Any) -> None:
    labels = {str(k): str(v) for k, v in value["labels"].items()}
    into.fired.append((tuple(sorted(labels.items())), float(value["at"])))


def _read(into: History, value: Any) -> None:
    into.unread, into.queries = int(value["unread"]), int(value["asked"])


def _problem(into: History, value: Any) -> None:
    into.problem = (int(value["status"]), str(value["words"]))
    into.how = str(value.get("how", ""))


def _exemplar(into: History, value: Any) -> None:
    labels = {str(k): str(v) for k, v in value["series"].items()}
    own = {str(k): str(v) for k, v in value["labels"].items()}
    trace = next((own[k] for k in ("trace_id", "traceID", "traceId") if k in own), "")
    name = labels.pop("__name__", "")
    if trace:
        about = tuple(sorted(labels.items()))
        into.exemplars.append(
            Exemplar(name, about, trace, float(value["value"]), float(value["at"]))
        )


def _rules(into: History, value: Any) -> None:
    into.rules = [dict(r) for r in value]


def _counted(into: History, value: Any) -> None:
    into.counted = int(value["series"])


def _instead(into: History, value: Any) -> None:
    into.instead = str(value["path"])


_TAKE: dict[str, Callable[[History, Any], None]] = {
    "window": _window, "alert": _alert, "read": _read, "problem": _problem, "exemplar": _exemplar,
    "rules": _rules, "counted": _counted, "instead": _instead,
    "tried": lambda into, value: into.tried.append(str(value)),
    "warned": lambda into, value: into.warned.extend(map(str, value)),
}  # fmt: skip
