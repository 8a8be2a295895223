"""The screen, the charts and the rows of a window of series: whole, and safe whatever the labels hold."""

from __future__ import annotations

import datetime as dt
import re

import numpy as np

from locard.model.codec import decode, encode
from locard.model.metric_facts import Course, MetricHistory
from locard.report import metric_charts, metrics_screen
from metric_series import LENGTH, ON, counter, level, series, told

HOSTILE = '\x1b[31m<script>alert(1)</script>"\n'
XS = np.arange(LENGTH)


def hurt(**about):
    about = {"job": "pay", "instance": "pay-a:80", **about}
    bad = np.random.default_rng(4).binomial(300, np.where(XS < ON, 0.003, 0.2))
    return told(counter("http_requests_total", 300 - bad, code="200", **about), counter("http_requests_total", bad, code="500", **about),
                series("cache_misses", level(5, 50, noise=0.1), **about))  # fmt: skip


def screen(found):
    return list(metrics_screen.lines(found, dt.UTC))


def test_the_screen_says_what_changed_when_and_how_to_ask_again():
    text = "\n".join(screen(hurt()))
    assert re.search(r"Errors of http_requests \(job=pay\) rose from 0\.\d+ % to 2\d %", text)
    assert re.search(r"between \d\d:\d\d:\d\d UTC and \d\d:\d\d:\d\d UTC", text)
    assert "cache_misses" in text
    assert "sum(rate(http_requests_total{" in text
    assert "|" in text.split("  errors")[0]


def test_a_sparkline_marks_the_onset_and_shows_gaps():
    from locard.model.log_facts import Onset

    course = Course(0.0, 10.0, (1.0,) * 60 + (None,) * 20 + (9.0,) * 20)
    line = metrics_screen.sparkline(course, Onset(500.0, 510.0, 0.95), 10)
    assert len(line) == 10
    assert line[4] == "|"
    assert "·" in line
    assert line[-1] == "█"
    assert metrics_screen.sparkline(None, None, 4) == "    "


def test_the_chart_breaks_where_there_is_no_data():
    path = metric_charts.path(Course(0.0, 1.0, (1.0, 2.0, None, 4.0)))
    assert path.count("M") == 2
    assert path.count("Z") == 2


def test_labels_reach_no_page_as_they_are():
    from locard.report.plain import safe

    found = hurt(route=HOSTILE)
    assert not any("\x1b" in safe(line) for line in screen(found))
    assert any(
        "\x1b" in line for line in screen(found)
    )  # the control: it is the renderer that takes it out


def test_nothing_read_says_why_and_what_to_do():
    empty = MetricHistory(
        "http://x", "", 0, 0, 0, 0, 0, 0, 0, nothing=True, problem="it wants a login (HTTP 401)"
    )
    assert screen(empty) == ["No series were read of http://x: it wants a login (HTTP 401)."]
    many = MetricHistory(
        "http://x", "", 0, 0, 0, 0, 0, 0, 0, nothing=True, counted=90_000, jobs=(("pay", 80_000),)
    )
    assert "--match" in screen(many)[0]
    assert "pay 80,000" in screen(many)[0]


def test_the_fact_survives_the_record():
    found = hurt()
    assert decode(MetricHistory, encode(found)) == found


def test_a_page_is_told_in_numbers_with_their_units():
    from locard.metrics.sources import exposition
    from locard.report import page_screen

    (summary,) = exposition.read(exposition.SAMPLES[0].outputs)
    text = "\n".join(page_screen.lines(summary))
    assert "http_client_request_duration_seconds (client, upstream=bank)" in text
    assert "latency mean: 2 s now, 0.04 s before" in text
    assert "process_open_fds: 40 fds of 1,024 (4%)" in text
    assert "signals[0]" not in text
