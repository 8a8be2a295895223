"""Endpoints that misbehave, over a real connection: each gives a clear sentence, and nothing untrue."""

from __future__ import annotations

import time

import pytest

from locard.metrics.sources import exposition
from locard.model import metrics_words
from locard.model.facts import EndpointCoverage, MetricsSummary
from locard.model.target import Context, Target
from support import Locard, run_probe


def ask(start, how, **more):
    """What the probe finds at an endpoint that behaves so, in facts and in words, and how often it asked."""
    server = start("odd_endpoint.py", how)
    url = f"http://127.0.0.1:{server.line.strip()}/metrics"
    context = Context(
        Target("host/local", "host", "local", "here"),
        pause_s=0.1,
        **(more or {"metrics_urls": (url,)}),
    )
    outputs, facts = run_probe(exposition, context)
    says = {MetricsSummary: metrics_words.summary, EndpointCoverage: metrics_words.endpoints}
    words = "; ".join(says[type(f)](f) for f in facts)
    return facts, words.replace(url, "URL"), outputs


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("401", "URL needs a login (HTTP 401)"),
        ("403", "URL forbids to read it (HTTP 403)"),
        ("429", "URL said slow down, and was not asked again (HTTP 429, again after 30 s)"),
        ("500", "URL failed to make its page (HTTP 500)"),
        ("503", "URL failed to make its page (HTTP 503)"),
        ("404", "URL has no such page (HTTP 404)"),
        ("302", "URL sends elsewhere, which is not followed (HTTP 302)"),
        ("html", "URL answered with a page that is none of metrics (the content type is text/html)"),
        ("json", "URL answered with a page that is none of metrics (the content type is application/json)"),
        ("empty", "URL answered with a page that is none of metrics (it is empty)"),
        ("short", "URL gave a page whose end is missing, which was not read (fewer bytes came than were announced)"),
        ("chunk-cut", "URL gave a page whose end is missing, which was not read (fewer bytes came than were announced)"),
        ("half-line", "URL gave a page whose end is missing, which was not read (its last line has no end)"),
        ("no-eof", "URL gave a page whose end is missing, which was not read (it is OpenMetrics and does not end with # EOF)"),
        ("gzip-cut", "URL gave a page whose end is missing, which was not read (fewer bytes came than were announced)"),
        ("huge", "URL gave a page that was not read (more than 4 MB came)"),
        ("bomb", "URL gave a page that was not read (more than 4 MB came)"),
        ("packed", "URL gave a packed page that was not asked for and cannot be read (zstd)"),
    ],
)  # fmt: skip
def test_what_gives_no_metrics_says_so_and_is_not_asked_more_than_is_due(start, how, words):
    facts, said, outputs = ask(start, how)
    assert said == words
    assert [type(f) for f in facts] == [EndpointCoverage]
    again = how in {"html", "json", "empty", "short", "chunk-cut", "half-line", "no-eof", "gzip-cut", "packed"}  # fmt: skip
    assert len(outputs) == (2 if again else 1)


@pytest.mark.parametrize("how", ["chunked", "until-close", "eof", "html-type", "no-type", "protobuf-lie", "gzip"])  # fmt: skip
def test_a_page_that_is_whole_is_read_whatever_is_said_of_it(start, how):
    (summary,), said, _ = ask(start, how)
    assert (summary.series, summary.answered_by.how) == (3, "one")
    assert summary.form == ("openmetrics" if how == "eof" else "text")
    assert said.startswith("traffic 0 {request}/s")


def test_a_garbled_family_at_the_begin_costs_only_itself(start):
    (summary,), said, outputs = ask(start, "garbled-first")
    assert (summary.form, summary.series, summary.unread) == ("protobuf", 1, 1)
    assert "left out: 1 line or family could not be read" in said
    assert outputs[0].stdout.endswith(b"items{} 5.0\n")


def test_what_is_packed_is_not_kept_since_it_cannot_be_cleaned(start):
    _, _, outputs = ask(start, "packed")
    assert {o.stdout for o in outputs} == {b""}


