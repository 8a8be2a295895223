"""The cases of bench/rca.py: public data in which the component that was broken is known.

PetShop (Hardt et al., CLeaR 2024; CC-BY-4.0) and Nezha (Yu et al., FSE 2023; MIT), below LOCARD_DATA or
below ../shared/data. Nothing of the truth goes into what a method is given.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from locard.stats.component_rank import Measure

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("LOCARD_DATA") or HERE.parents[1] / "shared" / "data")
PETSHOP = DATA / "petshop"
NEZHA = DATA / "nezha" / "rca_data"
DAYS = {"OnlineBoutique": "2022-08-22", "TrainTicket": "2023-01-30"}
_BEFORE = 60  # minutes of Nezha that are baseline, with the faults before in them
_FAULT = 3  # minutes a fault of Nezha lasts
_STATISTICS = {"latency": "Average", "requests": "Sum", "availability": "Average"}
_PETSHOP_KINDS = {"latency": "latency", "requests": "traffic", "availability": "errors"}
_POD_KINDS = {
    "PodServerLatencyP90(s)": "latency",
    "PodServerLatencyP99(s)": "latency",
    "CpuUsage(m)": "saturation",
    "MemoryUsage(Mi)": "saturation",
    "PodWorkload(Ops)": "traffic",
    "NetworkReceiveBytes": "other",
    "NetworkTransmitBytes": "other",
    "SyscallRead": "other",
}
Series = dict[tuple[str, str], np.ndarray]  # by component and metric


@dataclass(frozen=True)
class Case:
    """One fault, as a method may see it, and its truth."""

    name: str
    held_out: bool  # not looked at while the method was written
    measures: list[Measure]
    symptom: np.ndarray
    onset: int
    calls: list[tuple[str, str]]
    truth: str
    what: str  # kind of the symptom
    target: str = ""  # the component on which it was seen, if it is one


def petshop() -> Iterator[Case]:
    """The issues that are here and have a baseline: 5-minute samples, five of them in the issue."""
    for scenario in sorted(p.parent.parent for p in PETSHOP.glob("*/noissue/metrics.csv")):
        calm = _petshop_table(scenario / "noissue" / "metrics.csv")
        calls = _adjacency(scenario / "graph.csv")
        for path in sorted(scenario.glob("*/issue_*/target.json")):
            issue = _petshop_table(path.parent / "metrics.csv")
            told = json.loads(path.read_text("utf-8"))
            onset = len(next(iter(calm.values())))
            nothing = np.full(onset, np.nan)
            joined = {k: np.r_[calm.get(k, nothing), v] for k, v in issue.items()}
            joined = {k: 100 - v if k[1] == "availability" else v for k, v in joined.items()}
            target = told["target"]
            yield Case(
                f"{scenario.name} {path.parent.parent.name} {path.parent.name}",
                path.parent.parent.name == "test",
                [Measure(c, _PETSHOP_KINDS[metric], v) for (c, metric), v in joined.items()],
                joined[target["node"], target["metric"]],
                onset,
                calls,
                told["root_cause"]["node"],
                _PETSHOP_KINDS[target["metric"]],
                target["node"],
            )


def _petshop_table(path: Path) -> Series:
    with path.open(encoding="utf-8", newline="") as file:
        components, metrics, statistics, *rows = csv.reader(file)
    rows = [row for row in rows if row[0] != "unix_timestamp"]
    return {
        (component, metrics[i]): np.array([float(row[i] or "nan") for row in rows])
        for i, component in enumerate(components)
        if i and statistics[i] == _STATISTICS.get(metrics[i])
    }


def _adjacency(path: Path) -> list[tuple[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        (_, *callees), *rows = csv.reader(file)
    return [
        (row[0], callee)
        for row in rows
        for callee, cell in zip(callees, row[1:], strict=True)
        if float(cell)
    ]


def nezha(system: str) -> Iterator[Case]:
    """The faults of a day: 1-minute samples; services are pods without their hashes.

    The symptom is what moved most of the front's p90, p99 and errors, as an alert would have it.
    """
    folder = NEZHA / DAYS[system] / "metric"
    told = json.loads((folder.parent / f"{DAYS[system]}-fault_list.json").read_text("utf-8"))
    faults = sorted((f for hour in told.values() for f in hour), key=lambda f: f["inject_time"])
    front = _rows(folder / "front_service.csv.gz")
    begin = _seconds(front[0]["Time"])
    size = len(front)
    alerts = {
        "p90": _grid(front, "LatencyP90(s)", begin, size),
        "p99": _grid(front, "LatencyP99(s)", begin, size),
    }
    succeeded = _grid(front, "SuccessRate(%)", begin, size)
    if np.nanmax(succeeded) > 0:  # it was not measured in TrainTicket
        alerts["errors"] = 100 - succeeded
    measures, calls = _pods(folder, begin, size)
    for i, fault in enumerate(faults):
        onset = int(np.ceil((_seconds(fault["inject_time"]) - begin) / 60))
        first = max(0, onset - _BEFORE)
        part = slice(first, onset + _FAULT)
        what = max(alerts, key=lambda name: _moved(alerts[name][part], onset - first))
        yield Case(
            f"{system} {i}",
            i % 2 == 1,
            [Measure(m.component, m.kind, m.values[part]) for m in measures],
            alerts[what][part],
            onset - first,
            calls,
            _service(fault["inject_pod"]),
            "errors" if what == "errors" else "latency",
        )


def _pods(folder: Path, begin: float, size: int) -> tuple[list[Measure], list[tuple[str, str]]]:
    """The metrics of all pods, the latency as their callers see it, and the calls, if they are here."""
    measures = []
    for path in sorted(folder.glob("*_metric.csv.gz")):
        rows = _rows(path)
        service = _service(path.name.removesuffix("_metric.csv.gz"))
        for column, kind in _POD_KINDS.items():
            measures.append(Measure(service, kind, _grid(rows, column, begin, size)))
    if not (folder / "dependency.csv.gz").exists():
        return measures, []
    seen = _rows(folder / "source_50.csv.gz")
    for column in list(seen[0])[2:]:
        callee = column.split("_")[1]
        measures.append(Measure(callee, "latency", _grid(seen, column, begin, size)))
    calls = [(row["Source"], row["Target"]) for row in _rows(folder / "dependency.csv.gz")]
    return measures, calls


def _rows(path: Path) -> list[dict[str, str]]:
    """Without the few that are broken."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row for row in rows if None not in row and None not in row.values()]


def _grid(rows: list[dict[str, str]], column: str, begin: float, size: int) -> np.ndarray:
    """A column by minute."""
    values = np.full(size, np.nan)
    for row in rows:
        minute = round((_seconds(row.get("Time") or row["time"]) - begin) / 60)
        if 0 <= minute < size and row[column]:
            values[minute] = float(row[column])
    return values


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text[:19]).replace(tzinfo=UTC).timestamp()


def _service(pod: str) -> str:
    return pod.rsplit("-", 2)[0]


def _moved(values: np.ndarray, onset: int) -> float:
    """The mean excess of an incident in inter-quartile ranges of what was before."""
    low, middle, high = np.nanpercentile(values[:onset], (25, 50, 75))
    excess = np.nanmean(np.maximum(values[onset:] - middle, 0))
    return float(excess / max(high - low, 0.05 * middle, 1e-9))
