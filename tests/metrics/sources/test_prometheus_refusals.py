"""Servers that are down, forbid, are busy or break: what is said, and what is asked no more."""

from __future__ import annotations

import gzip
import json
import socket

import pytest

from metric_asks import END, FEW, ask, only
from metric_servers import CannedApi, matrix, refused, said


def test_all_of_it_is_read(serve):
    fact, _ = ask(serve().url)
    assert (fact.series, fact.samples, fact.problem, fact.partial) == (4, 2404, "", False)
    assert fact.source == "Prometheus 9.9.9"


MIMIR = {"application": "Grafana Mimir", "version": "2.1", "revision": "a"}
OLD = {"version": "2.24.0"}
THANOS = {"version": "0.32", "revision": "a"}


@pytest.mark.parametrize(
    ("build", "served", "name"),
    [
        (MIMIR, "", "Grafana Mimir 2.1"),
        (THANOS, "/api/v1/stores", "Thanos 0.32"),
        (OLD, "/api/v1/status/top_queries", "VictoriaMetrics"),
        (OLD, "", "Prometheus API 2.24.0"),
    ],
)
def test_what_it_is_called(serve, build, served, name):
    api = CannedApi(FEW, only("build", said(build)), lambda: END)

    def answer(path, query, handler):
        if path.endswith("/flags"):
            return refused(404, "no")
        return said({}) if path == served else api(path, query, handler)

    fact, _ = ask(serve(answer).url)
    assert (fact.source, fact.series) == (name, 4)


# -- nobody there, nobody let in ----------------------------------------------------------------


def test_nobody_listens():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        fact, screen = ask(f"http://127.0.0.1:{free.getsockname()[1]}")
    assert fact.unreached
    assert "cannot be reached: Connection refused. Next: see that it runs" in screen


@pytest.mark.parametrize(
    ("status", "said_so"),
    [
        (401, "it wants a login (HTTP 401): no entry. Next: user:password@ in the URL"),
        (403, "it forbids this (HTTP 403): no entry. Next: another login, or a tenant"),
        (429, "it said slow down (HTTP 429), and was asked no more: no entry. Next: wait"),
        (500, "it failed (HTTP 500), and was asked no more: no entry. Next: see its own log"),
        (503, "it is overloaded (HTTP 503), and was asked no more: no entry. Next: wait"),
    ],
)
def test_who_says_no_is_asked_once(serve, status, said_so):
    fake = serve(lambda *_: refused(status, "<html><b>no entry</b></html>", "text/html"))
    fact, screen = ask(fake.url)
    assert said_so in screen
    assert fact.unreached
    assert len(fake.asked) == 1


def test_what_was_tried_is_said_where_no_api_is(serve):
    fake = serve(lambda *_: refused(404, "not here"))
    fact, screen = ask(f"{fake.url}/shop")
    assert "no Prometheus API is served there (HTTP 404)" in screen
    for path in ("/shop/api/v1/query", "/shop/prometheus/api/v1/query", "/shop/select/0/prometheus/api/v1/query"):  # fmt: skip
        assert path in screen
    assert "Next: name the address of its API" in screen
    assert fact.unreached


@pytest.mark.parametrize("prefix", ["/prometheus", "/select/0/prometheus"])
def test_a_prefix_is_found_and_said(serve, prefix):
    fact, screen = ask(serve(prefix=prefix).url)
    assert fact.series == 4
    assert f"the API lies below {prefix}" in screen
    assert "tried: /api/v1/query" in screen
    assert "HTTP 404 404 page not found" in screen


@pytest.mark.parametrize(
    "path", ["/graph?g0.expr=up&g0.tab=1", "/api/v1/query?query=up", "/alerts/"]
)
def test_an_address_of_a_browser_is_taken_as_that_of_its_server(serve, path):
    fact, screen = ask(serve().url + path)
    assert fact.series == 4
    assert "tried:" not in screen


def test_a_login_page_is_no_api(serve):
    fake = serve(lambda *_: refused(200, "<html>Please log in</html>", "text/html; charset=utf-8"))
    fact, screen = ask(fake.url)
    assert "what answers is no Prometheus API: an answer that is not the API's (text/html, 26 bytes)" in screen  # fmt: skip
    assert "--bearer FILE or --header opens the door" in screen
    assert fact.unreached


def test_a_redirect_is_said_and_not_followed(serve):
    other = serve()
    there = f"{other.url}/login?state=s3cr3t"
    fake = serve(lambda *_: (302, {"Location": there}, ""))
    _, screen = ask(fake.url)
    assert f"it sends on to {other.url}/login, which is not followed" in screen
    assert "s3cr3t" not in screen
    assert other.asked == []


@pytest.mark.parametrize(
    ("path", "body", "url", "sentence"),
    [
        ("/metrics", "# TYPE up gauge\nup 1\n", "", "locard metrics {}/metrics."),
        ("/stats", "# TYPE up gauge\nup 1\n", "/stats", "locard metrics {}/stats --page."),
        ("/api/v2/status", '{"versionInfo": {}}', "", "--around alert --alertmanager {}."),
    ],
)
def test_what_else_is_served_there_is_told_with_what_to_type(serve, path, body, url, sentence):
    fake = serve(lambda p, *_: (200, {}, body) if p == path else refused(404, "no"))
    _, screen = ask(fake.url + url)
    assert sentence.format(fake.url) in screen