def test_one_that_begins_and_does_not_finish(start, monkeypatch):
    server = start("odd_endpoint.py", "slow")
    url = f"http://127.0.0.1:{server.line.strip()}/metrics"
    target = Target("host/local", "host", "local", "here")
    outputs, (coverage,) = run_probe(exposition, Context(target, metrics_found=(url,), pause_s=0.1))
    assert [u.how for u in coverage.unanswered] == ["slow"]
    assert "began to answer and had not finished after" in metrics_words.endpoints(coverage)
    assert len(outputs) == 1


def test_what_was_not_read_is_no_complete_answer(start):
    for how, partial in (("401", True), ("short", True), ("404", False), ("html", False)):
        assert ask(start, how)[0][0].partial is partial, how


def test_hostile_labels_are_data(start):
    (summary,), said, _ = ask(start, "hostile")
    assert summary.unread == 1  # the label of 70 kB
    assert "left out: 1 line or family could not be read" in said
    (upstream,) = {dict(s.subject).get("upstream") for s in summary.signals} - {None}
    assert upstream.startswith("\x1b[2J")  # as it came: the screen escapes it


def test_nothing_of_a_page_steers_the_screen(start, tmp_path):
    url = f"http://127.0.0.1:{start('odd_endpoint.py', 'hostile').line.strip()}/metrics"
    words = ("probe", "exposition", "host/local", "--metrics", url, "--state", tmp_path / "state")
    done = Locard()(*words)
    assert "31mhttp_requests" in done.stdout
    assert not {"\x1b", "\x07", "\u202e"} & set(done.stdout + done.stderr)


def test_a_hundred_thousand_series_are_read_in_time(start):
    began = time.monotonic()
    (summary,), _, _ = ask(start, "many")
    assert summary.series == 100_000
    assert len(summary.signals) < 10
    assert time.monotonic() - began < 60


def test_a_series_that_stands_there_twice_is_left_out_and_said(start):
    (summary,), said, _ = ask(start, "twice")
    assert summary.repeated == 1
    assert "left out: 1 series stands there twice with different values" in said
    errors = next(s for s in summary.signals if s.signal == "errors")
    assert errors.detail.endswith("0 of 1000 before")


def test_counts_that_are_none(start):
    (summary,), said, _ = ask(start, "odd-numbers")
    assert summary.odd == 3
    assert "left out: 3 counts are negative or no numbers" in said
    errors = next(s for s in summary.signals if s.signal == "errors")
    assert errors.detail.endswith("3 of 1003 before")
    assert not any(s.metric == "worker_threads_busy" for s in summary.signals)


@pytest.mark.parametrize(
    ("how", "who", "asked"),
    [
        ("workers", "in turn", 5),
        ("two-workers", "in turn", 5),
        ("no-start-times", "in turn", 5),
        ("shared", "shared", 5),
        ("restart", "restarted", 5),
        ("moved-on", "untold", 5),
        ("one-fall", "untold", 5),
        ("steady", "one", 2),
    ],
)
def test_who_answered(start, how, who, asked):
    (summary,), said, outputs = ask(start, how)
    assert summary.answered_by.how == who
    assert len(outputs) == asked
    told = who in {"one", "shared", "restarted"}
    assert any(s.signal == "traffic" for s in summary.signals) is told
    assert bool(summary.signals) is told
    assert ("cannot be subtracted" in said) is not told
    assert ("PROMETHEUS_MULTIPROC_DIR" in said) is (who == "in turn")


def test_the_words_for_several_processes(start):
    _, said, _ = ask(start, "workers")
    assert said.startswith(
        "the page is answered by several processes in turn (5 start times in 5 scrapes, back and forth): "
        "two scrapes of different processes cannot be subtracted"
    )


def test_after_a_restart_all_that_is_counted_is_new(start):
    (summary,), said, _ = ask(start, "restart")
    traffic = next(s for s in summary.signals if s.signal == "traffic")
    assert traffic.count == 8
    assert "started anew" in said
