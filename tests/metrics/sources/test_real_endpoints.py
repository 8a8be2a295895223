"""Real endpoints that serve protobuf: a program of client_golang, and Prometheus itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import urllib.request

import pytest

from locard.guard.redact import Redactor
from locard.investigate.probing import redacted
from locard.metrics.page import page_of
from locard.metrics.sources import exposition
from locard.model.target import Context, Target
from support import PROGRAMS, run_probe, wait_until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def context(url):
    return Context(Target("host/local", "host", "local", "here"), metrics_urls=(url,), pause_s=0.1)


@pytest.fixture(scope="module")
def go_page(tmp_path_factory):
    """The URL of a page of client_golang with native histograms, exemplars and hostile labels."""
    if shutil.which("go") is None:
        pytest.skip("Go is missing, which builds the program that is scraped")
    binary = tmp_path_factory.mktemp("go") / "page"
    built = subprocess.run(
        ["go", "build", "-o", binary, "."], cwd=PROGRAMS / "go_page", capture_output=True, text=True,
        check=False, timeout=170, env={**os.environ, "GOFLAGS": "-mod=mod"},
    )  # fmt: skip
    if built.returncode:
        pytest.skip(f"the Go program cannot be built here: {built.stderr[-200:]}")
    with subprocess.Popen([binary], stdout=subprocess.PIPE, text=True) as program:
        try:
            yield f"http://127.0.0.1:{program.stdout.readline().strip()}/metrics"
        finally:
            program.kill()


def test_native_histograms_and_exemplars_of_client_golang(go_page):
    outputs, (summary,) = run_probe(exposition, context(go_page))
    assert summary.form == "protobuf"
    assert (summary.unread, summary.repeated, summary.odd) == (0, 0, 0)
    assert summary.answered_by.how == "one"
    page = page_of(outputs[0]).scrape.exposition
    (native,) = page.natives["http_server_request_duration_seconds"].values()
    assert (native.schema, native.total) == (3, 1001)
    assert [e.trace_id for e in native.exemplars] == [TRACE]
    # The values are 1 to 1000 ms and one of 7.2 s: a bucket is 9 % wide.
    assert native.quantile(0.5).near == pytest.approx(0.5, rel=0.09)
    assert native.bucket(0.9995) == (pytest.approx(6.73, abs=0.01), pytest.approx(7.34, abs=0.01))
    p99 = next(s for s in summary.signals if dict(s.subject) == {"kind": "server", "statistic": "p99"}
               and s.metric.startswith("http"))  # fmt: skip
    assert p99.before == pytest.approx(0.99, rel=0.09)
    assert p99.exemplars == (TRACE,)
    errors = next(s for s in summary.signals if s.signal == "errors")
    assert errors.exemplars == ("aaaabbbbccccdddd",)
    labels = [dict(s.labels) for s in page.series if s.name == "http_requests_total"]
    assert '/a"b\\c\nd\x1b[31m' in [one["path"] for one in labels]


def test_what_is_stored_reads_the_same(go_page):
    outputs, facts = run_probe(exposition, context(go_page))
    stored = [redacted(o, Redactor(b"k" * 32), "exposition")[0] for o in outputs]
    assert exposition.read(stored) == facts
    assert b"joe@corp" in outputs[0].stdout
    assert b"joe@corp" not in stored[0].stdout


def test_summaries_of_client_golang_are_shown_for_themselves(go_page):
    _, (summary,) = run_probe(exposition, context(go_page))
    mine = {dict(s.subject)["statistic"]: s for s in summary.signals
            if s.metric == "rpc_server_duration_seconds" and s.signal == "latency"}  # fmt: skip
    assert set(mine) == {"p50", "p99", "mean"}
    assert mine["p50"].before == pytest.approx(0.5, abs=0.06)
    assert mine["mean"].before == pytest.approx(0.5005)


def test_prometheus_itself(tmp_path):
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is missing, whose own page is scraped")
    config = tmp_path / "prometheus.yml"
    config.write_text("global: {scrape_interval: 1s}\n")
    port = _free_port()
    argv = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={tmp_path}/tsdb",
            f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=native-histograms"]  # fmt: skip
    log = (tmp_path / "log").open("wb")
    with subprocess.Popen(argv, stdout=log, stderr=log) as program:
        try:
            wait_until(lambda: _is_ready(port))
            url = f"http://127.0.0.1:{port}/metrics"
            outputs, (summary,) = run_probe(exposition, context(url))
            text = urllib.request.urlopen(url).read().decode()
        finally:
            program.kill()
    log.close()
    assert summary.form == "protobuf"
    assert (summary.unread, summary.answered_by.how) == (0, "one")
    page = page_of(outputs[0]).scrape.exposition
    in_text = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    # prometheus_http_requests_total, the only one that begins with the first request, may be late.
    assert (
        in_text >= set(page.types) >= in_text - {"prometheus_http_requests_total"} - _late(in_text)
    )
    assert any(s.signal == "saturation" and s.limit for s in summary.signals)


def _late(names):
    return {n for n in names if n.startswith(("prometheus_http_", "promhttp_"))}


def _free_port():
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _is_ready(port):
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=1).status == 200
    except OSError:
        return False
