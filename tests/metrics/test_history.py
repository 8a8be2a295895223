"""Series travel as lines: what the far side packs is what arrives, and garbage costs only itself."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import pytest

import locard.far
from locard.guard.redact import Redactor
from locard.metrics import history
from locard.model.evidence import Output

SOURCE = Path(locard.far.__file__).with_name("metric_lines.py").read_text()


def packed(monkeypatch, *every, **words):
    """What far/metric_lines.py prints of (labels, times, values)."""
    out = io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    room = {}
    exec(compile(SOURCE, "metric_lines.py", "exec"), room)
    for one in every:
        room["tell_series"](*one)
    if words:
        room["say"](**words)
    return out.getvalue().encode()


def read(data):
    return history.read(Output(("python3",), data))


def test_even_series_keep_their_times_to_the_millisecond(monkeypatch):
    times = [1_800_000_000.123 + 15 * i for i in range(300)]
    values = [math.sin(i) * 1e9 for i in range(300)]
    data = packed(monkeypatch, ({"__name__": "m", "b": "2", "a": "1"}, times, values))
    (one,) = read(data).series
    assert (one.name, one.labels) == ("m", (("a", "1"), ("b", "2")))
    assert one.values.tolist() == values
    assert one.times == pytest.approx(times, abs=0.002)
    assert len(data) < 300 * 12


def test_uneven_series_bring_their_own_times(monkeypatch):
    times = [1_800_000_000.0, 1_800_000_015.0, 1_800_000_060.5, 1_800_000_061.0]
    (one,) = read(
        packed(monkeypatch, ({"__name__": "m"}, times, [1, 2, math.nan, math.inf]))
    ).series
    assert one.times.tolist() == times
    assert math.isnan(one.values[2])
    assert math.isinf(one.values[3])


@pytest.mark.parametrize(
    "line",
    [
        b"", b"{", b"[]", b"null", b"{}\t", b'{"labels":{}}\tAAAA', b'{"labels":[],"t0":1,"step":1}\teJwDAAAAAAE=',
        b'{"labels":{"a":"b"},"t0":"x","step":1}\teJwDAAAAAAE=', b'{"window":3}', b'{"problem":{"status":"x"}}',
        b'{"rules":[1]}', b'{"exemplar":{}}', b"\xff\xfe\t\x00",
    ],
)  # fmt: skip
def test_garbage_costs_only_itself(monkeypatch, line):
    good = packed(monkeypatch, ({"__name__": "m"}, [1.0, 2.0], [3.0, 4.0]))
    found = read(line + b"\n" + good + line)
    assert [s.values.tolist() for s in found.series] == [[3.0, 4.0]]


def test_labels_are_redacted_and_numbers_are_not(monkeypatch):
    labels = {
        "__name__": "m",
        "le": "0.5",
        "password": "hunter2secret",
        "mail": "ann@example.com",
        "pod": "a-1",
    }
    data = packed(monkeypatch, (labels, [1.0, 2.0], [4111111111111111.0, 5.0]))
    clean, count = Redactor(b"k" * 32).treat(data, "series")
    (one,) = read(clean).series
    assert count == 2
    assert b"hunter2" not in clean
    assert b"ann@example" not in clean
    assert one.label("pod") == "a-1"
    assert one.values.tolist() == [4111111111111111.0, 5.0]


def test_words_of_the_reading(monkeypatch):
    words = {
        "asked": {"window": 600}, "source": {"kind": "Thanos"}, "problem": {"status": 503, "words": "busy"},
        "exemplar": {"series": {"__name__": "h_bucket", "le": "1"}, "labels": {"trace_id": "abc"}, "value": "2.5", "at": 7},
    }  # fmt: skip
    found = read(packed(monkeypatch, **words))
    assert (found.problem, found.source["kind"]) == ((503, "busy"), "Thanos")
    assert [(e.trace_id, e.value) for e in found.exemplars] == [("abc", 2.5)]
    assert json.loads(json.dumps(found.asked)) == {"window": 600}