# -- in the middle --------------------------------------------------------------------------------


MANY = [
    ({"__name__": f"done_{n}_total", "job": "shop"}, values) for n, (_, values) in enumerate(FEW)
]


def in_the_middle(answer):
    """The third query of samples goes wrong, each metric being asked for by itself."""
    count = []

    def change(kind, query):
        if kind == "flags":
            return said({"query.max-samples": "2500", "storage.tsdb.path": "data"})
        if kind != "samples":
            return None
        count.append(1)
        name = query["query"].partition('"')[2].partition('"')[0]
        rows = [row for row in MANY if row[0]["__name__"] == name]
        return answer if len(count) > 2 else said(matrix(*rows))

    return change


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (refused(422, json.dumps({"error": "too many samples"})), "refused a query as too much (HTTP 422), and was asked no more: too many samples"),
        (refused(429, "slow"), "said slow down (HTTP 429)"),
        (refused(503, "busy"), "is overloaded (HTTP 503)"),
        (refused(500, "oh"), "failed (HTTP 500)"),
        ((200, {}, '{"status":"success","data":{"resultType":"matrix","res'), "an answer that is not the API's"),
        ((200, {"Content-Length": 9999}, '{"status":'), "cut after 10 of 9999 bytes"),
        (said(["a list"]), "an answer of another form"),
        (said({"result": [{"metric": {"__name__": "x"}, "values": [[None, None]]}]}), "an answer of another form"),
        (said(None), "an answer of another form"),
        ((200, {}, "[" * 200_000), "an answer that is not the API's"),
        ((200, {"Content-Encoding": "gzip"}, gzip.compress(b"x" * 9999)[:-20]), "its gzip ends early"),
        ((200, {"Content-Encoding": "gzip"}, b"no gzip at all"), "it is no gzip"),
        ((200, {}, b" " * (65 << 20)), "more than 64 MB"),
        ((200, {"Content-Encoding": "gzip"}, gzip.compress(b" " * (70 << 20), 1)), "more than 64 MB"),
    ],
    ids=["422", "429", "503", "500", "cut JSON", "short", "list", "nulls", "null", "deep", "gzip cut", "no gzip", "huge", "bomb"],
)  # fmt: skip
def test_what_was_read_is_kept_and_nothing_more_is_asked(serve, answer, words):
    def by_itself(handler):
        handler.close_connection = True  # so that what is too short ends
        status, headers, body = answer
        handler._say(status, headers, body)

    api = CannedApi(MANY, in_the_middle(by_itself), lambda: END)
    fake = serve(api)
    fact, screen = ask(fake.url)
    assert words in screen
    assert ". Next: " in screen
    assert fact.partial
    assert not fact.unreached
    assert (fact.series, fact.queries) == (2, len(fake.asked))
    assert api.kinds[-1] == "samples"
    assert api.kinds.count("samples") == 3
    assert fake.most == 1


@pytest.mark.parametrize(
    "kind", ["build", "flags", "values", "rules", "metadata", "interval", "alerts"]
)
def test_a_server_that_gets_busy_is_left_alone_at_once(serve, kind):
    api = CannedApi(FEW, only(kind, refused(503, "busy")), lambda: END)
    fact, screen = ask(serve(api).url)
    assert "is overloaded (HTTP 503), and was asked no more" in screen
    assert api.kinds[-1] == kind
    assert fact.partial


def test_a_server_that_hangs_is_waited_for_within_the_budget(serve):
    slow = serve(lambda *_: slow.over.wait(60) and None)
    fact, screen = ask(slow.url, budget_s=3.0)
    assert "it did not answer in time, and was asked no more: no answer within 2 s" in screen
    assert len(slow.asked) == 1
    assert fact.unreached


def test_a_server_that_drips_is_not_waited_for_for_ever(serve):
    def drip(_path, _query, handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        while not fake.over.wait(0.05):
            handler.wfile.write(b" ")

    fake = serve(drip)
    _, screen = ask(fake.url, budget_s=3.0)
    assert "no answer within 2 s" in screen


def test_no_http_at_all(serve):
    def noise(_path, _query, handler):
        handler.wfile.write(b"\x15\x03\x01\x00\x02\x02")
        handler.close_connection = True

    _, screen = ask(serve(noise).url)
    assert "the answer is not HTTP" in screen
    assert "Next: " in screen


def test_a_chunked_answer_that_is_cut(serve):
    def chunk(_path, _query, handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"ff\r\n{}")
        handler.close_connection = True

    _, screen = ask(serve(chunk).url)
    assert "an answer of it is damaged, and was asked no more" in screen


def test_a_connection_that_was_closed_meanwhile_is_opened_again(serve):
    def change(_kind, _query):
        def close(handler):
            handler.close_connection = True

        closing.append(1)
        return None if len(closing) != 3 else close

    closing = []
    fact, _ = ask(serve(change=change).url)
    assert (fact.series, fact.problem) == (4, "")
