"""The exposition parser: both formats, dirty lines, and whatever a fuzzer makes of them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locard.metrics.text_format import Histogram, histograms, parse

CLASSIC = r"""# HELP http_requests_total Requests. With "quotes" and \n.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{code="400", method="post",} 3
msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.4e9
metric_without_labels 12.47
something_weird{problem="division by zero"} +Inf -3982045
empty_braces{} NaN
"""
OPENMETRICS = """# TYPE foo histogram
# UNIT foo seconds
foo_bucket{le="0.1"} 8 # {trace_id="KOO5S4vxi0o"} 0.067 1520879607.789
foo_bucket{le="+Inf"} 10
foo_sum 3.2
foo_count 10
foo_created 1520430000.123
# EOF
"""


def values(text):
    return {(s.name, s.labels): s.value for s in parse(text).series}


def test_the_classic_format():
    found = values(CLASSIC)
    assert found["http_requests_total", (("code", "200"), ("method", "post"))] == 1027
    assert found["http_requests_total", (("code", "400"), ("method", "post"))] == 3
    weird = (("error", 'Cannot find file:\n"FILE.TXT"'), ("path", "C:\\DIR\\FILE.TXT"))
    assert found["msdos_file_access_time_seconds", weird] == 1.4e9
    assert found["something_weird", (("problem", "division by zero"),)] == math.inf
    assert math.isnan(found["empty_braces", ()])
    assert parse(CLASSIC).bad_lines == 0
    assert parse(CLASSIC).types == {"http_requests_total": "counter"}


def test_openmetrics_with_exemplars():
    exposition = parse(OPENMETRICS)
    assert exposition.bad_lines == 0
    assert histograms(exposition.series)["foo"][()] == Histogram(
        (0.1, math.inf), (8.0, 10.0), 10.0, 3.2
    )


def test_quoted_names_of_prometheus_3():
    found = values('{"http.requests", "net.peer"="a b"} 4\n{"alone"} 1\n')
    assert found == {("http.requests", (("net.peer", "a b"),)): 4, ("alone", ()): 1}


@pytest.mark.parametrize(
    "line",
    ["foo1", "foo", "foo{", 'foo{a="b} 1', "foo{a=b} 1", "{} 1", 'foo{a="b"} x', 'foo{a="b"c} 1', "1 2",
     "<html>", 'foo{a="b" d="c"} 1', "x" * 70000 + " 1"],
)  # fmt: skip
def test_a_bad_line_costs_only_itself(line):
    exposition = parse(f"before 1\n{line}\nafter 2\n")
    assert [s.name for s in exposition.series] == ["before", "after"]
    assert exposition.bad_lines == 1


def test_broken_histograms_are_left_out():
    falling = 'a_bucket{le="1"} 5\na_bucket{le="+Inf"} 3\n'
    endless = 'b_bucket{le="1"} 5\n'
    nameless = 'c_bucket{le="x"} 5\nc_bucket 3\n'
    assert histograms(parse(falling + endless + nameless).series) == {}


TEXT = st.text(alphabet='abz_:{}="\\,#+-.eInfNaN 01\t\n\x00é', max_size=200)


@given(TEXT)
def test_nothing_makes_it_raise(text):
    exposition = parse(text)
    histograms(exposition.series)
    assert exposition.bad_lines <= text.count("\n") + 1


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.text(max_size=20), max_size=4
    ),
    st.floats(allow_nan=False),
)
def test_what_is_written_by_the_rules_is_read_back(labels, value):
    def escaped(text):
        return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")

    inside = ",".join(f'{k}="{escaped(v)}"' for k, v in labels.items())
    assert values(f"x{{{inside}}} {value!r}\n") == {("x", tuple(sorted(labels.items()))): value}


def test_quantiles_rest_on_buckets():
    one = Histogram((0.1, 0.5, math.inf), (50.0, 90.0, 100.0), 100.0, 20.0)
    assert one.quantile(0.25) == pytest.approx(0.05)
    assert one.quantile(0.7) == pytest.approx(0.3)
    assert one.quantile(0.99) == 0.5  # above the highest bound: no more can be said
    assert one.bucket(0.99) == (0.5, math.inf)
    assert one.over(0.1) == 0.5
    assert one.over(0.2) is None
    assert one.mean == 0.2


def test_counters_that_fell_were_reset():
    earlier = Histogram((1.0, math.inf), (50.0, 60.0), 60.0, 9.0)
    later = Histogram((1.0, math.inf), (55.0, 70.0), 70.0, 10.0)
    assert later.minus(earlier) == Histogram((1.0, math.inf), (5.0, 10.0), 10.0, 1.0)
    assert earlier.minus(later) == earlier
    assert later.minus(None) == later
    assert later.minus(Histogram((2.0, math.inf), (1.0, 1.0), 1.0, 1.0)) == later
    assert later.plus(Histogram((2.0, math.inf), (1.0, 1.0), 1.0, 1.0)) is None
    assert Histogram((), (), 0.0, None).quantile(0.5) is None
    assert Histogram((1.0, math.inf), (0.0, 0.0), 0.0, 0.0).mean is None
