"""A real Prometheus and a real VictoriaMetrics with a planted step of errors, asked as a user types it."""

from __future__ import annotations

import csv
import io
import json
import os
import time
import urllib.parse

import duckdb
import pytest

import metric_servers as servers
import protobuf_page
from forky_lab import needs_forky
from locard.metrics import history
from locard.metrics.sources import prometheus
from locard.model.target import Context, Target
from metric_servers import Story
from support import run_probe


@pytest.fixture(scope="module")
def story():
    return Story(time.time())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("prometheus")


@pytest.fixture(scope="module")
def real(folder, story):
    with servers.prometheus(folder, story) as url:
        yield url


@pytest.fixture(scope="module", params=["prometheus", "victoria-metrics"])
def each(request, story, tmp_path_factory):
    if request.param == "prometheus":
        yield request.getfixturevalue("real")
        return
    with servers.victoria_metrics(tmp_path_factory.mktemp("victoria"), story) as url:
        yield url


def history_in(document):
    (fact,) = [f for e in document["evidence"] for f in e["facts"] if "window_from" in f]
    return fact


def errors_in(fact):
    (found,) = [s for s in fact["signals"] if s["signal"] == "errors" and s["onset"]]
    return found


def samples_of(story, fact):
    """How many samples of a story lie in the window of a fact."""
    within = (fact["start"], fact["end"])
    return sum(
        within[0] <= at <= within[1]
        for name, _, known in story.series
        for at, _ in known
        if name != "ALERTS"
    )


def holds(onset, at):
    return onset["earliest"] - 1 <= at <= onset["latest"] + 1


def test_a_step_of_errors_is_found_where_it_is(locard, each, story):
    done = locard("metrics", each)
    assert done.returncode == 1, done.stderr
    assert "Errors of http_requests (job=payment) rose from" in done.stdout
    assert "Alert ErrorsHigh fired at" in done.stdout
    assert "finding: service-degraded" in done.stdout
    document = locard.json("metrics", each)
    assert document["exit_code"] == 1
    fact = history_in(document)
    assert (fact["series"], fact["samples"]) == (60, samples_of(story, fact))
    assert fact["source"].startswith(("Prometheus 2.", "VictoriaMetrics"))
    assert holds(errors_in(fact)["onset"], story.onset + story.step)
    assert errors_in(fact)["after"] == pytest.approx(0.25, abs=0.01)


def test_the_series_that_confirm_for_other_programs(locard, real, story, tmp_path):
    done = locard("metrics", real, "-o", "csv")
    assert done.returncode == 1
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    late = [
        float(r["value"])
        for r in rows
        if r["kind"] == "errors" and float(r["time"]) > story.onset + 60
    ]
    early = [
        float(r["value"]) for r in rows if r["kind"] == "errors" and float(r["time"]) < story.onset
    ]
    assert min(late) > 0.2
    assert max(early) < 0.05
    path = tmp_path / "series.parquet"
    locard("metrics", real, "-o", "parquet", "--to", path)
    query = "SELECT min(value) FROM read_parquet(?) WHERE kind = 'errors' AND time > ?"
    ((least,),) = duckdb.sql(query, params=[str(path), story.onset + 60]).fetchall()
    assert least == pytest.approx(min(late))


def test_pages_for_people(locard, real):
    assert "# " in locard("metrics", real, "-o", "markdown").stdout
    page = locard("metrics", real, "-o", "html").stdout
    assert page.lstrip().lower().startswith("<!doctype html")
    assert "http_requests" in page


def test_a_part_of_the_series(locard, real):
    fact = history_in(locard.json("metrics", real, "--match", '{queue=~"q[12]"}'))
    assert fact["series"] == 2
    fact = history_in(locard.json("metrics", real, "--match", 'http_requests_total{code="500"}'))
    assert fact["series"] == 4
    done = locard("metrics", real, "--match", "{job==}")
    assert "it does not understand --match" in done.stdout
    assert done.returncode == 4


def test_around_a_moment_and_an_alert(locard, real, story):
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(story.onset))
    fact = history_in(locard.json("metrics", real, "--around", at))
    assert holds(errors_in(fact)["onset"], story.onset + story.step)
    assert fact["window_from"] == pytest.approx(story.onset - 900, abs=2)
    assert fact["end"] == pytest.approx(story.onset + 900, abs=2) or fact["end"] <= time.time()
    fact = history_in(locard.json("metrics", real, "--around", "alert"))
    (alert,) = fact["alerts"]
    assert alert["first_pending"] == pytest.approx(story.onset + 135, abs=story.step)
    assert alert["firing"] == pytest.approx(story.onset + 315, abs=story.step)
    assert holds(errors_in(fact)["onset"], story.onset + story.step)


def test_more_than_are_to_be_read(locard, real):
    done = locard("metrics", real, "--most", "20")
    assert done.returncode == 4
    assert "60 series are more than are read at once" in done.stdout
    assert "shop 44" in done.stdout
    assert "--match" in done.stdout


def test_how_often_a_server_is_asked(locard, real):
    """Each thing once: it was 22 times before that was looked at."""

    def forward(_path, _query, handler):
        try:
            status, body = servers.get(real + handler.path)
        except urllib.error.HTTPError as error:
            return error.code, {}, error.read()
        return status, {"Content-Type": "application/json"}, body

    proxy = servers.Fake(forward)
    fact = history_in(locard.json("metrics", proxy.url))
    proxy.close()
    assert fact["queries"] == len(proxy.asked) <= 14
    assert proxy.most == 1
    asked = [(path, tuple(query.items())) for path, query, _ in proxy.asked]
    assert len(set(asked)) == len(asked)


