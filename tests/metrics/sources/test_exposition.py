"""A real endpoint scraped twice through the transport, and endpoints that misbehave."""

from __future__ import annotations

import socket

from locard.metrics.sources import exposition
from locard.model.target import Context, Target
from support import run_probe


def context(*urls):
    return Context(Target("host/local", "host", "local", "here"), metrics_urls=urls, pause_s=0.1)


def test_two_scrapes_of_a_real_endpoint(start):
    url = f"http://127.0.0.1:{start('metrics_page.py').line.strip()}/metrics"
    outputs, facts = run_probe(exposition, context(url))
    (summary,) = facts
    assert [o.http_status for o in outputs] == [200, 200]
    assert summary.url == url
    assert summary.window_s >= 0.1
    by = {(s.signal, dict(s.subject).get("statistic")): s for s in summary.signals}
    share = by["latency", "share_over"]
    assert (share.before, share.now, share.count, share.limit) == (0.0, 1.0, 50, 0.1)
    assert by["latency", "mean"].now == 0.5
    assert dict(share.subject) == {
        "kind": "client",
        "server_address": "bank",
        "statistic": "share_over",
    }
    errors = next(s for s in summary.signals if s.signal == "errors")
    assert (errors.before, errors.now) == (0.0, 0.5)


def test_an_endpoint_that_is_not_there_gives_no_facts_and_says_why(start):
    port = start("metrics_page.py").line.strip()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}/metrics"
        outputs, facts = run_probe(exposition, context(closed, f"http://127.0.0.1:{port}/other"))
    assert facts == ()
    assert outputs[0].problem
    assert outputs[1].http_status == 404


def test_it_needs_a_url():
    assert exposition.applies(context()) is not None
