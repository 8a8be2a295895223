"""The series that confirm, as rows for other programs: csv and parquet.

Columns: `time` (Unix seconds), `kind` (a golden signal, or `changed`), `metric`, `labels` (as JSON), `value`,
`unit`, `query`. A value that is not known has no row.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from locard.model.metric_facts import MetricHistory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.investigation import Investigation
    from locard.model.metric_facts import Course, Pairs

COLUMNS = ("time", "kind", "metric", "labels", "value", "unit", "query")
Row = tuple[float, str, str, str, float, str, str]


def written(found: Investigation, form: str) -> bytes:
    """All rows in a form: csv or parquet."""
    rows = list(_rows(found))
    return _parquet(rows) if form == "parquet" else _csv(rows)


def _rows(found: Investigation) -> Iterator[Row]:
    for evidence in found.evidence:
        for fact in evidence.facts:
            if not isinstance(fact, MetricHistory):
                continue
            for signal in fact.signals:
                yield from _points(
                    signal.course,
                    (signal.signal, signal.metric, signal.subject, signal.unit, signal.query),
                )
            for one in fact.changed:
                yield from _points(
                    one.course, ("changed", one.metric, one.labels, one.unit, one.query)
                )


def _points(course: Course | None, about: tuple[str, str, Pairs, str, str]) -> Iterator[Row]:
    kind, metric, labels, unit, query = about
    told = json.dumps(dict(labels), ensure_ascii=False)
    for n, value in enumerate(course.values if course else ()):
        if course is not None and value is not None:
            at = round(course.start + n * course.step_s, 3)
            yield at, kind, metric, told, value, unit, query


def _csv(rows: list[Row]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    # A cell that begins so is a formula to spreadsheets, and names are somebody else's.
    writer.writerows(
        [f"'{c}" if isinstance(c, str) and c[:1] in "=+-@\t" and c else c for c in r] for r in rows
    )
    return out.getvalue().encode("utf-8", "replace")


def _parquet(rows: list[Row]) -> bytes:
    import duckdb  # noqa: PLC0415 - where it is asked for

    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as base:
        path = Path(folder) / "series.parquet"
        base.execute(
            "CREATE TABLE series (time DOUBLE, kind TEXT, metric TEXT, labels TEXT, value DOUBLE, unit TEXT, query TEXT)"
        )
        if rows:
            base.executemany("INSERT INTO series VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        base.execute("COPY series TO ? (FORMAT parquet)", [str(path)])
        return path.read_bytes()
