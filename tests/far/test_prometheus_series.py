"""From the answers of a Prometheus API to series: native histograms, long windows, parts, names."""

from __future__ import annotations

import contextlib
import io
import time

import pytest

from locard.metrics import history
from locard.metrics.sources import prometheus
from locard.model.evidence import Output
from metric_servers import Fake, matrix, said
from support import source_of


def program(**instead):
    """The program as one namespace, some of its constants being others."""
    names = {"__name__": "far", "URL": "", "HEADERS": {}, "TLS": {}, "AGENT": "test", "BESIDE": {}}
    exec(source_of(prometheus.ASK.program), names)
    names.update(instead)
    return names


def told(act):
    """What is printed, as it is read."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        act()
    return history.read(Output((), out.getvalue().encode()))


def native(*samples, **labels):
    """A row of an answer; a sample is (time, count, sum, buckets as [rule, low, high, count])."""
    rows = [
        [at, {"count": str(n), "sum": str(s), "buckets": [list(map(str, b)) for b in buckets]}]
        for at, n, s, buckets in samples
    ]
    return {"metric": {"__name__": "wait_seconds", **labels}, "histograms": rows}


def buckets_of(found, **labels):
    """By bound: the cumulative counts over time."""
    return {
        float(s.label("le")): s.values.tolist()
        for s in found.series
        if s.name == "wait_seconds_bucket" and all(s.label(k) == v for k, v in labels.items())
    }


def tell(*rows, known=()):
    names = program()
    natives = {}
    names["tell_matrix"](list(rows), natives)
    return told(lambda: names["tell_natives"](natives, known))


def test_counts_are_cumulative_with_negative_and_zero_buckets():
    found = tell(
        native(
            (0, 10, 3.5, [(1, -4, -2, 1), (1, -2, -1, 2), (3, -0.001, 0.001, 3), (0, 1, 2, 4)]),
            (15, 16, 9.5, [(1, -4, -2, 1), (1, -2, -1, 2), (3, -0.001, 0.001, 3), (0, 1, 2, 8), (0, 4, 8, 2)]),
        )
    )  # fmt: skip
    assert buckets_of(found) == {
        -2.0: [1, 1], -1.0: [3, 3], 0.001: [6, 6], 2.0: [10, 14], 8.0: [10, 16], float("inf"): [10, 16],
    }  # fmt: skip
    by_name = {s.name: s.values.tolist() for s in found.series if not s.label("le")}
    assert by_name == {"wait_seconds_count": [10, 16], "wait_seconds_sum": [3.5, 9.5]}


def test_a_bound_that_lies_inside_a_bucket_of_some_sample_is_left_out():
    # The resolution is halved between the two: (1, 2] and (2, 4] become (1, 4].
    found = tell(
        native(
            (0, 5, 9.0, [(0, 1, 2, 2), (0, 2, 4, 3)]), (15, 9, 20.0, [(0, 1, 4, 8), (0, 4, 16, 1)])
        )
    )
    assert buckets_of(found) == {4.0: [5, 8], 16.0: [5, 9], float("inf"): [5, 9]}


def test_series_of_one_metric_have_the_same_bounds():
    one = native((0, 2, 3.0, [(0, 1, 2, 2)]), pod="a")
    other = native((0, 3, 30.0, [(0, 8, 16, 3)]), pod="b")
    found = tell(one, other)
    assert buckets_of(found, pod="a") == {2.0: [2], 16.0: [2], float("inf"): [2]}
    assert buckets_of(found, pod="b") == {2.0: [0], 16.0: [3], float("inf"): [3]}


def test_many_bounds_are_thinned_and_the_last_one_stays():
    buckets = [(0, n, n + 1, 1) for n in range(1000)]
    found = buckets_of(tell(native((0, 1000, 1.0, buckets))))
    assert len(found) <= 65
    assert found[1000.0] == [1000]
    assert all(values == [bound] for bound, values in found.items() if bound < 2000)


def test_bounds_of_ones_own_and_what_is_classic_as_well():
    custom = [(0, "-Inf", 0.1, 4), (0, 0.1, "+Inf", 1)]
    assert buckets_of(tell(native((0, 5, 1.0, custom)))) == {0.1: [4], float("inf"): [5]}
    assert not tell(native((0, 5, 1.0, custom)), known={"wait_seconds_bucket"}).series


@pytest.fixture
def serve():
    started = []

    def begin(answer):
        fake = Fake(answer)
        started.append(fake)
        return fake

    yield begin
    for fake in started:
        fake.close()


LABELS = {"__name__": "queue_depth", "job": "a"}


def server_of(names, fake):
    return names["Server"](fake.url, time.monotonic() + 60)


def test_a_long_window_is_read_at_steps_in_chunks_below_the_bound(serve):
    def answer(_path, query, _handler):
        start, end, step = (float(query[k]) for k in ("start", "end", "step"))
        points = int((end - start) / step) + 1
        if points > 11_000:
            return 400, {}, "exceeded maximum resolution of 11,000 points per timeseries"
        return said(matrix((LABELS, [(start + n * step, start + n * step) for n in range(points)])))

    fake, names = serve(answer), program()
    read = lambda: names["read_steps"](server_of(names, fake), "queue_depth", 0, 375_000, 15)  # noqa: E731 - as it is called
    (series,) = told(read).series
    assert series.times.tolist() == [15.0 * n for n in range(25_001)]
    assert series.values.tolist() == series.times.tolist()
    assert len(fake.asked) == 3


def test_parts_join_and_what_lies_at_their_border_counts_once(serve):
    def answer(_path, query, _handler):
        end = float(query["time"])
        start = end - int(query["query"].rpartition("[")[2].removesuffix("ms]")) / 1000
        # As Prometheus before 3.0: both ends belong to it.
        return said(matrix((LABELS, [(t, t) for t in range(0, 9001, 15) if start <= t <= end])))

    fake, names = serve(answer), program()
    found = told(lambda: names["read_raw"](server_of(names, fake), "queue_depth", 0, 9000, 6))
    (series,) = found.series
    assert series.times.tolist() == list(range(0, 9001, 15))
    assert (len(fake.asked), found.disordered) == (6, 0)


def test_what_is_too_much_is_read_at_steps_as_a_whole(serve):
    names = program(MOST_ALL=5)
    asked = {"match": "", "window": 1800, "span": 9000, "most_series": 10, "most_seconds": 30}

    def answer(path, query, _handler):
        if path.endswith("query_range"):
            step = float(query["step"])
            start = float(query["start"])
            return said(matrix((LABELS, [(start + n * step, 1) for n in range(4)])))
        rows = [] if "ALERTS" in query.get("query", "") else [{"metric": LABELS, "value": [0, "1"]}]
        return said({"result": rows}) if path.endswith("/query") else (404, {}, "")

    fake = serve(answer)
    reading = names["Reading"]()
    source = {"skew": 0.0}
    found = told(lambda: names["read_window"](server_of(names, fake), asked, source, reading))
    assert found.step > found.interval
    assert found.series[0].values.size == 4
    assert reading.unread == 0


@pytest.mark.parametrize(
    ("names", "tail", "selector"),
    [
        (["up"], "", '{__name__=~"up"}'),
        (["a.b", 'c"d'], "", '{__name__=~"a\\\\.b|c\\"d"}'),
        (["a\\b", "n\n"], "", '{__name__=~"a\\\\\\\\b|n\\n"}'),
        (["x(y)", "é"], "(_total)?", '{__name__=~"(x\\\\(y\\\\)|é)(_total)?"}'),
    ],
)
def test_names_are_quoted_as_promql_and_re2_read_them(names, tail, selector):
    assert program()["with_name"](names, "", tail) == selector


def test_native_histograms_are_asked_for_in_smaller_parts():
    batches = program()["batches"]
    assert batches({"a": 50, "b": 50, "c": 1}, 60) == [["a"], ["b", "c"]]
    assert batches({"a": 500}, 60) == [["a"]]


def test_halves_of_characters_are_replaced_and_whole_ones_stay():
    as_json = program()["as_json"]
    text = rb'["\ud800", "\ud83d\ude00", "\\ud800", "\uDC00x", "\ud83d\ud83d\ude00"]'
    assert as_json(text) == ["\ufffd", "\U0001f600", "\\ud800", "\ufffdx", "\ufffd\U0001f600"]
    assert as_json(b"[" * 100_000) is None
