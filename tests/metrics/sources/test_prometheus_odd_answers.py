"""Servers whose answers are odd: no wrong number, no broken screen, the right window and the right question."""

from __future__ import annotations

import json
import time

import pytest

from metric_asks import END, FEW, ask, only
from metric_servers import CannedApi, matrix, refused, said, vector


def test_values_that_are_no_numbers_are_no_numbers(serve):
    odd = ["NaN", "+Inf", "-Inf", "1e400", *["5"] * 597]
    values = [(END - 15 * k, odd[600 - k]) for k in range(600, -1, -1)]
    fact, screen = ask(serve(series=[({"__name__": "queue_depth", "job": "a"}, values)]).url)
    assert (fact.samples, fact.problem) == (601, "")
    assert "inf" not in screen.lower().replace("info", "")
    assert "nan" not in screen.lower()


def test_samples_out_of_order_and_series_that_come_twice_count_once(serve):
    (labels, values), *_ = FEW
    mixed = [values[1], values[0], *values[2:]]
    fact, screen = ask(serve(series=[(labels, mixed), (labels, values)]).url)
    assert (fact.series, fact.samples) == (1, 601)
    assert "1 series came with samples out of order" in screen
    straight, screen = ask(serve(series=[(labels, values)]).url)
    assert [s.count for s in fact.signals] == [s.count for s in straight.signals]
    assert "out of order" not in screen


def test_samples_outside_of_the_window_are_left_out(serve):
    (labels, values), *_ = FEW
    fact, screen = ask(serve(series=[(labels, [(3, 1), *values, (1e15, 7)])]).url)
    assert (fact.samples, fact.end_seen) == (601, END)
    assert "outside of the window" in screen


def test_uneven_times_are_kept_as_they_are(serve):
    # Steps of 15.5 s and then 14.5 s: each is near to 15 s, and together they are 150 s away.
    times = [END - 9000 + 15.5 * k for k in range(300)]
    times += [times[-1] + 14.5 * k for k in range(1, 301)]
    values = [(t, 1 if k > 300 else 0) for k, t in enumerate(times)]
    fact, _ = ask(serve(series=[({"__name__": "queue_depth", "job": "a"}, values)]).url)
    (changed,) = fact.changed
    assert abs(changed.onset.latest - times[301]) < 40


def test_what_it_warns_of_makes_it_partial(serve):
    warned = said(matrix(*FEW), warnings=["store-1 did not answer"])
    fact, screen = ask(serve(change=only("samples", warned)).url)
    assert "its answers may lack something, it warned: store-1 did not answer" in screen
    assert (fact.partial, fact.series) == (True, 4)
    fact, _ = ask(serve(change=only("samples", said(matrix(*FEW), isPartial=True))).url)
    assert fact.partial


def test_nothing_fits(serve):
    fact, screen = ask(serve(series=[]).url, match='{job="typo"}')
    assert "No series with samples in this window" in screen
    assert "another --match" in screen
    assert not fact.partial


@pytest.mark.parametrize(
    "answer", [refused(400, json.dumps({"error": "1:2: parse error: unexpected"})), refused(422, "cannot parse it")]
)  # fmt: skip
def test_a_selector_that_is_none_is_told_as_that(serve, answer):
    _, screen = ask(serve(change=only("names", answer)).url, match='{job==""}')
    assert "it does not understand --match" in screen
    assert "Next: write a selector" in screen


@pytest.mark.parametrize(
    ("match", "first"),
    [
        ('up{job="a"}', 'count by (__name__) ({__name__!="",__name__="up",job="a"})'),
        ("up", 'count by (__name__) ({__name__!="",__name__="up"})'),
        ('{"a.b", job="a",}', 'count by (__name__) ({__name__!="",__name__="a.b", job="a"})'),
        (' { job="}" } ', 'count by (__name__) ({__name__!="",job="}"})'),
    ],
)
def test_selectors_in_every_form(serve, match, first):
    fake = serve()
    fact, _ = ask(fake.url, match=match)
    assert fact.series == 4
    assert first in [q.get("query") for _, q, _ in fake.asked]


