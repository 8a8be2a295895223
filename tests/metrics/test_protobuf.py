"""A page in protobuf: bytes by the specification, garbled ones, and what is read of the text they become."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from protobuf_encoder import family, label, message, varint, zigzag

from locard.guard.redact import Redactor
from locard.metrics.families import distributions, histograms
from locard.metrics.histograms import Exemplar, Histogram, NativeHistogram
from locard.metrics.text_format import parse
from locard.transport.prepared import GET_PROGRAM
from support import source_of

FAR = {"__name__": "far"}
exec(compile(source_of(GET_PROGRAM), "far", "exec"), FAR)  # as it is streamed
COUNTER, GAUGE, SUMMARY, UNTYPED, HISTOGRAM, GAUGE_HISTOGRAM = range(6)
AT = [(1, 1_700_000_000), (2, 500_000_000)]
TRACE = [label("trace_id", "4bf92f35"), (2, 7.2), (3, AT)]


def text(data, most=1 << 22):
    return FAR["text_of_protobuf"](data, most)


def read(data):
    found, bad, cut, long = text(data)
    assert (bad, cut, long) == (0, False, False)
    page = parse(found.decode())
    assert page.bad_lines == 0, found
    return page


def values(page):
    return {(s.name, s.labels): s.value for s in page.series}


NATIVE = [
    (1, 12), (2, 34.5), (5, zigzag(3)), (6, 0.001), (7, 2),
    (9, [(1, zigzag(1)), (2, 1)]), (10, zigzag(2)),
    (12, [(1, zigzag(-2)), (2, 2)]), (12, [(1, zigzag(1)), (2, 2)]),
    (13, zigzag(3)), (13, zigzag(-2)), (13, zigzag(0)), (13, zigzag(2)),
    (15, AT), (16, TRACE),
]  # fmt: skip
EXPECTED = NativeHistogram(
    3, 0.001, 2.0, ((-2, 3.0), (-1, 1.0), (1, 1.0), (2, 3.0)), ((1, 2.0),), 12.0, 34.5
)


def test_the_simple_kinds():
    page = read(
        family("http_requests_total", COUNTER, [label("code", '5"0\\0\n'), (3, [(1, 7.0), (2, TRACE), (3, AT)])])
        + family("temp", GAUGE, [(2, [(1, -math.inf)]), (6, 1_700_000_000_123)], words="In \\ two\nlines", unit="celsius")
        + family("odd", UNTYPED, [(5, [(1, math.nan)])])
    )  # fmt: skip
    found = values(page)
    assert found["http_requests_total", (("code", '5"0\\0\n'),)] == 7
    assert found["http_requests_created", (("code", '5"0\\0\n'),)] == 1_700_000_000.5
    assert found["temp", ()] == -math.inf
    assert math.isnan(found["odd", ()])
    assert page.types == {"http_requests_total": "counter", "temp": "gauge", "odd": "unknown"}
    assert page.units == {"temp": "celsius"}
    (exemplar,) = [s.exemplar for s in page.series if s.exemplar]
    assert exemplar == Exemplar("4bf92f35", 7.2, 1_700_000_000.5)


def test_a_summary():
    quantiles = [(3, [(1, 0.5), (2, 1.5)]), (3, [(1, 0.99), (2, math.nan)])]
    found = values(read(family("s", SUMMARY, [(4, [(1, 9), (2, 12.0), *quantiles])])))
    assert found["s", (("quantile", "0.5"),)] == 1.5
    assert (found["s_count", ()], found["s_sum", ()]) == (9, 12)


def test_a_classic_histogram_whose_last_bound_is_not_written():
    buckets = [(3, [(1, 4), (2, 0.1)]), (3, [(1, 6), (2, 1.0), (3, TRACE)])]
    page = read(family("h", HISTOGRAM, [(7, [(1, 10), (2, 30.0), *buckets])]))
    (found,) = histograms(page.series)["h"].values()
    assert found == Histogram((0.1, 1.0, math.inf), (4.0, 6.0, 10.0), 10.0, 30.0)
    assert [e.trace_id for e in found.exemplars] == ["4bf92f35"]
    assert not page.natives


def test_a_native_histogram():
    page = read(family("h", HISTOGRAM, [label("a", "b"), (7, NATIVE)]))
    found = page.natives["h"][(("a", "b"),)]
    assert found == EXPECTED
    assert found.exemplars == (Exemplar("4bf92f35", 7.2, 1_700_000_000.5),)
    assert values(page)["h_created", (("a", "b"),)] == 1_700_000_000.5
    assert distributions(page)["h"] == {(("a", "b"),): EXPECTED}


def test_packed_deltas_float_counts_and_both_kinds_in_one():
    packed = [f for f in NATIVE if f[0] != 13] + [
        (13, b"".join(varint(zigzag(d)) for d in (3, -2, 0, 2)))
    ]
    floats = [(4, 12.0), *(f for f in NATIVE if f[0] not in {1, 7, 10, 13}), (8, 2.0), (11, 2.0)]
    floats += [(14, float(c)) for c in (3, 1, 1, 3)]
    classic = [*NATIVE, (3, [(1, 12), (2, math.inf)])]
    for fields in (packed, floats, classic):
        page = read(family("h", HISTOGRAM, [(7, fields)]))
        assert page.natives["h"] == {(): EXPECTED}
        assert distributions(page)["h"] == {(): EXPECTED}


def test_an_empty_native_histogram_and_one_that_may_shrink():
    empty = read(family("h", HISTOGRAM, [(7, [(6, 1e-9), (12, [(1, 0), (2, 0)])])]))
    assert empty.natives["h"][()].total == 0
    gauge = read(family("h", GAUGE_HISTOGRAM, [(7, NATIVE)]))
    assert gauge.types == {"h": "gaugehistogram"}
    assert distributions(gauge) == {}


def test_names_in_utf_8():
    page = read(
        family("http.server.request.duration", GAUGE, [label("http.route", "/é"), (2, [(1, 1.0)])])
    )
    assert values(page) == {("http.server.request.duration", (("http.route", "/é"),)): 1.0}
    assert page.types == {"http.server.request.duration": "gauge"}


def test_what_is_unknown_is_skipped():
    extra = [(2, [(1, 1.0), (77, "later"), (78, 2.5), (79, 3)]), (99, "x")]
    assert values(read(family("a", GAUGE, extra))) == {("a", ()): 1.0}


GOOD = family("good", GAUGE, [(2, [(1, 1.0)])])
SPOILT = {
    "a field that is longer than its message": varint(3) + b"\x0a\x7fa",
    "a text that is no double": family("bad", GAUGE, [(2, [(1, "x")])]),
    "spans that want more counts than there are": family("bad", HISTOGRAM, [(7, [(12, [(1, 0), (2, 4_000_000_000)]), (13, 2)])]),
    "no name": family("", GAUGE, [(2, [(1, 1.0)])]),
    "a name with a line break": family("a\nb", GAUGE, [(2, [(1, 1.0)])]),
    "a kind that is not known": family("bad", 9, [(2, [(1, 1.0)])]),
    "a wire type that is gone": varint(1) + b"\x0b",
    "field 0": varint(2) + b"\x00\x01",
}  # fmt: skip


@pytest.mark.parametrize("spoilt", SPOILT.values(), ids=SPOILT)
def test_a_garbled_family_costs_only_itself(spoilt):
    found, bad, cut, _ = text(GOOD + spoilt + GOOD.replace(b"good", b"also"))
    assert set(values(parse(found.decode()))) == {("good", ()), ("also", ())}
    assert (bad, cut) == (1, False)


@pytest.mark.parametrize("size", [1, 5, len(GOOD) - 1])
def test_a_page_that_ends_early_is_cut(size):
    found, bad, cut, _ = text(GOOD + GOOD[:size])
    assert set(values(parse(found.decode()))) == {("good", ())}
    assert (bad, cut) == (0, True)


def test_a_page_that_becomes_too_long_is_not_half_given():
    assert text(GOOD * 100, 500) == (b"", 0, False, True)


@pytest.mark.parametrize(
    "page",
    [b"", b"# HELP a b\na 1\n", b'#\n\ngo_info{a="b"} 1\n', b"{}", b"<html>", b"\x1f\x8b\x08", b"\n\n\n", b"a\n1", b"\x05\n\x03a b"],
)  # fmt: skip
def test_text_is_not_taken_for_protobuf(page):
    assert not FAR["is_protobuf"](page)


def test_protobuf_is_told_by_its_bytes():
    assert FAR["is_protobuf"](GOOD)
    assert FAR["is_protobuf"](GOOD[: len(GOOD) - 4]), "and where it is cut"


@given(st.binary(max_size=400), st.integers(0, 200))
def test_nothing_makes_it_raise(noise, at):
    data = family("h", HISTOGRAM, [label("a", "b"), (7, NATIVE)])
    for spoilt in (noise, data[:at] + noise, data[:at] + noise[:3] + data[at + 3 :]):
        FAR["is_protobuf"](spoilt)
        parse(text(spoilt, 100_000)[0].decode())


def test_secrets_in_protobuf_are_replaced_and_the_rest_reads_the_same():
    labels = [label("client.address", "81.2.3.4"), label("method", "GET")]
    page = family("h", HISTOGRAM, [*labels, (7, NATIVE)], words="ask joe@corp.example")
    clean, count = Redactor(b"k" * 32).treat(text(page)[0], "exposition")
    assert count == 3  # the address in two lines
    assert not any(secret in clean for secret in (b"81.2.3.4", b"joe@"))
    ((labels, found),) = parse(clean.decode()).natives["h"].items()
    assert found == EXPECTED
    assert dict(labels)["method"] == "GET"
    assert message((1, 1)) == b"\x08\x01"  # the encoder itself