def test_a_server_with_a_small_bound_is_asked_in_parts(locard, story, tmp_path):
    with servers.prometheus(tmp_path, story, "--query.max-samples=20000") as url:
        fact = history_in(locard.json("metrics", url))
    assert (fact["series"], fact["problem"]) == (60, "")
    assert fact["samples"] == samples_of(story, fact)
    assert holds(errors_in(fact)["onset"], story.onset + story.step)


def test_a_server_whose_bound_is_too_small_for_anything_says_so(locard, story, tmp_path):
    with servers.prometheus(tmp_path, story, "--query.max-samples=30") as url:
        done = locard("metrics", url)
    assert done.returncode == 4
    words = " ".join(done.stdout.split())
    assert "it refused a query as too much (HTTP 422), and was asked no more: query processing would load too many samples" in words  # fmt: skip
    assert "Next: ask for less, with --match or a shorter --since" in words


def test_a_route_prefix_is_found(locard, story, tmp_path):
    with servers.prometheus(
        tmp_path, story, "--web.route-prefix=/prometheus", "--web.external-url=http://x/prometheus", prefix="/prometheus",
    ) as url:  # fmt: skip
        assert history_in(locard.json("metrics", url))["series"] == 60
        done = locard("metrics", url.removesuffix("/prometheus"))
    assert "the API lies below /prometheus" in done.stdout
    assert done.returncode == 1


def test_an_address_from_a_browser(locard, real):
    fact = history_in(locard.json("metrics", f"{real}/graph?g0.expr=up&g0.tab=0"))
    assert fact["series"] == 60


# -- native histograms, and what newer servers have ----------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def native(tmp_path_factory):
    """A Prometheus that scrapes a native histogram; it begins with the first test, since its first scrape takes 5 s."""
    if servers.shutil.which("prometheus") is None:
        yield ""
        return
    scraped = []

    def page(*_):
        scraped.append(1)
        return (
            200,
            {"Content-Type": protobuf_page.KIND},
            protobuf_page.histogram("wait_seconds", len(scraped)),
        )

    target = servers.Fake(page)
    config = CONFIG.format(port=target.port)
    flag = "--enable-feature=native-histograms"
    with servers.prometheus(tmp_path_factory.mktemp("native"), None, flag, config=config) as url:
        yield url
    target.close()


CONFIG = """global: {{scrape_interval: 1s}}
scrape_configs: [{{job_name: shop, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}]
"""


def test_a_native_histogram_is_read_as_a_classic_one(native):
    if not native:
        pytest.skip("prometheus is not here")
    asked = f"{native}/api/v1/query?query=wait_seconds[1m]"
    servers.wait_until(lambda: len(_samples(servers.get(asked)[1])) > 3, 60)
    context = Context(Target("host/local", "host", "local", "here"), metrics_urls=(native,))
    outputs, _ = run_probe(prometheus, context, params=prometheus.Params(match="wait_seconds"))
    found = history.read(outputs[0])
    by_bound = {s.label("le"): s.values.tolist() for s in found.series if s.label("le")}
    counts = by_bound["+Inf"]
    assert len(counts) > 3
    times = [(n - 1) / 4 for n in counts]  # how often it was scraped by then
    assert by_bound == {
        "-1.0": times, "0.001": [n + 1 for n in times], "2.0": [3 * n + 1 for n in times], "4.0": counts, "+Inf": counts,
    }  # fmt: skip
    (total,) = [s for s in found.series if s.name == "wait_seconds_sum"]
    assert total.values.tolist() == [4.5 * n for n in times]


def _samples(body):
    result = json.loads(body)["data"]["result"]
    return result[0].get("histograms", []) if result else []


PAGE = """{"http.server.requests",code="200"} %d
{"queue.depth.now"} 7
{"odd \\"na.me\\" {a|b} \\\\ c"} 3
"""


@pytest.mark.parametrize("_", [pytest.param("3.5", marks=needs_forky)])
def test_names_with_dots_of_prometheus_3(locard, tmp_path, _):
    scraped = []

    def page(*_):
        scraped.append(1)
        return (
            200,
            {"Content-Type": "text/plain; version=1.0.0; escaping=allow-utf-8"},
            PAGE % len(scraped),
        )

    root = os.environ["LOCARD_FORKY"]
    target = servers.Fake(page)
    config = CONFIG.format(port=target.port)
    with (
        servers.forky_folder(root) as folder,
        servers.prometheus(
            folder, None, config=config, argv=["chroot", root, "prometheus"], inside=root
        ) as url,
    ):
        servers.wait_until(lambda: len(scraped) > 2, 60)
        found = f'{url}/api/v1/query?query={urllib.parse.quote("""{"http.server.requests"}""")}'
        servers.wait_until(lambda: json.loads(servers.get(found)[1])["data"]["result"], 60)
        fact = history_in(locard.json("metrics", url, "--match", '{"http.server.requests"}'))
        whole = history_in(locard.json("metrics", url, "--match", '{__name__=~".*[.].*"}'))
    target.close()
    assert fact["source"].startswith("Prometheus 3.")
    assert fact["series"] == 1
    assert whole["series"] == 3


def test_a_rise_of_every_day_is_a_rhythm_and_no_incident(locard, tmp_path):
    from locard.lab.metric_histories import HISTORIES

    class Written:
        def open_metrics(self):
            book = HISTORIES["daily-rhythm"](11, int(time.time()))
            book.write(tmp_path / "written.om")
            return (tmp_path / "written.om").read_text()

    with servers.prometheus(tmp_path, Written()) as url:
        document = locard.json("metrics", url)
    fact = history_in(document)
    assert document["exit_code"] == 0
    assert [s["metric"] for s in fact["signals"] if s["onset"]] == []
    assert any("daily rhythm" in s["detail"] for s in fact["signals"])
