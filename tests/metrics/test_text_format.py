"""The exposition parser: both formats, dirty lines, and whatever a fuzzer makes of them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locard.metrics.families import histograms
from locard.metrics.histograms import Exemplar, Histogram, NativeHistogram
from locard.metrics.text_format import parse

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


NATIVE = "{count:4,sum:2.5,schema:1,zero_threshold:0.001,zero_count:1,positive_spans:[-1:1,1:1],positive_buckets:[1,2]}"


def test_a_native_histogram_in_text():
    exposition = parse(f'h{{a="b"}} {NATIVE} 1.5 # {{trace_id="abc"}} 0.7 9\nh {NATIVE}\n')
    assert exposition.bad_lines == 0
    expected = NativeHistogram(1, 0.001, 1.0, ((-1, 1.0), (1, 2.0)), (), 4.0, 2.5)
    assert exposition.natives == {"h": {(("a", "b"),): expected, (): expected}}
    assert exposition.natives["h"][(("a", "b"),)].exemplars == (Exemplar("abc", 0.7, 9.0),)
    assert exposition.samples == 2
    custom = parse(
        "h {count:3,sum:1,schema:-53,custom_values:[0.1,1],positive_spans:[0:1,1:1],positive_buckets:[1,2]}"
    )
    assert custom.natives["h"][()].quantile(0.9).words() == "> 1 s"


@pytest.mark.parametrize(
    "value",
    ["{}", "{count:x}", "{sum:1}", "{count:1,schema:9}", "{count:1,schema:-5}", "{count:-1}", "{count:NaN}",
     "{count:1,positive_spans:[0:2],positive_buckets:[1]}", "{count:1,positive_spans:[0:1],positive_buckets:[1,2]}",
     "{count:1,positive_spans:[0:1,-1:1],positive_buckets:[1,2]}", "{count:1,positive_spans:[99999999999:1],positive_buckets:[1]}",
     "{count:1,schema:-53,custom_values:[2,1]}", "{count:1,schema:-53,custom_values:[1],positive_spans:[2:1],positive_buckets:[1]}",
     "{count:1,positive_spans:[0:4000000000],positive_buckets:[]}", "{count:1,zero_threshold:-1}", "{count:1", "{count:1]}"],
)  # fmt: skip
def test_a_native_histogram_that_does_not_fit_itself_is_none(value):
    exposition = parse(f"h {value}\n")
    assert (exposition.natives, exposition.bad_lines) == ({}, 1)


def test_exemplars_that_name_a_trace():
    lines = ['a_total 1 # {trace_id="t1"} 0.5 12.5', 'b_total 1 # {traceID="t2"} 0.5', 'c_total 1 # {span="x"} 0.5',
             'd_total 1 # {trace_id="t4"} x', f'e_total 1 # {{trace_id="{"t" * 200}"}} 1', "f_total 1 # words"]  # fmt: skip
    found = parse("\n".join(lines))
    assert found.bad_lines == 0
    assert {s.name: s.exemplar for s in found.series if s.exemplar} == {
        "a_total": Exemplar("t1", 0.5, 12.5),
        "b_total": Exemplar("t2", 0.5),
    }


def test_names_that_are_escaped():
    text = 'U__http_2e_server__x_count{U__http_2e_route="/a",plain="b"} 3\nU___ffffff_ 1\n'
    assert values(text) == {
        ("http.server_x_count", (("http.route", "/a"), ("plain", "b"))): 3,
        ("_ffffff_", ()): 1,
    }


def test_a_series_that_stands_there_twice():
    found = parse('a 1\na 1\nb 1\nb 2\nc NaN\nc NaN\nd{x="y"} 1\n')
    assert {s.name for s in found.series} == {"a", "c", "d"}
    assert found.repeated == 1


def test_metadata_and_the_end():
    text = '# TYPE a.b info\n# TYPE "c d" stateset\n# UNIT "c d" seconds\n# HELP a x\n# TYPE broken\n# EOF\n'
    found = parse(text)
    assert found.types == {"a.b": "info", "c d": "stateset"}
    assert found.units == {"c d": "seconds"}
    assert found.ended
    assert not parse(f"{text}a 1\n").ended, "nothing comes behind the end"
    assert not parse("a 1\n").ended


def test_exemplars_of_a_classic_histogram_are_kept():
    (found,) = histograms(parse(OPENMETRICS).series)["foo"].values()
    assert found.exemplars == (Exemplar("KOO5S4vxi0o", 0.067, 1520879607.789),)