def test_more_series_than_are_read_are_counted_and_told_apart(serve):
    many = only("names", said(vector(({"__name__": "a", "job": "shop"}, 30_000))))
    api = CannedApi(FEW, many, lambda: END)
    fake = serve(api)
    fact, screen = ask(fake.url)
    assert len([q for _, q, _ in fake.asked if q.get("query", "").startswith("count by")]) == 1
    assert "30,000 series are more than are read at once" in screen
    assert (fact.series, fact.counted, fact.partial) == (0, 30_000, True)
    assert "samples" not in api.kinds


def test_its_clock_is_the_one_that_counts(serve):
    ahead = 90
    fake = serve(clock=lambda: time.time() + ahead)
    fact, _ = ask(fake.url)
    assert abs(fact.skew_s - ahead) < 2
    (last,) = [q["time"] for _, q, _ in fake.asked if q.get("query", "").startswith("sum(count")]
    assert abs(float(last) - (time.time() + ahead)) < 20
    assert abs(fact.end - float(last)) < 1


def test_a_moment_that_is_still_to_come_is_refused_and_the_present_is_the_end(serve):
    _, screen = ask(serve(clock=time.time).url, around=f"{time.time() + 7200:.0f}")
    assert "nothing is known of what is to come" in screen
    assert "name an earlier --around" in screen
    at = time.time() - 300
    fact, _ = ask(serve(clock=time.time).url, around=f"{at:.0f}")
    assert abs(fact.window_from - (at - 900)) < 3
    assert fact.end <= time.time() + 1


def test_five_thousand_labels_and_half_characters_break_nothing(serve):
    (labels, values), *_ = FEW
    wide = {
        **labels,
        **{f"label_{n}": "x" * 20 for n in range(5000)},
        "half": "\ud800",
        "é\x1b[31m": "\x07",
    }
    fact, screen = ask(serve(series=[(wide, values)]).url)
    assert fact.samples == 601
    json.dumps(fact.url)
    screen.encode()


def test_names_with_anything_in_them_are_asked_for_exactly(serve):
    odd = 'http.server"a\\b\nc{}'
    fake = serve(series=[({"__name__": odd, "job": "a"}, FEW[0][1])])
    fact, _ = ask(fake.url)
    assert fact.samples == 601
    (asked,) = [q["query"] for _, q, _ in fake.asked if q.get("query", "").endswith("[9000000ms]")]
    assert asked == '{__name__=~"http\\\\.server\\"a\\\\\\\\b\\nc\\\\{\\\\}"}[9000000ms]'


# -- an Alertmanager ----------------------------------------------------------------------------


def alerts(path, query, _handler):
    if path != "/api/v2/alerts":
        return refused(404, "no")
    began = time.strftime("%Y-%m-%dT%H:%M:%S.5Z", time.gmtime(END - 1200))
    return 200, {}, json.dumps([
        {"labels": {"alertname": "Late"}, "startsAt": began}, None, {"labels": 7},
        {"labels": {"alertname": "Odd"}, "startsAt": "0001-01-01T00:00:00Z"},
    ])  # fmt: skip


def test_an_alertmanager_tells_when_it_began(serve):
    manager = serve(alerts)
    fact, screen = ask(serve().url, around="alert", alertmanager=manager.url)
    assert [a.name for a in fact.alerts] == ["Late"]
    assert "Alert Late fired" in screen
    assert fact.end - fact.window_from == pytest.approx(1800)
    assert manager.asked[0][1] == {"active": "true", "silenced": "false"}


def test_an_alertmanager_that_says_no_is_said(serve):
    manager = serve(lambda *_: refused(401, "who are you"))
    fact, screen = ask(serve().url, alertmanager=manager.url)
    assert "the Alertmanager at" in screen
    assert "HTTP 401 who are you" in screen
    assert fact.partial
